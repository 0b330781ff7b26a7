//! Tallies of Monte Carlo runs, to merge with others.
//!
//! ```text
//! "dosegrid tally 1\n" · u32 length · JSON: scene, runs, grid · per group: u64 histories, u128 emitted, deposited, escaped
//! zlib of: f32 decays · f32 density · per group and voxel: energy in units of 2⁻²⁶ MeV, LEB128
//! SHA-256 of all before
//! ```
//!
//! Numbers are little-endian, voxels x fastest. The same record gives the same bytes.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::grid::Affine;
use crate::domain::{
    ActivityUnit, DensityMap, HistoryRun, Invalid, SceneAccount, TallyRecord, TimeIntegratedActivity, Volume, VoxelGrid,
};
use crate::engine::transport::{GroupTally, Tally};
use crate::plan::transport::groups;

const MAGIC: &[u8; 17] = b"dosegrid tally 1\n";
const DIGEST_BYTES: u64 = 32;
/// A header holds some lines; a file that promises more is none.
const MAX_HEADER_BYTES: u32 = 16 << 20;
/// More than this, zlib cannot expand.
const MAX_EXPANSION: u64 = 1040;
/// Most bytes of a 64-bit number in LEB128.
const MAX_VARINT_BYTES: u32 = 10;

#[derive(Serialize, Deserialize)]
struct Header {
    scene: SceneAccount,
    runs: Vec<HistoryRun>,
    shape: [u64; 3],
    spacing_mm: [f64; 3],
    affine: Affine,
}

/// Writes a record.
///
/// # Errors
/// What the output says.
pub fn write(output: &mut impl Write, record: &TallyRecord) -> io::Result<()> {
    let mut output = Hashing { inner: output, digest: Sha256::new() };
    let grid = record.activity.decays().grid();
    let header = serde_json::to_vec(&Header {
        scene: record.scene.clone(),
        runs: record.runs.clone(),
        shape: grid.shape().map(|n| n as u64),
        spacing_mm: grid.spacing_mm(),
        affine: *grid.affine(),
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
        in_pieces(&mut encoder, map.as_slice(), |value, bytes| bytes.extend(value.to_le_bytes()))?;
    }
    for group in &record.tally.groups {
        in_pieces(&mut encoder, &group.energy, push_varint)?;
    }
    encoder.finish()?;
    let Hashing { inner, digest } = output;
    inner.write_all(&digest.finalize())
}

/// Encodes many values at once: an encoder called value by value is slow.
fn in_pieces<T: Copy>(output: &mut impl Write, values: &[T], encode: impl Fn(T, &mut Vec<u8>)) -> io::Result<()> {
    let mut bytes = Vec::new();
    for piece in values.chunks(1 << 14) {
        bytes.clear();
        piece.iter().for_each(|&value| encode(value, &mut bytes));
        output.write_all(&bytes)?;
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "the seven lowest bits")]
fn push_varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Reads the record in a file.
///
/// # Errors
/// If the file cannot be opened, is no tally, or is damaged.
pub fn read(path: &Path) -> Result<TallyRecord, Invalid> {
    let file = File::open(path).map_err(|error| Invalid::new(format!("cannot be opened: {error}")))?;
    decode(BufReader::with_capacity(1 << 20, file))
}

/// Reads a record.
///
/// # Errors
/// If the bytes are no tally, or damaged: nothing is taken from them before their digest was checked.
pub fn decode(mut input: impl Read + Seek) -> Result<TallyRecord, Invalid> {
    let body_bytes = check_digest(&mut input)?;
    let mut input = input.take(body_bytes);
    let header = read_header(&mut input)?;
    let bad = |what: &str| Invalid::new(format!("is damaged: {what}"));
    let Header { scene, runs, shape, spacing_mm, affine } = header;
    let grid = VoxelGrid::new(shape, spacing_mm).and_then(|grid| grid.with_affine(affine));
    let grid = Arc::new(grid.map_err(|Invalid(reason)| bad(&format!("the grid {reason}")))?);
    let voxels = grid.voxels();
    // Before memory is asked for: what the file promises must fit into it.
    let promised = (voxels as u64).saturating_mul(u64::from(scene.groups) + 2 * size_of::<f32>() as u64);
    if scene.groups != groups(voxels) || promised > body_bytes.saturating_mul(MAX_EXPANSION) {
        return Err(bad("it does not hold what its header says"));
    }
    if runs.windows(2).any(|pair| pair[0].end() > pair[1].first_history) {
        return Err(bad("its histories overlap"));
    }
    let mut sums = Vec::new();
    for _ in 0..scene.groups {
        let histories = u64::from_le_bytes(bytes(&mut input)?);
        let mut sum = || Ok::<_, Invalid>(u128::from_le_bytes(bytes(&mut input)?));
        let (emitted, deposited, escaped) = (sum()?, sum()?, sum()?);
        sums.push(GroupTally { histories, emitted, deposited, escaped, energy: Vec::new() });
    }
    let mut body = BufReader::with_capacity(1 << 16, ZlibDecoder::new(input));
    let decays = read_map(&mut body, &grid)?;
    let density = read_map(&mut body, &grid)?;
    for group in &mut sums {
        group.energy = read_varints(&mut body, voxels)?;
    }
    if body.read(&mut [0]).map_err(|_| bad("its end is not readable"))? != 0 {
        return Err(bad("it goes on after its end"));
    }
    let activity = TimeIntegratedActivity::new(decays, ActivityUnit::BqS);
    let activity = activity.map_err(|Invalid(reason)| bad(&format!("its activity {reason}")))?;
    let density = DensityMap::new(density).map_err(|Invalid(reason)| bad(&format!("its density {reason}")))?;
    Ok(TallyRecord { scene, runs, activity, density, tally: Tally { groups: sums } })
}

/// Number of bytes before the digest, and the input at its start again.
fn check_digest(input: &mut (impl Read + Seek)) -> Result<u64, Invalid> {
    let unreadable = |error: io::Error| Invalid::new(format!("cannot be read: {error}"));
    let total = input.seek(SeekFrom::End(0)).and_then(|total| input.rewind().map(|()| total)).map_err(unreadable)?;
    let mut magic = [0; MAGIC.len()];
    let is_tally = total >= magic.len() as u64 + DIGEST_BYTES;
    if !is_tally || input.read_exact(&mut magic).is_err() || magic != *MAGIC {
        return Err(Invalid::new("is no tally of dosegrid"));
    }
    let body_bytes = total - DIGEST_BYTES;
    let mut hashing = Hashing { inner: io::sink(), digest: Sha256::new_with_prefix(magic) };
    io::copy(&mut input.by_ref().take(body_bytes - magic.len() as u64), &mut hashing).map_err(unreadable)?;
    if bytes::<32>(input)? != *hashing.digest.finalize() {
        return Err(Invalid::new("is truncated or damaged: its digest is not that of its content"));
    }
    input.rewind().map_err(unreadable)?;
    Ok(body_bytes)
}

fn read_header(input: &mut impl Read) -> Result<Header, Invalid> {
    let _: [u8; MAGIC.len()] = bytes(input)?;
    let length = u32::from_le_bytes(bytes(input)?);
    if length > MAX_HEADER_BYTES {
        return Err(Invalid::new(format!("is damaged: a header of {length} bytes")));
    }
    let mut text = Vec::new();
    input.take(length.into()).read_to_end(&mut text).map_err(|error| Invalid::new(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|_| Invalid::new("is of another version: its header is not understood"))
}

fn read_map(input: &mut impl Read, grid: &Arc<VoxelGrid>) -> Result<Volume<f32>, Invalid> {
    let values = (0..grid.voxels()).map(|_| Ok(f32::from_le_bytes(bytes(input)?))).collect::<Result<_, Invalid>>()?;
    Volume::from_vec(grid.clone(), values)
}

fn read_varints(input: &mut impl Read, count: usize) -> Result<Vec<u64>, Invalid> {
    (0..count).map(|_| read_varint(input)).collect()
}

fn read_varint(input: &mut impl Read) -> Result<u64, Invalid> {
    let mut value = 0u64;
    for place in 0..MAX_VARINT_BYTES {
        let [byte] = bytes(input)?;
        let bits = u64::from(byte & 0x7f);
        if bits.leading_zeros() < 7 * place {
            break;
        }
        value |= bits << (7 * place);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Invalid::new("is damaged: a number of more than 64 bits"))
}

fn bytes<const N: usize>(input: &mut impl Read) -> Result<[u8; N], Invalid> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(|_| Invalid::new("is truncated or damaged"))?;
    Ok(bytes)
}

/// Passes on what is written, and its digest.
struct Hashing<W> {
    inner: W,
    digest: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::domain::{DeviceInfo, DeviceKind, EmissionAccount, HistoryCuts};

    fn run(first_history: u64, histories: u64) -> HistoryRun {
        let device = DeviceInfo {
            id: "cpu".into(),
            kind: DeviceKind::Cpu,
            name: "a CPU".into(),
            backend: "native".into(),
            driver: String::new(),
        };
        HistoryRun { first_history, histories, device, version: "1".into(), commit: "c".into() }
    }

    fn scene() -> SceneAccount {
        SceneAccount {
            sha256: "00".into(),
            seed: u64::MAX,
            groups: 32,
            max_histories: 32 << 32,
            cuts: HistoryCuts { absorption_mev: 0.1, collision_mev: 0.2, photon_mev: 0.3, track_length_mev: 1.0 / 3.0 },
            nuclide: "Lu-177".into(),
            nuclide_data_sha256: "11".into(),
            emissions: EmissionAccount {
                custom: false,
                sha256: "22".into(),
                electron_mev: 0.1478,
                positron_mev: 0.0,
                photon_mev: 0.1 + 0.2,
                local_mev: 0.0,
                released_mev: 0.4478,
                particles: 2.0,
                highest_mev: 0.5,
            },
            medium: "by-density".into(),
            materials: vec![],
            minimum_density_g_cm3: 0.05,
        }
    }

    fn record() -> TallyRecord {
        let affine = [[-2.0, 0.0, 0.0, 0.1], [0.0, 2.5, 0.0, -126.3], [0.0, 0.0, 3.0, 1.0 / 3.0]];
        let grid = VoxelGrid::new([3, 2, 1], [2.0, 2.5, 3.0]).and_then(|grid| grid.with_affine(affine));
        let grid = Arc::new(grid.expect("a good grid"));
        let volume = |values: [f32; 6]| Volume::from_vec(grid.clone(), values.to_vec()).expect("six values");
        let group = |g: u64| GroupTally {
            histories: g,
            emitted: u128::MAX - u128::from(g),
            deposited: 7,
            escaped: 1 << 70,
            energy: vec![0, 127, 128, u64::MAX - g, 1 << 63, g],
        };
        TallyRecord {
            scene: scene(),
            runs: vec![run(0, 100), run(100, 50), run(1 << 36, 9)],
            activity: TimeIntegratedActivity::new(volume([0.0, 1.5, 1e23, 3.0, 4.0, 1e-30]), ActivityUnit::BqS)
                .expect("an activity"),
            density: DensityMap::new(volume([0.0, 1.0, 1.05, 0.26, 1.9, 25.0])).expect("a density"),
            tally: Tally { groups: (0..32).map(group).collect() },
        }
    }

    fn encoded(record: &TallyRecord) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, record).expect("memory takes all");
        bytes
    }

    /// The bytes with a digest that fits them.
    fn signed(body: &[u8]) -> Vec<u8> {
        [body, &Sha256::digest(body)].concat()
    }

    fn refused(bytes: &[u8]) -> String {
        decode(Cursor::new(bytes)).expect_err("no good tally").0
    }

    #[test]
    fn a_record_survives_to_the_last_bit() {
        let bytes = encoded(&record());
        assert_eq!(decode(Cursor::new(&bytes)), Ok(record()));
        assert_eq!(encoded(&record()), bytes);
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_found() {
        let bytes = encoded(&record());
        for position in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[position] ^= 0x10;
            assert!(!refused(&damaged).is_empty(), "byte {position}");
            assert!(!refused(&bytes[..position]).is_empty(), "cut at {position}");
        }
        assert!(refused(&[&bytes[..], b"more"].concat()).contains("damaged"));
        assert!(refused(b"").contains("no tally") && refused(&[0; 500]).contains("no tally"));
    }

    #[test]
    fn a_good_digest_of_bad_content_is_not_enough() {
        let bytes = encoded(&record());
        let body = &bytes[..bytes.len() - 32];
        assert_eq!(decode(Cursor::new(signed(body))), Ok(record()));
        for length in [17, 18, 21, 500, body.len() - 1] {
            assert!(!refused(&signed(&body[..length])).is_empty(), "{length}");
        }
        let text = String::from_utf8_lossy(body).into_owned();
        let at = text.find("\"shape\":[3,2,1]").expect("the shape is in the header");
        // The replaced text is as long as before.
        for (from, to) in [("[3,2,1]", "[3,2,2]"), ("[3,2,1]", "[9,9,9]"), ("[3,2,1]", "[0,2,1]")] {
            let mut changed = body.to_vec();
            changed[at + 8..at + 8 + from.len()].copy_from_slice(to.as_bytes());
            assert!(!refused(&signed(&changed)).is_empty(), "{to}");
        }
        let mut overlapping = record();
        overlapping.runs[1].first_history = 99;
        assert!(refused(&encoded(&overlapping)).contains("overlap"));
    }
}
