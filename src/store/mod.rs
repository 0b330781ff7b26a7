//! The store of one machine: volumes as files by tenant and digest, jobs in a ledger.
//!
//! ```text
//! STORE/lock format ledger   volumes/TENANT/DIGEST   checkpoints/JOB.N   damaged/   incoming/   audit/NNNNNN.log
//! ```
//!
//! What was answered is durable: bytes, then their names, then the ledger, then the audit log are synced before an
//! answer says that something is there. One thread writes the ledger, many acts a transaction; readers see only what is
//! committed. Files that no transaction names are dropped at the next start. Everything has a tenant, and nothing of
//! one tenant is found by another.

#[cfg(test)]
mod at_once_tests;
#[cfg(test)]
mod attempt_tests;
mod change;
mod clock;
#[cfg(test)]
pub(crate) mod conformance;
mod digest_name;
mod endings;
mod error;
#[cfg(test)]
mod estimate_tests;
mod expiry;
mod export;
#[cfg(test)]
mod fault_tests;
mod figures;
mod files;
mod jobs;
mod key;
mod ledger;
mod new_file;
mod open;
mod options;
mod order;
mod places;
mod reading;
#[cfg(test)]
mod reading_tests;
mod record;
#[cfg(test)]
mod result_tests;
mod running;
mod sealed;
mod state;
mod told;
#[cfg(test)]
mod upload_tests;
mod uploads;
mod verify;
mod volumes;
mod writer;

use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

pub use digest_name::VolumeDigest;
pub use error::{OpenError, Quota, SizeFault, StoreError};
pub use export::{ExportError, ExportedJob, ExportedVolume, Manifest};
pub use figures::Figures;
pub use jobs::{Needed, NewJob};
pub use key::{KeyId, StoreKeys};
pub use new_file::{NewFile, StoredFile};
pub use open::audit_known;
pub use options::StoreOptions;
pub use order::Lane;
pub use places::Place;
pub use reading::Reading;
pub use record::{Estimate, JobFault, JobRecord, Phase, RequestRecord, VolumeRecord};
pub use running::{Attempt, Outcome, job_id, job_name};
pub use sealed::Opened;
pub use uploads::{Beginning, Upload};
pub use verify::StoreAccount;
pub use writer::StoreEvent;

/// Who acts on a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Whose things it acts on.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// Where it calls from; empty if nobody called.
    pub peer: String,
}

/// The store in a folder, which this process alone has.
#[derive(Debug)]
pub struct Store {
    options: RwLock<Arc<StoreOptions>>,
    folders: files::Folders,
    ledger: Arc<ledger::Ledger>,
    published: Arc<writer::Published>,
    writer: writer::Writer,
    uploads: uploads::Uploads,
    clock: clock::Clock,
    shares: Arc<Mutex<order::Shares>>,
    places: places::Places,
    /// Jobs that ran when the store was left, as they went on.
    lost_at_start: Vec<Arc<JobRecord>>,
    _lock: File,
}

impl Store {
    /// Its limits and times, as they are now.
    pub fn options(&self) -> Arc<StoreOptions> {
        self.options.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes other limits and times from now on. Its keys stay, and what was said before of when something expires.
    pub fn set_limits(&self, limits: StoreOptions) {
        let mut options = self.options.write().unwrap_or_else(PoisonError::into_inner);
        let StoreOptions { keys, faults, leaves_running, .. } = (**options).clone();
        *options = Arc::new(StoreOptions { keys, faults, leaves_running, ..limits });
    }

    /// Rises with every transaction.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.published.version.subscribe()
    }

    /// Lets those who watch for changes look again.
    pub fn wake(&self) {
        self.published.version.send_modify(|version| *version += 1);
    }

    /// Has somebody hear of what happens from now on; the first one only.
    pub fn observe(&self, hear: impl Fn(StoreEvent<'_>) + Send + Sync + 'static) {
        let _ = self.published.observer.set(writer::Observer(Box::new(hear)));
    }

    /// Jobs that ran when the store was left without an end, as they went on: they wait, or have failed.
    pub fn lost_at_start(&self) -> &[Arc<JobRecord>] {
        &self.lost_at_start
    }

    /// Whether it still writes.
    pub fn is_sound(&self) -> bool {
        !self.published.is_broken.load(Ordering::Acquire)
    }

    /// Whether a job waits.
    pub fn has_waiting(&self) -> bool {
        self.published.read(|state| state.queued > 0)
    }

    /// After a failed sync what the disk holds is unknown: nothing is written any more before a restart.
    fn sync_failed(&self, what: &str, error: &std::io::Error) -> StoreError {
        let refused = StoreError::of_io(what, error);
        if refused == StoreError::Unavailable {
            tracing::error!("the store is closed until a restart");
            self.published.is_broken.store(true, Ordering::Release);
            self.wake();
        }
        refused
    }

    /// Ends all writing, after what was asked for before.
    pub fn close(&self) {
        self.writer.close();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}
