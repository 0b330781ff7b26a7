//! Between an archive and the engine: studies come in, meet rules, are computed, wait for a release, and go out.
//!
//! ```text
//! sources ─spool→ intake ─studies→ whole + rules ─ready→ work (a process) ─objects→ release ─→ delivery ─read back→
//! ```
//!
//! Everything that is known stands in the ledger, so that the process may end at any moment. Names in logs, reasons
//! and notifications are salted digests: nothing there tells of a patient.

mod commitment;
mod config;
mod control;
mod delivery;
mod dry_run;
mod figures;
mod intake;
mod ledger;
mod look;
#[cfg(test)]
mod look_tests;
mod mail;
mod notify;
mod offer;
mod old;
mod record;
mod rules;
mod run;
mod sending;
mod sources;
mod state;
#[cfg(test)]
mod tests;
mod whole;
mod work;
mod worklist;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::audit::{self, Chain, Event, Head, Known, Record, Sealed};
use crate::digest::Digest;
use crate::domain::DoseError;
use crate::metrics::GatewayMetrics;
use ledger::{Change, Ledger, LedgerError, Table};

pub use config::{
    Commitment, CommitmentWay, Config, Destination, DestinationKind, Judge, LabelsWanted, Limits, Login, Pattern, Rule,
    Selector, SentKind, Source, SourceKind, StoreSource, Token, WebSource, WorkitemSelector, Worklist,
};
pub use control::{Asked, ask, ask_for};
pub use dry_run::{DryRun, dry_run};
pub use mail::{Mail, MailTls};
pub use record::{Claim, ClaimState, Delivery, DeliveryState, Item, Object};
pub use run::{DRAIN, Until, run};
pub use state::State;

/// The file of the ledger, by which the folder of a gateway is known.
pub const LEDGER: &str = "ledger.redb";
/// How long a gateway waits for its folder while another process has it, and between two tries.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
const LOCK_REST: Duration = Duration::from_millis(20);
/// Digits of the name of a study.
const NAME_DIGITS: usize = 16;
/// Keys of the table `Meta`.
const SALT: &str = "salt";
const AUDIT: &str = "audit";

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Whether a moment that was set a time ahead has come. One that is farther ahead was set before the clock was set
/// back, and has come too: nothing waits for a clock to be where it was.
///
/// * `longest` – how far ahead it was set
fn has_come(moment_ms: i64, longest: Duration) -> bool {
    let left_ms = moment_ms.saturating_sub(now_ms());
    left_ms <= 0 || left_ms > i64::try_from(longest.as_millis()).unwrap_or(i64::MAX)
}

/// The moment that lies so far ahead.
fn later_ms(wait: Duration) -> i64 {
    now_ms().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4))
}

/// How long after an attempt that failed the next one is made: each wait is twice the one before.
///
/// * `failed` – attempts so far
fn doubled(first: Duration, failed: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(longest)
}

/// Has all threads end once the one that holds it does, by whatever way: a gateway that lost a part of itself would
/// take studies and do nothing with them.
struct EndsAll<'a>(&'a AtomicBool);

impl Drop for EndsAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// An open gateway: its folder belongs to this process.
#[derive(Debug)]
pub(crate) struct Gateway {
    config: Config,
    ledger: Ledger,
    salt: String,
    chain: Mutex<Chain>,
    /// Held while a file gets its place, or a study is forgotten, so that no file is known that is not there.
    studies: Mutex<()>,
    metrics: GatewayMetrics,
    /// This program, which is started again for what is computed.
    program: PathBuf,
    /// When each worklist was last asked for work, by the clock too [ms since 1970].
    asked_worklists: Mutex<BTreeMap<String, (Instant, i64)>>,
    /// When the spool was last looked into whose files were then all taken [ms since 1970].
    taken_ms: AtomicI64,
    /// Studies that are being looked at.
    looking: Mutex<BTreeSet<String>>,
    /// When it was last looked for files that are to be deleted for their age.
    looked_for_old: Mutex<Option<Instant>>,
    /// Files of watched folders that are newer than the clock, by name: how they were, and when that was seen first.
    newer_than_clock: Mutex<BTreeMap<String, (String, Instant)>>,
    /// Items that could not be looked at for a reason of this machine, and when that was tried last.
    look_again: Mutex<BTreeMap<String, Instant>>,
    /// Files of the spool that could not be read, how often that was tried, and when last.
    read_again: Mutex<BTreeMap<PathBuf, (u32, Instant)>>,
    /// Instances that an Orthanc did not give, and how often.
    not_given: Mutex<BTreeMap<String, u32>>,
    /// Sources and worklists that did not answer when they were asked last, with the reason.
    silent: Mutex<BTreeMap<String, String>>,
    /// Associations that others have opened.
    callers: Mutex<Vec<Arc<sources::Caller>>>,
    /// Whether it is to end.
    stops: AtomicBool,
    _lock: File,
}

/// Why a folder cannot be opened.
enum OpenError {
    /// Another process has it.
    InUse,
    Other(String),
}

impl From<LedgerError> for DoseError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Broken(_) => Self::Io(format!("gateway: {error}")),
            LedgerError::NoWay { .. }
            | LedgerError::Unknown(_)
            | LedgerError::Older { .. }
            | LedgerError::Forgotten(_) => Self::invalid("id", error.to_string()),
        }
    }
}

impl Gateway {
    /// Opens the folder of a gateway, or begins one.
    fn open(config: Config, program: PathBuf) -> Result<Self, OpenError> {
        let root = config.folder.clone();
        let cannot = |error: io::Error| OpenError::Other(format!("{}: {error}", root.display()));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&root).map_err(cannot)?;
        let lock = File::create(root.join("lock")).map_err(cannot)?;
        // A question to the ledger has the folder for a moment.
        let start = Instant::now();
        while let Err(refused) = lock.try_lock() {
            match refused {
                TryLockError::WouldBlock if start.elapsed() < LOCK_PATIENCE => thread::sleep(LOCK_REST),
                TryLockError::WouldBlock => return Err(OpenError::InUse),
                TryLockError::Error(error) => return Err(cannot(error)),
            }
        }
        for name in ["receiving", "spool", "studies", "work", "results"] {
            fs::create_dir_all(root.join(name)).map_err(cannot)?;
        }
        let other = |error: LedgerError| OpenError::Other(error.to_string());
        let ledger = Ledger::open(&root.join(LEDGER)).map_err(other)?;
        let salt = ledger.change(salt).map_err(other)?;
        let known: Option<(Head, Vec<(u64, String)>)> = ledger.get(Table::Meta, AUDIT).map_err(other)?;
        let (head, lines) = known.unwrap_or_default();
        let lines: Vec<Sealed> = lines.into_iter().map(|(seq, line)| Sealed { seq, line }).collect();
        let chain = Chain::open(&root.join(audit::FOLDER), &head, &lines)
            .map_err(|error| OpenError::Other(format!("audit log: {error}")))?;
        let sources = config.sources.iter().map(|source| source.name.as_str());
        let destinations = config.destinations.iter().map(|destination| destination.name.as_str());
        let metrics = GatewayMetrics::new(env!("CARGO_PKG_VERSION"), sources, destinations);
        let (chain, studies, stops) = (Mutex::new(chain), Mutex::new(()), AtomicBool::new(false));
        let (asked_worklists, newer_than_clock) = (Mutex::default(), Mutex::default());
        let (look_again, read_again, silent) = (Mutex::default(), Mutex::default(), Mutex::default());
        Ok(Self {
            config,
            ledger,
            salt,
            chain,
            studies,
            metrics,
            program,
            asked_worklists,
            taken_ms: AtomicI64::new(0),
            looking: Mutex::default(),
            looked_for_old: Mutex::default(),
            newer_than_clock,
            look_again,
            read_again,
            silent,
            not_given: Mutex::default(),
            callers: Mutex::default(),
            stops,
            _lock: lock,
        })
    }

    /// A folder or file of the gateway.
    fn at(&self, name: &str) -> PathBuf {
        self.config.folder.join(name)
    }

    /// A name for what must not be named: a digest with the salt of this gateway.
    fn salted(&self, text: &str) -> String {
        salted(&self.salt, text)
    }

    /// Where the files of a study are.
    fn study_folder(&self, study: &str) -> PathBuf {
        self.at("studies").join(study)
    }

    /// Where what was made of an item is.
    fn results(&self, id: &str) -> PathBuf {
        self.at("results").join(id)
    }

    /// Whether it is to end.
    fn is_stopping(&self) -> bool {
        self.stops.load(Ordering::SeqCst)
    }

    /// Makes a change that the audit log tells of, in one transaction; its line is on the disk when this returns.
    ///
    /// * `record` – of what the change gives
    fn audited<T>(
        &self,
        work: impl FnOnce(&Change<'_>) -> Result<T, LedgerError>,
        record: impl FnOnce(&T) -> Record,
    ) -> Result<T, LedgerError> {
        self.audited_each(work, |value| vec![record(value)])
    }

    /// As [`Self::audited`], for a change of several items.
    ///
    /// * `records` – of what the change gives, at least one
    fn audited_each<T>(
        &self,
        work: impl FnOnce(&Change<'_>) -> Result<T, LedgerError>,
        records: impl FnOnce(&T) -> Vec<Record>,
    ) -> Result<T, LedgerError> {
        let mut chain = self.chain.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // After a line that could not be written, no change is made that would lack its own.
        if chain.is_broken() {
            return Err(LedgerError::Broken("audit log: closed after a failed write".to_owned()));
        }
        let mut head = chain.head().clone();
        let (value, sealed) = self.ledger.change(|change| {
            let value = work(change)?;
            let sealed: Vec<Sealed> = records(&value).iter().map(|record| head.seal(record)).collect();
            let lines: Vec<(u64, &str)> = sealed.iter().map(|one| (one.seq, one.line.as_str())).collect();
            change.put(Table::Meta, AUDIT, &(&head, lines))?;
            Ok((value, sealed))
        })?;
        // The ledger has the lines, and they are written at the next start: none that follows may take their place.
        chain.append(&sealed).map_err(|error| LedgerError::Broken(format!("audit log: {error}")))?;
        Ok(value)
    }

    /// # Errors
    /// If the audit log cannot be written any more: the gateway is to end.
    fn check_audit(&self) -> Result<(), DoseError> {
        let is_broken = self.chain.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_broken();
        if is_broken { Err(DoseError::Io("gateway: the audit log cannot be written".into())) } else { Ok(()) }
    }

    /// Changes an item that stays where it is, unless it has gone on meanwhile.
    fn note(&self, id: &str, at: State, more: impl FnOnce(&mut Item)) -> Result<(), DoseError> {
        work::unless_it_went_on(self.ledger.change(|change| change.note(id, at, more)))
    }

    /// Takes an item on, as [`Change::advance`] does, and tells it to the audit log and the log.
    fn advance(&self, id: &str, to: State, reason: &str, more: impl FnOnce(&mut Item)) -> Result<Item, LedgerError> {
        let item = self.audited(|change| change.advance(id, to, reason, more), |item| record_of(item, None))?;
        tracing::info!(item = id, state = to.name(), reason, "item");
        Ok(item)
    }

    /// Takes an item on, unless more of its study came meanwhile.
    fn settle(&self, id: &str, to: State, reason: &str, more: impl FnOnce(&mut Item)) -> Result<(), DoseError> {
        work::unless_it_went_on(self.advance(id, to, reason, more))
    }

    /// As [`Self::settle`], if something holds in the same transaction.
    ///
    /// * `holds` – [`LedgerError::NoWay`] where it does not
    fn settle_if(
        &self,
        id: &str,
        to: State,
        reason: &str,
        holds: impl FnOnce(&Change<'_>) -> Result<(), LedgerError>,
        more: impl FnOnce(&mut Item),
    ) -> Result<(), DoseError> {
        let done = self.audited(
            |change| holds(change).and_then(|()| change.advance(id, to, reason, more)),
            |item| record_of(item, None),
        );
        if done.is_ok() {
            tracing::info!(item = id, state = to.name(), reason, "item");
        }
        work::unless_it_went_on(done)
    }
}

/// What the audit log says of an item that has come to its state.
///
/// * `user` – who asked for it, such as `uid 1000`
fn record_of(item: &Item, user: Option<&str>) -> Record {
    Record {
        identity: user.map(str::to_owned),
        job: Some(item.id.clone()),
        state: Some(item.state.name().to_owned()),
        results: item.objects.iter().map(|object| object.digest.clone()).collect(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..Record::now(Event::GatewayItem)
    }
}

/// The salt of a gateway, made once.
fn salt(change: &Change<'_>) -> Result<String, LedgerError> {
    if let Some(salt) = change.get::<String>(Table::Meta, SALT)? {
        return Ok(salt);
    }
    let salt = uuid::Uuid::new_v4().simple().to_string() + &uuid::Uuid::new_v4().simple().to_string();
    change.put(Table::Meta, SALT, &salt)?;
    Ok(salt)
}

fn salted(salt: &str, text: &str) -> String {
    let mut digest = Digest::new();
    digest.update(salt);
    digest.update([0]);
    digest.update(text);
    digest.hex()[..NAME_DIGITS].to_owned()
}

/// What the ledger of a gateway knows of its audit log.
///
/// # Errors
/// If the folder is no gateway's, or is in use; then with `None`.
pub fn audit_known(folder: &Path) -> Result<Known, Option<String>> {
    let lock = File::create(folder.join("lock")).map_err(|error| Some(error.to_string()))?;
    lock.try_lock().map_err(|_| None)?;
    let ledger = Ledger::open(&folder.join(LEDGER)).map_err(|error| Some(error.to_string()))?;
    let known: Option<(Head, Vec<(u64, String)>)> =
        ledger.get(Table::Meta, AUDIT).map_err(|error| Some(error.to_string()))?;
    let (head, lines) = known.unwrap_or_default();
    Ok(Known { head, lines: lines.into_iter().map(|(seq, line)| Sealed { seq, line }).collect() })
}
