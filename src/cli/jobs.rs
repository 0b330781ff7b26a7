//! `dosegrid jobs`: jobs of a server that has a store.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;

use super::places::check_places;
use super::progress::ProgressReport;
use super::remote::{Remote, RemoteArgs};
use super::stdout;
use crate::api::client::{Answer, JobInfo};
use crate::domain::{Checks, DoseError, Volume};
use crate::formats::tally;
use crate::formats::volume_file::{Origin, OutputFormat, write_volume};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List jobs, the newest first
    List {
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        limit: u32,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Show one job
    Get(Named),
    /// Follow a job to its end; exit status 1 if it fails or is cancelled
    Watch(Named),
    /// Cancel a job
    Cancel(Named),
    /// Delete a finished job and its results
    Delete(Named),
    /// Write the results of a job to files
    Download(Download),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// Name of the job, such as `jobs/0198c0de-…`
    name: String,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Debug, clap::Args)]
struct Download {
    #[command(flatten)]
    named: Named,
    /// Dose map in Gy: .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Statistical uncertainty of the dose, 1σ in Gy
    #[arg(long, value_name = "FILE")]
    uncertainty_output: Option<PathBuf>,
    /// Biologically weighted dose in Gy (RBE); this is not an absorbed dose
    #[arg(long, value_name = "FILE")]
    weighted_output: Option<PathBuf>,
    /// Tally that `dosegrid merge` can add to others
    #[arg(long, value_name = "FILE")]
    tally_output: Option<PathBuf>,
    /// Dose on the grid of the CT or density, in Gy
    #[arg(long, value_name = "FILE")]
    dose_on_ct: Option<PathBuf>,
}

/// The server that must be given.
fn server(remote: &RemoteArgs, mut checks: Checks) -> Result<Remote, DoseError> {
    let remote = remote.check(&mut checks);
    if remote.is_none() {
        checks.fail("server", "--server is needed");
    }
    checks.finish()?;
    remote.ok_or_else(|| DoseError::invalid("server", "--server is needed"))
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    match args.action {
        Action::List { limit, remote } => {
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            let jobs = server(&remote, Checks::new())?.call(async |client| client.list_jobs(most).await)?;
            stdout::print(&jobs.iter().map(line).collect::<String>())
        }
        Action::Get(Named { name, remote }) => {
            let job = server(&remote, Checks::new())?.call(async |client| client.job(&name).await)?;
            stdout::print(&line(&job))
        }
        Action::Watch(Named { name, remote }) => {
            let mut report = ProgressReport::new(false);
            let on_job = |job: &JobInfo| job.progress.into_iter().for_each(|progress| report.update(progress));
            let job = server(&remote, Checks::new())?.call(async |client| client.watch_job(&name, on_job).await);
            report.finish();
            let job = job?;
            stdout::print(&line(&job))?;
            // Whoever waits for a dose hears by the status that there is none.
            match job.error {
                Some((reason, message)) => Err(DoseError::Remote(format!("the job failed ({reason}): {message}"))),
                None if job.state == "succeeded" => Ok(()),
                None => Err(DoseError::Remote(format!("the job has no result: it is {}", job.state))),
            }
        }
        Action::Cancel(Named { name, remote }) => {
            let job = server(&remote, Checks::new())?.call(async |client| client.cancel_job(&name).await)?;
            stdout::print(&line(&job))
        }
        Action::Delete(Named { name, remote }) => {
            server(&remote, Checks::new())?.call(async |client| client.delete_job(&name).await)
        }
        Action::Download(download) => download.run(),
    }
}

/// A job in one line.
fn line(job: &JobInfo) -> String {
    let created = Timestamp::from_second(job.created_s).map_or_else(|_| "unknown".to_owned(), |time| time.to_string());
    let error = job.error.as_ref().map_or_else(String::new, |(reason, message)| format!("  {reason}: {message}"));
    format!("{}  {:<9}  {created}  attempts {}{error}\n", job.name, job.state, job.attempts)
}

impl Download {
    fn run(self) -> Result<(), DoseError> {
        let Self { named, output, uncertainty_output, weighted_output, tally_output, dose_on_ct } = self;
        let Named { name, remote } = named;
        let mut checks = Checks::new();
        for (flag, path) in [
            ("output", Some(&output)),
            ("uncertainty-output", uncertainty_output.as_ref()),
            ("weighted-output", weighted_output.as_ref()),
            ("dose-on-ct", dose_on_ct.as_ref()),
        ] {
            if let Some(path) = path {
                checks.at(flag, OutputFormat::of_name(path));
            }
        }
        let outputs = [
            ("output", Some(output.as_path())),
            ("uncertainty-output", uncertainty_output.as_deref()),
            ("weighted-output", weighted_output.as_deref()),
            ("tally-output", tally_output.as_deref()),
            ("dose-on-ct", dose_on_ct.as_deref()),
        ];
        check_places([], outputs, &mut checks);
        let answer = server(&remote, checks)?.call(async |client| client.result_of(&name).await)?;
        let Answer { result, dose_on_ct: on_ct, .. } = answer;
        write("output", Some(&output), Some(&result.dose), "dosegrid: absorbed dose [Gy]")?;
        let sigma = "dosegrid: 1 sigma of the absorbed dose [Gy]";
        write("uncertainty-output", uncertainty_output.as_ref(), result.uncertainty.as_ref(), sigma)?;
        let weighted = "dosegrid: biologically weighted dose [Gy (RBE)]";
        write("weighted-output", weighted_output.as_ref(), result.weighted.as_ref(), weighted)?;
        write("dose-on-ct", dose_on_ct.as_ref(), on_ct.as_ref(), "dosegrid: absorbed dose [Gy]")?;
        match (tally_output, &result.tally) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(absent("tally-output")),
            (Some(path), Some(record)) => tally::write(&path, record)
                .map_err(|error| DoseError::Io(format!("tally-output: cannot be written: {error}"))),
        }
    }
}

fn absent(flag: &str) -> DoseError {
    DoseError::invalid(flag, "the job has no such result: it was not asked for when the job was created")
}

fn write(flag: &str, path: Option<&PathBuf>, volume: Option<&Volume<f32>>, what: &str) -> Result<(), DoseError> {
    match (path, volume) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(absent(flag)),
        (Some(path), Some(volume)) => write_volume(path, volume, what, &Origin::default())
            .map_err(|error| DoseError::Io(format!("{flag}: cannot be written: {error}"))),
    }
}
