//! The time points of a folder, from what its files say.

use std::collections::BTreeSet;
use std::f64::consts::LN_2;
use std::path::{Path, PathBuf};

use super::Chosen;
use super::plausible::{check_activities, tell_differences};
use crate::clinic::{Moment, PointDraft, SeriesDraft, ValueRefersTo, hours_between};
use crate::domain::{Checks, Invalid, Nuclide};
use crate::formats::dicom::{ActivityAccount, Calibration, Inventory, NOT_QUANTITATIVE, PATIENT_TOLD_BY, SeriesEntry};
use crate::physics::nuclide;

/// Relative difference of two administered activities that is rounding.
const SAME_ACTIVITY: f64 = 1e-3;

/// An activity at one time.
#[derive(Clone, Debug)]
pub(in crate::cli) struct TimePoint {
    /// UID of its series.
    pub(in crate::cli) series: String,
    /// UID of the coordinates that it lies in.
    pub(in crate::cli) frame: Option<String>,
    /// The moment of the activity, ISO 8601.
    pub(in crate::cli) time: String,
    /// From the injection to that moment [h].
    pub(in crate::cli) hours: f64,
    /// What stands in the file times this is the activity at that moment: 1, or the decay that a correction to the
    /// injection had undone.
    pub(in crate::cli) factor: f64,
    /// Activity in all voxels at that moment [MBq].
    pub(in crate::cli) total_mbq: f64,
    /// How counts became activity, where they had to.
    pub(in crate::cli) calibration: Option<Calibration>,
}

/// All time points, the first first.
#[derive(Clone, Debug)]
pub(in crate::cli) struct TimeLine {
    pub(in crate::cli) points: Vec<TimePoint>,
    pub(in crate::cli) nuclide: &'static Nuclide,
    /// Start of the administration, ISO 8601.
    pub(in crate::cli) injection: String,
    /// Administered activity [MBq].
    pub(in crate::cli) administered_mbq: Option<f64>,
    /// What was assumed or left out, in words.
    pub(in crate::cli) assumed: Vec<String>,
    /// Whether no time point is missing because it could not be read, which is recorded: what depends on how many there
    /// are, or where, is not known without it.
    pub(in crate::cli) is_whole: bool,
}

/// What a caller says where the files do not, or against them.
pub(in crate::cli) struct Said<'a> {
    pub(in crate::cli) nuclide: Option<&'a str>,
    pub(in crate::cli) injection: Option<&'a str>,
    pub(in crate::cli) administered_mbq: Option<f64>,
}

/// A series in a folder, as a path that every command takes.
pub(in crate::cli) fn series_path(folder: &Path, series: &str) -> PathBuf {
    let mut path = folder.as_os_str().to_owned();
    path.push("#");
    path.push(series);
    path.into()
}

impl TimeLine {
    /// The time points that are meant; none if a fault was recorded.
    pub(in crate::cli) fn of(
        inventory: &Inventory,
        chosen: &Chosen,
        said: &Said<'_>,
        checks: &mut Checks,
    ) -> Option<Self> {
        if inventory.patients > 1 {
            let words = format!("holds files of {} patients ({PATIENT_TOLD_BY})", inventory.patients);
            checks.fail("folder", words);
        }
        if let Some(reason) = &inventory.damaged {
            checks.fail("folder", reason);
        }
        let mut assumed = Vec::new();
        let Activities { found, is_whole } = activities(inventory, chosen, &mut assumed, checks);
        let accounts: Vec<&ActivityAccount> = found.iter().filter_map(|entry| entry.activity.as_ref()).collect();
        if accounts.is_empty() {
            return None;
        }
        let nuclide = nuclide_of(&accounts, said.nuclide, checks);
        let injection = injection_of(&accounts, said.injection, &mut assumed, checks);
        let administered_mbq = administered(&accounts, said.administered_mbq, &mut assumed);
        let (nuclide, injection) = (nuclide?, injection?);
        let mut points: Vec<TimePoint> =
            found.iter().filter_map(|entry| point(entry, nuclide, &injection, checks)).collect();
        points.sort_by(|a, b| a.hours.total_cmp(&b.hours).then_with(|| a.series.cmp(&b.series)));
        check_activities(&points, nuclide.half_life_s / 3600.0, administered_mbq, &mut assumed, checks);
        tell_differences(&found, &mut assumed);
        if !has_offset(&injection) {
            let words = "the clock times have no offset from UTC and are those of one clock: a change to or from summer \
                         time between them would be missed";
            assumed.push(words.into());
        }
        assumed.extend(warnings_once(&found));
        Some(Self { points, nuclide, injection, administered_mbq, assumed, is_whole })
    }

    /// The first time point in a frame of reference, by its number.
    pub(in crate::cli) fn in_frame(&self, frame: &str) -> Option<usize> {
        self.points.iter().position(|point| point.frame.as_deref() == Some(frame))
    }

    /// The times as a series. Its activities are not those of a region.
    pub(in crate::cli) fn draft(&self, infusion_h: Option<f64>) -> SeriesDraft {
        let point = |point: &TimePoint| PointDraft {
            time: Moment::Hours(point.hours),
            activity_mbq: point.total_mbq,
            sigma_mbq: None,
            duration_h: None,
        };
        SeriesDraft {
            points: self.points.iter().map(point).collect(),
            injection: None,
            physical_half_life_h: self.nuclide.half_life_s / 3600.0,
            administered_activity_mbq: self.administered_mbq,
            infusion_h: infusion_h.unwrap_or(0.0),
            refers_to: ValueRefersTo::AcquisitionMean,
        }
    }
}

/// Each warning once, after the series that it is of, in the order of the first of them.
fn warnings_once(series: &[&SeriesEntry]) -> Vec<String> {
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    for entry in series {
        for words in &entry.warnings {
            match all.iter_mut().find(|(known, _)| known == words) {
                Some((_, of)) => of.push(&entry.series_uid),
                None => all.push((words, vec![&entry.series_uid])),
            }
        }
    }
    let all_of_them = |of: &Vec<&str>| of.len() > 1 && of.len() == series.len();
    let said = |(words, of): (&str, Vec<&str>)| match all_of_them(&of) {
        true => format!("all activities: {words}"),
        false => format!("{}: {words}", of.join(", ")),
    };
    all.into_iter().map(said).collect()
}

/// Whether a clock time says its offset from UTC.
fn has_offset(time: &str) -> bool {
    time.split_once(['T', 't', ' ']).is_some_and(|(_, clock)| clock.contains(['+', '-', 'Z', 'z']))
}

/// The activities that are meant.
struct Activities<'a> {
    found: Vec<&'a SeriesEntry>,
    /// Whether they are all that are meant.
    is_whole: bool,
}

/// The series that are meant, every fault recorded.
fn activities<'a>(
    inventory: &'a Inventory,
    chosen: &Chosen,
    assumed: &mut Vec<String>,
    checks: &mut Checks,
) -> Activities<'a> {
    let is_activity = |entry: &&SeriesEntry| matches!(entry.modality.as_str(), "NM" | "PT");
    let mut found = Vec::new();
    let mut is_whole = true;
    for uid in &chosen.series {
        match inventory.series.iter().find(|entry| entry.series_uid == *uid) {
            Some(entry) if entry.total_mbq.is_some() => found.push(entry),
            Some(SeriesEntry { refused: Some(reason), .. }) => {
                checks.fail("activity-series", format!("{uid} {reason}"))
            }
            Some(_) => checks.fail("activity-series", format!("{uid} is no activity")),
            None => checks.fail("activity-series", format!("the folder holds no series {uid}")),
        }
    }
    if chosen.series.is_empty() {
        let (good, bad): (Vec<_>, Vec<_>) =
            inventory.series.iter().filter(is_activity).partition(|entry| entry.total_mbq.is_some());
        is_whole = bad.iter().all(|entry| entry.beside);
        for entry in &bad {
            let reason = entry.refused.as_deref().unwrap_or("is no activity");
            if reason.starts_with(NOT_QUANTITATIVE) {
                let words = format!("{} {reason}; or name the series to take with --activity-series", entry.series_uid);
                checks.fail("calibration", words);
            } else if !entry.beside {
                let words = format!(
                    "{} ({}) {reason}; every dose changes where a time point is left out: mend it, or name the series to \
                     take with --activity-series",
                    entry.series_uid, entry.modality
                );
                checks.fail("folder", words);
            } else {
                assumed.push(format!("left out: {} ({}) {reason}", entry.series_uid, entry.modality));
            }
        }
        if good.is_empty() && is_whole {
            let reasons: Vec<&str> = bad.iter().filter_map(|entry| entry.refused.as_deref()).collect();
            let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
            checks.fail("folder", format!("holds no activity that can be read{why}"));
        }
        found = good;
    }
    for entry in &found {
        let other = entry.same_acquisition_as.as_ref();
        if let Some(other) = other.filter(|other| found.iter().any(|one| one.series_uid == **other)) {
            let words = format!(
                "{} and {other} are two reconstructions of one acquisition, not two time points; name one of them \
                 beside all others",
                entry.series_uid
            );
            checks.fail("activity-series", words);
        }
    }
    is_whole &= chosen.series.is_empty() || found.len() == chosen.series.len();
    Activities { found, is_whole }
}

fn nuclide_of(accounts: &[&ActivityAccount], said: Option<&str>, checks: &mut Checks) -> Option<&'static Nuclide> {
    let names: BTreeSet<&str> = accounts.iter().filter_map(|account| account.nuclide.as_deref()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let own = said.map(|name| checks.at("nuclide", nuclide::find(name)));
    match (own, names.as_slice()) {
        (Some(own), []) => own,
        (Some(own), [name]) => {
            if own.is_some_and(|own| own.name != *name) {
                checks.fail("nuclide", format!("the files of the activity say {name}; leave the flag out"));
            }
            own
        }
        (None, [name]) => checks.at("nuclide", nuclide::find(name)),
        (None, []) => {
            checks.fail("nuclide", "is needed: the files do not say what was injected");
            None
        }
        (_, several) => {
            let words = format!("the files name several: {}; choose with --activity-series", several.join(", "));
            checks.fail("activity-series", words);
            None
        }
    }
}

fn injection_of(
    accounts: &[&ActivityAccount],
    said: Option<&str>,
    assumed: &mut Vec<String>,
    checks: &mut Checks,
) -> Option<String> {
    let times: BTreeSet<&str> =
        accounts.iter().filter_map(|account| account.injection.as_ref()?.time.as_deref()).collect();
    let mut times: Vec<&str> = times.into_iter().collect();
    // One injection on the clocks of several zones is one.
    times.dedup_by_key(|time| time.parse::<jiff::Timestamp>().map_or_else(|_| time.to_string(), |at| at.to_string()));
    match (said, times.as_slice()) {
        (Some(said), times) => {
            if times.iter().any(|time| *time != said) {
                assumed.push(format!("the injection is taken as said, {said}; the files say {}", times.join(", ")));
            }
            Some(said.to_owned())
        }
        (None, [time]) => Some((*time).to_owned()),
        (None, []) => {
            checks.fail("injection", "is needed: the files do not say when it was; such as 2026-03-27T09:30:00");
            None
        }
        (None, several) => {
            let words = format!(
                "the activities name different injections, {}: several cycles may lie together; choose with \
                 --activity-series, or give --injection",
                several.join(", ")
            );
            checks.fail("injection", words);
            None
        }
    }
}

/// Administered activity [MBq]; none where it is not known.
fn administered(accounts: &[&ActivityAccount], said: Option<f64>, assumed: &mut Vec<String>) -> Option<f64> {
    if said.is_some() {
        return said;
    }
    let all: Vec<f64> = accounts.iter().filter_map(|account| account.injection.as_ref()?.mbq).collect();
    let Some(first) = all.first().copied() else {
        assumed.push("the administered activity is not known: --administered-activity gives what depends on it".into());
        return None;
    };
    if all.iter().any(|other| (other / first - 1.0).abs() > SAME_ACTIVITY) {
        let words = "the files name different administered activities, and none is used; give \
                     --administered-activity";
        assumed.push(words.into());
        return None;
    }
    Some(first)
}

/// What an activity stands for, as a moment; a fault is recorded.
fn point(entry: &SeriesEntry, nuclide: &Nuclide, injection: &str, checks: &mut Checks) -> Option<TimePoint> {
    let account = entry.activity.as_ref()?;
    let uid = &entry.series_uid;
    let is_corrected_to_injection = account.reference_event.as_deref() == Some("ADMIN");
    let time = if is_corrected_to_injection { &account.acquisition_time } else { &account.reference_time };
    let Some(time) = time.clone() else {
        checks.fail("activity-series", format!("{uid} does not say when it was made; name the others"));
        return None;
    };
    let hours = hours_between(injection, &time).map_err(|Invalid(reason)| {
        Invalid::new(format!("{reason}: {injection}, and {time} of {uid}; give it as the clock of the files has it"))
    });
    let hours = checks.at("injection", hours)?;
    if hours < 0.0 {
        checks.fail("injection", format!("{injection} is after the activity {uid}, {time}"));
        return None;
    }
    let half_life_h = account.half_life_s.unwrap_or(nuclide.half_life_s) / 3600.0;
    // The file was corrected to its own injection, whatever a caller says of it.
    let corrected_h = if is_corrected_to_injection { account.scan_hours_after_injection } else { Some(0.0) };
    let Some(corrected_h) = corrected_h else {
        let words =
            format!("{uid} was decay-corrected to the injection, and does not say how long before the scan it was");
        checks.fail("activity-series", words);
        return None;
    };
    let factor = (-LN_2 / half_life_h * corrected_h).exp();
    Some(TimePoint {
        series: uid.clone(),
        frame: entry.frame_of_reference.clone(),
        time,
        hours,
        factor,
        total_mbq: account.total_mbq * factor,
        calibration: account.calibration,
    })
}
