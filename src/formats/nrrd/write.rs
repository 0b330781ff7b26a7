//! Writing.

use std::io::{self, Write};
use std::path::Path;

use flate2::GzBuilder;

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
    let header = header(volume, description, origin, "gzip", None);
    write_file(path, |file| {
        file.write_all(header.as_bytes())?;
        let mut encoder = GzBuilder::new().mtime(0).write(file, compression::<T>());
        write_values(&mut encoder, volume)?;
        encoder.finish().map(drop)
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
    write_pair(path, volume, |data| header(volume, description, origin, "raw", Some(data)))
}

fn header<T: Stored>(
    volume: &Volume<T>,
    description: &str,
    origin: &Origin,
    encoding: &str,
    data: Option<&str>,
) -> String {
    let grid = volume.grid();
    let ([nx, ny, nz], [dx, dy, dz], affine) = (grid.shape(), grid.spacing_mm(), grid.affine());
    let vector = |column: usize| {
        let [x, y, z] = [0, 1, 2].map(|row| FROM_LPS[row] * affine[row][column] + 0.0);
        format!("({x},{y},{z})")
    };
    let place = if origin.is_placed() {
        format!(
            "space: left-posterior-superior\nsizes: {nx} {ny} {nz}\nspace directions: {} {} {}\n\
             kinds: domain domain domain\nspace units: \"mm\" \"mm\" \"mm\"\nspace origin: {}\n",
            vector(0),
            vector(1),
            vector(2),
            vector(3)
        )
    } else {
        format!("sizes: {nx} {ny} {nz}\nspacings: {dx} {dy} {dz}\nkinds: domain domain domain\n")
    };
    let content = if description.is_empty() { String::new() } else { format!("content: {description}\n") };
    let file = data.map_or_else(String::new, |name| format!("data file: {name}\n"));
    format!(
        "NRRD0004\n{content}type: {}\ndimension: 3\n{place}endian: little\nencoding: {encoding}\n{file}\n",
        type_name(T::ELEMENT)
    )
}

fn type_name(element: VoxelType) -> &'static str {
    if element == VoxelType::Float32 {
        "float"
    } else if element == VoxelType::Float64 {
        "double"
    } else {
        element.name()
    }
}
