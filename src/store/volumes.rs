//! Volumes in the ledger: what is there, kept, deleted, or set aside.

use std::fs::{File, OpenOptions};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use uuid::Uuid;

use super::change::{Change, Done, What};
use super::files::{FileId, Folders};
use super::key::StoreKey;
use super::record::{JobRecord, Phase, VolumeRecord};
use super::state::{State, Tenant};
use super::told::of_volume;
use super::{Actor, KeyId, Quota, Store, StoreError, StoreOptions, VolumeDigest};
use crate::audit::{Event, Record};

/// How an upload begins.
#[derive(Debug)]
pub(super) enum Begun {
    /// There is nothing to upload.
    Complete(VolumeRecord),
    /// Bytes are to come.
    Open(Open),
}

/// An upload that is not complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// Tells it from an earlier one.
    pub(super) upload: Uuid,
    /// Whether it begins now.
    pub(super) is_new: bool,
    /// What is safe of it.
    pub(super) committed_bytes: u64,
    /// What its file is encrypted with.
    pub(super) key: Option<KeyId>,
}

/// The file of an upload.
#[derive(Debug)]
pub(super) enum FileOf {
    /// There is nothing to upload any more.
    Complete(VolumeRecord),
    /// It may be written to.
    Open {
        file: File,
        /// Whether it was begun now.
        is_new: bool,
    },
}

impl Store {
    /// Whether the disk has room for the ledger, as far as the system tells.
    pub fn has_ledger_room(&self) -> bool {
        self.folders.free_bytes().map_or(true, |free| free >= self.options().ledger_bytes)
    }

    /// Checks that the disk has room for what is not reserved.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    pub fn check_disk(&self, needed: u64) -> Result<(), StoreError> {
        let reserved = self.published.read(|state| state.reserved_bytes);
        check_disk(reserved, needed, &self.options(), &self.folders)
    }

    /// What is there of volumes; none of one that is not known. Complete ones are kept for the full time from now on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn check_volumes(
        &self,
        tenant: &str,
        digests: &[VolumeDigest],
    ) -> Result<Vec<Option<VolumeRecord>>, StoreError> {
        for digest in digests {
            self.sync_upload(tenant, digest)?;
        }
        let (name, digests) = (tenant.to_owned(), digests.to_vec());
        let (ttl, due) = (self.options().volume_ttl, self.clock.due());
        self.writer.write(move |state| {
            let (now, name) = (SystemTime::now(), state.shared_name(&name));
            let mut changes = Vec::new();
            let mut look = |digest: &VolumeDigest| {
                let mut volume = state.volume(&name, digest, due)?.clone();
                if volume.phase == Phase::Damaged {
                    return None;
                }
                if volume.is_complete() {
                    volume.kept_until = volume.kept_until.max(Some(now + ttl));
                    changes.push(Change::new(&name, What::Volume(*digest, volume.clone())));
                }
                Some(volume)
            };
            let value = digests.iter().map(&mut look).collect();
            Ok(Done { value, changes, events: Vec::new() })
        })
    }

    /// A tenant's volume, complete or not; none if it is not there.
    pub fn volume(&self, tenant: &str, digest: &VolumeDigest) -> Option<VolumeRecord> {
        let due = self.clock.due();
        self.published.read(|state| state.volume(tenant, digest, due).cloned())
    }

    /// Reserves room for an upload, or finds what is there of it. A call that is refused reserves nothing.
    ///
    /// * `offset` – where the call's first byte stands
    pub(super) fn begin_upload(
        &self,
        tenant: &str,
        digest: VolumeDigest,
        size_bytes: u64,
        offset: u64,
    ) -> Result<Begun, StoreError> {
        let (name, options, folders) = (tenant.to_owned(), self.options(), self.folders.clone());
        let due = self.clock.due();
        self.writer.write(move |state| {
            let (now, name) = (SystemTime::now(), state.shared_name(&name));
            let nothing = Tenant::default();
            let tenant = state.tenant(&name).unwrap_or(&nothing);
            let known = tenant.volume(&digest, due).filter(|volume| volume.phase != Phase::Damaged);
            if let Some(other) = known.filter(|volume| volume.size_bytes != size_bytes) {
                return Err(StoreError::OtherSize { size_bytes: other.size_bytes });
            }
            match known.map(|volume| (volume.phase, volume)) {
                Some((Phase::Uploading { upload, committed_bytes }, volume)) => {
                    let open = Open { upload, is_new: false, committed_bytes, key: volume.key };
                    Ok(Done::unchanged(Begun::Open(open)))
                }
                Some((_, volume)) => {
                    let mut volume = volume.clone();
                    volume.kept_until = volume.kept_until.max(Some(now + options.volume_ttl));
                    let changes = vec![Change::new(&name, What::Volume(digest, volume.clone()))];
                    Ok(Done { value: Begun::Complete(volume), changes, events: Vec::new() })
                }
                None if offset > 0 => Err(StoreError::WrongOffset { committed_bytes: 0 }),
                None => {
                    check_room(state, tenant, size_bytes, due, &options, &folders)?;
                    let upload = Uuid::new_v4();
                    // Jobs that refer to a damaged volume have it back when it is complete. Those that have expired
                    // let go of it when they are swept, and of nothing else.
                    let (inputs, results, results_until) = tenant
                        .volumes
                        .get(&digest)
                        .map_or((0, 0, None), |volume| (volume.inputs, volume.results, volume.results_until));
                    let phase = Phase::Uploading { upload, committed_bytes: 0 };
                    let kept_until = Some(now + options.upload_ttl);
                    let key = options.keys.current().map(StoreKey::id);
                    let record = VolumeRecord { size_bytes, phase, inputs, results, kept_until, results_until, key };
                    let changes = vec![Change::new(&name, What::Volume(digest, record))];
                    let value = Begun::Open(Open { upload, is_new: true, committed_bytes: 0, key });
                    Ok(Done { value, changes, events: Vec::new() })
                }
            }
        })
    }

    /// Opens the file of an upload. It is looked up where volumes become complete, so that it is never that of a
    /// volume which is: others may send the same bytes, and a job may make them.
    ///
    /// * `is_new` – whether to begin a new one, in place of what may be there
    ///
    /// # Errors
    /// [`StoreError::VolumeNotFound`] if the upload is gone, [`StoreError::Full`], [`StoreError::Unavailable`].
    pub(super) fn file_of_upload(
        &self,
        tenant: &str,
        digest: VolumeDigest,
        upload: Uuid,
        is_new: bool,
    ) -> Result<FileOf, StoreError> {
        let (name, folders) = (tenant.to_owned(), self.folders.clone());
        self.writer.write(move |state| {
            let known = state.tenant(&name).and_then(|tenant| tenant.volumes.get(&digest));
            let volume = known.ok_or(StoreError::VolumeNotFound)?;
            match volume.phase {
                Phase::Complete => return Ok(Done::unchanged(FileOf::Complete(volume.clone()))),
                Phase::Uploading { upload: own, .. } if own == upload => {}
                Phase::Uploading { .. } | Phase::Damaged => return Err(StoreError::VolumeNotFound),
            }
            let failed = |error: io::Error| StoreError::of_io("opening an upload", &error);
            match OpenOptions::new().read(true).write(true).open(folders.volume(&name, &digest)) {
                Ok(file) if !is_new => return Ok(Done::unchanged(FileOf::Open { file, is_new: false })),
                // The ledger knows of the upload before its file is there.
                Err(error) if !is_new && error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                Ok(_) | Err(_) => {}
            }
            let file = folders.begin_volume(&name, &digest).map_err(failed)?;
            Ok(Done::unchanged(FileOf::Open { file, is_new: true }))
        })
    }

    /// Notes how many bytes of an upload are safe. None if the upload is gone.
    pub(super) fn note_committed(
        &self,
        tenant: &str,
        digest: VolumeDigest,
        upload: Uuid,
        bytes: u64,
    ) -> Result<Option<VolumeRecord>, StoreError> {
        let ttl = self.options().upload_ttl;
        self.change_upload(tenant, digest, upload, move |volume, now| {
            volume.phase = Phase::Uploading { upload, committed_bytes: bytes };
            volume.kept_until = Some(now + ttl);
            None
        })
    }

    /// Notes that an upload is complete, and has its digest. None if the upload is gone.
    pub(super) fn note_complete(
        &self,
        actor: &Actor,
        digest: VolumeDigest,
        upload: Uuid,
    ) -> Result<Option<VolumeRecord>, StoreError> {
        let ttl = self.options().volume_ttl;
        let told = of_volume(Event::VolumeStored, actor, &digest);
        self.change_upload(&actor.tenant, digest, upload, move |volume, now| {
            volume.phase = Phase::Complete;
            volume.kept_until = Some(now + ttl);
            Some(told)
        })
    }

    fn change_upload(
        &self,
        tenant: &str,
        digest: VolumeDigest,
        upload: Uuid,
        change: impl FnOnce(&mut VolumeRecord, SystemTime) -> Option<Record> + Send + 'static,
    ) -> Result<Option<VolumeRecord>, StoreError> {
        let name = tenant.to_owned();
        self.writer.write(move |state| {
            let (now, name) = (SystemTime::now(), state.shared_name(&name));
            let known = state.tenant(&name).and_then(|tenant| tenant.volumes.get(&digest));
            let is_it = |volume: &&VolumeRecord| match volume.phase {
                Phase::Uploading { upload: own, .. } => own == upload,
                Phase::Complete | Phase::Damaged => false,
            };
            let Some(mut volume) = known.filter(is_it).cloned() else {
                // Somebody else completed it: the caller has what it wanted.
                return Ok(Done::unchanged(known.filter(|volume| volume.is_complete()).cloned()));
            };
            let events = change(&mut volume, now).into_iter().collect();
            let changes = vec![Change::new(&name, What::Volume(digest, volume.clone()))];
            Ok(Done { value: Some(volume), changes, events })
        })
    }

    /// Forgets an upload whose bytes were not those of its digest.
    pub(super) fn discard_upload(&self, tenant: &str, digest: VolumeDigest, upload: Uuid) -> Result<(), StoreError> {
        let name = tenant.to_owned();
        self.writer.write(move |state| {
            let name = state.shared_name(&name);
            let known = state.tenant(&name).and_then(|tenant| tenant.volumes.get(&digest));
            let is_it = |phase| matches!(phase, Phase::Uploading { upload: own, .. } if own == upload);
            let changes = match known.filter(|volume| is_it(volume.phase)) {
                None => Vec::new(),
                // Jobs refer to it from before it was damaged.
                Some(volume) if volume.is_referenced() => {
                    let damaged = VolumeRecord { phase: Phase::Damaged, ..volume.clone() };
                    vec![Change::new(&name, What::Volume(digest, damaged))]
                }
                Some(_) => vec![Change::new(&name, What::NoVolume(digest))],
            };
            Ok(Done { value: (), changes, events: Vec::new() })
        })
    }

    /// Deletes a volume, complete or not.
    ///
    /// # Errors
    /// [`StoreError::VolumeNotFound`], [`StoreError::VolumeInUse`], [`StoreError::Unavailable`].
    pub fn delete_volume(&self, actor: &Actor, digest: VolumeDigest) -> Result<(), StoreError> {
        let (actor, due) = (actor.clone(), self.clock.due());
        self.writer.write(move |state| {
            let name: Arc<str> = state.shared_name(&actor.tenant);
            let volume = state.volume(&name, &digest, due).ok_or(StoreError::VolumeNotFound)?;
            if volume.inputs > 0 {
                return Err(StoreError::VolumeInUse);
            }
            let mut changes = vec![Change::new(&name, What::NoVolume(digest))];
            if volume.results > 0 {
                changes.extend(let_go(state, &name, digest));
            }
            Ok(Done { value: (), changes, events: vec![of_volume(Event::VolumeDeleted, &actor, &digest)] })
        })
    }

    /// Notes that a volume leaves the store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub(super) fn note_read(&self, actor: &Actor, digest: VolumeDigest) -> Result<(), StoreError> {
        self.note(of_volume(Event::VolumeRead, actor, &digest))
    }

    /// Sets a file aside that is not what was stored. False if another has taken its place, which stays.
    ///
    /// * `found` – the file; none if there was none
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Full`].
    pub(super) fn set_aside(
        &self,
        tenant: &str,
        digest: VolumeDigest,
        found: Option<FileId>,
    ) -> Result<bool, StoreError> {
        let (name, folders) = (tenant.to_owned(), self.folders.clone());
        self.writer.write(move |state| {
            let name = state.shared_name(&name);
            let known = state.tenant(&name).and_then(|tenant| tenant.volumes.get(&digest));
            let Some(volume) = known.filter(|volume| volume.is_complete()) else { return Ok(Done::unchanged(false)) };
            let failed = |error| StoreError::of_io("setting a damaged volume aside", &error);
            if FileId::at(&folders.volume(&name, &digest)).map_err(failed)? != found {
                return Ok(Done::unchanged(false));
            }
            tracing::error!("a stored volume is damaged; its file is set aside");
            folders.set_aside(&name, &digest).map_err(failed)?;
            let damaged = VolumeRecord { phase: Phase::Damaged, ..volume.clone() };
            let changes = vec![Change::new(&name, What::Volume(digest, damaged))];
            Ok(Done { value: true, changes, events: Vec::new() })
        })
    }
}

/// The jobs that made a volume, which do not keep it any more: of another job that makes it again they take nothing.
fn let_go(state: &State, name: &Arc<str>, digest: VolumeDigest) -> Vec<Change> {
    let jobs = state.tenant(name).into_iter().flat_map(|tenant| tenant.jobs.values());
    let made_it = jobs.filter(|job| job.results.contains(&digest));
    let without = made_it.map(|job| {
        let mut next = JobRecord::clone(job);
        next.results.retain(|result| *result != digest);
        next.deleted_results.push(digest);
        Change::new(name, What::Job(Arc::new(next)))
    });
    without.collect()
}

/// Checks a tenant's quota, and the disk.
///
/// * `due` – what has expired until then does not count
pub(super) fn check_room(
    state: &State,
    tenant: &Tenant,
    needed: u64,
    due: SystemTime,
    options: &StoreOptions,
    folders: &Folders,
) -> Result<(), StoreError> {
    if tenant.bytes.saturating_add(needed) > options.tenant_bytes {
        let used = tenant.bytes.saturating_sub(tenant.expired_bytes(due));
        if used.saturating_add(needed) > options.tenant_bytes {
            let (what, limit) = (Quota::Bytes, options.tenant_bytes);
            return Err(StoreError::OverQuota { what, used, limit, needed, retry_after: None });
        }
    }
    check_disk(state.reserved_bytes, needed, options, folders)
}

/// Checks the disk alone: what is reserved, and kept free, is left. Volumes take no room that the ledger may need, or
/// nothing could be deleted any more.
fn check_disk(reserved: u64, needed: u64, options: &StoreOptions, folders: &Folders) -> Result<(), StoreError> {
    let free = folders.free_bytes().map_err(|error| StoreError::of_io("asking for the room on the disk", &error))?;
    let kept = options.reserve_bytes.max(options.ledger_bytes);
    let taken = reserved.saturating_add(kept).saturating_add(needed);
    if free < taken { Err(StoreError::Full) } else { Ok(()) }
}
