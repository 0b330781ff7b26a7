//! Files that are read.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::{Frames, HEAD_BYTES, MAGIC};
use crate::store::key::StoreKeys;

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
    pub(in crate::store) fn new(file: File, keys: Option<&StoreKeys>) -> io::Result<Self> {
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
