//! `dosegrid store`: looks after a store that no server has.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Subcommand;
use uuid::Uuid;

use super::stdout;
use super::store_flags::{keys, refused};
use crate::audit;
use crate::domain::{Checks, DoseError, Invalid};
use crate::store::{ExportError, ExportedVolume, Store, StoreAccount, StoreOptions, job_id};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read every volume, record and line of the audit log; a damaged volume is set aside
    Check(Place),
    /// Remove what is past its time, and files that no transaction names
    Gc(Place),
    /// Copy jobs with their volumes into a new folder, in the clear, with a manifest
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    place: Place,
    /// New folder to write
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Only this job, such as `jobs/0198c0de-…`; may be given more than once. Without it, all jobs and all volumes
    #[arg(long, value_name = "NAME")]
    job: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Place {
    /// Folder of the store
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// File with the keys of its encrypted volumes
    #[arg(long, value_name = "FILE")]
    store_key_file: Option<PathBuf>,
}

impl Place {
    /// Opens the store, and leaves its jobs as they are; a folder without one is not made into one.
    fn open(&self) -> Result<Store, DoseError> {
        if !self.store.join("format").is_file() {
            let reason = format!("`{}` holds no store", self.store.display());
            return Err(DoseError::invalid("store", reason));
        }
        let keys = keys("store-key-file", self.store_key_file.as_deref())?;
        let options = StoreOptions { keys, leaves_running: true, ..StoreOptions::default() };
        Store::open(&self.store, options).map_err(refused)
    }
}

pub(super) fn run(args: Args) -> Result<(), DoseError> {
    let failed = |error: crate::store::StoreError| DoseError::Io(error.to_string());
    match args.action {
        Action::Check(place) => {
            let account = place.open()?.verify_volumes().map_err(failed)?;
            let StoreAccount { volumes, volume_bytes, uploads, jobs, damaged } = &account;
            let mut text = format!(
                "volumes    {volumes} whole, {volume_bytes} bytes\nuploads    {uploads} unfinished\njobs       {jobs}\n"
            );
            let unreadable = |error: std::io::Error| DoseError::Io(format!("audit log: {error}"));
            let log = audit::verify(&place.store.join(audit::FOLDER), None).map_err(unreadable)?;
            let log = log.map_err(|broken| DoseError::Io(format!("the audit log is broken: {broken}")))?;
            text += &format!("audit log  {} records, last hash {}\n", log.records, log.last_hash);
            for (tenant, name) in damaged {
                text += &format!("damaged    {tenant} {name}\n");
            }
            stdout::print(&text)?;
            match damaged.len() {
                0 => Ok(()),
                count => Err(DoseError::Io(format!("{count} volumes were damaged; upload them again"))),
            }
        }
        Action::Gc(place) => {
            let removed = place.open()?.remove_expired(SystemTime::now()).map_err(failed)?;
            stdout::print(&format!("removed {removed} things past their time\n"))
        }
        Action::Export(export) => export.run(),
    }
}

impl Export {
    fn run(&self) -> Result<(), DoseError> {
        let mut checks = Checks::new();
        let unknown = || Invalid::new("is not the name of a job, such as `jobs/0198c0de-…`");
        let ids: Vec<Uuid> =
            self.job.iter().filter_map(|name| checks.at("job", job_id(name).ok_or_else(unknown))).collect();
        if std::fs::read_dir(&self.output).is_ok_and(|mut entries| entries.next().is_some()) || self.output.is_file() {
            checks.fail("output", "is there already; name a new folder");
        }
        checks.finish()?;
        let only = Some(ids.as_slice()).filter(|ids| !ids.is_empty());
        let manifest = self.place.open()?.export(&self.output, only).map_err(|error| match error {
            ExportError::NoJobs(_) => DoseError::invalid("job", error.to_string()),
            ExportError::Store(_) | ExportError::Io { .. } => DoseError::Io(error.to_string()),
        })?;
        let lost: Vec<_> = manifest.volumes.iter().filter_map(|volume| Some((volume, volume.problem?))).collect();
        let copied = manifest.volumes.len() - lost.len();
        let mut text = format!("jobs       {}\nvolumes    {copied} copied\n", manifest.jobs.len());
        for (ExportedVolume { tenant, digest, .. }, problem) in &lost {
            text += &format!("{problem:<10} {tenant} {digest}\n");
        }
        stdout::print(&text)?;
        match lost.len() {
            0 => Ok(()),
            count => Err(DoseError::Io(format!("{count} volumes were not copied; the manifest names them"))),
        }
    }
}
