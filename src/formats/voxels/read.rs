//! Reading values, as a stream: memory grows with what the file holds, never with what its header promises.

use std::io::{BufReader, Read};

use super::stream::{Stream, ended, failed};
use super::{ByteOrder, Encoding, Layout, Real, Scaling, VoxelType};
use crate::domain::{Invalid, Volume};

/// Bytes read at once; a multiple of every element's size.
const CHUNK_BYTES: usize = 1 << 20;
/// Longest number in text.
const MAX_DIGITS: usize = 64;

/// Reads all values that a header promises, a volume a frame.
///
/// * `before` – bytes of the stream before the first value; they are skipped
///
/// # Errors
/// If the stream is shorter or longer than promised, cannot be unpacked, or holds text that is no number.
pub(in crate::formats) fn read_frames<T: Real>(
    stream: &mut Stream,
    before: u64,
    layout: &Layout,
) -> Result<Vec<Volume<T>>, Invalid> {
    let promised = before + layout.bytes();
    if promised > stream.most_bytes {
        return Err(Invalid::new(format!(
            "is shorter than its header promises: the offset of the values (vox_offset, byte skip, HeaderSize) and \
             the shape make {promised} bytes, it holds at most {}",
            stream.most_bytes
        )));
    }
    stream.skip(before)?;
    let values = match layout.encoding {
        Encoding::Binary => read_binary(stream, layout, promised)?,
        Encoding::Text => read_text(stream, layout)?,
    };
    frames_of(values, layout)
}

fn read_binary<T: Real>(stream: &mut Stream, layout: &Layout, promised: u64) -> Result<Vec<T>, Invalid> {
    let (count, size) = (layout.values(), layout.element.bytes());
    let mut values: Vec<T> = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    while values.len() < count {
        let now = (count - values.len()).min(CHUNK_BYTES / size);
        let bytes = &mut chunk[..now * size];
        stream.read_exact(bytes).map_err(|error| ended(error, "within the voxels that its header promises"))?;
        values.try_reserve(now).map_err(|_| Invalid::new(format!("does not fit in memory: {count} values")))?;
        decode(bytes, layout, &mut values);
    }
    // Asking past the end also makes the decoder check length and checksum.
    match stream.read(&mut [0]) {
        Ok(0) => Ok(values),
        Ok(_) => Err(Invalid::new(format!("is longer than its header promises, {promised} bytes"))),
        Err(error) => Err(ended(error, "after the last voxel")),
    }
}

/// Appends the values of `bytes`, a whole number of elements.
fn decode<T: Real>(bytes: &[u8], layout: &Layout, values: &mut Vec<T>) {
    let scaling = layout.scaling;
    macro_rules! numbers {
        ($number:ty) => {
            match layout.byte_order {
                ByteOrder::Little => append(bytes, scaling, values, |b| <$number>::from_le_bytes(b) as f64),
                ByteOrder::Big => append(bytes, scaling, values, |b| <$number>::from_be_bytes(b) as f64),
            }
        };
    }
    match layout.element {
        VoxelType::Int8 => numbers!(i8),
        VoxelType::Uint8 => numbers!(u8),
        VoxelType::Int16 => numbers!(i16),
        VoxelType::Uint16 => numbers!(u16),
        VoxelType::Int32 => numbers!(i32),
        VoxelType::Uint32 => numbers!(u32),
        VoxelType::Int64 => numbers!(i64),
        VoxelType::Uint64 => numbers!(u64),
        VoxelType::Float32 => numbers!(f32),
        VoxelType::Float64 => numbers!(f64),
    }
}

fn append<T: Real, const N: usize>(
    bytes: &[u8],
    scaling: Option<Scaling>,
    values: &mut Vec<T>,
    stored: impl Fn([u8; N]) -> f64,
) {
    let (elements, _) = bytes.as_chunks::<N>();
    match scaling {
        None => values.extend(elements.iter().map(|&element| T::of(stored(element)))),
        Some(Scaling { slope, intercept }) => {
            values.extend(elements.iter().map(|&element| T::of(stored(element) * slope + intercept)));
        }
    }
}

fn read_text<T: Real>(stream: &mut Stream, layout: &Layout) -> Result<Vec<T>, Invalid> {
    let count = layout.values();
    let Scaling { slope, intercept } = layout.scaling.unwrap_or(Scaling { slope: 1.0, intercept: 0.0 });
    let mut values: Vec<T> = Vec::new();
    let mut word = String::new();
    // A space behind the last byte ends the last number.
    for byte in BufReader::with_capacity(CHUNK_BYTES, stream).chain(&b" "[..]).bytes() {
        let byte = byte.map_err(failed)?;
        if !byte.is_ascii_whitespace() {
            word.push(char::from(byte));
            if word.len() > MAX_DIGITS {
                return Err(Invalid::new(format!("value {} is no number", values.len())));
            }
        } else if !word.is_empty() {
            let value: f64 = word.parse().map_err(|_| Invalid::new(format!("value {} is no number", values.len())))?;
            values.push(T::of(value * slope + intercept));
            word.clear();
        }
        if values.len() > count {
            return Err(Invalid::new(format!("is longer than its header promises, {count} values")));
        }
    }
    if values.len() < count {
        return Err(Invalid::new(format!(
            "ends after {} of the {count} values that its header promises",
            values.len()
        )));
    }
    Ok(values)
}

fn frames_of<T: Real>(mut values: Vec<T>, layout: &Layout) -> Result<Vec<Volume<T>>, Invalid> {
    let (frames, voxels) = (layout.frames, layout.grid.voxels());
    if frames == 1 {
        return Ok(vec![Volume::from_vec(layout.grid.clone(), values)?]);
    }
    if layout.interleaved {
        return (0..frames)
            .map(|frame| values.iter().skip(frame).step_by(frames).copied().collect())
            .map(|values| Volume::from_vec(layout.grid.clone(), values))
            .collect();
    }
    let mut volumes = Vec::with_capacity(frames);
    for frame in (0..frames).rev() {
        volumes.push(Volume::from_vec(layout.grid.clone(), values.split_off(frame * voxels))?);
    }
    volumes.reverse();
    Ok(volumes)
}
