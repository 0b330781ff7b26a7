//! The folders and files of a store. What is renamed or created is synced together with its folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::VolumeDigest;
use super::new_file::Unnamed;

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a folder that only its owner may enter, if it is not there.
fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync_folder(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Moves a file, and makes that durable in both folders.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    for path in [to, from] {
        sync_folder(path.parent().expect("a file of the store is in a folder"))?;
    }
    Ok(())
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|known| Self::from(&known))
    }

    /// That of the file with this name; none if there is none.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(known) => Ok(Some(Self::from(&known))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl From<&fs::Metadata> for FileId {
    fn from(known: &fs::Metadata) -> Self {
        Self { device: known.dev(), inode: known.ino() }
    }
}

/// The places in a store.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    root: PathBuf,
}

/// The folders of tenants' files.
const VOLUMES: &str = "volumes";
/// What was damaged.
const DAMAGED: &str = "damaged";
/// Results that no transaction names yet.
const INCOMING: &str = "incoming";
/// Checkpoints of jobs.
const CHECKPOINTS: &str = "checkpoints";

impl Folders {
    /// Makes the folder of a store, if it is not there.
    pub(super) fn root(root: &Path) -> io::Result<Self> {
        make_folder(root)?;
        Ok(Self { root: root.to_owned() })
    }

    /// Makes those below it.
    pub(super) fn make_all(&self) -> io::Result<()> {
        [VOLUMES, DAMAGED, INCOMING, CHECKPOINTS].iter().try_for_each(|name| make_folder(&self.root.join(name)))
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn volume(&self, tenant: &str, digest: &VolumeDigest) -> PathBuf {
        self.at(VOLUMES).join(tenant).join(digest.hex())
    }

    pub(super) fn checkpoint(&self, job: Uuid, number: u64) -> PathBuf {
        self.at(CHECKPOINTS).join(format!("{job}.{number}"))
    }

    /// A new file that no transaction names. It is dropped with its path, or at the next start.
    pub(super) fn incoming(&self) -> io::Result<(Unnamed, File)> {
        let path = self.at(INCOMING).join(Uuid::new_v4().to_string());
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Unnamed(path), file))
    }

    /// A new, empty file for a volume, in place of what may be there. Its name is durable after
    /// [`Folders::sync_volumes`].
    pub(super) fn begin_volume(&self, tenant: &str, digest: &VolumeDigest) -> io::Result<File> {
        let (from, file) = self.incoming()?;
        make_folder(&self.at(VOLUMES).join(tenant))?;
        fs::rename(&from.0, self.volume(tenant, digest))?;
        Ok(file)
    }

    /// Makes the names of a tenant's volumes durable.
    pub(super) fn sync_volumes(&self, tenant: &str) -> io::Result<()> {
        [self.at(VOLUMES).join(tenant), self.at(INCOMING)].iter().try_for_each(|folder| sync_folder(folder))
    }

    /// Puts a complete, synced file in its place.
    pub(super) fn place_volume(&self, from: &Path, tenant: &str, digest: &VolumeDigest) -> io::Result<()> {
        make_folder(&self.at(VOLUMES).join(tenant))?;
        rename(from, &self.volume(tenant, digest))
    }

    /// Puts a complete, synced file in its place.
    pub(super) fn place_checkpoint(&self, from: &Path, job: Uuid, number: u64) -> io::Result<()> {
        rename(from, &self.checkpoint(job, number))
    }

    /// Moves a damaged file away from where it would be served.
    pub(super) fn set_aside(&self, tenant: &str, digest: &VolumeDigest) -> io::Result<()> {
        make_folder(&self.at(DAMAGED).join(tenant))?;
        match rename(&self.volume(tenant, digest), &self.at(DAMAGED).join(tenant).join(digest.hex())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Removes a volume that no transaction names any more, and what was set aside of it. What cannot be removed now
    /// is removed at the next start.
    pub(super) fn remove_volume(&self, tenant: &str, digest: &VolumeDigest) {
        for folder in [VOLUMES, DAMAGED] {
            remove(&self.at(folder).join(tenant).join(digest.hex()));
        }
    }

    /// Removes what was uploaded in place of a volume that is damaged, likewise. What was set aside stays.
    pub(super) fn remove_part(&self, tenant: &str, digest: &VolumeDigest) {
        remove(&self.volume(tenant, digest));
    }

    /// Removes a checkpoint, likewise.
    pub(super) fn remove_checkpoint(&self, job: Uuid, number: u64) {
        remove(&self.checkpoint(job, number));
    }

    /// Removes every file that is not named, by tenant and name for volumes, and by job and number for checkpoints.
    pub(super) fn remove_unnamed(
        &self,
        is_volume: impl Fn(&str, &VolumeDigest) -> bool,
        is_checkpoint: impl Fn(Uuid, u64) -> bool,
    ) -> io::Result<usize> {
        let mut removed = 0;
        let mut drop_unless = |path: &Path, is_named: bool| -> io::Result<()> {
            if !is_named {
                fs::remove_file(path)?;
                removed += 1;
            }
            Ok(())
        };
        for folder in [VOLUMES, DAMAGED] {
            for tenant in entries(&self.at(folder))?.into_iter().filter(|(_, path)| path.is_dir()) {
                for (name, path) in entries(&tenant.1)? {
                    let digest = VolumeDigest::parse(&format!("sha256:{name}")).ok();
                    drop_unless(&path, digest.is_some_and(|digest| is_volume(&tenant.0, &digest)))?;
                }
            }
        }
        for (_, path) in entries(&self.at(INCOMING))? {
            drop_unless(&path, false)?;
        }
        for (name, path) in entries(&self.at(CHECKPOINTS))? {
            let named = name.split_once('.').and_then(|(job, number)| Some((job.parse().ok()?, number.parse().ok()?)));
            drop_unless(&path, named.is_some_and(|(job, number)| is_checkpoint(job, number)))?;
        }
        Ok(removed)
    }

    /// Writes a small file whole, or not at all.
    pub(super) fn write_whole(&self, name: &str, text: &str) -> io::Result<()> {
        let from = self.at(&format!("{name}.new"));
        let mut file = File::create(&from)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        rename(&from, &self.at(name))
    }

    /// Bytes of the disk that are free for this user.
    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.root)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// Removes a file that may not be there. Its name may come back after a loss of power, and is dropped then.
pub(super) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "a file that is not needed any more stays until the next start");
        }
        _ => {}
    }
}

/// Names and paths in a folder.
fn entries(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())))
        .collect()
}
