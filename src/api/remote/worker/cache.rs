//! Volumes that a worker keeps, by their digests. What was used last goes last.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::api::desk::Pieces;
use crate::digest::Digest;
use crate::domain::{DoseError, Invalid};
use crate::store::{NewFile, Opened, StoreError, StoreKeys, StoredFile, VolumeDigest};

/// Bytes that are read at once.
const PIECE_BYTES: u64 = 1 << 20;
/// Volumes that a worker tells of.
const MOST_TOLD: usize = 256;

/// Where a worker keeps volumes, and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheOptions {
    /// A folder that stays; none: one that goes with the worker.
    pub folder: Option<PathBuf>,
    /// Most bytes of volumes that no job needs now.
    pub most_bytes: u64,
    /// Keys that all is encrypted with in a folder that stays. One that goes with the worker has a key that goes too.
    pub keys: StoreKeys,
}

/// Volumes in a folder.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    most_bytes: u64,
    keys: StoreKeys,
    known: Mutex<Known>,
    _lock: File,
    /// Removed with the worker.
    _temporary: Option<tempfile::TempDir>,
}

#[derive(Debug, Default)]
struct Known {
    /// Size of each [bytes], and when it was last used.
    volumes: BTreeMap<VolumeDigest, (u64, u64)>,
    uses: u64,
}

impl Known {
    fn note(&mut self, name: VolumeDigest, size_bytes: u64) {
        self.uses += 1;
        self.volumes.insert(name, (size_bytes, self.uses));
    }

    fn oldest(&self) -> Option<VolumeDigest> {
        self.volumes.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| *name)
    }
}

impl Cache {
    /// Opens the folder for this worker alone.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if another worker has it; [`DoseError::Io`].
    pub(super) fn open(options: &CacheOptions) -> Result<Self, DoseError> {
        let failed = |error: io::Error| DoseError::Io(format!("the cache cannot be used: {error}"));
        let temporary = if options.folder.is_none() { Some(tempfile::tempdir().map_err(failed)?) } else { None };
        let folder = match (&options.folder, &temporary) {
            (Some(folder), _) => folder.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => return Err(DoseError::Internal("a cache without a folder".into())),
        };
        for path in [folder.clone(), folder.join("volumes"), folder.join("work")] {
            fs::create_dir_all(path).map_err(failed)?;
        }
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let reason = "is in use by another worker: give each its own folder";
                return Err(DoseError::invalid("cache", reason));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let keys = match &temporary {
            Some(_) => StoreKeys::random().map_err(|Invalid(reason)| DoseError::Io(format!("a key {reason}")))?,
            None => options.keys.clone(),
        };
        let (most_bytes, known) = (options.most_bytes, Mutex::default());
        let cache = Self { folder, most_bytes, keys, known, _lock: lock, _temporary: temporary };
        cache.look().map_err(failed)?;
        Ok(cache)
    }

    /// Finds what an earlier worker left.
    fn look(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.work())? {
            fs::remove_file(entry?.path())?;
        }
        for entry in fs::read_dir(self.folder.join("volumes"))? {
            let entry = entry?;
            let name = VolumeDigest::parse(&format!("sha256:{}", entry.file_name().to_string_lossy()));
            if let Ok(name) = name {
                self.lock().note(name, entry.metadata()?.len());
            }
        }
        self.shrink();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where files stand that are on their way.
    fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// Begins a file that is on its way.
    ///
    /// # Errors
    /// If it cannot be created.
    pub(super) fn new_file(&self) -> io::Result<NewFile> {
        NewFile::within(&self.work(), &self.keys)
    }

    fn open_volume(&self, name: VolumeDigest) -> io::Result<HeldVolume> {
        let mut file = Opened::known_by_its_start(File::open(self.path(&name))?, &self.keys)?;
        let size_bytes = file.seek(SeekFrom::End(0))?;
        Ok(HeldVolume { file: Mutex::new(file), name, size_bytes })
    }

    fn path(&self, name: &VolumeDigest) -> PathBuf {
        self.folder.join("volumes").join(name.hex())
    }

    /// The volumes that were used last.
    pub(super) fn holds(&self) -> Vec<VolumeDigest> {
        let known = self.lock();
        let mut all: Vec<(u64, VolumeDigest)> = known.volumes.iter().map(|(name, (_, used))| (*used, *name)).collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.into_iter().take(MOST_TOLD).map(|(_, name)| name).collect()
    }

    /// Opens a volume, if it is there and whole. It can be read as long as it is held, whatever the cache does.
    pub(super) fn get(&self, name: VolumeDigest) -> Option<HeldVolume> {
        let held = match self.open_volume(name) {
            Ok(held) => held,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => return self.damaged(name),
        };
        if held.is_whole().unwrap_or(false) {
            self.lock().note(name, held.size_bytes);
            return Some(held);
        }
        self.damaged(name)
    }

    fn damaged(&self, name: VolumeDigest) -> Option<HeldVolume> {
        tracing::warn!("a volume in the cache is damaged, or its key is not there; it is fetched again");
        self.forget(name);
        None
    }

    /// Takes a volume in.
    ///
    /// # Errors
    /// If it cannot be moved or opened.
    pub(super) fn add(&self, name: VolumeDigest, file: &StoredFile) -> io::Result<HeldVolume> {
        file.move_to(&self.path(&name))?;
        let held = self.open_volume(name)?;
        self.lock().note(name, held.size_bytes);
        self.shrink();
        Ok(held)
    }

    fn forget(&self, name: VolumeDigest) {
        self.lock().volumes.remove(&name);
        let _ = fs::remove_file(self.path(&name));
    }

    /// Removes what was not used for longest, until the rest has room.
    fn shrink(&self) {
        loop {
            let oldest = {
                let known = self.lock();
                let bytes: u64 = known.volumes.values().map(|(size, _)| size).sum();
                if bytes > self.most_bytes { known.oldest() } else { None }
            };
            match oldest {
                Some(name) => self.forget(name),
                None => return,
            }
        }
    }
}

/// A volume that is open.
#[derive(Debug)]
pub(super) struct HeldVolume {
    file: Mutex<Opened>,
    name: VolumeDigest,
    size_bytes: u64,
}

impl HeldVolume {
    fn is_whole(&self) -> io::Result<bool> {
        let mut pieces = self.pieces()?;
        while pieces.read()?.is_some() {}
        Ok(pieces.is_right())
    }

    /// Its bytes, from the beginning, for one reader at a time.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) fn pieces(&self) -> io::Result<HeldPieces<'_>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.rewind()?;
        Ok(HeldPieces { volume: self, file, begin: 0, digest: Digest::new() })
    }
}

/// A volume while it is read.
pub(super) struct HeldPieces<'a> {
    volume: &'a HeldVolume,
    file: MutexGuard<'a, Opened>,
    begin: u64,
    digest: Digest,
}

impl HeldPieces<'_> {
    fn read(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let length = (self.volume.size_bytes - self.begin).min(PIECE_BYTES);
        if length == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; usize::try_from(length).unwrap_or(0)];
        self.file.read_exact(&mut piece)?;
        self.digest.update(&piece);
        let begin = self.begin;
        self.begin += length;
        Ok(Some((begin, piece)))
    }

    fn is_right(&self) -> bool {
        VolumeDigest::of(self.digest.clone()) == self.volume.name
    }
}

impl Pieces for HeldPieces<'_> {
    fn size_bytes(&self) -> u64 {
        self.volume.size_bytes
    }

    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let read = self.read().map_err(|error| StoreError::of_io("reading a volume of the cache", &error))?;
        if read.is_some() && self.begin == self.volume.size_bytes && !self.is_right() {
            return Err(StoreError::VolumeDamaged(self.volume.name));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn put(cache: &Cache, bytes: &[u8]) -> VolumeDigest {
        let mut file = cache.new_file().expect("a folder");
        file.write_all(bytes).expect("room");
        let file = file.finish().expect("room");
        cache.add(file.digest(), &file).expect("room");
        file.digest()
    }

    fn bytes(volume: &HeldVolume) -> Vec<u8> {
        let (mut pieces, mut all) = (volume.pieces().expect("it is open"), Vec::new());
        while let Some((begin, piece)) = pieces.next().expect("whole") {
            assert_eq!(begin, all.len() as u64);
            all.extend(piece);
        }
        all
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let options =
            CacheOptions { folder: Some(folder.path().to_owned()), most_bytes: 25, keys: StoreKeys::default() };
        let cache = Cache::open(&options).expect("a cache");
        let names: Vec<VolumeDigest> = [b'a', b'b'].iter().map(|letter| put(&cache, &[*letter; 10])).collect();
        let first = cache.get(names[0]).expect("it is there");
        let third = put(&cache, &[b'c'; 10]);
        assert!(cache.get(names[1]).is_none(), "it was not used");
        assert_eq!(cache.holds(), [third, names[0]]);
        let busy = Cache::open(&options).expect_err("another worker has it");
        assert!(matches!(busy, DoseError::Invalid(_)), "{busy}");
        drop(cache);
        let again = Cache::open(&CacheOptions { most_bytes: 10, ..options }).expect("nobody has it");
        assert_eq!(again.holds().len(), 1, "there is room for one");
        // What is held can be read although it is gone from the cache.
        assert_eq!(bytes(&first), [b'a'; 10]);
    }

    #[test]
    fn what_is_damaged_is_not_served() {
        let cache =
            Cache::open(&CacheOptions { folder: None, most_bytes: 1000, keys: StoreKeys::default() }).expect("a cache");
        let name = put(&cache, b"some bytes");
        assert_eq!(bytes(&cache.get(name).expect("it is there")), b"some bytes");
        fs::write(cache.path(&name), b"other bytes").expect("a writable folder");
        assert!(cache.get(name).is_none() && cache.holds().is_empty());
    }

    #[test]
    fn nothing_that_is_kept_can_be_read_without_its_key() {
        let secret = b"a value of a patient's volume";
        let is_clear = |path: &std::path::Path| {
            let bytes = fs::read(path).expect("it is there");
            bytes.windows(secret.len()).any(|window| window == secret)
        };
        // A folder that goes with the worker has a key of its own.
        let cache = Cache::open(&CacheOptions { folder: None, most_bytes: 1000, keys: StoreKeys::default() });
        let cache = cache.expect("a cache");
        let name = put(&cache, secret);
        assert!(!is_clear(&cache.path(&name)));
        assert_eq!(bytes(&cache.get(name).expect("it is there")), secret);
        // One that stays has that of its file.
        let folder = tempfile::tempdir().expect("a folder");
        let open = |keys: StoreKeys| {
            let folder = Some(folder.path().to_owned());
            Cache::open(&CacheOptions { folder, most_bytes: 1000, keys }).expect("a cache")
        };
        let [first, second] = [(); 2].map(|()| StoreKeys::random().expect("random bytes"));
        let cache = open(first.clone());
        let name = put(&cache, secret);
        assert!(!is_clear(&cache.path(&name)));
        drop(cache);
        assert_eq!(bytes(&open(first).get(name).expect("it has the key")), secret);
        assert!(open(second).get(name).is_none(), "it is fetched again");
    }
}
