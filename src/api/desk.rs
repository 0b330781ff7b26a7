//! Where the things of a job are while it is computed: in the store, or, on a worker, with what a broker brought.

use std::fmt;
use std::io::{Read, Seek};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tonic::Status;
use uuid::Uuid;

use super::durable::Durable;
use super::off_thread::apart_from_answers;
use crate::domain::{Helpers, Helping, Progress};
use crate::store::{Attempt, NewFile, Reading, Store, StoreError, StoredFile, VolumeDigest};

/// An attempt at a job, as whoever computes it sees it.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) id: Uuid,
    /// Whose it is, for the queue of the device.
    pub(super) owner: Arc<str>,
    pub(super) is_small: bool,
    /// Time on the device in earlier attempts [s].
    pub(super) device_s: f64,
    /// Longest time on the device in all.
    pub(super) compute_limit: Duration,
    /// Time between two checkpoints.
    pub(super) checkpoint: Duration,
}

/// A volume while it is read from its start to its end. The last piece comes only if the whole has its digest.
pub(super) trait Pieces {
    /// Bytes in all.
    fn size_bytes(&self) -> u64;

    /// The next piece and where it begins; none at the end.
    ///
    /// # Errors
    /// [`StoreError::VolumeDamaged`], [`StoreError::Unavailable`].
    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, StoreError>;
}

/// Where volumes are, by their names.
pub(super) trait VolumeSource {
    /// Opens a complete volume.
    ///
    /// # Errors
    /// [`StoreError::VolumeNotFound`], [`StoreError::VolumeDamaged`], [`StoreError::Unavailable`].
    fn open(&self, name: VolumeDigest) -> Result<Box<dyn Pieces + '_>, StoreError>;
}

/// A file that is read at any place.
pub(super) trait Readable: Read + Seek {}

impl<T: Read + Seek> Readable for T {}

/// Where the things of an attempt are.
pub(super) trait Desk: VolumeSource + Send + Sync + fmt::Debug {
    /// The attempt.
    fn task(&self) -> &Task;

    /// The specification, as bytes of the protocol.
    ///
    /// # Errors
    /// [`StoreError::JobNotFound`], [`StoreError::Unavailable`].
    fn spec(&self) -> Result<Vec<u8>, StoreError>;

    /// Whether the job still is this attempt's.
    fn is_current(&self) -> bool;

    /// Rises whenever [`Desk::is_current`] may have changed.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Notes how far the attempt is.
    fn note_progress(&self, progress: Progress);

    /// Begins a file for a result or a checkpoint.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    fn new_file(&self) -> Result<NewFile, StoreError>;

    /// Whether what is full is waited for: not where another could do the job.
    fn waits_for_room(&self) -> bool {
        true
    }

    /// The newest checkpoint, open for reading; none if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn checkpoint(&self) -> Result<Option<Box<dyn Readable>>, StoreError>;

    /// Keeps a checkpoint in place of the one before. False if the job went on without this attempt.
    ///
    /// * `device_s` – time on the device so far in this attempt [s]
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    fn keep_checkpoint(&self, file: StoredFile, device_s: f64) -> Result<bool, StoreError>;

    /// Others who may run a part of the histories.
    fn helpers(&self) -> Option<&dyn Helpers> {
        None
    }

    /// Whose histories are run here, if only a part of those of another attempt is wanted.
    fn helping(&self) -> Option<&dyn Helping> {
        None
    }
}

/// Works at a desk on a thread that stands back behind those that answer callers.
///
/// # Errors
/// Those of the work; INTERNAL if it panicked.
pub(super) async fn at<T: Send + 'static>(
    desk: &Arc<dyn Desk>,
    work: impl FnOnce(&dyn Desk) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Status> {
    let desk = desk.clone();
    Ok(apart_from_answers(move || work(&*desk)).await??)
}

/// The volumes of a tenant in the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfTenant<'a> {
    pub(super) store: &'a Store,
    pub(super) tenant: &'a str,
}

struct StoredPieces<'a> {
    store: &'a Store,
    reading: Reading,
}

impl Pieces for StoredPieces<'_> {
    fn size_bytes(&self) -> u64 {
        self.reading.size_bytes()
    }

    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        self.reading.next(self.store)
    }
}

impl<'a> OfTenant<'a> {
    fn pieces(self, name: VolumeDigest) -> Result<Box<dyn Pieces + 'a>, StoreError> {
        let reading = self.store.read_volume(self.tenant, name)?;
        Ok(Box::new(StoredPieces { store: self.store, reading }))
    }
}

impl VolumeSource for OfTenant<'_> {
    fn open(&self, name: VolumeDigest) -> Result<Box<dyn Pieces + '_>, StoreError> {
        self.pieces(name)
    }
}

/// The desk of a job that is computed where its store is.
#[derive(Debug)]
pub(super) struct StoreDesk {
    durable: Durable,
    attempt: Attempt,
    task: Task,
}

impl StoreDesk {
    /// * `compute_limit` – longest time on the device in all
    /// * `checkpoint` – time between two checkpoints
    pub(super) fn new(durable: &Durable, attempt: &Attempt, compute_limit: Duration, checkpoint: Duration) -> Self {
        let job = &attempt.job;
        let (owner, device_s) = (attempt.tenant.clone(), job.device_s);
        let task = Task { id: job.id, owner, is_small: job.is_small, device_s, compute_limit, checkpoint };
        Self { durable: durable.clone(), attempt: attempt.clone(), task }
    }
}

impl VolumeSource for StoreDesk {
    fn open(&self, name: VolumeDigest) -> Result<Box<dyn Pieces + '_>, StoreError> {
        OfTenant { store: &self.durable.store, tenant: &self.attempt.tenant }.pieces(name)
    }
}

impl Desk for StoreDesk {
    fn task(&self) -> &Task {
        &self.task
    }

    fn spec(&self) -> Result<Vec<u8>, StoreError> {
        self.durable.store.spec(&self.attempt.tenant, self.task.id)
    }

    fn is_current(&self) -> bool {
        let job = self.durable.store.job(&self.attempt.tenant, self.task.id);
        job.is_some_and(|job| self.attempt.is_current(&job))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.durable.store.changes()
    }

    fn note_progress(&self, progress: Progress) {
        self.durable.note_progress(self.task.id, Some(progress));
    }

    fn new_file(&self) -> Result<NewFile, StoreError> {
        self.durable.store.new_file()
    }

    fn checkpoint(&self) -> Result<Option<Box<dyn Readable>>, StoreError> {
        let opened = self.durable.store.checkpoint(&self.attempt)?;
        Ok(opened.map(|opened| Box::new(opened) as Box<dyn Readable>))
    }

    fn keep_checkpoint(&self, file: StoredFile, device_s: f64) -> Result<bool, StoreError> {
        self.durable.store.keep_checkpoint(&self.attempt, file, device_s)
    }
}
