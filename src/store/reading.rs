//! Reading a volume: every byte is hashed on its way, and the last piece is handed out only if the whole is right.

use std::fs::File;
use std::io::{self, Read};

use super::files::FileId;
use super::record::Phase;
use super::sealed::Opened;
use super::{Actor, Store, StoreError, VolumeDigest};
use crate::digest::Digest;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 1 << 20;

/// A volume while it is read from its start to its end.
#[derive(Debug)]
pub struct Reading {
    tenant: String,
    name: VolumeDigest,
    id: FileId,
    file: Opened,
    size_bytes: u64,
    read_bytes: u64,
    digest: Digest,
}

impl Store {
    /// Opens a complete volume.
    ///
    /// # Errors
    /// [`StoreError::VolumeNotFound`], [`StoreError::VolumeDamaged`], [`StoreError::Unavailable`].
    pub fn read_volume(&self, tenant: &str, name: VolumeDigest) -> Result<Reading, StoreError> {
        loop {
            let volume = self.volume(tenant, &name).ok_or(StoreError::VolumeNotFound)?;
            match volume.phase {
                Phase::Uploading { .. } => return Err(StoreError::VolumeNotFound),
                Phase::Damaged => return Err(StoreError::VolumeDamaged(name)),
                Phase::Complete => {}
            }
            let options = self.options();
            let failed = |error: io::Error| StoreError::of_io("opening a volume", &error);
            let file = match File::open(self.folders.volume(tenant, &name)) {
                Ok(file) => file,
                // It may have been deleted between the two looks, or even stored again.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if self.set_aside(tenant, name, None)? {
                        return Err(StoreError::VolumeDamaged(name));
                    }
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            // Held while it is set aside: the next file may not be taken for it.
            let held = file.try_clone().map_err(failed)?;
            let id = FileId::of(&held).map_err(failed)?;
            let file = match Opened::new(file, volume.key.map(|_| &options.keys)) {
                Ok(file) => file,
                Err(error) if is_damage(&error) => {
                    if self.set_aside(tenant, name, Some(id))? {
                        return Err(StoreError::VolumeDamaged(name));
                    }
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            let (tenant, size_bytes) = (tenant.to_owned(), volume.size_bytes);
            return Ok(Reading { tenant, name, id, file, size_bytes, read_bytes: 0, digest: Digest::new() });
        }
    }

    /// As [`Store::read_volume`], for a caller who takes it away: the audit log says so first.
    ///
    /// # Errors
    /// As [`Store::read_volume`].
    pub fn hand_out(&self, actor: &Actor, name: VolumeDigest) -> Result<Reading, StoreError> {
        let reading = self.read_volume(&actor.tenant, name)?;
        self.note_read(actor, name)?;
        Ok(reading)
    }
}

/// Whether a file is not what was stored.
fn is_damage(error: &io::Error) -> bool {
    // A head with another key's id is damage too: the keys of all volumes were there at the start.
    use io::ErrorKind::{InvalidData, PermissionDenied, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | InvalidData) || error.kind() == PermissionDenied && error.get_ref().is_some()
}

impl Reading {
    /// Bytes in all.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The next piece and where it begins; none at the end. The last piece comes only if the whole has its digest.
    ///
    /// # Errors
    /// [`StoreError::VolumeDamaged`], with the file set aside; [`StoreError::Unavailable`].
    pub fn next(&mut self, store: &Store) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let left = self.size_bytes - self.read_bytes;
        if left == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES)];
        match self.file.read_exact(&mut piece) {
            Ok(()) => {}
            Err(error) if is_damage(&error) => return Err(self.damaged(store)),
            Err(error) => return Err(StoreError::of_io("reading a volume", &error)),
        }
        self.digest.update(&piece);
        let begin = self.read_bytes;
        self.read_bytes += piece.len() as u64;
        if self.read_bytes == self.size_bytes && VolumeDigest::of(self.digest.clone()) != self.name {
            return Err(self.damaged(store));
        }
        Ok(Some((begin, piece)))
    }

    fn damaged(&self, store: &Store) -> StoreError {
        match store.set_aside(&self.tenant, self.name, Some(self.id)) {
            Ok(true) => {}
            Ok(false) => tracing::warn!("a damaged file was read that has been replaced since"),
            Err(error) => tracing::error!(%error, "the damaged volume stays where it is"),
        }
        StoreError::VolumeDamaged(self.name)
    }
}
