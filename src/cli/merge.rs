//! `dosegrid merge`: adds the tallies of runs with different histories and computes their dose.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::organ_volumes::{OrganVolumes, names_of};
use super::outputs::{self, InputAccount, OrganTables, OutputArgs, ResultInputs};
use super::remote::{Remote, RemoteArgs, in_words};
use super::report::ReportInputs;
use super::summary::activity_lines;
use super::{print_warnings, stdout};
use crate::domain::{
    Checks, Control, DensityMap, DoseError, DoseResult, Extras, Invalid, Organs, Part, TallyRecord, VolumeRole,
    VoxelGrid,
};
use crate::formats::labels::LabelFiles;
use crate::formats::tally;
use crate::formats::volume_file::Origin;
use crate::intake::{Merging, RawMerging, organs_in_order};
use crate::method::{add_checked, merged_dose};
use crate::request::RawGrid;

// The parser takes every flag as optional, so that one run reports every fault.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tallies from `compute --tally-output`, of the same request and seed but with different histories
    #[arg(value_name = "TALLY")]
    tallies: Vec<PathBuf>,
    #[command(flatten)]
    outputs: OutputArgs,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// A dose of all histories, and the doses of organs, where there are any.
struct Merged {
    result: DoseResult,
    organs: Option<OrganTables>,
    /// What a report shows of the maps, where they are here.
    maps: Option<(DensityMap, Option<Organs>)>,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let mut warnings = Vec::new();
    let (labels, names) = args.outputs.read_labels(None, &mut checks, &mut warnings);
    // A tally does not keep how its inputs say where they lie; labels on its grid say it the same way.
    let origin = labels.as_ref().map_or_else(Origin::default, |files| files.origin.on_another_grid());
    let ready = args.outputs.check(args.tallies.iter().map(|path| Some(path.as_path())), &[], None, &mut checks);
    if let (Some(dicom), Some(labels)) = (&ready.dicom, labels.as_ref().and_then(|files| files.dicom.as_ref())) {
        checks.at("reference", dicom.check_belonging("the labels", &labels.belonging()));
    }
    if args.outputs.weighted_output.is_some() {
        checks.fail(
            "weighted-output",
            "cannot be made from tallies: they do not distinguish alpha particles from recoils",
        );
    }
    if args.tallies.is_empty() {
        checks.fail("tallies", "at least one is needed");
    }
    let remote = args.remote.check(&mut checks);
    let Merged { mut result, organs, maps } = match &remote {
        None => here(args, labels, &names, checks)?,
        Some(remote) => there(args, remote, labels, &names, checks)?,
    };
    result.warnings.splice(0..0, warnings);
    print_warnings(&result.warnings);
    if !args.outputs.quiet {
        stdout::print(&activity_lines(&result.activity))?;
    }
    let inputs = InputAccount {
        activity_unit: "bq-s",
        effective_half_life_s: None,
        imaged_after_s: None,
        density: "tally",
        grids: None,
    };
    let report = maps.as_ref().map(|(density, organs)| ReportInputs {
        density: Some(density.g_cm3()),
        organs: organs.as_ref(),
        files: args.tallies.iter().map(|path| ("tallies", path.clone())).collect(),
    });
    outputs::write(&args.outputs, &ResultInputs { organs: organs.as_ref(), inputs, origin, ready, report }, &result)
}

/// Merges in this process.
fn here(
    args: &Args,
    labels: Option<LabelFiles>,
    names: &BTreeMap<u16, String>,
    mut checks: Checks,
) -> Result<Merged, DoseError> {
    let record = add(&args.tallies, &mut checks);
    let in_order = |(files, record): (LabelFiles, &TallyRecord)| {
        checks.at("labels", organs_in_order(&files.organs, record.density.g_cm3().grid()))
    };
    let organs = labels.zip(record.as_ref()).and_then(in_order);
    checks.finish()?;
    let record = record.expect("without a fault there is one");
    let (activity, density) = (record.activity.clone(), record.density.clone());
    let extras = Extras {
        uncertainty: args.outputs.uncertainty_output.is_some() || organs.is_some(),
        tally: args.outputs.tally_output.is_some(),
    };
    let map = organs.as_ref().map(Organs::label_map);
    let result = merged_dose(record, map.as_ref(), extras, &Control::detached())?;
    let table = |organs: &Organs| args.outputs.organ_tables(&result, &activity, Some(&density), organs, names);
    let tables = organs.as_ref().map(table);
    Ok(Merged { result, organs: tables, maps: Some((density, organs)) })
}

/// Reads the files one after another, so that no more than two tallies are in memory. Every bad file is recorded by
/// name.
fn add(paths: &[PathBuf], checks: &mut Checks) -> Option<TallyRecord> {
    let mut sum: Option<TallyRecord> = None;
    for path in paths {
        let name = path.display().to_string();
        // One of another grid is refused by its header: its body may be large.
        let grid = sum.as_ref().map(|sum| sum.density.g_cm3().grid().clone());
        let fits = |found: VoxelGrid| match grid.is_none_or(|grid| *grid == found) {
            true => Ok(()),
            false => Err(Invalid::new("belongs to a different computation: the grid differs")),
        };
        let read = tally::read_grid(path).and_then(fits).and_then(|()| tally::read(path));
        let added: Result<(), Invalid> = read.and_then(|record| add_checked(&mut sum, record));
        checks.at(&name, added);
    }
    sum
}

/// Merges on a server, which finds what is wrong with the tallies.
fn there(
    args: &Args,
    remote: &Remote,
    labels: Option<LabelFiles>,
    names: &BTreeMap<u16, String>,
    mut checks: Checks,
) -> Result<Merged, DoseError> {
    args.outputs.report.refuse_on_server(&mut checks);
    let organs = labels.as_ref().map(|files| OrganVolumes::of(&files.organs));
    let names = labels.as_ref().map(|files| names_of(&files.organs, names)).unwrap_or_default();
    let merging = announced(args, organs.as_ref(), names, &mut checks);
    checks.finish()?;
    let merging = merging.expect("without a fault it is there");
    let mut unread = None;
    let read = args.tallies.iter().map_while(|path| match fs::read(path) {
        Ok(bytes) => Some(Bytes::from(bytes)),
        Err(error) => {
            unread = Some(DoseError::Io(format!("{}: {error}", path.display())));
            None
        }
    });
    let volumes = organs.iter().flat_map(|organs| organs.sent(VolumeRole::Labels.into()));
    let answer = remote.call(async |client| client.merge_tallies(&merging, read, volumes).await);
    if let Some(error) = unread {
        return Err(error);
    }
    let answer = answer.map_err(|error| in_words(error, |field| by_name(&field, &args.tallies)))?;
    let organs = organs.map(|_| OrganTables::of_pairs(answer.organs));
    Ok(Merged { result: answer.result, organs, maps: None })
}

/// What will be sent; none if a fault was recorded.
fn announced(
    args: &Args,
    organs: Option<&OrganVolumes>,
    names: Vec<(u32, String)>,
    checks: &mut Checks,
) -> Option<Merging> {
    let name = |path: &Path| path.display().to_string();
    let size = |path: &PathBuf| {
        let size = fs::metadata(path).map_err(|error| Invalid::new(format!("cannot be opened: {error}")));
        checks.at(name(path), size).map(|metadata| metadata.len())
    };
    let sizes: Vec<u64> = args.tallies.iter().filter_map(size).collect();
    let first = args.tallies.first().filter(|_| sizes.len() == args.tallies.len())?;
    let grid = checks.at(name(first), tally::read_grid(first))?;
    let raw = RawMerging {
        grid: Part::Good(RawGrid::from(&grid)),
        tallies_bytes: sizes,
        labels: organs.map(OrganVolumes::labels).unwrap_or_default(),
        organ_volumes: organs.map(OrganVolumes::own).unwrap_or_default(),
        label_names: names,
        dose_volume_points: args.outputs.dose_volume_points().map(|points| u32::try_from(points).expect("few")),
        return_uncertainty: args.outputs.uncertainty_output.is_some(),
        return_tally: args.outputs.tally_output.is_some(),
    };
    match raw.check() {
        Ok(merging) => Some(merging),
        Err(error) => {
            for fault in error.violations() {
                checks.fail(by_name(&fault.field, &args.tallies), fault.reason);
            }
            None
        }
    }
}

/// The file or flag of a field.
fn by_name(field: &str, tallies: &[PathBuf]) -> String {
    let number = field.strip_prefix("tallies[").and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
    match number.and_then(|number| tallies.get(number)) {
        Some(path) => path.display().to_string(),
        None if field.starts_with("labels") || field.starts_with("organ_volumes") => "labels".to_owned(),
        None if field == "label_names" => "label-names".to_owned(),
        None => field.to_owned(),
    }
}
