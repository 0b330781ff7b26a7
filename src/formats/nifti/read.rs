//! Reading, as a stream: memory grows with what the file holds, not with what its header promises.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::{ByteOrder, Element, HEADER_BYTES, Header, NiftiFile, Scaling};
use crate::domain::{Invalid, Volume};

/// Most bytes that deflate can make of one byte (258 bytes from two bits). A gzip file cannot hold more than this times
/// its size.
const MAX_DEFLATE_RATIO: u64 = 1032;
/// Bytes read at once; a multiple of the size of every element.
const CHUNK_BYTES: usize = 1 << 20;

/// Reads a volume from `.nii` or `.nii.gz`. Its first bytes tell which of the two it is.
///
/// # Errors
/// If the file cannot be read, or does not hold what its header promises. The reason repeats neither the name of the
/// file nor its content.
pub fn read(path: &Path) -> Result<NiftiFile, Invalid> {
    let mut file = File::open(path).map_err(|error| Invalid::new(format!("cannot be opened: {error}")))?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Invalid::new("is not a regular file"));
    }
    let mut magic = [0; 2];
    let gzip = match file.read_exact(&mut magic) {
        Ok(()) => magic == [0x1f, 0x8b],
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(failed(error)),
    };
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let file = BufReader::new(file);
    if gzip {
        let most_bytes = metadata.len().saturating_mul(MAX_DEFLATE_RATIO);
        read_stream(MultiGzDecoder::new(file), most_bytes)
    } else {
        read_stream(file, metadata.len())
    }
}

/// Reads a volume from a stream.
///
/// * `most_bytes` – the stream is not longer than this
fn read_stream(mut stream: impl Read, most_bytes: u64) -> Result<NiftiFile, Invalid> {
    let mut bytes = [0; HEADER_BYTES];
    stream.read_exact(&mut bytes).map_err(|error| ended(error, "within the header"))?;
    let header = Header::parse(&bytes)?;
    let promised = header.file_bytes();
    if promised > most_bytes {
        return Err(Invalid::new(format!(
            "is shorter than its header promises: vox_offset and dim make {promised} bytes, but it holds at most \
             {most_bytes}"
        )));
    }
    let extensions = header.voxel_offset() - HEADER_BYTES as u64;
    let skipped = io::copy(&mut stream.by_ref().take(extensions), &mut io::sink()).map_err(failed)?;
    if skipped < extensions {
        return Err(Invalid::new("ends before vox_offset"));
    }
    let values = read_values(&mut stream, &header)?;
    // Reading past the end also makes the decoder check length and checksum.
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Ok(_) => return Err(Invalid::new(format!("is longer than its header promises, {promised} bytes"))),
        Err(error) => return Err(ended(error, "after the last voxel")),
    }
    let volume = Volume::from_vec(header.grid.clone(), values)?;
    Ok(NiftiFile { volume, header })
}

fn read_values(stream: &mut impl Read, header: &Header) -> Result<Vec<f32>, Invalid> {
    let voxels = header.grid.voxels();
    let size = header.element.bytes();
    let mut values: Vec<f32> = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    while values.len() < voxels {
        let count = (voxels - values.len()).min(CHUNK_BYTES / size);
        let bytes = &mut chunk[..count * size];
        stream.read_exact(bytes).map_err(|error| ended(error, "within the voxels that its header promises"))?;
        values.try_reserve(count).map_err(|_| Invalid::new(format!("does not fit in memory: {voxels} voxels")))?;
        decode(bytes, header, &mut values);
    }
    Ok(values)
}

/// Appends the values in `bytes`, a whole number of elements.
fn decode(bytes: &[u8], header: &Header, values: &mut Vec<f32>) {
    match (header.element, header.byte_order) {
        (Element::Uint8, _) => append(bytes, header.scaling, values, |[b]| f64::from(b)),
        (Element::Int16, ByteOrder::Little) => {
            append(bytes, header.scaling, values, |b| f64::from(i16::from_le_bytes(b)));
        }
        (Element::Int16, ByteOrder::Big) => append(bytes, header.scaling, values, |b| f64::from(i16::from_be_bytes(b))),
        (Element::Float32, ByteOrder::Little) => {
            append(bytes, header.scaling, values, |b| f64::from(f32::from_le_bytes(b)));
        }
        (Element::Float32, ByteOrder::Big) => {
            append(bytes, header.scaling, values, |b| f64::from(f32::from_be_bytes(b)));
        }
        (Element::Float64, ByteOrder::Little) => append(bytes, header.scaling, values, f64::from_le_bytes),
        (Element::Float64, ByteOrder::Big) => append(bytes, header.scaling, values, f64::from_be_bytes),
    }
}

fn append<const N: usize>(
    bytes: &[u8],
    scaling: Option<Scaling>,
    values: &mut Vec<f32>,
    stored: impl Fn([u8; N]) -> f64,
) {
    let (elements, _) = bytes.as_chunks::<N>();
    let Scaling { slope, intercept } = scaling.unwrap_or(Scaling { slope: 1.0, intercept: 0.0 });
    #[expect(
        clippy::cast_possible_truncation,
        reason = "single precision is what is computed with; too large becomes infinite, which is refused"
    )]
    values.extend(elements.iter().map(|&element| (stored(element) * slope + intercept) as f32));
}

fn failed(error: io::Error) -> Invalid {
    Invalid::new(format!("cannot be read: {error}"))
}

/// The reason why a read failed: an early end, or a broken stream.
fn ended(error: io::Error, place: &str) -> Invalid {
    if error.kind() == ErrorKind::UnexpectedEof {
        Invalid::new(format!("ends {place}: it is cut short or the header is wrong"))
    } else {
        Invalid::new(format!("cannot be read {place}: {error}"))
    }
}
