//! Writing.

use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};

use super::FIRST_VOXEL_OFFSET;
use super::placement::qform_of;
use crate::domain::Volume;
use crate::formats::atomic::write_file;

/// Code of sform and qform for the coordinates of the scanner.
const SCANNER_COORDINATES: i16 = 1;
/// Lengths in mm.
const UNITS_MM: u8 = 2;
/// Number of values encoded at once.
const CHUNK_VALUES: usize = 1 << 16;

/// Writes a volume as `float32`, compressed if the name ends in `.gz`. The file appears whole or not at all, and its
/// bytes depend on the volume and the description only.
///
/// * `description` – at most 79 ASCII characters for the field `descrip`, such as `absorbed dose [Gy]`; the rest is cut
///   off
///
/// # Errors
/// If the file cannot be written, or an axis is too long for the format.
pub fn write(path: &Path, volume: &Volume<f32>, description: &str) -> io::Result<()> {
    let gzip = path.extension().is_some_and(|extension| extension == "gz");
    let header = encode_header(volume, description)?;
    write_file(path, |file| if gzip { write_gzip(file, &header, volume) } else { write_plain(file, &header, volume) })
}

/// The gzip header has no time and no name, so that the same volume gives the same bytes.
fn write_gzip(file: &mut impl Write, header: &[u8], volume: &Volume<f32>) -> io::Result<()> {
    let mut encoder = GzBuilder::new().mtime(0).write(file, Compression::default());
    write_plain(&mut encoder, header, volume)?;
    encoder.finish().map(drop)
}

fn write_plain(output: &mut impl Write, header: &[u8], volume: &Volume<f32>) -> io::Result<()> {
    output.write_all(header)?;
    let mut bytes = Vec::with_capacity(CHUNK_VALUES * size_of::<f32>());
    for chunk in volume.as_slice().chunks(CHUNK_VALUES) {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
        output.write_all(&bytes)?;
    }
    Ok(())
}

/// The header and the four bytes that say that no extension follows. Offsets are those of the standard; unset fields
/// are 0.
fn encode_header(volume: &Volume<f32>, description: &str) -> io::Result<[u8; FIRST_VOXEL_OFFSET]> {
    let grid = volume.grid();
    let [nx, ny, nz] = grid.shape().map(i16::try_from);
    let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "an axis in NIfTI-1 has at most 32767 voxels");
    let (nx, ny, nz) = (nx.map_err(too_long)?, ny.map_err(too_long)?, nz.map_err(too_long)?);
    let [dx, dy, dz] = grid.spacing_mm().map(single);
    let qform = qform_of(grid);
    let handedness = single(qform.handedness);
    let mut header = Fields([0; FIRST_VOXEL_OFFSET]);
    header.put(0, 348i32.to_le_bytes());
    header.put(38, *b"r");
    header.put_i16(40, &[3, nx, ny, nz, 1, 1, 1, 1]); // dim
    header.put_i16(70, &[16, 32]); // datatype, bitpix
    header.put_f32(76, &[handedness, dx, dy, dz, 1.0, 1.0, 1.0, 1.0]); // pixdim
    header.put_f32(108, &[FIRST_VOXEL_OFFSET as f32, 1.0, 0.0]); // vox_offset, scl_slope, scl_inter
    header.put(123, [UNITS_MM]); // xyzt_units
    let text = description.bytes().filter(u8::is_ascii).take(79);
    text.enumerate().for_each(|(i, byte)| header.put(148 + i, [byte])); // descrip
    header.put_i16(252, &[SCANNER_COORDINATES, SCANNER_COORDINATES]); // qform_code, sform_code
    header.put_f32(256, &qform.bcd.map(single));
    for (row, values) in grid.affine().iter().enumerate() {
        header.put_f32(268 + 4 * row, &[single(values[3])]); // qoffset_x, y, z
        header.put_f32(280 + 16 * row, &values.map(single)); // srow_x, y, z
    }
    header.put(344, *b"n+1\0");
    Ok(header.0)
}

#[expect(clippy::cast_possible_truncation, reason = "the precision of the header's fields")]
fn single(value: f64) -> f32 {
    value as f32
}

/// A header being filled, little-endian.
struct Fields([u8; FIRST_VOXEL_OFFSET]);

impl Fields {
    fn put<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) {
        self.0[offset..offset + N].copy_from_slice(&bytes);
    }

    fn put_i16(&mut self, offset: usize, values: &[i16]) {
        values.iter().enumerate().for_each(|(i, value)| self.put(offset + 2 * i, value.to_le_bytes()));
    }

    fn put_f32(&mut self, offset: usize, values: &[f32]) {
        values.iter().enumerate().for_each(|(i, value)| self.put(offset + 4 * i, value.to_le_bytes()));
    }
}
