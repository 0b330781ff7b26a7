//! `dosegrid cohort`: many studies of a manifest, each through `dosegrid study`, and one table of all.
//!
//! ```text
//! manifest ─check→ Line ─study, a process each→ OUT/studies/S… ─collect→ cohort.csv, cohort.parquet, studies.csv,
//!                                                                         cohort.html
//! ```

mod collect;
mod identity;
mod ledger;
mod manifest;
mod one;
mod page;
mod places;
mod query;
mod tissues;
mod work;

use std::path::{Path, PathBuf};

use super::dicom_web::DicomWebArgs;
use super::remote::RemoteArgs;
use super::{orphan, stdout};
use crate::domain::{Checks, DoseError, Invalid, words};
use crate::pacs::Web;
use identity::Salt;
use ledger::Ledger;
use manifest::Line;
use one::Task;
use tissues::Tissues;

/// Most studies at a time.
const MAX_JOBS: usize = 64;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// One line for each study, CSV: study (a folder, beside the manifest or with its whole path; with --dicom-web
    /// the UID of a study, or a question), patient, centre, cycle, nuclide, administered_mbq, injection, options
    /// (docs/cohort.md)
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// Folder for all results; what is done there already is kept
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// Studies at a time; each takes its own memory
    #[arg(long, value_name = "N", default_value = "1", allow_negative_numbers = true)]
    jobs: String,
    /// Only ask each study what would be done, and name every fault by its line
    #[arg(long)]
    dry_run: bool,
    /// α/β and repair of organs by name, TOML: gives BED and EQD2
    #[arg(long, value_name = "FILE")]
    tissues: Option<PathBuf>,
    /// Secret that pseudonyms are made with, at least 16 bytes [default: FOLDER/salt, made if it is not there]
    #[arg(long, value_name = "FILE")]
    salt: Option<PathBuf>,
    /// Print no progress
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    web: DicomWebArgs,
    #[command(flatten)]
    remote: RemoteArgs,
    /// End when standard input is closed, and the studies with it: so that they end with what started it
    #[arg(long, hide = true)]
    end_with_stdin: bool,
}

/// What is known before any work.
struct Cohort<'a> {
    args: &'a Args,
    lines: Vec<Line>,
    jobs: usize,
    tissues: Tissues,
    salt: Salt,
    /// Where the studies come from; none: from folders.
    web: Option<Web>,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    if args.end_with_stdin {
        orphan::end_with_stdin();
    }
    let mut checks = Checks::new();
    let jobs = args.jobs.parse().ok().filter(|jobs| (1..=MAX_JOBS).contains(jobs));
    let jobs = checks.at("jobs", jobs.ok_or_else(|| Invalid::new(format!("is a whole number from 1 to {MAX_JOBS}"))));
    args.remote.check(&mut checks);
    let web = args.web.check(&mut checks);
    let tissues = match &args.tissues {
        Some(path) => tissues::read(path, &mut checks),
        None => Some(Tissues::default()),
    };
    if args.output.exists() && !args.output.is_dir() {
        checks.fail("output", format!("{} is not a folder", args.output.display()));
    }
    if let Some(path) = &args.salt {
        checks.at("salt", Salt::read(path));
    }
    let lines = manifest::read(args, web.as_ref(), &mut checks);
    checks.finish()?;
    let (Some(jobs), Some(tissues), Some(lines)) = (jobs, tissues, lines) else {
        return Err(DoseError::Internal("a fault was not recorded".into()));
    };
    std::fs::create_dir_all(args.output.join(one::STUDIES)).map_err(|error| cannot_write("", &error))?;
    let salt = match &args.salt {
        Some(path) => Salt::read(path),
        None => Salt::of_folder(&args.output),
    };
    let salt = salt.map_err(|Invalid(reason)| DoseError::invalid("salt", reason))?;
    let cohort = Cohort { args, lines, jobs, tissues, salt, web };
    if args.dry_run { work::plans(&cohort) } else { all(&cohort) }
}

fn all(cohort: &Cohort) -> Result<(), DoseError> {
    let output = &cohort.args.output;
    let ledger = Ledger::open(output)?;
    let tasks: Vec<(&Line, Task)> = cohort.lines.iter().map(|line| (line, Task::of(cohort, line))).collect();
    let interrupted = work::studies(cohort, &tasks, &ledger)?;
    let collected = collect::of(cohort, &tasks, &ledger)?;
    collected.write(output)?;
    let page = page::text(cohort, &collected)?;
    crate::formats::atomic::write_bytes(&output.join("cohort.html"), page.as_bytes())
        .map_err(|error| cannot_write("cohort.html", &error))?;
    let (done, failed) = (collected.done(), collected.failed());
    let left = cohort.lines.len() - done - failed;
    stdout::print(&format!(
        "{} done, {failed} failed, {left} left: {} has cohort.csv, cohort.parquet, studies.csv and cohort.html\n",
        words::of(done, "study", "studies"),
        output.display()
    ))?;
    match (interrupted, failed) {
        (true, _) => Err(DoseError::Cancelled),
        (false, 0) => Ok(()),
        (false, failed) => {
            let what = words::of(failed, "study", "studies");
            Err(DoseError::Io(format!("{what} failed: studies.csv says why, and the same command tries them again")))
        }
    }
}

fn cannot_write(name: &str, error: &std::io::Error) -> DoseError {
    DoseError::Io(format!("output: {name} cannot be written: {error}"))
}

/// Where the results of a study are.
fn folder_of(output: &Path, study: &str) -> PathBuf {
    output.join(one::STUDIES).join(study)
}
