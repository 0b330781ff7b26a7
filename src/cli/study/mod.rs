//! `dosegrid study`: from a folder from the scanner to doses, tables, DICOM objects and a report.
//!
//! ```text
//! folder ─inventory→ Plan ─time_points→ maps ─integrate→ curves, integrals ─compute→ dose, tables, report ─→ RTDOSE
//! ```

mod ct;
mod labels;
mod passed;
mod plan;
mod stages;
mod steps;
mod text;

use std::path::{Path, PathBuf};

use clap::Parser;

use super::dicom_web::FetchArgs;
use super::integrate::maps::voxel_model;
use super::integrate::options::CurveArgs;
use super::orphan;
use super::remote::RemoteArgs;
use super::stdout;
use super::time_points::TimePointArgs;
use super::{Cli, Command};
use crate::domain::{Checks, DoseError, Violation};
use passed::PassedArgs;
use plan::Plan;
pub(super) use steps::{ACTIVITY, SIGMA};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of DICOM files: activities (NM or PET), a CT, and where there are organs a segmentation or structure set.
    /// With --dicom-web the UID of a study
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Folder for all results; it is made if it is not there
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The time point whose grid and frame of reference count, by the UID of its series [default: that of the labels,
    /// else the first with a CT]
    #[arg(long, value_name = "UID")]
    reference_series: Option<String>,
    /// The CT, by the UID of its series, where several may be meant
    #[arg(long, value_name = "UID")]
    ct_series: Option<String>,
    /// Rigid transform between the activity and a CT of another frame of reference, as for compute
    #[arg(long, value_name = "FILE")]
    transform: Option<PathBuf>,
    /// The segmentation or structure set, by the UID of its series, where several may be meant
    #[arg(long, value_name = "UID", conflicts_with = "no_labels")]
    labels_series: Option<String>,
    /// Leave organs out, though the folder has some
    #[arg(long)]
    no_labels: bool,
    /// Of a single time point: effective half-life of all voxels, such as 50h, or `physical`
    #[arg(long, value_name = "TIME|physical", allow_hyphen_values = true, conflicts_with = "single_time_point")]
    effective_half_life: Option<String>,
    /// Of several time points: a curve for every voxel, in place of one for each region that is shared out
    #[arg(long)]
    voxelwise: bool,
    #[command(flatten)]
    time_points: TimePointArgs,
    #[command(flatten)]
    curve: CurveArgs,
    #[command(flatten)]
    passed: PassedArgs,
    #[command(flatten)]
    fetch: FetchArgs,
    #[command(flatten)]
    remote: RemoteArgs,
    /// End when standard input is closed: so that it ends with what started it
    #[arg(long, hide = true)]
    end_with_stdin: bool,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    if args.end_with_stdin {
        orphan::end_with_stdin();
    }
    let input = args.fetch.input(&args.folder)?;
    let args = &Args { folder: input.path().to_owned(), ..args.clone() };
    let mut checks = Checks::new();
    check_output(args, &mut checks);
    args.remote.check(&mut checks);
    let chosen = args.time_points.check(&mut checks);
    check_words(args, &mut checks);
    checks.finish()?;
    let mut stages = stages::Stages::new(args.passed.quiet);
    stages.begin("inventory");
    let plan = Plan::of(args, chosen)?;
    if args.dry_run {
        return stdout::print(&text::plan(args, &plan, &steps::foretold(args, &plan)?));
    }
    let output = args.output.as_deref().ok_or_else(|| DoseError::invalid("output", "--output is needed"))?;
    if !args.passed.quiet {
        stdout::print(&text::plan(args, &plan, &[]))?;
    }
    steps::run(args, &plan, output, &mut stages)
}

/// Records faults of flags that are found before any file is read.
fn check_words(args: &Args, checks: &mut Checks) {
    if args.curve.value_refers_to.is_some() {
        checks.fail("value-refers-to", "has no effect on DICOM files: they say it");
    }
    args.passed.check(args.effective_half_life.as_deref(), checks);
}

/// What `study` would refuse of some of its words whatever the files are, by flag.
///
/// * `words` – without folders
pub(in crate::cli) fn faults_of(words: &[String]) -> Vec<Violation> {
    let line = ["dosegrid", "study", "STUDY", "--output", "OUT"].map(str::to_owned);
    let parsed = Cli::try_parse_from(line.into_iter().chain(words.iter().cloned()));
    let args = match parsed.map(|parsed| parsed.command) {
        Ok(Command::Study(args)) => args,
        Ok(_) => return vec![Violation { field: "study".into(), reason: "is another command".into() }],
        Err(error) => {
            let text = error.to_string();
            let reason = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            return vec![Violation { field: "study".into(), reason }];
        }
    };
    let mut checks = Checks::new();
    args.time_points.check(&mut checks);
    check_words(&args, &mut checks);
    // Any nuclide will do: the files may say it.
    let asked = args.curve.check([Some("Lu-177"), None], &mut checks);
    if args.voxelwise {
        voxel_model(asked.curve.model, &args.curve, &mut checks);
    }
    checks.finish().err().map(|error| error.violations()).unwrap_or_default()
}

/// Results in the folder of the study would be found as a part of it the next time.
fn check_output(args: &Args, checks: &mut Checks) {
    let Some(output) = &args.output else {
        if !args.dry_run {
            checks.fail("output", "--output is needed: a folder for all results (or --dry-run)");
        }
        return;
    };
    if output.exists() && !output.is_dir() {
        checks.fail("output", format!("{} is not a folder", output.display()));
    }
    // The nearest folder above it that is there.
    let whole = std::path::absolute(output).unwrap_or_else(|_| output.clone());
    let above = whole.ancestors().find_map(|folder| folder.canonicalize().ok());
    if let (Some(above), Ok(folder)) = (above, args.folder.canonicalize())
        && above.starts_with(&folder)
    {
        checks.fail("output", "lies in the folder of the study, where its files would be found the next time");
    }
}

/// A path as a word of a command.
fn word(path: &Path) -> String {
    path.display().to_string()
}
