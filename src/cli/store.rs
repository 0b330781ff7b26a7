//! `dosegrid store`: looks after a store that no server has.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Subcommand;

use super::stdout;
use super::store_flags::refused;
use crate::audit;
use crate::domain::DoseError;
use crate::store::{Store, StoreAccount, StoreOptions};

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
}

#[derive(Debug, clap::Args)]
struct Place {
    /// Folder of the store
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
}

impl Place {
    /// Opens the store; a folder without one is not made into one.
    fn open(&self) -> Result<Store, DoseError> {
        if !self.store.join("format").is_file() {
            let reason = format!("`{}` holds no store", self.store.display());
            return Err(DoseError::invalid("store", reason));
        }
        Store::open(&self.store, StoreOptions::default()).map_err(refused)
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
    }
}
