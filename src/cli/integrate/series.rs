//! A series of maps: what a TOML file names, or the activities of a DICOM folder.

use std::collections::BTreeSet;
use std::path::Path;

use super::held::Held;
use super::maps::{By, Maps, integrate_maps, voxel_model};
use super::options::Asked;
use super::outputs::Report;
use super::times::{NamedTime, SAME_TIME_H};
use super::{Args, finished};
use crate::cli::remote::Remote;
use crate::cli::time_points::{Said, TimeLine, read_on_one_grid, regions_on};
use crate::clinic::{Moment, PointDraft, SeriesDraft, ValueRefersTo, VoxelRegion, hours_between, regions_of};
use crate::domain::{Checks, DoseError, Invalid, MomentUnit, RigidTransform, Volume, Warning, warning};
use crate::formats::dicom::{self, ActivityAccount, Belonging, LabelGrid, Place, Quantity, check_pair};
use crate::formats::labels::{self, LabelFiles};
use crate::formats::map_series::{self, MapScan, MapSeries, MapUnit};
use crate::formats::volume_file::{Origin, VolumeFile, is_volume_name, read_volume_of};

/// Bq in a MBq.
const BQ_PER_MBQ: f64 = 1e6;
/// The name of the only region where there are no labels.
const ALL: &str = "all";

/// Integrates the regions or the voxels of a series.
///
/// # Errors
/// Every bad flag, file and map.
pub(super) fn integrate_series(args: &Args, path: &Path, remote: Option<&Remote>) -> Result<Report, DoseError> {
    let place = Place::of(path);
    if place.series.is_none() && place.is_dicom(is_volume_name) {
        of_folder(args, path, remote)
    } else {
        of_toml(args, path, remote)
    }
}

/// What `--by` says. A fault is recorded.
fn by(args: &Args, asked: &Asked, checks: &mut Checks) -> Option<By> {
    match args.by.as_str() {
        "region" => Some(By::Region { reference_time_h: args.reference_time }),
        "voxel" => {
            if !args.labels.is_empty() {
                checks.fail("labels", "has no effect with --by voxel");
            }
            voxel_model(asked.curve.model, &args.curve, checks).map(By::Voxel)
        }
        other => {
            checks.fail("by", format!("must be region or voxel, got {other:?}"));
            None
        }
    }
}

fn of_toml(args: &Args, path: &Path, remote: Option<&Remote>) -> Result<Report, DoseError> {
    let mut checks = Checks::new();
    args.time_points.refuse("a folder of DICOM files as --series", &mut checks);
    let Some(mut series) = checks.at("series", map_series::read(path)) else {
        return Err(checks.finish().expect_err("a fault was recorded"));
    };
    // Flags take precedence.
    series.value_refers_to = args.curve.value_refers_to.clone().or(series.value_refers_to);
    args.check_output(series.scans.iter().map(|scan| scan.file.as_path()), &mut checks);
    let held = if series.unit == Some(MapUnit::GyPerH) { Held::DoseRate } else { Held::Activity };
    if held == Held::DoseRate && args.by != "voxel" {
        checks
            .fail("by", "must be voxel for maps of dose-rate: a dose belongs to a voxel and no sum of it to a region");
    }
    if held == Held::DoseRate && remote.is_some() {
        checks.fail("server", "integrates activity: leave it out for maps of dose-rate");
    }
    // Where no file needs to be read for the nuclide, flags are checked before any map is.
    let refers_to = series.value_refers_to.as_deref();
    let check = |named: Option<&str>, checks: &mut Checks| {
        let asked = args.curve.check([named, refers_to], checks);
        let by = by(args, &asked, checks);
        (asked, by)
    };
    let is_named = args.curve.nuclide.is_some() || series.nuclide.is_some();
    let early = is_named.then(|| check(series.nuclide.as_deref(), &mut checks));
    checks.finish()?;
    let maps = read(&series)?;
    let mut checks = Checks::new();
    let (asked, by) = early.unwrap_or_else(|| {
        let from_files = maps.of_first(|account| account.nuclide.clone());
        check(from_files.as_deref(), &mut checks)
    });
    let injection = args.curve.injection.as_ref().or(series.injection.as_ref());
    maps.check_one_cycle(&asked, injection, &mut checks);
    let of_files = || maps.of_first(|account| account.injection.as_ref()?.time.clone());
    let injection = injection.cloned().or_else(of_files);
    let told: Vec<Warning> =
        maps.named_times.iter().filter_map(|time| time.check(injection.as_deref(), &mut checks)).collect();
    checks.finish()?;
    let (nuclide, by) = asked.nuclide.zip(by).ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
    let flags = args.curve.draft(nuclide.half_life_s, asked.refers_to);
    let in_files =
        |of: fn(&dicom::Injection) -> Option<f64>| maps.of_first(|account| of(account.injection.as_ref()?));
    let administered = series.administered_activity_mbq.or_else(|| in_files(|injection| injection.mbq));
    let draft = SeriesDraft {
        points: maps.points,
        injection,
        administered_activity_mbq: flags.administered_activity_mbq.or(administered),
        infusion_h: args.curve.infusion.or(series.infusion_h).unwrap_or(0.0),
        ..flags
    };
    let regions = regions(args, &maps.volumes[0], maps.belonging.as_ref())?;
    let maps = Maps { held, volumes: maps.volumes, origin: maps.origin, draft, regions };
    let mut report = integrate_maps(&args.curve, &asked, by, maps, remote)?;
    report.warnings.extend(told);
    finished(Checks::new(), report)
}

/// What was read of the files of a series, in MBq a voxel.
struct ReadMaps {
    volumes: Vec<Volume<f32>>,
    points: Vec<PointDraft>,
    origin: Origin,
    /// What DICOM files say.
    accounts: Vec<ActivityAccount>,
    /// Whose the first DICOM file is, and where it lies.
    belonging: Option<Belonging>,
    /// Times that the series names of scans whose files say their own.
    named_times: Vec<NamedTime>,
}

impl ReadMaps {
    /// What the first DICOM file says that says it.
    fn of_first<T>(&self, of: impl Fn(&ActivityAccount) -> Option<T>) -> Option<T> {
        self.accounts.iter().find_map(of)
    }

    /// Records DICOM files of another nuclide, or of several injections.
    ///
    /// * `injection` – what a caller says of it
    fn check_one_cycle(&self, asked: &Asked, injection: Option<&String>, checks: &mut Checks) {
        let nuclides: BTreeSet<&str> = self.accounts.iter().filter_map(|account| account.nuclide.as_deref()).collect();
        if asked.nuclide.is_some_and(|nuclide| nuclides.iter().any(|name| *name != nuclide.name)) {
            let names = nuclides.into_iter().collect::<Vec<_>>().join(", ");
            checks.fail("nuclide", format!("the DICOM files say {names}"));
        }
        let of_file = |account: &ActivityAccount| account.injection.as_ref()?.time.clone();
        let times: BTreeSet<String> = self.accounts.iter().filter_map(of_file).collect();
        let hours = |first: &String, other: &String| hours_between(first, other).unwrap_or(f64::NAN);
        let of_corrected = self.accounts.iter().filter(|account| account.reference_event.as_deref() == Some("ADMIN"));
        if let (Some(said), Some(own)) = (injection, of_corrected.filter_map(of_file).next())
            && hours(said, &own).abs() > SAME_TIME_H
        {
            let words = format!("{said} is not that of a DICOM file, {own}, to which its decay was corrected");
            checks.fail("injection", words);
        }
        if let (None, Some(first)) = (injection, times.first())
            && times.iter().any(|other| hours(first, other) != 0.0)
        {
            let times = times.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            checks.fail("injection", format!("the DICOM files name several, {times}: give the one that is meant"));
        }
    }
}

/// Reads the maps. All are on the grid of the first.
fn read(series: &MapSeries) -> Result<ReadMaps, DoseError> {
    let mut checks = Checks::new();
    let mut maps = ReadMaps {
        volumes: Vec::new(),
        points: Vec::new(),
        origin: Origin::default(),
        accounts: Vec::new(),
        belonging: None,
        named_times: Vec::new(),
    };
    for (number, scan) in series.scans.iter().enumerate() {
        let field = format!("scan_{}", number + 1);
        let place = |scan: &MapScan| scan.file.canonicalize().unwrap_or_else(|_| scan.file.clone());
        if let Some(first) = series.scans[..number].iter().position(|other| place(other) == place(scan)) {
            checks.fail(format!("{field}.file"), format!("is that of scan_{} too", first + 1));
        }
        let named = |Invalid(reason): Invalid| Invalid::new(format!("{}: {reason}", scan.file.display()));
        let read = read_volume_of(&scan.file, Quantity::BqPerMl).map_err(named);
        let Some(file) = checks.at(format!("{field}.file"), read) else { continue };
        if let Some(Err(Invalid(reason))) =
            maps.volumes.first().map(|first| first.grid().check_same(file.volume.grid()))
        {
            let reason = format!(
                "is not on the grid of the first map ({reason}): resample it with dosegrid resample, or give a folder of \
                 DICOM files as --series"
            );
            checks.fail(format!("{field}.file"), reason);
        }
        if maps.volumes.is_empty() {
            maps.origin = file.header.origin.clone();
        }
        if let Some(own) = file.header.dicom.as_ref().map(|dicom| dicom.belonging()) {
            let first = maps.belonging.get_or_insert_with(|| own.clone());
            checks.at(format!("{field}.file"), check_scans(&own, first));
        }
        let account = file.header.dicom.as_ref().and_then(|dicom| dicom.activity.clone());
        if let Some((volume, point)) = one(series, scan, account.as_ref(), &file, &field, &mut checks) {
            maps.volumes.push(volume);
            maps.points.push(point);
        }
        if let (Some(account), Some(named)) = (&account, &scan.time) {
            maps.named_times.push(NamedTime { scan: field, named: named.clone(), account: account.clone() });
        }
        maps.accounts.extend(account);
    }
    checks.finish()?;
    Ok(maps)
}

/// # Errors
/// If two scans are of two patients, or lie in two frames of reference.
fn check_scans(own: &Belonging, first: &Belonging) -> Result<(), Invalid> {
    check_pair("it", &own.of_patient(), "the first DICOM scan", first)?;
    let hint = "; give a folder of DICOM files as --series with --registration, or --aligned";
    check_pair("it", own, "the first DICOM scan", first).map_err(|Invalid(reason)| Invalid(reason + hint))
}

/// A map and its time; a fault is recorded.
fn one(
    series: &MapSeries,
    scan: &MapScan,
    account: Option<&ActivityAccount>,
    file: &VolumeFile,
    field: &str,
    checks: &mut Checks,
) -> Option<(Volume<f32>, PointDraft)> {
    let voxel_ml = file.volume.grid().voxel_volume_cm3();
    let to_bq = match (series.unit, account) {
        (Some(MapUnit::Activity(unit)), None) => Some(unit.to_bq(voxel_ml)),
        (Some(MapUnit::GyPerH), None) => Some(BQ_PER_MBQ),
        (None | Some(MapUnit::Activity(MomentUnit::BqPerMl)), Some(_)) => Some(voxel_ml),
        (Some(MapUnit::Activity(_)), Some(_)) => {
            checks.fail("series", "unit: DICOM files say theirs, bq-per-ml; leave it out");
            None
        }
        (Some(MapUnit::GyPerH), Some(_)) => {
            let reason = "holds activity: maps of dose-rate are made of it by dosegrid compute, docs/curves.md";
            checks.fail(format!("{field}.file"), reason);
            None
        }
        (None, None) => {
            checks.fail("series", "unit is missing; only DICOM files say theirs");
            None
        }
    };
    let is_corrected_to_injection = account.is_some_and(|account| account.reference_event.as_deref() == Some("ADMIN"));
    let refers_to_injection = series.value_refers_to.as_deref() == Some(ValueRefersTo::Injection.name());
    let is_event_known = account.is_some_and(|account| account.reference_event.is_some());
    if refers_to_injection && is_event_known && !is_corrected_to_injection {
        let reason = "was not decay-corrected to the injection, as value_refers_to says: leave that out";
        checks.fail(format!("{field}.file"), reason);
    }
    if let (true, Some(Moment::Hours(said)), Some(own)) =
        (is_corrected_to_injection, &scan.time, account.and_then(|account| account.scan_hours_after_injection))
        && (said - own).abs() > SAME_TIME_H
    {
        let reason = format!("is {said} h, and the file was decay-corrected over {own:.3} h; leave it out");
        checks.fail(format!("{field}.time"), reason);
    }
    if is_corrected_to_injection && !(scan.time.is_some() && refers_to_injection) {
        let reason = "was decay-corrected to the injection: give its folder as --series, which undoes that, or its time \
                      and value_refers_to = \"injection\"";
        checks.fail(format!("{field}.file"), reason);
    }
    let of_file = || Some(Moment::Clock(account?.reference_time.clone()?));
    let time = scan.time.clone().or_else(of_file);
    if time.is_none() {
        checks.fail(format!("{field}.time"), "is missing: hours, or a date and time; only DICOM files say theirs");
    }
    #[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
    let scaled = |factor: f64| file.volume.map(|value| (f64::from(*value) * factor / BQ_PER_MBQ) as f32);
    let point = PointDraft { time: time?, activity_mbq: 1.0, sigma_mbq: None, duration_h: scan.duration_h };
    Some((scaled(to_bq?), point))
}

/// The activities of a folder of DICOM files.
fn of_folder(args: &Args, folder: &Path, remote: Option<&Remote>) -> Result<Report, DoseError> {
    let mut checks = Checks::new();
    let chosen = args.time_points.check(&mut checks);
    if args.curve.value_refers_to.is_some() {
        checks.fail("value-refers-to", "has no effect on DICOM files: they say it");
    }
    checks.finish()?;
    let mut checks = Checks::new();
    let inventory = checks.at("series", dicom::read_inventory(Place::of(folder), chosen.calibration));
    let labels = (!args.labels.is_empty()).then(|| checks.at("labels", labels::read(&args.labels))).flatten();
    let said = Said {
        nuclide: args.curve.nuclide.as_deref(),
        injection: args.curve.injection.as_deref(),
        administered_mbq: args.curve.administered_activity,
    };
    let line = inventory.and_then(|inventory| TimeLine::of(&inventory, &chosen, &said, &mut checks));
    // Without time points the reason stands: any nuclide will do to check the flags.
    let nuclide = line.as_ref().map_or("Lu-177", |line| line.nuclide.name.as_str());
    let asked = args.curve.check([Some(nuclide), None], &mut checks);
    let by = by(args, &asked, &mut checks);
    let line = line.filter(|line| line.is_whole);
    let reference = line.as_ref().and_then(|line| reference(line, labels.as_ref(), &mut checks));
    let (Some(mut line), Some(by), Some(reference)) = (line, by, reference) else {
        return Err(checks.finish().expect_err("a fault was recorded"));
    };
    line.check_frames(reference, &chosen, &mut checks);
    checks.finish()?;
    let mut told = std::mem::take(&mut line.assumed);
    let mut checks = Checks::new();
    let volumes = read_on_one_grid(folder, &line, reference, &chosen, &mut told, &mut checks);
    checks.finish()?;
    let (volumes, own) = volumes.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
    // Frames of reference are compared where the reference is chosen.
    if let Some(labels) = labels.as_ref().and_then(|labels| labels.dicom.as_ref()) {
        let pair = check_pair("they", &labels.belonging().of_patient(), "the activities", &own);
        pair.map_err(|Invalid(reason)| DoseError::invalid("labels", reason))?;
    }
    let grid = volumes[0].grid().clone();
    let regions = match &labels {
        None => vec![whole(&volumes[0])],
        Some(files) => regions_on(&files.organs, &grid, &RigidTransform::IDENTITY, &mut told)?,
    };
    let draft = line.draft(args.curve.infusion);
    let maps = Maps { held: Held::Activity, volumes, origin: Origin::default(), draft, regions };
    let mut report = integrate_maps(&args.curve, &asked, by, maps, remote)?;
    let told = told.into_iter().map(|words| Warning::new(warning::INPUT_FILE, "series", words));
    report.warnings.extend(told);
    finished(Checks::new(), report)
}

/// The time point that all others are put on: the first, or that of the labels.
fn reference(line: &TimeLine, labels: Option<&LabelFiles>, checks: &mut Checks) -> Option<usize> {
    let frame = labels.and_then(|labels| labels.dicom.as_ref()?.frame_of_reference.as_deref());
    let Some(frame) = frame else { return Some(0) };
    let found = line.in_frame(frame);
    if found.is_none() {
        checks.fail("labels", format!("lie in the frame of reference {frame}, in which there is no time point"));
    }
    found
}

fn whole(first: &Volume<f32>) -> VoxelRegion {
    VoxelRegion { name: ALL.into(), voxels: (0_u32..).take(first.grid().voxels()).collect() }
}

/// The regions of the labels; without them, all as one.
///
/// * `own` – whose the maps are, and where they lie, where they are DICOM
fn regions(args: &Args, first: &Volume<f32>, own: Option<&Belonging>) -> Result<Vec<VoxelRegion>, DoseError> {
    if args.labels.is_empty() {
        return Ok(vec![whole(first)]);
    }
    let mut checks = Checks::new();
    let files = checks.at("labels", labels::read(&args.labels));
    if let Some(Err(Invalid(reason))) = files.as_ref().map(|files| files.organs.grid().check_same(first.grid())) {
        let reason = format!("are not on the grid of the maps ({reason}): resample them with dosegrid resample");
        checks.fail("labels", reason);
    }
    let of_labels = files.as_ref().and_then(|files| files.dicom.as_ref()).map(LabelGrid::belonging);
    if let (Some(labels), Some(maps)) = (of_labels, own) {
        checks.at("labels", check_pair("they", &labels, "the DICOM scans", maps));
    }
    checks.finish()?;
    regions_of(&files.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?.organs)
}
