//! Writing.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use flate2::write::ZlibEncoder;

use crate::domain::Volume;
use crate::formats::atomic::write_file;
use crate::formats::volume_file::{Origin, Stored, VoxelType};
use crate::formats::voxels::text::FROM_LPS;
use crate::formats::voxels::write::{compression, write_pair, write_values};

/// Writes header and values in one file, the values compressed.
///
/// # Errors
/// What the file system says.
pub(in crate::formats) fn write_file_of<T: Stored>(
    path: &Path,
    volume: &Volume<T>,
    description: &str,
    origin: &Origin,
) -> io::Result<()> {
    // The header says how many bytes follow.
    let mut encoder = ZlibEncoder::new(Vec::new(), compression::<T>());
    write_values(&mut encoder, volume)?;
    let values = encoder.finish()?;
    let header = header(volume, description, origin, Some(values.len()), "LOCAL");
    write_file(path, |file| {
        file.write_all(header.as_bytes())?;
        file.write_all(&values)
    })
}

/// Writes the values in a `.raw` file, then the header.
///
/// # Errors
/// What the file system says.
pub(in crate::formats) fn write_pair_of<T: Stored>(
    path: &Path,
    volume: &Volume<T>,
    description: &str,
    origin: &Origin,
) -> io::Result<()> {
    write_pair(path, volume, |data| header(volume, description, origin, None, data))
}

/// * `compressed` – bytes of the values if they are compressed
/// * `data` – the file of the values
fn header<T: Stored>(
    volume: &Volume<T>,
    description: &str,
    origin: &Origin,
    compressed: Option<usize>,
    data: &str,
) -> String {
    let grid = volume.grid();
    let ([nx, ny, nz], [dx, dy, dz], affine) = (grid.shape(), grid.spacing_mm(), grid.affine());
    // A volume whose place is unknown gets what every reader of the format takes for it.
    let placed = origin.is_placed();
    let mut text = String::from("ObjectType = Image\n");
    let mut line = |words: std::fmt::Arguments| writeln!(text, "{words}").expect("a string takes all text");
    if !description.is_empty() {
        line(format_args!("Comment = {description}"));
    }
    line(format_args!("NDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False"));
    match compressed {
        Some(bytes) => line(format_args!("CompressedData = True\nCompressedDataSize = {bytes}")),
        None => line(format_args!("CompressedData = False")),
    }
    let direction = |axis: usize| {
        let [x, y, z] = [0, 1, 2].map(|row| match placed {
            true => FROM_LPS[row] * affine[row][axis] / grid.spacing_mm()[axis] + 0.0,
            false => f64::from(u8::from(row == axis)),
        });
        format!("{x} {y} {z}")
    };
    line(format_args!("TransformMatrix = {} {} {}", direction(0), direction(1), direction(2)));
    let [x, y, z] = [0, 1, 2].map(|row| if placed { FROM_LPS[row] * affine[row][3] + 0.0 } else { 0.0 });
    line(format_args!("Offset = {x} {y} {z}\nCenterOfRotation = 0 0 0\nElementSpacing = {dx} {dy} {dz}"));
    line(format_args!("DimSize = {nx} {ny} {nz}\nElementType = {}", type_name(T::ELEMENT)));
    line(format_args!("ElementDataFile = {data}"));
    text
}

fn type_name(element: VoxelType) -> &'static str {
    match element {
        VoxelType::Int8 => "MET_CHAR",
        VoxelType::Uint8 => "MET_UCHAR",
        VoxelType::Int16 => "MET_SHORT",
        VoxelType::Uint16 => "MET_USHORT",
        VoxelType::Int32 => "MET_INT",
        VoxelType::Uint32 => "MET_UINT",
        VoxelType::Int64 => "MET_LONG_LONG",
        VoxelType::Uint64 => "MET_ULONG_LONG",
        VoxelType::Float32 => "MET_FLOAT",
        VoxelType::Float64 => "MET_DOUBLE",
    }
}
