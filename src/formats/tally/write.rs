//! Writing.

use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, write::ZlibEncoder};

use super::{Hashing, Header, MAGIC};
use crate::digest::Digest;
use crate::domain::TallyRecord;
use crate::formats::atomic::write_file;

/// Bytes that go to the encoder at a time.
const PIECE_BYTES: usize = 1 << 16;

/// Writes a record to a file.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, record: &TallyRecord) -> io::Result<()> {
    write_file(path, |file| encode(file, record))
}

/// Writes the bytes of a record.
///
/// # Errors
/// If the output cannot be written.
pub fn encode(output: &mut impl Write, record: &TallyRecord) -> io::Result<()> {
    let mut output = Hashing { inner: output, digest: Digest::new() };
    let grid = record.activity.decays().grid();
    let header = serde_json::to_vec(&Header {
        scene: record.scene.clone(),
        runs: record.runs.clone(),
        shape: grid.shape().map(|n| n as u64),
        spacing_mm: grid.spacing_mm(),
        affine: *grid.affine(),
        exhausted_rejections: exhausted_rejections(record),
    })?;
    output.write_all(MAGIC)?;
    let length = u32::try_from(header.len()).map_err(|_| io::Error::other("too many runs for one file"))?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(&header)?;
    for group in &record.tally.groups {
        output.write_all(&group.histories.to_le_bytes())?;
        for sum in [group.emitted, group.deposited, group.escaped] {
            output.write_all(&sum.to_le_bytes())?;
        }
    }
    let mut encoder = ZlibEncoder::new(&mut output, Compression::fast());
    for map in [record.activity.decays(), record.density.g_cm3()] {
        let values = map.as_slice().iter().copied();
        in_pieces(&mut encoder, values, |value, bytes| bytes.extend(value.to_le_bytes()))?;
    }
    for group in &record.tally.groups {
        in_pieces(&mut encoder, group.energy.iter(), push_varint)?;
    }
    encoder.finish()?;
    let Hashing { inner, digest } = output;
    inner.write_all(&digest.bytes())
}

/// The rejection loops of each group that reached their bound; empty where there are none.
fn exhausted_rejections(record: &TallyRecord) -> Vec<u64> {
    if record.tally.exhausted_rejections() == 0 {
        return Vec::new();
    }
    record.tally.groups.iter().map(|group| group.exhausted_rejections).collect()
}

/// Encodes many values at once, because calling the encoder for each value is slow.
pub(super) fn in_pieces<T>(
    output: &mut impl Write,
    values: impl Iterator<Item = T>,
    encode: impl Fn(T, &mut Vec<u8>),
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(2 * PIECE_BYTES);
    for value in values {
        encode(value, &mut bytes);
        if bytes.len() >= PIECE_BYTES {
            output.write_all(&bytes)?;
            bytes.clear();
        }
    }
    output.write_all(&bytes)
}

#[expect(clippy::cast_possible_truncation, reason = "the seven lowest bits")]
pub(super) fn push_varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
