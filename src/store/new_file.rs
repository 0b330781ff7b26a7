//! Files on their way into a store.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::files::remove;
use super::key::StoreKey;
use super::sealed::{Growing, Opened};
use super::{KeyId, StoreError, StoreKeys, VolumeDigest};
use crate::digest::Digest;
use crate::faults::Faults;

/// The path of a file that no transaction names yet. The file is removed with it; one that found its place is not there
/// any more.
#[derive(Debug)]
pub(super) struct Unnamed(pub(super) PathBuf);

impl Drop for Unnamed {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// A file that no transaction names yet. It is removed when it is dropped before one does.
#[derive(Debug)]
pub struct StoredFile {
    pub(super) path: Unnamed,
    pub(super) digest: VolumeDigest,
    pub(super) size_bytes: u64,
    pub(super) key: Option<KeyId>,
    keys: StoreKeys,
}

impl StoredFile {
    /// Its name.
    pub fn digest(&self) -> VolumeDigest {
        self.digest
    }

    /// Bytes in all.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Opens it for reading, where it was written.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(&self) -> io::Result<Opened> {
        Opened::new(File::open(&self.path.0)?, self.key.map(|_| &self.keys))
    }

    /// Moves it out of where it was written, on the same disk.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub fn move_to(&self, path: &Path) -> io::Result<()> {
        std::fs::rename(&self.path.0, path)
    }
}

/// A file while it is written. It is removed when it is dropped before it is finished.
#[derive(Debug)]
pub struct NewFile {
    path: Unnamed,
    file: Growing,
    digest: Digest,
    size_bytes: u64,
    key: Option<KeyId>,
    keys: StoreKeys,
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes)?;
        self.digest.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile {
    /// Begins a file in a folder that is no store's.
    ///
    /// * `keys` – the first of them encrypts it; without one it is plain
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn within(folder: &Path, keys: &StoreKeys) -> io::Result<Self> {
        let path = folder.join(Uuid::new_v4().to_string());
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        Self::begin(Unnamed(path), file, keys, &Faults::default())
    }

    pub(super) fn begin(path: Unnamed, file: File, keys: &StoreKeys, faults: &Faults) -> io::Result<Self> {
        let file = Growing::begin(file, keys.current(), faults)?;
        let key = keys.current().map(StoreKey::id);
        Ok(Self { path, file, digest: Digest::new(), size_bytes: 0, key, keys: keys.clone() })
    }

    /// Syncs what was written.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    pub fn finish(self) -> Result<StoredFile, StoreError> {
        let Self { path, mut file, digest, size_bytes, key, keys } = self;
        let stored = StoredFile { path, digest: VolumeDigest::of(digest), size_bytes, key, keys };
        file.sync().map_err(|error| StoreError::of_io("syncing a result", &error))?;
        Ok(stored)
    }
}
