//! Writing.

use std::io::{self, Write};
use std::path::Path;

use flate2::GzBuilder;

use super::placement::qform_of;
use crate::domain::{Volume, VoxelGrid};
use crate::formats::atomic::write_file;
use crate::formats::volume_file::{LengthUnit, Origin, Stored, VoxelType};
use crate::formats::voxels::write::{compression, write_values};

/// Offset of the first voxel in a file without extensions: the header and four bytes that say so.
const FIRST_VOXEL_OFFSET: usize = 352;

/// Writes a volume.
///
/// # Errors
/// What the file system says, or that an axis is too long for the format.
pub(in crate::formats) fn write_file_of<T: Stored>(
    path: &Path,
    volume: &Volume<T>,
    description: &str,
    origin: &Origin,
    gzip: bool,
) -> io::Result<()> {
    let header = encode_header(volume.grid(), T::ELEMENT, description, origin)?;
    write_file(path, |file| {
        if !gzip {
            file.write_all(&header)?;
            return write_values(file, volume);
        }
        // No time and no name go into the gzip header: the same volume gives the same bytes.
        let mut encoder = GzBuilder::new().mtime(0).write(file, compression::<T>());
        encoder.write_all(&header)?;
        write_values(&mut encoder, volume)?;
        encoder.finish().map(drop)
    })
}

/// The header and the four bytes that say that no extension follows. Offsets are those of the standard; what is not set
/// is 0.
fn encode_header(
    grid: &VoxelGrid,
    element: VoxelType,
    description: &str,
    origin: &Origin,
) -> io::Result<[u8; FIRST_VOXEL_OFFSET]> {
    let [nx, ny, nz] = grid.shape().map(i16::try_from);
    let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "an axis in NIfTI-1 has at most 32767 voxels");
    let (nx, ny, nz) = (nx.map_err(too_long)?, ny.map_err(too_long)?, nz.map_err(too_long)?);
    let length = |mm: f64| single(mm / origin.unit.mm());
    let [dx, dy, dz] = grid.spacing_mm().map(length);
    let qform = origin.qform.clone().unwrap_or_else(|| qform_of(grid));
    let handedness = if origin.qform_code > 0 { single(qform.handedness) } else { 1.0 };
    let (datatype, bits) = datatype(element);
    let mut header = Fields([0; FIRST_VOXEL_OFFSET]);
    header.put(0, 348i32.to_le_bytes());
    header.put(38, *b"r");
    header.put_i16(40, &[3, nx, ny, nz, 1, 1, 1, 1]); // dim
    header.put_i16(70, &[datatype, bits]); // datatype, bitpix
    header.put_f32(76, &[handedness, dx, dy, dz, 1.0, 1.0, 1.0, 1.0]); // pixdim
    header.put_f32(108, &[FIRST_VOXEL_OFFSET as f32, 1.0, 0.0]); // vox_offset, scl_slope, scl_inter
    header.put(123, [unit_code(origin.unit)]); // xyzt_units
    description.bytes().take(79).enumerate().for_each(|(i, byte)| header.put(148 + i, [byte])); // descrip
    header.put_i16(252, &[origin.qform_code, origin.sform_code]);
    if origin.qform_code > 0 {
        header.put_f32(256, &qform.bcd.map(single)); // quatern_b, c, d
        header.put_f32(268, &qform.offset_mm.map(length)); // qoffset_x, y, z
    }
    if origin.sform_code > 0 {
        for (row, values) in grid.affine().iter().enumerate() {
            header.put_f32(280 + 16 * row, &values.map(length)); // srow_x, y, z
        }
    }
    header.put(344, *b"n+1\0");
    Ok(header.0)
}

/// Codes of the standard: datatype and bits of a value.
fn datatype(element: VoxelType) -> (i16, i16) {
    match element {
        VoxelType::Uint8 => (2, 8),
        VoxelType::Int16 => (4, 16),
        VoxelType::Int32 => (8, 32),
        VoxelType::Float32 => (16, 32),
        VoxelType::Float64 => (64, 64),
        VoxelType::Int8 => (256, 8),
        VoxelType::Uint16 => (512, 16),
        VoxelType::Uint32 => (768, 32),
        VoxelType::Int64 => (1024, 64),
        VoxelType::Uint64 => (1280, 64),
    }
}

fn unit_code(unit: LengthUnit) -> u8 {
    match unit {
        LengthUnit::Unknown => 0,
        LengthUnit::Metre => 1,
        LengthUnit::Millimetre => 2,
        LengthUnit::Micrometre => 3,
    }
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
