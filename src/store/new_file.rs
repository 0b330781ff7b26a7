//! Files on their way into a store.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::files::remove;
use super::key::StoreKey;
use super::sealed::Growing;
use super::{KeyId, StoreError, VolumeDigest};
use crate::digest::Digest;
use crate::faults::Faults;

/// A file that no transaction names yet. It is removed when it is dropped before one does.
#[derive(Debug)]
pub struct StoredFile {
    pub(super) path: PathBuf,
    pub(super) digest: VolumeDigest,
    pub(super) size_bytes: u64,
    pub(super) key: Option<KeyId>,
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

    /// Opens one that is no store's for reading.
    ///
    /// # Errors
    /// If it cannot be opened, or is encrypted.
    pub fn open(&self) -> io::Result<File> {
        if self.key.is_some() {
            return Err(io::Error::other("a file of the store is read through the store"));
        }
        File::open(&self.path)
    }

    /// Moves it out of where it was written, on the same disk.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub fn move_to(&self, path: &Path) -> io::Result<()> {
        std::fs::rename(&self.path, path)
    }
}

impl Drop for StoredFile {
    fn drop(&mut self) {
        // One that found its place is not there any more.
        remove(&self.path);
    }
}

/// A file while it is written.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    file: Growing,
    digest: Digest,
    size_bytes: u64,
    key: Option<KeyId>,
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
    /// Begins a file in a folder that is no store's. It is not encrypted.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn within(folder: &Path) -> io::Result<Self> {
        let path = folder.join(Uuid::new_v4().to_string());
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        Self::begin(path, file, None, &Faults::default())
    }

    pub(super) fn begin(path: PathBuf, file: File, key: Option<&StoreKey>, faults: &Faults) -> io::Result<Self> {
        let file = Growing::begin(file, key, faults)?;
        Ok(Self { path, file, digest: Digest::new(), size_bytes: 0, key: key.map(StoreKey::id) })
    }

    /// Syncs what was written.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    pub fn finish(self) -> Result<StoredFile, StoreError> {
        let Self { path, mut file, digest, size_bytes, key } = self;
        let stored = StoredFile { path, digest: VolumeDigest::of(digest), size_bytes, key };
        file.sync().map_err(|error| StoreError::of_io("syncing a result", &error))?;
        Ok(stored)
    }
}
