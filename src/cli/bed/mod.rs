//! `dosegrid bed`: biologically effective dose of regions and voxels.

mod voxels;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::places::check_places;
use super::remote::RemoteArgs;
use super::twins::warn_of_twins;
use super::{print_warnings, stdout};
use crate::domain::{Checks, DoseError, Warning, words};
use crate::formats::atomic::write_file;
use crate::formats::organ_table::OrganRow;
use crate::formats::{json, organ_table, toml_file};
use crate::intake::bed::{BED_NOTE, BedAnswer, BedPlan, BedRegion, RawBed};

// The parser takes every flag as optional, so that one run reports every fault.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Regions with their tissue parameters, kinetics and doses, TOML (docs/clinic.md)
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Organ table of a cycle, from `compute --organs-output`: doses by the name of the region. One for each cycle, in
    /// order
    #[arg(long, value_name = "FILE")]
    organs: Vec<PathBuf>,
    #[command(flatten)]
    voxels: voxels::VoxelArgs,
    /// The answer, JSON; without --json and --csv it is printed
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// One row for each region, CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// The answer.
#[derive(Serialize)]
struct Answer<'a> {
    regions: &'a [BedRegion],
    /// Voxels of the map that belong to no region, and hold 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    voxels_without_bed: Option<usize>,
    warnings: Vec<Warning>,
    note: &'static str,
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let remote = args.remote.check(&mut checks);
    let plan: Option<BedPlan> = checks.at("plan", toml_file::read(&args.plan));
    let tables: Vec<_> = args.organs.iter().filter_map(|path| checks.at("organs", organ_table::read(path))).collect();
    let volumes = args.voxels.read(&mut checks);
    let outputs = [("json", args.json.as_deref()), ("csv", args.csv.as_deref())];
    let inputs = args.organs.iter().map(PathBuf::as_path).chain([args.plan.as_path()]).chain(args.voxels.inputs());
    check_places(
        inputs,
        outputs.into_iter().chain(args.voxels.outputs().map(|(flag, path)| (flag, Some(path)))),
        &mut checks,
    );
    if !args.organs.is_empty() && args.voxels.is_used() {
        checks.fail("organs", "give doses by organ tables or by dose maps, not both");
    }
    let Some(mut plan) = plan else { return checks.finish() };
    if !tables.is_empty() && !args.voxels.is_used() {
        let doses = |row: &OrganRow| Some((words::same_name(&row.name), row.mean_by_mass_gy?));
        let doses_gy: Vec<BTreeMap<String, f64>> =
            tables.iter().map(|rows| rows.iter().filter_map(doses).collect()).collect();
        plan.take_doses(&doses_gy, &mut checks);
    }
    let warnings = plan.warnings();
    let regions = plan.check(args.voxels.cycles(), &mut checks);
    checks.finish()?;
    let regions = regions.ok_or_else(|| DoseError::Internal("a plan has a fault that was not recorded".into()))?;
    let made = match (&remote, &volumes) {
        (None, None) => BedAnswer::Regions(regions.results()),
        (None, Some(volumes)) => volumes.here(&regions, &args.voxels)?,
        (Some(remote), None) => {
            let work = RawBed { plan, ..RawBed::default() }.check()?;
            remote.call(async |client| client.compute_bed(&work, []).await)?
        }
        (Some(remote), Some(volumes)) => volumes.there(remote, plan, &args.voxels)?,
    };
    let (results, voxels_without_bed) = match &made {
        BedAnswer::Regions(regions) => (regions, None),
        BedAnswer::Maps(maps) => (&maps.regions, Some(maps.voxels_without_bed)),
    };
    if let (BedAnswer::Maps(maps), Some(volumes)) = (&made, &volumes) {
        volumes.write(maps, &args.voxels)?;
    }
    warn_of_twins(&args.organs, &tables);
    print_warnings(&warnings);
    let answer = Answer { regions: results, voxels_without_bed, warnings, note: BED_NOTE };
    write(&args, &answer)
}

fn write(args: &Args, answer: &Answer) -> Result<(), DoseError> {
    let failed = |flag: &str, error: std::io::Error| DoseError::Io(format!("{flag}: cannot be written: {error}"));
    if let Some(path) = &args.json {
        json::write(path, answer).map_err(|error| failed("json", error))?;
    }
    if let Some(path) = &args.csv {
        write_csv(path, answer.regions).map_err(|error| failed("csv", error))?;
    }
    if args.json.is_none() && args.csv.is_none() { stdout::print_json(answer) } else { Ok(()) }
}

/// Writes one row for each region.
///
/// # Errors
/// If the file cannot be written.
fn write_csv(path: &Path, regions: &[BedRegion]) -> io::Result<()> {
    write_file(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record([
            "region",
            "alpha_beta_gy",
            "dose_gy",
            "bed_gy",
            "eqd2_gy",
            "bed_sum_of_cycles_gy",
            "bed_with_overlap_gy",
            "cycles_overlap",
            "bed_of_mean_dose_gy",
            "equivalent_uniform_bed_gy",
            "equivalent_uniform_dose_gy",
            "generalised_eud_gy",
        ])?;
        for region in regions {
            let figures = region.voxels.as_ref();
            table.serialize((
                &region.region,
                region.alpha_beta_gy,
                region.dose_gy,
                region.bed_gy,
                region.eqd2_gy,
                region.bed_sum_of_cycles_gy,
                region.bed_with_overlap_gy,
                region.cycles_overlap,
                figures.map(|figures| figures.bed_of_mean_dose_gy),
                figures.and_then(|figures| figures.equivalent_uniform_bed_gy),
                figures.and_then(|figures| figures.equivalent_uniform_dose_gy),
                figures.and_then(|figures| figures.generalised_eud_gy),
            ))?;
        }
        table.flush()
    })
}
