//! Encryption of files at rest: AES-256-GCM in frames, so that a file can grow and be read piece by piece.
//!
//! ```text
//! "dosegrid sealed 1\n" · 8 bytes: id of the key · 32 bytes: salt
//! frames: u32 length · 12 bytes: nonce · ciphertext · 16 bytes: tag
//! ```
//!
//! Each file has a key of its own, derived from the store's by HKDF-SHA-256 with the salt. What a frame authenticates
//! beside its bytes: the file's head, the frame's number, where it begins, and its length. Numbers are little-endian.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use super::key::{KEY_ID_BYTES, StoreKey, StoreKeys};
use crate::faults::{Fault, Faults};

const MAGIC: &[u8; 18] = b"dosegrid sealed 1\n";
const SALT_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + KEY_ID_BYTES + SALT_BYTES;
/// Bytes of a frame before they are encrypted, at most.
const FRAME_BYTES: usize = 1 << 20;
const TAG_BYTES: usize = 16;
/// What the key of a file is derived for.
const INFO: &[&[u8]] = &[b"dosegrid store file"];

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a sealed file is damaged")
}

fn no_key() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "the key of a sealed file is not there")
}

/// Sees bytes of a file that is opened again.
pub(super) type See<'a> = dyn FnMut(&[u8]) + 'a;

/// The head of a file, and its key.
#[derive(Debug)]
struct Seal {
    head: [u8; HEAD_BYTES],
    key: LessSafeKey,
}

impl Seal {
    fn new(key: &StoreKey) -> io::Result<Self> {
        let mut head = [0; HEAD_BYTES];
        head[..MAGIC.len()].copy_from_slice(MAGIC);
        head[MAGIC.len()..][..KEY_ID_BYTES].copy_from_slice(&key.id().bytes());
        random(&mut head[MAGIC.len() + KEY_ID_BYTES..])?;
        Self::of(head, key.secret())
    }

    fn of(head: [u8; HEAD_BYTES], secret: &[u8]) -> io::Result<Self> {
        let salt = &head[MAGIC.len() + KEY_ID_BYTES..];
        let prk: Prk = Salt::new(HKDF_SHA256, salt).extract(secret);
        let key = prk.expand(INFO, &AES_256_GCM).map_err(|_| io::Error::other("no key can be derived"))?;
        Ok(Self { head, key: LessSafeKey::new(UnboundKey::from(key)) })
    }

    /// Reads the head of a file, and finds its key.
    fn read(input: &mut impl Read, keys: &StoreKeys) -> io::Result<Self> {
        let mut head = [0; HEAD_BYTES];
        input.read_exact(&mut head)?;
        if head[..MAGIC.len()] != *MAGIC {
            return Err(damaged());
        }
        let id = *head[MAGIC.len()..].first_chunk().ok_or_else(damaged)?;
        Self::of(head, keys.of_bytes(id).ok_or_else(no_key)?.secret())
    }

    /// What a frame authenticates beside its bytes.
    fn around(&self, frame: u64, begin: u64, length: usize) -> Aad<Vec<u8>> {
        let numbers = [frame, begin, length as u64].map(u64::to_le_bytes);
        Aad::from([&self.head[..], numbers.as_flattened()].concat())
    }
}

fn random(bytes: &mut [u8]) -> io::Result<()> {
    SystemRandom::new().fill(bytes).map_err(|_| io::Error::other("the system gives no random bytes"))
}

/// A file that grows at its end, sealed or plain.
#[derive(Debug)]
pub(super) struct Growing {
    file: File,
    /// Bytes of the file that are written.
    written: u64,
    sealing: Option<Sealing>,
    faults: Faults,
}

#[derive(Debug)]
struct Sealing {
    seal: Seal,
    frames: u64,
    /// Where the next frame begins.
    begin: u64,
    /// What stands in no frame yet.
    pending: Vec<u8>,
}

impl Growing {
    /// Begins a new, empty file.
    pub(super) fn begin(mut file: File, key: Option<&StoreKey>, faults: &Faults) -> io::Result<Self> {
        let faults = faults.clone();
        let Some(key) = key else { return Ok(Self { file, written: 0, sealing: None, faults }) };
        let seal = Seal::new(key)?;
        file.write_all(&seal.head)?;
        let sealing = Some(Sealing { seal, frames: 0, begin: 0, pending: Vec::new() });
        Ok(Self { file, written: HEAD_BYTES as u64, sealing, faults })
    }

    /// Goes on with a file after so many of its bytes. What follows is dropped. None if they are not there.
    ///
    /// * `see` – sees these bytes, if somebody wants to
    pub(super) fn resume(
        mut file: File,
        keys: Option<&StoreKeys>,
        bytes: u64,
        see: Option<&mut See<'_>>,
        faults: &Faults,
    ) -> io::Result<Option<Self>> {
        let resumed = match keys {
            None => Self::resume_plain(&mut file, bytes, see)?.map(|written| (written, None)),
            Some(keys) => match Self::resume_sealed(&mut file, keys, bytes, see) {
                Ok(resumed) => resumed,
                Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => None,
                Err(error) => return Err(error),
            },
        };
        let Some((written, sealing)) = resumed else { return Ok(None) };
        file.set_len(written)?;
        file.seek(SeekFrom::Start(written))?;
        Ok(Some(Self { file, written, sealing, faults: faults.clone() }))
    }

    fn resume_plain(file: &mut File, bytes: u64, see: Option<&mut See<'_>>) -> io::Result<Option<u64>> {
        if file.metadata()?.len() < bytes {
            return Ok(None);
        }
        if let Some(see) = see {
            let mut piece = vec![0; FRAME_BYTES];
            let mut input = file.take(bytes);
            loop {
                match input.read(&mut piece)? {
                    0 => break,
                    count => see(&piece[..count]),
                }
            }
        }
        Ok(Some(bytes))
    }

    fn resume_sealed(
        file: &mut File,
        keys: &StoreKeys,
        bytes: u64,
        mut see: Option<&mut See<'_>>,
    ) -> io::Result<Option<(u64, Option<Sealing>)>> {
        let mut frames = Frames::begin(&mut *file, keys)?;
        let mut written = HEAD_BYTES as u64;
        while frames.begin < bytes {
            let length = match &mut see {
                Some(see) => {
                    let clear = frames.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
                    see(&clear);
                    clear.len()
                }
                None => frames.skip()?.ok_or(io::ErrorKind::UnexpectedEof)?,
            };
            written += (size_of::<u32>() + NONCE_LEN + length + TAG_BYTES) as u64;
        }
        let Frames { seal, number, begin, input: file } = frames;
        // What was passed unseen may not be there.
        if begin != bytes || file.metadata()?.len() < written {
            return Ok(None);
        }
        Ok(Some((written, Some(Sealing { seal, frames: number, begin, pending: Vec::new() }))))
    }

    /// Appends bytes, all or none.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (written, before) = (self.written, self.sealing.as_ref().map(|sealing| (sealing.frames, sealing.begin)));
        // Where a frame will be written, what stands before it is kept until it is.
        let is_framed = |sealing: &&Sealing| sealing.pending.len() + bytes.len() >= FRAME_BYTES;
        let pending = self.sealing.as_ref().filter(is_framed).map(|sealing| sealing.pending.clone());
        self.try_append(bytes).inspect_err(|_| {
            // What is half written is not there: the next byte goes where it would have gone. If even that fails, the
            // file is longer than what is known of it, and is cut when it is opened again.
            let _ = self.file.set_len(written).and_then(|()| self.file.seek(SeekFrom::Start(written)));
            self.written = written;
            if let (Some(sealing), Some((frames, begin)), Some(pending)) = (&mut self.sealing, before, pending) {
                (sealing.frames, sealing.begin, sealing.pending) = (frames, begin, pending);
            }
        })
    }

    fn try_append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if self.faults.strikes(Fault::DiskFull) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.faults.strikes(Fault::ShortWrite) {
            self.file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::WriteZero.into());
        }
        let Some(sealing) = &mut self.sealing else {
            self.file.write_all(bytes)?;
            self.written += bytes.len() as u64;
            return Ok(());
        };
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(FRAME_BYTES - sealing.pending.len()));
            sealing.pending.extend_from_slice(now);
            bytes = later;
            if sealing.pending.len() == FRAME_BYTES {
                self.written += sealing.write_frame(&mut self.file)?;
            }
        }
        Ok(())
    }

    /// Makes what was appended durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.faults.strikes(Fault::Fsync) {
            return Err(io::Error::other("an injected fault"));
        }
        if let Some(sealing) = self.sealing.as_mut().filter(|sealing| !sealing.pending.is_empty()) {
            self.written += sealing.write_frame(&mut self.file)?;
        }
        self.file.sync_all()
    }
}

impl Sealing {
    /// Writes what is pending as a frame; its bytes in the file.
    fn write_frame(&mut self, file: &mut File) -> io::Result<u64> {
        let length = self.pending.len();
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        let around = self.seal.around(self.frames, self.begin, length);
        let mut sealed = std::mem::take(&mut self.pending);
        self.seal
            .key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), around, &mut sealed)
            .map_err(|_| io::Error::other("a frame cannot be sealed"))?;
        let prefix = u32::try_from(length).map_err(io::Error::other)?.to_le_bytes();
        file.write_all(&[&prefix[..], &nonce, &sealed].concat())?;
        (self.frames, self.begin) = (self.frames + 1, self.begin + length as u64);
        Ok((prefix.len() + nonce.len() + sealed.len()) as u64)
    }
}

/// The frames of a sealed file, one after another.
#[derive(Debug)]
struct Frames<R> {
    input: R,
    seal: Seal,
    number: u64,
    begin: u64,
}

impl<R: Read + Seek> Frames<R> {
    fn begin(mut input: R, keys: &StoreKeys) -> io::Result<Self> {
        input.rewind()?;
        let seal = Seal::read(&mut input, keys)?;
        Ok(Self { input, seal, number: 0, begin: 0 })
    }

    /// The length of the next frame; none at the end.
    fn length(&mut self) -> io::Result<Option<usize>> {
        let mut prefix = [0; size_of::<u32>()];
        match self.input.read(&mut prefix)? {
            0 => return Ok(None),
            count => self.input.read_exact(&mut prefix[count..])?,
        }
        let length = usize::try_from(u32::from_le_bytes(prefix)).map_err(|_| damaged())?;
        if length == 0 || length > FRAME_BYTES { Err(damaged()) } else { Ok(Some(length)) }
    }

    /// The bytes of the next frame; none at the end.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(length) = self.length()? else { return Ok(None) };
        let mut nonce = [0; NONCE_LEN];
        self.input.read_exact(&mut nonce)?;
        let mut bytes = vec![0; length + TAG_BYTES];
        self.input.read_exact(&mut bytes)?;
        let around = self.seal.around(self.number, self.begin, length);
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.seal.key.open_in_place(nonce, around, &mut bytes).map_err(|_| damaged())?;
        bytes.truncate(length);
        (self.number, self.begin) = (self.number + 1, self.begin + length as u64);
        Ok(Some(bytes))
    }

    /// Passes the next frame; its length; none at the end.
    fn skip(&mut self) -> io::Result<Option<usize>> {
        let Some(length) = self.length()? else { return Ok(None) };
        let rest = (NONCE_LEN + length + TAG_BYTES) as u64;
        self.input.seek_relative(i64::try_from(rest).map_err(io::Error::other)?)?;
        (self.number, self.begin) = (self.number + 1, self.begin + length as u64);
        Ok(Some(length))
    }
}

/// A file that is read, sealed or plain.
#[derive(Debug)]
pub enum Opened {
    /// As it is.
    Plain(File),
    /// Sealed.
    Sealed(Box<Unsealing>),
}

/// A sealed file that is read.
#[derive(Debug)]
pub struct Unsealing {
    frames: Frames<BufReader<File>>,
    clear: Vec<u8>,
    at: usize,
}

impl Opened {
    /// * `keys` – of a sealed file
    pub(super) fn new(file: File, keys: Option<&StoreKeys>) -> io::Result<Self> {
        let Some(keys) = keys else { return Ok(Self::Plain(file)) };
        let frames = Frames::begin(BufReader::new(file), keys)?;
        Ok(Self::Sealed(Box::new(Unsealing { frames, clear: Vec::new(), at: 0 })))
    }

    /// A file that is no caller's: its first bytes say whether it is sealed.
    ///
    /// * `keys` – of a sealed file
    ///
    /// # Errors
    /// If it cannot be read, or its key is not there.
    pub fn known_by_its_start(mut file: File, keys: &StoreKeys) -> io::Result<Self> {
        let mut start = Vec::new();
        (&mut file).take(MAGIC.len() as u64).read_to_end(&mut start)?;
        file.rewind()?;
        Self::new(file, Some(keys).filter(|_| start == MAGIC))
    }
}

impl Read for Opened {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let unsealing = match self {
            Self::Plain(file) => return file.read(into),
            Self::Sealed(unsealing) => unsealing,
        };
        if unsealing.at == unsealing.clear.len() {
            (unsealing.clear, unsealing.at) = (unsealing.frames.next()?.unwrap_or_default(), 0);
        }
        let left = &unsealing.clear[unsealing.at..];
        let count = left.len().min(into.len());
        into[..count].copy_from_slice(&left[..count]);
        unsealing.at += count;
        Ok(count)
    }
}

/// To the beginning and to the end: all that the readers of this program ask for.
impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let unsealing = match self {
            Self::Plain(file) => return file.seek(to),
            Self::Sealed(unsealing) => unsealing,
        };
        (unsealing.clear, unsealing.at) = (Vec::new(), 0);
        let frames = &mut unsealing.frames;
        match to {
            SeekFrom::Start(0) => {
                frames.input.seek(SeekFrom::Start(HEAD_BYTES as u64))?;
                (frames.number, frames.begin) = (0, 0);
            }
            SeekFrom::End(0) => while frames.skip()?.is_some() {},
            SeekFrom::Start(_) | SeekFrom::End(_) | SeekFrom::Current(_) => {
                return Err(io::ErrorKind::Unsupported.into());
            }
        }
        Ok(frames.begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> StoreKeys {
        StoreKeys::parse(&"07".repeat(32)).expect("a good key")
    }

    fn open(path: &std::path::Path) -> File {
        File::options().read(true).write(true).create(true).truncate(false).open(path).expect("a writable folder")
    }

    fn read(path: &std::path::Path, keys: &StoreKeys) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Opened::new(open(path), Some(keys))?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn a_sealed_file_grows_is_cut_and_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, keys) = (folder.path().join("a"), keys());
        let clear: Vec<u8> = (0..2_500_000u32).map(|i| i.to_le_bytes()[0]).collect();
        let mut growing = Growing::begin(open(&path), keys.current(), &Faults::default()).expect("room");
        for piece in clear[..2_000_000].chunks(300_001) {
            growing.append(piece).expect("room");
        }
        growing.sync().expect("room");
        growing.append(&clear[2_000_000..2_400_000]).expect("room");
        growing.sync().expect("room");
        drop(growing);
        // What follows the first sync is dropped, seen or not.
        for is_seen in [true, false] {
            let mut seen = Vec::new();
            let mut see = |bytes: &[u8]| seen.extend_from_slice(bytes);
            let see: Option<&mut See<'_>> = if is_seen { Some(&mut see) } else { None };
            let resumed =
                Growing::resume(open(&path), Some(&keys), 2_000_000, see, &Faults::default()).expect("readable");
            let mut resumed = resumed.expect("it is there");
            assert!(seen == if is_seen { &clear[..2_000_000] } else { &[] });
            resumed.append(&clear[2_000_000..]).expect("room");
            resumed.sync().expect("room");
            assert!(read(&path, &keys).expect("it is whole") == clear);
        }
        for absent in [2_000_001, 3_000_000] {
            assert!(
                Growing::resume(open(&path), Some(&keys), absent, None, &Faults::default())
                    .expect("readable")
                    .is_none(),
                "{absent}"
            );
        }
        let mut opened = Opened::known_by_its_start(open(&path), &keys).expect("sealed");
        assert_eq!(opened.seek(SeekFrom::End(0)).expect("known"), clear.len() as u64);
        opened.rewind().expect("known");
        let mut start = [0; 10];
        opened.read_exact(&mut start).expect("it is there");
        assert_eq!(start, clear[..10]);
        let bytes = std::fs::read(&path).expect("a file");
        assert!(!bytes.windows(64).any(|window| window == &clear[..64]), "nothing of it can be read");
    }

    #[test]
    fn a_changed_byte_another_key_and_frames_in_another_order_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, keys) = (folder.path().join("a"), keys());
        let mut growing = Growing::begin(open(&path), keys.current(), &Faults::default()).expect("room");
        for piece in [[1; 40], [2; 40]] {
            growing.append(&piece).expect("room");
            growing.sync().expect("room");
        }
        let whole = std::fs::read(&path).expect("a file");
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).expect("a writable file");
            assert!(read(&path, &keys).is_err(), "byte {at}");
        }
        let (head, frames) = whole.split_at(HEAD_BYTES);
        let (first, second) = frames.split_at(frames.len() / 2);
        for wrong in [[head, second, first], [head, first, first], [head, second, &[]]] {
            std::fs::write(&path, wrong.concat()).expect("a writable file");
            assert!(read(&path, &keys).is_err());
        }
        std::fs::write(&path, &whole).expect("a writable file");
        let other = StoreKeys::parse(&"08".repeat(32)).expect("a good key");
        assert_eq!(read(&path, &other).expect_err("another key").kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(read(&path, &keys).expect("it is whole").len(), 80);
    }
}
