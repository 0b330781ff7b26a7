//! Headers that are text, as NRRD and MetaImage have.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::stream::{failed, open_file};
use crate::domain::{Invalid, VoxelGrid};

/// Most bytes of a header.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// The first bytes of a file, as many as a header may have.
///
/// # Errors
/// If the file cannot be read.
pub(in crate::formats) fn head_of(path: &Path) -> Result<Vec<u8>, Invalid> {
    let (file, _) = open_file(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_HEADER_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// All numbers of a field.
///
/// # Errors
/// If one is no number, or there are fewer or more than `count`.
pub(in crate::formats) fn numbers(field: &str, text: &str, count: usize) -> Result<Vec<f64>, Invalid> {
    let values: Option<Vec<f64>> = text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    values.filter(|values| values.len() == count).ok_or_else(|| Invalid::new(format!("{field} needs {count} numbers")))
}

/// All whole numbers of a field.
///
/// # Errors
/// As [`numbers`].
pub(in crate::formats) fn lengths(field: &str, text: &str, count: usize) -> Result<Vec<u64>, Invalid> {
    let values: Option<Vec<u64>> = text.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    values
        .filter(|values| values.len() == count)
        .ok_or_else(|| Invalid::new(format!("{field} needs {count} whole numbers")))
}

/// The file of the values, named in a header, beside it.
///
/// # Errors
/// If the name is none.
pub(in crate::formats) fn data_file(header: &Path, name: &str) -> Result<PathBuf, Invalid> {
    if name.is_empty() {
        return Err(Invalid::new("names no file for its values"));
    }
    Ok(header.parent().unwrap_or(Path::new("")).join(name))
}

/// The grid with these columns, in the coordinates of NIfTI (right, anterior, superior).
///
/// * `columns` – from one voxel to the next, for each axis [mm]
/// * `origin` – of the first voxel [mm]
/// * `signs` – from the coordinates of the file to those of NIfTI
///
/// # Errors
/// As [`VoxelGrid::new`] and [`VoxelGrid::with_affine`].
pub(in crate::formats) fn grid_of(
    shape: [u64; 3],
    columns: [[f64; 3]; 3],
    origin: [f64; 3],
    signs: [f64; 3],
) -> Result<VoxelGrid, Invalid> {
    let spacing = columns.map(|column| column.iter().map(|v| v * v).sum::<f64>().sqrt());
    let affine = [0, 1, 2].map(|row| {
        let [x, y, z] = columns.map(|column| signs[row] * column[row] + 0.0);
        [x, y, z, signs[row] * origin[row] + 0.0]
    });
    VoxelGrid::new(shape, spacing)?
        .with_affine(affine)
        .map_err(|Invalid(reason)| Invalid(format!("its matrix {reason}")))
}

/// From the coordinates of ITK and NRRD (left, posterior, superior) to those of NIfTI.
pub(in crate::formats) const FROM_LPS: [f64; 3] = [-1.0, -1.0, 1.0];
