//! Checkpoints of runs: the sums of a tally without the maps, which the job's volumes give again.
//!
//! ```text
//! "dosegrid checkpoint 1\n" · u32 length · JSON: where the run stands, shape of the tally
//! per group: u64 histories, u128 emitted, deposited, escaped
//! zlib of: per group and voxel: energy in units of 2⁻²⁶ MeV, LEB128
//! SHA-256 of all of the above
//! ```

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};

use super::Hashing;
use super::read::{bytes, read_varints};
use super::write::{in_pieces, push_varint};
use crate::digest::Digest;
use crate::domain::{EnergySums, GroupTally, Invalid, RunPoint, Tally};

const MAGIC: &[u8; 22] = b"dosegrid checkpoint 1\n";
const DIGEST_BYTES: u64 = 32;
/// Largest header.
const MAX_HEADER_BYTES: u32 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Header {
    point: RunPoint,
    voxels: usize,
    /// Rejection loops of each group that reached their bound.
    exhausted_rejections: Vec<u64>,
}

/// Writes a checkpoint.
///
/// # Errors
/// If the output cannot be written.
pub fn encode_checkpoint(output: &mut impl Write, point: &RunPoint, tally: &Tally) -> io::Result<()> {
    let mut output = Hashing { inner: output, digest: Digest::new() };
    let exhausted_rejections = tally.groups.iter().map(|group| group.exhausted_rejections).collect();
    let header = Header { point: point.clone(), voxels: tally.voxels(), exhausted_rejections };
    let header = serde_json::to_vec(&header)?;
    let length = u32::try_from(header.len()).map_err(io::Error::other)?;
    output.write_all(MAGIC)?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(&header)?;
    for group in &tally.groups {
        output.write_all(&group.histories.to_le_bytes())?;
        for sum in [group.emitted, group.deposited, group.escaped] {
            output.write_all(&sum.to_le_bytes())?;
        }
    }
    let mut encoder = ZlibEncoder::new(&mut output, Compression::fast());
    for group in &tally.groups {
        in_pieces(&mut encoder, group.energy.iter(), push_varint)?;
    }
    encoder.finish()?;
    let Hashing { inner, digest } = output;
    inner.write_all(&digest.bytes())
}

/// Reads a checkpoint.
///
/// # Errors
/// If the bytes are not one, or are damaged. The digest is checked before anything else.
pub fn decode_checkpoint(mut input: impl Read + Seek) -> Result<(RunPoint, Tally), Invalid> {
    let unreadable = |error: io::Error| Invalid::new(format!("cannot be read: {error}"));
    let total = input.seek(SeekFrom::End(0)).and_then(|total| input.rewind().map(|()| total)).map_err(unreadable)?;
    let body = total.checked_sub(DIGEST_BYTES).ok_or_else(|| Invalid::new("is truncated or damaged"))?;
    let mut hashing = Hashing { inner: io::sink(), digest: Digest::new() };
    io::copy(&mut input.by_ref().take(body), &mut hashing).map_err(unreadable)?;
    if bytes::<32>(&mut input)? != hashing.digest.bytes() {
        return Err(Invalid::new("is truncated or damaged: its digest is not that of its content"));
    }
    input.rewind().map_err(unreadable)?;
    let mut input = input.take(body);
    let length = if bytes(&mut input)? == *MAGIC { u32::from_le_bytes(bytes(&mut input)?) } else { u32::MAX };
    if length > MAX_HEADER_BYTES {
        return Err(Invalid::new("is no checkpoint that this version knows"));
    }
    let mut text = Vec::new();
    input.by_ref().take(length.into()).read_to_end(&mut text).map_err(unreadable)?;
    let header: Header = serde_json::from_slice(&text)
        .map_err(|_| Invalid::new("is of another version: its header is not understood"))?;
    let mut groups = Vec::new();
    for exhausted_rejections in header.exhausted_rejections {
        let histories = u64::from_le_bytes(bytes(&mut input)?);
        let mut sum = || Ok::<_, Invalid>(u128::from_le_bytes(bytes(&mut input)?));
        let (emitted, deposited, escaped) = (sum()?, sum()?, sum()?);
        let energy = EnergySums::default();
        groups.push(GroupTally { histories, emitted, deposited, escaped, exhausted_rejections, energy });
    }
    let mut body = BufReader::with_capacity(1 << 16, ZlibDecoder::new(input));
    for group in &mut groups {
        group.energy = read_varints(&mut body, header.voxels)?;
    }
    Ok((header.point, Tally::of(groups)))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_checkpoint_survives_and_a_flipped_bit_is_found() {
        let group = |n: u64| GroupTally {
            histories: n,
            emitted: u128::MAX - u128::from(n),
            deposited: 3,
            escaped: u128::from(n) << 70,
            exhausted_rejections: n,
            energy: [0, n, u64::MAX - n].into(),
        };
        let tally = Tally::of(vec![group(1), group(2)]);
        let point = RunPoint {
            scene_sha256: "ab".into(),
            engine: "cpu".into(),
            first_history: 7,
            histories: 3,
            next_look: Some(64),
            relative_sigma: Some(0.1 + 0.2),
            seen_at: 2,
            spent_s: 1.5,
        };
        let mut bytes = Vec::new();
        encode_checkpoint(&mut bytes, &point, &tally).expect("memory is writable");
        assert_eq!(decode_checkpoint(Cursor::new(&bytes)), Ok((point, tally)));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(decode_checkpoint(Cursor::new(&flipped)).is_err(), "byte {at}");
        }
        for length in [0, 10, 40, bytes.len() - 1] {
            assert!(decode_checkpoint(Cursor::new(&bytes[..length])).is_err(), "{length} bytes");
        }
    }
}
