//! Uploads: bytes on their way into a volume. Whoever extends one does; nobody waits for another.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::record::VolumeRecord;
use super::sealed::{Growing, See};
use super::volumes::{Begun, FileOf, Open};
use super::{Actor, Store, StoreError, VolumeDigest};
use crate::digest::Digest;

/// Bytes between two syncs.
const SYNC_BYTES: u64 = 8 << 20;

type Key = (String, VolumeDigest);

/// Uploads that calls work on, or whose hash is known.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<HashMap<Key, Known>>);

/// An upload by its id. Its progress is never locked within the lock of all.
type Known = (Uuid, Arc<Mutex<Progress>>);

impl Uploads {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }
}

/// How far an upload is.
#[derive(Debug)]
struct Progress {
    upload: Uuid,
    /// None while no call works on it.
    file: Option<Growing>,
    users: usize,
    written_bytes: u64,
    committed_bytes: u64,
    /// When that was last noted.
    noted: Instant,
    digest: Digest,
    /// Set when it is complete, discarded, or failed: nothing is added any more.
    ended: Option<Result<VolumeRecord, StoreError>>,
}

/// A call's part in an upload.
#[derive(Debug)]
pub struct Upload {
    actor: Actor,
    digest: VolumeDigest,
    size_bytes: u64,
    progress: Arc<Mutex<Progress>>,
    /// Where the call's next byte stands.
    next: u64,
}

/// What a call finds when it begins.
#[derive(Debug)]
pub enum Beginning {
    /// The volume is complete.
    Complete(VolumeRecord),
    /// Bytes are to come.
    Open(Upload),
}

impl Store {
    /// Begins, or goes on with, an upload. Its size is reserved.
    ///
    /// # Errors
    /// [`StoreError::OtherSize`], [`StoreError::WrongOffset`], [`StoreError::OverQuota`], [`StoreError::Full`],
    /// [`StoreError::Unavailable`].
    ///
    /// * `offset` – where the call's first byte stands
    pub fn upload(
        &self,
        actor: &Actor,
        digest: VolumeDigest,
        size_bytes: u64,
        offset: u64,
    ) -> Result<Beginning, StoreError> {
        match self.begin_upload(&actor.tenant, digest, size_bytes, offset)? {
            Begun::Complete(volume) => Ok(Beginning::Complete(volume)),
            Begun::Open(open) => self.join_upload(actor, digest, size_bytes, offset, open),
        }
    }

    /// Takes part in an upload that the ledger knows. It may have ended since the ledger was asked.
    pub(super) fn join_upload(
        &self,
        actor: &Actor,
        digest: VolumeDigest,
        size_bytes: u64,
        offset: u64,
        open: Open,
    ) -> Result<Beginning, StoreError> {
        let upload = open.upload;
        let key = (actor.tenant.clone(), digest);
        let progress = {
            let mut all = self.uploads.lock();
            let fresh = || (upload, Arc::new(Mutex::new(Progress::new(upload, open.committed_bytes))));
            let known = all.entry(key).or_insert_with(fresh);
            if known.0 != upload {
                *known = fresh();
            }
            known.1.clone()
        };
        let mut working = lock(&progress);
        if working.file.is_none()
            && working.ended.is_none()
            && let Some(volume) = self.open_upload(&actor.tenant, &digest, open, &mut working)?
        {
            working.ended = Some(Ok(volume));
            self.forget_upload(&actor.tenant, digest, upload);
        }
        if let Some(ended) = &working.ended {
            return ended.clone().map(Beginning::Complete);
        }
        if offset > working.written_bytes {
            let committed_bytes = working.committed_bytes;
            self.let_go(&mut working);
            return Err(StoreError::WrongOffset { committed_bytes });
        }
        working.users += 1;
        drop(working);
        Ok(Beginning::Open(Upload { actor: actor.clone(), digest, size_bytes, progress, next: offset }))
    }

    /// Opens the file of an upload at the end of what is safe, and hashes that if it is not known. The volume, if
    /// somebody else completed it meanwhile.
    fn open_upload(
        &self,
        tenant: &str,
        digest: &VolumeDigest,
        open: Open,
        working: &mut Progress,
    ) -> Result<Option<VolumeRecord>, StoreError> {
        let failed = |error: io::Error| StoreError::of_io("opening an upload", &error);
        let known = match self.file_of_upload(tenant, *digest, open.upload, open.is_new)? {
            FileOf::Complete(volume) => return Ok(Some(volume)),
            FileOf::Open { file, is_new: false } => self.resume(file, open, working).map_err(failed)?,
            FileOf::Open { file, is_new: true } => Some(self.begin_file(file, tenant, open, working).map_err(failed)?),
        };
        let file = match known {
            Some(file) => file,
            // Lost between the ledger's word and the file's first bytes.
            None => match self.file_of_upload(tenant, *digest, open.upload, true)? {
                FileOf::Complete(volume) => return Ok(Some(volume)),
                FileOf::Open { file, .. } => self.begin_file(file, tenant, open, working).map_err(failed)?,
            },
        };
        working.written_bytes = working.committed_bytes;
        working.file = Some(file);
        Ok(None)
    }

    /// Goes on with a file. None if what was safe of it is not there.
    fn resume(&self, file: File, open: Open, working: &mut Progress) -> io::Result<Option<Growing>> {
        let options = self.options();
        let keys = open.key.map(|_| &options.keys);
        let is_hashed = working.written_bytes > 0 && working.written_bytes == working.committed_bytes;
        let mut found = Digest::new();
        let mut see = |bytes: &[u8]| found.update(bytes);
        let see: Option<&mut See<'_>> = if is_hashed { None } else { Some(&mut see) };
        let resumed = Growing::resume(file, keys, working.committed_bytes, see, &options.faults)?;
        if !is_hashed {
            working.digest = found;
        }
        Ok(resumed)
    }

    /// Begins a new file.
    fn begin_file(&self, file: File, tenant: &str, open: Open, working: &mut Progress) -> io::Result<Growing> {
        (working.committed_bytes, working.digest) = (0, Digest::new());
        let options = self.options();
        let key = open.key.and_then(|id| options.keys.of(id));
        self.folders.sync_volumes(tenant)?;
        Growing::begin(file, key, &options.faults)
    }

    /// Adds bytes that follow those that the call sent before. Some when the volume is complete.
    ///
    /// # Errors
    /// [`StoreError::TooLong`], [`StoreError::DigestMismatch`], [`StoreError::VolumeNotFound`] if it was deleted
    /// meanwhile, [`StoreError::Full`], [`StoreError::Unavailable`].
    pub fn add(&self, upload: &mut Upload, data: &[u8]) -> Result<Option<VolumeRecord>, StoreError> {
        let end = upload.next.saturating_add(data.len() as u64);
        if end > upload.size_bytes {
            return Err(StoreError::TooLong { size_bytes: upload.size_bytes });
        }
        let progress = upload.progress.clone();
        let mut working = lock(&progress);
        if let Some(ended) = &working.ended {
            return ended.clone().map(Some);
        }
        let known = usize::try_from(working.written_bytes.saturating_sub(upload.next)).unwrap_or(usize::MAX);
        let new = data.get(known..).unwrap_or_default();
        upload.next = end;
        if !new.is_empty() {
            self.append(upload, &mut working, new)?;
        }
        if working.written_bytes == upload.size_bytes {
            return self.complete(upload, &mut working).map(Some);
        }
        let is_new = working.written_bytes > working.committed_bytes;
        if working.written_bytes - working.committed_bytes >= SYNC_BYTES
            || is_new && working.noted.elapsed() >= self.pause()
        {
            self.sync(upload, &mut working)?;
        }
        Ok(None)
    }

    /// How long bytes may arrive before they are noted, so that an upload that goes on does not expire.
    fn pause(&self) -> Duration {
        self.options().upload_ttl / 4
    }

    fn append(&self, upload: &Upload, working: &mut Progress, new: &[u8]) -> Result<(), StoreError> {
        let file = working.file.as_mut().ok_or(StoreError::Unavailable)?;
        if let Err(error) = file.append(new) {
            let refused = StoreError::of_io("writing an upload", &error);
            if refused == StoreError::Unavailable {
                self.end(upload, working, Err(refused.clone()));
            }
            return Err(refused);
        }
        working.digest.update(new);
        working.written_bytes += new.len() as u64;
        Ok(())
    }

    /// Makes what was written safe.
    fn sync(&self, upload: &Upload, working: &mut Progress) -> Result<(), StoreError> {
        let file = working.file.as_mut().ok_or(StoreError::Unavailable)?;
        if let Err(error) = file.sync() {
            let refused = self.sync_failed("syncing an upload", &error);
            self.end(upload, working, Err(refused.clone()));
            return Err(refused);
        }
        let bytes = working.written_bytes;
        match self.note_committed(&upload.actor.tenant, upload.digest, working.upload, bytes)? {
            Some(_) => (working.committed_bytes, working.noted) = (bytes, Instant::now()),
            None => {
                self.end(upload, working, Err(StoreError::VolumeNotFound));
                return Err(StoreError::VolumeNotFound);
            }
        }
        Ok(())
    }

    /// Checks the digest of all bytes, and makes the volume complete.
    fn complete(&self, upload: &Upload, working: &mut Progress) -> Result<VolumeRecord, StoreError> {
        let (tenant, digest) = (&upload.actor.tenant, upload.digest);
        let found = VolumeDigest::of(working.digest.clone());
        let outcome = if found != digest {
            self.discard_upload(tenant, digest, working.upload)?;
            Err(StoreError::DigestMismatch { expected: digest, found })
        } else {
            let file = working.file.as_mut().ok_or(StoreError::Unavailable)?;
            let synced = file.sync().map_err(|error| self.sync_failed("syncing an upload", &error));
            let noted = synced.and_then(|()| self.note_complete(&upload.actor, digest, working.upload));
            noted.and_then(|volume| volume.ok_or(StoreError::VolumeNotFound))
        };
        self.end(upload, working, outcome.clone());
        outcome
    }

    fn end(&self, upload: &Upload, working: &mut Progress, outcome: Result<VolumeRecord, StoreError>) {
        working.ended = Some(outcome);
        working.file = None;
        // Those who work on it see how it ended; who comes next begins anew.
        self.forget_upload(&upload.actor.tenant, upload.digest, working.upload);
    }

    /// Forgets an upload that has ended. Another of the same name may have begun.
    fn forget_upload(&self, tenant: &str, digest: VolumeDigest, upload: Uuid) {
        let (key, mut all) = ((tenant.to_owned(), digest), self.uploads.lock());
        if all.get(&key).is_some_and(|known| known.0 == upload) {
            all.remove(&key);
        }
    }

    /// Ends a call's part, however it ended: what was written is safe when this returns. The volume as it is then.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn leave(&self, upload: &Upload) -> Result<VolumeRecord, StoreError> {
        let mut working = lock(&upload.progress);
        working.users = working.users.saturating_sub(1);
        if let Some(ended) = &working.ended {
            return ended.clone();
        }
        let synced = match working.written_bytes > working.committed_bytes {
            true => self.sync(upload, &mut working),
            false => Ok(()),
        };
        self.let_go(&mut working);
        synced?;
        self.volume(&upload.actor.tenant, &upload.digest).ok_or(StoreError::VolumeNotFound)
    }

    /// Closes the file if no call works on it. What is hashed stays known.
    fn let_go(&self, working: &mut Progress) {
        if working.users == 0 && working.written_bytes == working.committed_bytes {
            working.file = None;
        }
    }

    /// Makes what arrived of an upload safe, so that whoever asks is told of all of it.
    pub(super) fn sync_upload(&self, tenant: &str, digest: &VolumeDigest) -> Result<(), StoreError> {
        let known = self.uploads.lock().get(&(tenant.to_owned(), *digest)).cloned();
        let Some((_, progress)) = known else { return Ok(()) };
        let mut working = lock(&progress);
        if working.ended.is_some() || working.written_bytes <= working.committed_bytes {
            return Ok(());
        }
        let actor = Actor { tenant: tenant.to_owned(), name: String::new(), peer: String::new() };
        let upload = Upload { actor, digest: *digest, size_bytes: 0, progress: progress.clone(), next: 0 };
        match self.sync(&upload, &mut working) {
            // It was deleted: there is nothing to tell of.
            Err(StoreError::VolumeNotFound) => Ok(()),
            synced => synced,
        }
    }

    fn all_uploads(&self) -> Vec<(Key, Known)> {
        self.uploads.lock().iter().map(|(key, known)| (key.clone(), known.clone())).collect()
    }

    /// Makes safe what arrived of every upload. One that cannot be is told of to those who send it.
    pub(super) fn sync_uploads(&self) {
        for ((tenant, digest), _) in self.all_uploads() {
            if let Err(error) = self.sync_upload(&tenant, &digest) {
                tracing::warn!(%error, "what arrived of an upload is not safe yet");
            }
        }
    }

    /// Forgets the hashes of uploads that are gone. One that a call works on stays until that leaves.
    ///
    /// * `is_gone` – of a tenant's upload, by the name of its volume and its own id
    pub(super) fn forget_uploads(&self, is_gone: impl Fn(&str, &VolumeDigest, Uuid) -> bool) {
        for ((tenant, digest), (upload, progress)) in self.all_uploads() {
            let Ok(working) = progress.try_lock() else { continue };
            if working.users == 0 && is_gone(&tenant, &digest, upload) {
                self.forget_upload(&tenant, digest, upload);
            }
        }
    }
}

impl Progress {
    fn new(upload: Uuid, committed_bytes: u64) -> Self {
        let digest = Digest::new();
        let noted = Instant::now();
        Self { upload, file: None, users: 0, written_bytes: 0, committed_bytes, noted, digest, ended: None }
    }
}

fn lock(progress: &Arc<Mutex<Progress>>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}
