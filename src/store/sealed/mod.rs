//! Encryption of files at rest: AES-256-GCM in frames, so that a file can grow and be read piece by piece.
//!
//! ```text
//! "dosegrid sealed 1\n" · 8 bytes: id of the key · 32 bytes: salt
//! frames: u32 length · 12 bytes: nonce · ciphertext · 16 bytes: tag
//! ```
//!
//! Each file has a key of its own, derived from the store's by HKDF-SHA-256 with the salt. What a frame authenticates
//! beside its bytes: the file's head, the frame's number, where it begins, and its length. Numbers are little-endian.

mod growing;
mod opened;

#[cfg(test)]
mod tests;

use std::io::{self, Read, Seek};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use super::key::{KEY_ID_BYTES, StoreKey, StoreKeys};

pub(super) use growing::{Growing, See};
pub use opened::Opened;

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
