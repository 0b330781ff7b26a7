//! Opens a store: lock, format, ledger, then what a lost process left behind.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Arc, RwLock};

use uuid::Uuid;

use super::change::{Change, What};
use super::clock::Clock;
use super::files::Folders;
use super::ledger::{Ledger, LedgerError, Table};
use super::places::Places;
use super::record::{JobRecord, RequestRecord, VolumeRecord};
use super::state::State;
use super::uploads::Uploads;
use super::writer::{AUDIT_HEAD, Books, Published, Writer, read_audit_record};
use super::{KeyId, OpenError, Store, StoreError, StoreOptions, VolumeDigest};
use crate::audit::{self, Chain, Head, Known};

/// The newest format that is known.
const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "format";
/// What the system says of folders in which no store can be.
const OF_THE_FOLDER: [io::ErrorKind; 7] = [
    io::ErrorKind::NotFound,
    io::ErrorKind::AlreadyExists,
    io::ErrorKind::NotADirectory,
    io::ErrorKind::PermissionDenied,
    io::ErrorKind::ReadOnlyFilesystem,
    io::ErrorKind::InvalidFilename,
    io::ErrorKind::InvalidInput,
];
const FORMAT_START: &str = "dosegrid store ";

/// What says why a store cannot be opened, with its folder.
struct Faults(String);

impl Faults {
    fn io(&self, error: &io::Error) -> OpenError {
        OpenError::Io { folder: self.0.clone(), reason: error.to_string() }
    }

    /// As [`Faults::io`], at the first touch of the folder.
    fn at_first(&self, error: &io::Error) -> OpenError {
        if OF_THE_FOLDER.contains(&error.kind()) {
            OpenError::Unusable { folder: self.0.clone(), reason: error.to_string() }
        } else {
            self.io(error)
        }
    }

    fn unwritable(&self, error: StoreError) -> OpenError {
        OpenError::Io { folder: self.0.clone(), reason: error.to_string() }
    }

    fn damaged(&self, what: impl std::fmt::Display) -> OpenError {
        OpenError::Damaged { folder: self.0.clone(), what: what.to_string() }
    }
}

impl Store {
    /// Opens the store in a folder, or begins one there. Jobs that ran when it was left wait again, or are given up if
    /// they took the process with them too often.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed.
    pub fn open(root: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        let faults = Faults(root.display().to_string());
        let folders = Folders::root(root).map_err(|error| faults.at_first(&error))?;
        let lock = lock(&folders, &faults)?;
        check_format(&folders, &faults)?;
        folders.make_all().map_err(|error| faults.io(&error))?;
        let ledger = Ledger::open(&folders.at("ledger")).map_err(|error| faults.damaged(error))?;
        let state = load(&ledger).map_err(|error| faults.damaged(error))?;
        check_keys(&state, &options, &faults)?;
        let is_volume = |tenant: &str, digest: &VolumeDigest| {
            state.tenant(tenant).is_some_and(|tenant| tenant.volumes.contains_key(digest))
        };
        let named = |(_, job): (&Arc<str>, &Arc<JobRecord>)| (job.id, job.checkpoint);
        let checkpoints: BTreeSet<(Uuid, u64)> = state.unfinished().map(named).collect();
        let is_checkpoint = |job: Uuid, number: u64| checkpoints.contains(&(job, number));
        let dropped = folders.remove_unnamed(is_volume, is_checkpoint).map_err(|error| faults.io(&error))?;
        if dropped > 0 {
            tracing::info!(files = dropped, "files that no transaction names were dropped");
        }
        let audit = ledger.get(Table::Audit, AUDIT_HEAD).map_err(|error| faults.damaged(error))?;
        let (head, lines) = match audit {
            Some(bytes) => {
                read_audit_record(&bytes).ok_or_else(|| faults.damaged(LedgerError::damaged(Table::Audit)))?
            }
            None => (Head::default(), Vec::new()),
        };
        let chain = Chain::open(&folders.at(audit::FOLDER), &head, &lines).map_err(|error| faults.damaged(error))?;
        let (ledger, published) = (Arc::new(ledger), Arc::new(Published::new(state.clone())));
        let books = Books {
            work: state,
            ledger: ledger.clone(),
            folders: folders.clone(),
            published: published.clone(),
            chain,
            head,
            faults: options.faults.clone(),
            ledger_bytes: options.ledger_bytes,
        };
        let writer = Writer::start(books).map_err(|error| faults.io(&error))?;
        let (uploads, shares, places, clock) = (Uploads::default(), Arc::default(), Places::default(), Clock::new());
        let lost_at_start = Vec::new();
        let leaves_running = options.leaves_running;
        let mut store = Self {
            options: RwLock::new(Arc::new(options)),
            folders,
            ledger,
            published,
            writer,
            uploads,
            clock,
            shares,
            places,
            lost_at_start,
            _lock: lock,
        };
        if !leaves_running {
            store.lost_at_start = store.recover().map_err(|error| faults.unwritable(error))?;
        }
        if !store.lost_at_start.is_empty() {
            tracing::warn!(jobs = store.lost_at_start.len(), "jobs were running when the store was left");
        }
        Ok(store)
    }
}

/// What the ledger of a store, which no other process may have open, knows of its audit log.
///
/// # Errors
/// [`OpenError`].
pub fn audit_known(root: &Path) -> Result<Known, OpenError> {
    let faults = Faults(root.display().to_string());
    let folders = Folders::root(root).map_err(|error| faults.at_first(&error))?;
    if !folders.at(FORMAT_FILE).exists() {
        return Err(faults.damaged("its file `format` is not there"));
    }
    let _lock = lock(&folders, &faults)?;
    check_format(&folders, &faults)?;
    let ledger = Ledger::open(&folders.at("ledger")).map_err(|error| faults.damaged(error))?;
    let audit = ledger.get(Table::Audit, AUDIT_HEAD).map_err(|error| faults.damaged(error))?;
    let read = |bytes: Vec<u8>| read_audit_record(&bytes).ok_or_else(|| LedgerError::damaged(Table::Audit));
    let (head, lines) = audit.map(read).transpose().map_err(|error| faults.damaged(error))?.unwrap_or_default();
    Ok(Known { head, lines })
}

/// Takes the store for this process alone.
fn lock(folders: &Folders, faults: &Faults) -> Result<File, OpenError> {
    let file = File::create(folders.at("lock")).map_err(|error| faults.at_first(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(faults.0.clone())),
        Err(TryLockError::Error(error)) => Err(faults.io(&error)),
    }
}

/// Says which format a new store has, and refuses those that are newer.
fn check_format(folders: &Folders, faults: &Faults) -> Result<(), OpenError> {
    match fs::read_to_string(folders.at(FORMAT_FILE)) {
        Ok(text) => {
            let number = text.strip_prefix(FORMAT_START).and_then(|rest| rest.trim_end().parse::<u32>().ok());
            match number {
                Some(FORMAT) => Ok(()),
                Some(found) if found > FORMAT => {
                    Err(OpenError::Newer { folder: faults.0.clone(), found, known: FORMAT })
                }
                _ => Err(faults.damaged("its file `format` does not name a format")),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if folders.at("ledger").exists() {
                return Err(faults.damaged("its file `format` is not there"));
            }
            folders.write_whole(FORMAT_FILE, &format!("{FORMAT_START}{FORMAT}\n")).map_err(|error| faults.io(&error))
        }
        Err(error) => Err(faults.io(&error)),
    }
}

/// Refuses a store of which files could not be read.
fn check_keys(state: &State, options: &StoreOptions, faults: &Faults) -> Result<(), OpenError> {
    let volumes = state.tenants.values().flat_map(|tenant| tenant.volumes.values());
    let unknown: Vec<KeyId> =
        volumes.filter_map(|volume| volume.key).filter(|key| options.keys.of(*key).is_none()).collect();
    match unknown.first() {
        Some(&key) => {
            let volumes = unknown.iter().filter(|other| **other == key).count();
            Err(OpenError::NoKey { folder: faults.0.clone(), key, volumes })
        }
        None => Ok(()),
    }
}

/// All records of the ledger.
pub(super) fn load(ledger: &Ledger) -> Result<State, LedgerError> {
    let mut state = State::default();
    let mut take = |table: Table, key: &str, what: Option<What>| {
        let tenant = key.split_once('/').map(|(tenant, _)| tenant);
        let (tenant, what) = tenant.zip(what).ok_or_else(|| LedgerError::damaged(table))?;
        let tenant = state.shared_name(tenant);
        state.apply(&Change { tenant, what });
        Ok(())
    };
    let id = |key: &str| key.split_once('/').map(|(_, id)| id.to_owned());
    ledger.each(Table::Volumes, |key, bytes| {
        let digest = id(key).and_then(|hex| VolumeDigest::parse(&format!("sha256:{hex}")).ok());
        let record = serde_json::from_slice::<VolumeRecord>(bytes).ok();
        take(Table::Volumes, key, digest.zip(record).map(|(digest, record)| What::Volume(digest, record)))
    })?;
    ledger.each(Table::Requests, |key, bytes| {
        let request = id(key).and_then(|id| id.parse::<Uuid>().ok());
        let record = serde_json::from_slice::<RequestRecord>(bytes).ok();
        take(Table::Requests, key, request.zip(record).map(|(request, record)| What::Request(request, record)))
    })?;
    ledger.each(Table::Jobs, |key, bytes| {
        let job = serde_json::from_slice::<JobRecord>(bytes).ok();
        take(Table::Jobs, key, job.map(|job| What::Job(Arc::new(job))))
    })?;
    Ok(state)
}
