//! Files that grow at their end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use ring::aead::{NONCE_LEN, Nonce};

use super::{FRAME_BYTES, Frames, HEAD_BYTES, Seal, TAG_BYTES, random};
use crate::faults::{Fault, Faults};
use crate::store::key::{StoreKey, StoreKeys};

/// Sees bytes of a file that is opened again.
pub(in crate::store) type See<'a> = dyn FnMut(&[u8]) + 'a;

/// A file that grows at its end, sealed or plain.
#[derive(Debug)]
pub(in crate::store) struct Growing {
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
    pub(in crate::store) fn begin(mut file: File, key: Option<&StoreKey>, faults: &Faults) -> io::Result<Self> {
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
    pub(in crate::store) fn resume(
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
    pub(in crate::store) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
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
    pub(in crate::store) fn sync(&mut self) -> io::Result<()> {
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
