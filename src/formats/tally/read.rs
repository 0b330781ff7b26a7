//! Reading.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use flate2::read::ZlibDecoder;

use super::{Hashing, Header, MAGIC};
use crate::digest::Digest;
use crate::domain::tally::groups;
use crate::domain::{ActivityUnit, DensityMap, Invalid, TallyRecord, TimeIntegratedActivity, Volume, VoxelGrid};
use crate::domain::{EnergySums, GroupTally, Tally};
use crate::formats::voxels::stream::open_file;

const DIGEST_BYTES: u64 = 32;
/// Largest header: it holds a few lines for each run.
const MAX_HEADER_BYTES: u32 = 16 << 20;
/// Largest factor by which zlib can expand.
const MAX_EXPANSION: u64 = 1040;
/// Most bytes of a 64-bit number in LEB128.
const MAX_VARINT_BYTES: u32 = 10;

/// Reads a record from a file.
///
/// # Errors
/// If the file cannot be opened, is not a tally, or is damaged.
pub fn read(path: &Path) -> Result<TallyRecord, Invalid> {
    let (file, _) = open_file(path)?;
    decode(BufReader::with_capacity(1 << 20, file))
}

/// Reads the bytes of a record.
///
/// # Errors
/// If the bytes are not a tally, or are damaged. The digest is checked before anything else.
pub fn decode(mut input: impl Read + Seek) -> Result<TallyRecord, Invalid> {
    let body_bytes = check_digest(&mut input)?;
    let mut input = input.take(body_bytes);
    let header = read_header(&mut input)?;
    let bad = |what: &str| Invalid::new(format!("is damaged: {what}"));
    let Header { scene, runs, shape, spacing_mm, affine, exhausted_rejections } = header;
    let grid = VoxelGrid::new(shape, spacing_mm).and_then(|grid| grid.with_affine(affine));
    let grid = Arc::new(grid.map_err(|Invalid(reason)| bad(&format!("the grid {reason}")))?);
    let voxels = grid.voxels();
    // Before memory is allocated: the file must be large enough for what its header promises.
    let promised = (voxels as u64).saturating_mul(u64::from(scene.groups) + 2 * size_of::<f32>() as u64);
    if scene.groups != groups(voxels) || promised > body_bytes.saturating_mul(MAX_EXPANSION) {
        return Err(bad("it does not hold what its header says"));
    }
    if runs.windows(2).any(|pair| pair[0].end() > pair[1].first_history) {
        return Err(bad("its histories overlap"));
    }
    if !exhausted_rejections.is_empty() && exhausted_rejections.len() != scene.groups as usize {
        return Err(bad("it has not one number of rejection loops for each group"));
    }
    let mut exhausted = exhausted_rejections.into_iter();
    let mut sums = Vec::new();
    for _ in 0..scene.groups {
        let histories = u64::from_le_bytes(bytes(&mut input)?);
        let mut sum = || Ok::<_, Invalid>(u128::from_le_bytes(bytes(&mut input)?));
        let (emitted, deposited, escaped) = (sum()?, sum()?, sum()?);
        let exhausted_rejections = exhausted.next().unwrap_or(0);
        sums.push(GroupTally {
            histories,
            emitted,
            deposited,
            escaped,
            exhausted_rejections,
            energy: EnergySums::default(),
        });
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
    Ok(TallyRecord { scene, runs, activity, density, tally: Tally::of(sums) })
}

/// Whether a tally that begins with these bytes is of the voxels of a grid; none if that cannot be said yet, because
/// its header is not complete.
///
/// # Errors
/// If the bytes do not begin a tally, or one of another grid.
pub fn check_start(start: &[u8], grid: &VoxelGrid) -> Option<Result<(), Invalid>> {
    let magic = start.len().min(MAGIC.len());
    if start[..magic] != MAGIC[..magic] {
        return Some(Err(Invalid::new("is no tally of dosegrid")));
    }
    let length = start.get(MAGIC.len()..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
    let text = usize::try_from(length.min(MAX_HEADER_BYTES)).ok()?;
    if length <= MAX_HEADER_BYTES && start.len() < MAGIC.len() + size_of_val(&length) + text {
        return None;
    }
    Some(read_header(&mut &start[..]).and_then(|header| {
        let own = VoxelGrid::new(header.shape, header.spacing_mm).and_then(|own| own.with_affine(header.affine));
        let own = own.map_err(|Invalid(reason)| Invalid::new(format!("is damaged: the grid {reason}")))?;
        if own == *grid {
            return Ok(());
        }
        Err(Invalid::new(format!("is not of the grid that was announced; its shape is {:?}", own.shape())))
    }))
}

/// The grid of a tally's file, from its header alone.
///
/// # Errors
/// If the file cannot be opened, or does not begin as a tally.
pub fn read_grid(path: &Path) -> Result<VoxelGrid, Invalid> {
    let (file, _) = open_file(path)?;
    let mut start = [0; MAGIC.len()];
    let mut input = BufReader::new(file);
    if input.read_exact(&mut start).is_err() || start != *MAGIC {
        return Err(Invalid::new("is no tally of dosegrid"));
    }
    let header = read_header(&mut start.as_slice().chain(input))?;
    VoxelGrid::new(header.shape, header.spacing_mm)
        .and_then(|grid| grid.with_affine(header.affine))
        .map_err(|Invalid(reason)| Invalid::new(format!("is damaged: the grid {reason}")))
}

/// Checks the digest and returns the number of bytes before it. The input is at its start again.
fn check_digest(input: &mut (impl Read + Seek)) -> Result<u64, Invalid> {
    let unreadable = |error: io::Error| Invalid::new(format!("cannot be read: {error}"));
    let total = input.seek(SeekFrom::End(0)).and_then(|total| input.rewind().map(|()| total)).map_err(unreadable)?;
    let mut magic = [0; MAGIC.len()];
    let is_tally = total >= magic.len() as u64 + DIGEST_BYTES;
    if !is_tally || input.read_exact(&mut magic).is_err() || magic != *MAGIC {
        return Err(Invalid::new("is no tally of dosegrid"));
    }
    let body_bytes = total - DIGEST_BYTES;
    let mut hashing = Hashing { inner: io::sink(), digest: Digest::new() };
    hashing.digest.update(magic);
    io::copy(&mut input.by_ref().take(body_bytes - magic.len() as u64), &mut hashing).map_err(unreadable)?;
    if bytes::<32>(input)? != hashing.digest.bytes() {
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

pub(super) fn read_varints(input: &mut impl Read, count: usize) -> Result<EnergySums, Invalid> {
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

pub(super) fn bytes<const N: usize>(input: &mut impl Read) -> Result<[u8; N], Invalid> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes).map_err(|_| Invalid::new("is truncated or damaged"))?;
    Ok(bytes)
}
