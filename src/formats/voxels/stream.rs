//! Files as streams, unpacked on the way.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use crate::domain::Invalid;

/// Most bytes that deflate makes of one byte (258 bytes from two bits); a header that promises more lies.
const MAX_DEFLATE_RATIO: u64 = 1032;
/// Most bytes that bzip2 makes of one byte: a block of 900 kB holds runs of 259 bytes as 5, and packs into some 40
/// bytes.
const MAX_BZIP2_RATIO: u64 = 1 << 21;

/// How a file, or the values in it, are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::formats) enum Packing {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// zlib.
    Zlib,
    /// bzip2.
    Bzip2,
}

/// A file that is being read.
pub(in crate::formats) struct Stream {
    input: Box<dyn Read>,
    /// The stream is not longer than this.
    pub(in crate::formats) most_bytes: u64,
}

impl Stream {
    /// Opens a file; whether it is packed, its first bytes say.
    ///
    /// # Errors
    /// If it cannot be opened, or is no regular file.
    pub(in crate::formats) fn open(path: &Path) -> Result<Self, Invalid> {
        let (mut file, _) = open_file(path)?;
        let mut magic = Vec::new();
        file.by_ref().take(3).read_to_end(&mut magic).map_err(failed)?;
        let packing = match magic.as_slice() {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            b"BZh" => Packing::Bzip2,
            _ => Packing::None,
        };
        Self::open_packed(path, 0, packing)
    }

    /// Opens a file of which all from `skip` on is packed in a known way.
    ///
    /// # Errors
    /// As [`Self::open`], or if the file is shorter than `skip`.
    pub(in crate::formats) fn open_packed(path: &Path, skip: u64, packing: Packing) -> Result<Self, Invalid> {
        let (mut file, length) = open_file(path)?;
        if skip > length {
            return Err(Invalid::new(format!("holds {length} bytes, fewer than the {skip} before its values")));
        }
        file.seek(SeekFrom::Start(skip)).map_err(failed)?;
        let (file, length) = (BufReader::new(file), length - skip);
        let (input, ratio): (Box<dyn Read>, u64) = match packing {
            Packing::None => (Box::new(file), 1),
            Packing::Gzip => (Box::new(MultiGzDecoder::new(file)), MAX_DEFLATE_RATIO),
            Packing::Zlib => (Box::new(ZlibDecoder::new(file)), MAX_DEFLATE_RATIO),
            Packing::Bzip2 => (Box::new(MultiBzDecoder::new(file)), MAX_BZIP2_RATIO),
        };
        Ok(Self { input, most_bytes: length.saturating_mul(ratio) })
    }

    /// Passes over bytes.
    ///
    /// # Errors
    /// If the stream ends before.
    pub(in crate::formats) fn skip(&mut self, bytes: u64) -> Result<(), Invalid> {
        let skipped = io::copy(&mut self.by_ref().take(bytes), &mut io::sink()).map_err(failed)?;
        if skipped < bytes { Err(Invalid::new("ends before vox_offset")) } else { Ok(()) }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.input.read(bytes)
    }
}

/// A regular file and its length.
///
/// # Errors
/// If it cannot be opened, or is something else.
pub(in crate::formats) fn open_file(path: &Path) -> Result<(File, u64), Invalid> {
    let unopened = |error: io::Error| Invalid::new(format!("cannot be opened: {error}"));
    // A pipe would not even open before somebody writes to it.
    if !std::fs::metadata(path).map_err(unopened)?.is_file() {
        return Err(Invalid::new("is not a regular file"));
    }
    let file = File::open(path).map_err(unopened)?;
    let length = file.metadata().map_err(failed)?.len();
    Ok((file, length))
}

pub(in crate::formats) fn failed(error: io::Error) -> Invalid {
    Invalid::new(format!("cannot be read: {error}"))
}

/// A read that failed; an early end is told apart from a broken stream.
pub(in crate::formats) fn ended(error: io::Error, place: &str) -> Invalid {
    if error.kind() == ErrorKind::UnexpectedEof {
        Invalid::new(format!("ends {place}: it is cut short or the header is wrong"))
    } else {
        Invalid::new(format!("cannot be read {place}: {error}"))
    }
}
