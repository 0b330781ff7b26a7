//! What is under a path: series, how they pair, and what is wrong with them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::account::{ActivityAccount, Calibration, Quantity};
use super::activity::check_counts_of_file;
use super::attributes::Attributes;
use super::image::{self, Asked, Picture, is_beside};
use super::labels::{self, referenced_series};
use super::patient::{self, PATIENT_TOLD_BY};
use super::planes::{check_frame_type, is_of_another_kind};
use super::radiopharmaceutical::Injection;
use super::series::{Instance, Kind, Series, Study};
use super::times::{self, Moment};
use crate::domain::Invalid;
use dicom_dictionary_std::tags;

/// What is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Series by series.
    pub series: Vec<SeriesEntry>,
    /// What was injected, if all activities say the same.
    pub injection: Option<Injection>,
    /// Patients, by their Patient ID.
    pub patients: usize,
    /// Moments at which activity was measured.
    pub time_points: usize,
    /// Files that are no DICOM files.
    pub other_files: usize,
    /// Why the first of the files that cannot be read cannot, and how many there are; nothing is read beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
    /// What is wrong with the whole.
    pub problems: Vec<String>,
}

/// A series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesEntry {
    /// Modality, as the files say.
    pub modality: String,
    /// Its UID.
    pub series_uid: String,
    /// UID of its study.
    pub study_uid: Option<String>,
    /// UID of the coordinates that it lies in.
    pub frame_of_reference: Option<String>,
    /// Files.
    pub files: usize,
    /// Slices of its volume.
    pub slices: Option<usize>,
    /// Voxels of its volume.
    pub shape: Option<[usize; 3]>,
    /// What its values are; none if it cannot be read.
    pub quantity: Option<Quantity>,
    /// The moment that an activity stands for.
    pub reference_time: Option<String>,
    /// Activity in all voxels [MBq].
    pub total_mbq: Option<f64>,
    /// From injection to the moment that the activity stands for [h].
    pub hours_after_injection: Option<f64>,
    /// More about an activity.
    pub activity: Option<ActivityAccount>,
    /// Names of segments or regions.
    pub names: Vec<String>,
    /// The CT or images of the same frame of reference and patient, by the UID of their series.
    pub goes_with: Option<String>,
    /// The series of which this is another reconstruction: the two are one time point.
    pub same_acquisition_as: Option<String>,
    /// Why it cannot be used.
    pub refused: Option<String>,
    /// Whether it is what is made beside an activity, such as projections, and no time point that cannot be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
    /// What looks wrong but may be meant.
    pub warnings: Vec<String>,
}

/// Looks at every series.
///
/// * `path` – where the study was read
/// * `calibration` – what makes activity of counts
pub(super) fn of(study: &Study, path: &Path, calibration: Option<Calibration>) -> Inventory {
    let mut series: Vec<SeriesEntry> = study.series.iter().map(|one| entry(study, path, one, calibration)).collect();
    let mut problems: Vec<String> = study.damaged.iter().map(|Invalid(reason)| format!("a file {reason}")).collect();
    for (at, one) in study.series.iter().enumerate() {
        match partner(study, one, &series) {
            Ok(found) => series[at].goes_with = found,
            Err(problem) => problems.push(problem),
        }
    }
    mark_reconstructions(study, &mut series);
    let patients = patient::count(study.series.iter().map(Series::patient));
    if patients > 1 {
        problems.push(format!("files of {patients} patients ({PATIENT_TOLD_BY}) lie together"));
    }
    let injection = injection(&series, &mut problems);
    let is_time = |entry: &&SeriesEntry| entry.total_mbq.is_some() && entry.same_acquisition_as.is_none();
    let time_points = series.iter().filter(is_time).count();
    let damaged = study.check_whole().err().map(|Invalid(reason)| reason);
    Inventory { time_points, injection, patients, other_files: study.others, damaged, problems, series }
}

fn entry(study: &Study, path: &Path, series: &Series, calibration: Option<Calibration>) -> SeriesEntry {
    let mut entry = SeriesEntry {
        modality: series.modality(),
        series_uid: series.uid.clone(),
        study_uid: series.study(),
        frame_of_reference: series.frame_of_reference().ok().flatten(),
        files: series.instances.len(),
        slices: None,
        shape: None,
        quantity: None,
        reference_time: None,
        total_mbq: None,
        hours_after_injection: None,
        activity: None,
        names: names(series),
        goes_with: None,
        same_acquisition_as: None,
        refused: None,
        beside: is_made_beside(series),
        warnings: Vec::new(),
    };
    let read = match series.kind {
        Kind::Ct => ct(study, series, &mut entry),
        Kind::Nm | Kind::Pet => volume(study, series, Quantity::BqPerMl, calibration, &mut entry),
        Kind::Dose => volume(study, series, Quantity::Gy, None, &mut entry),
        Kind::Segmentation | Kind::Structures => labels::check(study, path, series, &mut entry.warnings),
        Kind::RealWorldMap => Ok(()),
        Kind::Other => Err(Invalid::new("is of a kind that is not read")),
    };
    entry.slices = entry.shape.map(|shape| shape[2]);
    entry.refused = read.err().map(|Invalid(reason)| reason);
    entry
}

/// Whether an activity series says that it is what is made beside a volume: projections, planar or gated images,
/// transmission, scouts.
fn is_made_beside(series: &Series) -> bool {
    let is_other = |instance: &Instance| match series.kind {
        Kind::Nm => is_of_another_kind(instance) || check_counts_of_file(&instance.object).is_err(),
        Kind::Pet => {
            instance.is_localizer()
                || check_counts_of_file(&instance.object).is_err()
                || check_frame_type(&instance.object, 0).is_err()
        }
        Kind::Ct | Kind::Segmentation | Kind::Structures | Kind::Dose | Kind::RealWorldMap | Kind::Other => false,
    };
    series.instances.iter().all(is_other)
}

/// Checks the headers of a CT; its pixels, which may be many, are read only where they alone tell.
fn ct(study: &Study, series: &Series, entry: &mut SeriesEntry) -> Result<(), Invalid> {
    series.check_one_patient()?;
    let mut warnings = Vec::new();
    let picture = Picture::of(series, &mut warnings)?;
    if picture.check_ct()? {
        return volume(study, series, Quantity::Hu, None, entry);
    }
    warnings.extend(picture.differing_lines()?);
    entry.warnings.append(&mut warnings);
    entry.frame_of_reference = picture.frame_of_reference()?;
    entry.shape = Some(picture.grid.shape());
    entry.quantity = Some(Quantity::Hu);
    Ok(())
}

/// Reads a volume, for its total.
///
/// * `calibration` – used where the series is not quantitative without it
fn volume(
    study: &Study,
    series: &Series,
    quantity: Quantity,
    calibration: Option<Calibration>,
    entry: &mut SeriesEntry,
) -> Result<(), Invalid> {
    let read = image::read_series(study, series, quantity, Asked::default());
    let read = match (read, calibration) {
        (Err(_), Some(calibration)) => {
            let asked = Asked { calibration: Some(calibration), ..Asked::default() };
            image::read_series(study, series, quantity, asked)?
        }
        (read, _) => read?,
    };
    entry.warnings.extend(read.warnings);
    entry.frame_of_reference = read.account.frame_of_reference;
    entry.shape = Some(read.volume.grid().shape());
    entry.quantity = Some(quantity);
    if let Some(activity) = read.account.activity {
        entry.reference_time.clone_from(&activity.reference_time);
        entry.total_mbq = Some(activity.total_mbq);
        entry.hours_after_injection = activity.hours_after_injection;
        entry.activity = Some(activity);
    }
    Ok(())
}

/// Names of segments or regions.
fn names(series: &Series) -> Vec<String> {
    let of = |object: &super::attributes::Object| -> Vec<String> {
        let segments = object.items(tags::SEGMENT_SEQUENCE).iter().filter_map(|item| item.text(tags::SEGMENT_LABEL));
        let regions =
            object.items(tags::STRUCTURE_SET_ROI_SEQUENCE).iter().filter_map(|item| item.text(tags::ROI_NAME));
        segments.chain(regions).collect()
    };
    series.instances.iter().flat_map(|instance| of(&instance.object)).collect()
}

/// The images that a series goes with: those it names, else the CT of its frame of reference and patient.
///
/// # Errors
/// If there are several.
fn partner(study: &Study, series: &Series, entries: &[SeriesEntry]) -> Result<Option<String>, String> {
    if matches!(series.kind, Kind::Ct | Kind::Other | Kind::RealWorldMap) {
        return Ok(None);
    }
    let named: Vec<String> = series.instances.iter().flat_map(|one| referenced_series(&one.object)).collect();
    if let Some(found) = study.series.iter().find(|other| named.contains(&other.uid)) {
        return Ok(Some(found.uid.clone()));
    }
    let frame = |series: &Series| {
        let at = study.series.iter().position(|one| std::ptr::eq(one, series))?;
        entries[at].frame_of_reference.clone()
    };
    let Some(own) = frame(series) else { return Ok(None) };
    let is_match = |other: &&Series| {
        other.kind == Kind::Ct
            && !is_beside(other)
            && frame(other).as_ref() == Some(&own)
            && patient::may_be_one(other.patient().as_deref(), series.patient().as_deref())
    };
    let found: Vec<&Series> = study.series.iter().filter(is_match).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.uid.clone())),
        several => {
            let list: Vec<&str> = several.iter().map(|other| other.uid.as_str()).collect();
            Err(format!("the series {} may go with several CTs: {}", series.uid, list.join(", ")))
        }
    }
}

/// How far the times of one acquisition may be apart in two files: reconstructions date it by their own clocks, and no
/// patient is scanned twice in a minute [s].
const SAME_ACQUISITION_S: f64 = 60.0;

/// Marks what is another reconstruction of the acquisition of a series before it, whatever frame of reference it was
/// given.
fn mark_reconstructions(study: &Study, series: &mut [SeriesEntry]) {
    let moments: Vec<Option<Moment>> = study
        .series
        .iter()
        .map(|one| times::acquisition(one.first()).or_else(|| times::series(one.first())))
        .zip(series.iter())
        .map(|(moment, entry)| moment.filter(|_| entry.activity.is_some()))
        .collect();
    for at in 0..series.len() {
        let Some(own) = moments[at] else { continue };
        let is_same =
            |other: &usize| moments[*other].is_some_and(|other| other.seconds_since(&own).abs() <= SAME_ACQUISITION_S);
        series[at].same_acquisition_as = (0..at).find(is_same).map(|other| series[other].series_uid.clone());
    }
}

/// The injection that all activities name.
fn injection(series: &[SeriesEntry], problems: &mut Vec<String>) -> Option<Injection> {
    let all: Vec<&Injection> = series.iter().filter_map(|entry| entry.activity.as_ref()?.injection.as_ref()).collect();
    let first = (*all.first()?).clone();
    if all.iter().any(|other| !is_same_injection(other, &first)) {
        problems.push("the activities name different injections; several cycles may lie together".into());
        return None;
    }
    Some(first)
}

/// Whether two files name one injection, on clocks that may have other offsets.
fn is_same_injection(a: &Injection, b: &Injection) -> bool {
    const SAME_ACTIVITY: f64 = 1e-3;
    let instant = |one: &Injection| one.time.as_ref()?.parse::<jiff::Timestamp>().ok();
    let is_same_time = a.time == b.time || instant(a).is_some_and(|moment| Some(moment) == instant(b));
    let is_same_activity = match (a.mbq, b.mbq) {
        (Some(a), Some(b)) => (a / b - 1.0).abs() <= SAME_ACTIVITY,
        (a, b) => a == b,
    };
    is_same_time && is_same_activity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_injection_is_one_on_the_clocks_of_two_zones() {
        let at = |time: &str, mbq| Injection { time: Some(time.into()), mbq: Some(mbq) };
        let first = at("2026-03-01T14:00:00+01:00", 7400.0);
        assert!(is_same_injection(&first, &at("2026-03-01T15:00:00+02:00", 7400.4)));
        assert!(!is_same_injection(&first, &at("2026-03-01T15:00:00+01:00", 7400.0)));
        assert!(!is_same_injection(&first, &at("2026-03-01T14:00:00+01:00", 7300.0)));
        assert!(!is_same_injection(&first, &at("2026-03-01T14:00:00", 7400.0)));
    }
}
