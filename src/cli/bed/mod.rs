//! `dosegrid bed`: biologically effective dose of regions and voxels.

mod plan;
mod regions;
mod voxels;

use std::path::PathBuf;

use serde::Serialize;

pub(super) use plan::{RepairPlan, recorded, tissue};

use super::stdout;
use crate::domain::{Checks, DoseError};
use crate::formats::{json, organ_table, toml_file};
use plan::Plan;
use regions::RegionResult;

/// What every answer says.
const NOTE: &str = "Linear-quadratic model: above about 10 Gy at a high dose-rate it loses its meaning, which is not \
                    corrected. Dose from other regions is given the kinetics of its target.";

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
}

/// The answer.
#[derive(Serialize)]
struct Answer<'a> {
    regions: &'a [RegionResult],
    /// Voxels of the map that belong to no region, and hold 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    voxels_without_bed: Option<usize>,
    note: &'static str,
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let plan: Option<Plan> = checks.at("plan", toml_file::read(&args.plan));
    let tables: Vec<_> = args.organs.iter().filter_map(|path| checks.at("organs", organ_table::read(path))).collect();
    let volumes = args.voxels.read(&mut checks);
    if !args.organs.is_empty() && args.voxels.is_used() {
        checks.fail("organs", "give doses by organ tables or by dose maps, not both");
    }
    let Some(plan) = plan else { return checks.finish() };
    let radiation = plan.radiation(&mut checks);
    let regions = regions::checked(&plan, radiation, &tables, args.voxels.cycles(), &mut checks);
    checks.finish()?;
    let unknown = || DoseError::Internal("a plan has a fault that was not recorded".into());
    let (regions, radiation) = regions.zip(radiation).ok_or_else(unknown)?;
    let (results, voxels_without_bed) = match volumes {
        Some(volumes) => {
            let (results, without) = volumes.beds(&regions, radiation, &args.voxels)?;
            (results, Some(without))
        }
        None => (regions.iter().map(|region| region.result(radiation)).collect(), None),
    };
    let answer = Answer { regions: &results, voxels_without_bed, note: NOTE };
    write(&args, &answer)
}

fn write(args: &Args, answer: &Answer) -> Result<(), DoseError> {
    let failed = |flag: &str, error: std::io::Error| DoseError::Io(format!("{flag}: cannot be written: {error}"));
    if let Some(path) = &args.json {
        json::write(path, answer).map_err(|error| failed("json", error))?;
    }
    if let Some(path) = &args.csv {
        regions::write_csv(path, answer.regions).map_err(|error| failed("csv", error))?;
    }
    if args.json.is_none() && args.csv.is_none() { stdout::print_json(answer) } else { Ok(()) }
}
