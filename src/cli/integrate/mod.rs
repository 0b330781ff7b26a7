//! `dosegrid integrate`: time-integrated activity from tables and from series of maps.

pub(super) mod held;
pub(super) mod maps;
pub(super) mod options;
pub(super) mod outputs;
mod remote;
mod removed;
mod series;
mod table;
mod times;

use std::path::{Path, PathBuf};

use super::remote::RemoteArgs;
use super::stdout;
use super::time_points::TimePointArgs;
use crate::domain::{Checks, DoseError};
use options::CurveArgs;
use outputs::{FILES, Report};
use removed::RemovalArgs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Activities of regions over time: CSV with the columns region, time (h, or date and time), activity (MBq), and
    /// sigma (MBq) and duration (h) where they are known
    #[arg(long, value_name = "FILE", conflicts_with = "series", required_unless_present = "series")]
    table: Option<PathBuf>,
    /// Activity maps over time: a folder of DICOM files, which say their times; or TOML that names the files,
    /// docs/curves.md
    #[arg(long, value_name = "FOLDER|FILE")]
    series: Option<PathBuf>,
    /// Regions of the maps, as for compute; what is in none is one more, "rest"
    #[arg(long, value_name = "FILE", requires = "series")]
    labels: Vec<PathBuf>,
    /// Of maps: region (the curve of each region, shared out to its voxels) or voxel (a curve for every voxel; the
    /// model is mono, or trapezoid_tail or auto if it is named)
    #[arg(long, value_name = "region|voxel", requires = "series", default_value = "region")]
    by: String,
    /// Start of the scan in h whose activity shares the integral of a region out; without it, the one nearest to the
    /// mean life
    #[arg(long, value_name = "HOURS", requires = "series", allow_negative_numbers = true)]
    reference_time: Option<f64>,
    #[command(flatten)]
    time_points: TimePointArgs,
    #[command(flatten)]
    curve: CurveArgs,
    #[command(flatten)]
    removal: RemovalArgs,
    /// Folder for curves.json, curves.csv and curves.png, and for maps tia.nii.gz in Bq·s a voxel (of dose-rates
    /// dose.nii.gz in Gy) and, where it exists, its standard deviation tia_sigma.nii.gz (dose_sigma.nii.gz)
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Print all of it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    if let Some(folder) = args.output.as_ref().filter(|folder| folder.exists() && !folder.is_dir()) {
        return Err(DoseError::invalid("output", format!("{} is not a folder", folder.display())));
    }
    if args.series.is_none() {
        let mut checks = Checks::new();
        args.time_points.refuse("--series", &mut checks);
        checks.finish()?;
    }
    let mut checks = Checks::new();
    let inputs = args.table.iter().chain(&args.series).chain(&args.labels).chain(&args.curve.prior);
    args.check_output(inputs.map(PathBuf::as_path), &mut checks);
    let remote = args.remote.check(&mut checks);
    checks.finish()?;
    let report = match (&args.table, &args.series) {
        (Some(table), _) => table::integrate_table(args, table, remote.as_ref())?,
        (None, Some(series)) => series::integrate_series(args, series, remote.as_ref())?,
        (None, None) => return Err(DoseError::invalid("table", "--table or --series is needed")),
    };
    if let Some(folder) = &args.output {
        report.write(folder)?;
    }
    if args.json { stdout::print_json(&report.json()) } else { stdout::print(&report.text()) }
}

impl Args {
    /// Records inputs that an output would replace.
    fn check_output<'a>(&self, inputs: impl IntoIterator<Item = &'a Path>, checks: &mut Checks) {
        let Some(folder) = self.output.as_ref().and_then(|folder| folder.canonicalize().ok()) else { return };
        for input in inputs {
            if input.canonicalize().is_ok_and(|place| FILES.iter().any(|name| folder.join(name) == place)) {
                checks.fail("output", format!("would replace {}, which is read", input.display()));
            }
        }
    }
}

/// Ends with what was recorded.
fn finished(checks: Checks, report: Report) -> Result<Report, DoseError> {
    checks.finish()?;
    Ok(report)
}
