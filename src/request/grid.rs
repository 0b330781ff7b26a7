//! The grid of a volume, as a caller wrote it.

use super::missing;
use crate::domain::grid::{Affine, check_shape, check_spacing};
use crate::domain::{Checks, Invalid, VoxelGrid};

/// A grid that is not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawGrid {
    /// Voxels along x, y and z.
    pub shape: Vec<u64>,
    /// Voxel edges along x, y and z [mm].
    pub spacing_mm: Vec<f64>,
    /// From voxel indices to patient coordinates [mm], row by row: 12 numbers, or 16 with the last row 0 0 0 1, or
    /// none.
    pub affine_mm: Vec<f64>,
}

impl From<&VoxelGrid> for RawGrid {
    fn from(grid: &VoxelGrid) -> Self {
        Self {
            shape: grid.shape().map(|n| n as u64).to_vec(),
            spacing_mm: grid.spacing_mm().to_vec(),
            affine_mm: grid.affine().as_flattened().to_vec(),
        }
    }
}

impl RawGrid {
    /// The grid; none if a fault was recorded.
    pub fn resolve(grid: Option<Self>, field: &str, checks: &mut Checks) -> Option<VoxelGrid> {
        let Some(Self { shape, spacing_mm, affine_mm }) = grid else { return missing(field, checks) };
        let (shape_field, spacing_field) = (format!("{field}.shape"), format!("{field}.spacing_mm"));
        let shape = checks.at(shape_field, three(&shape).and_then(|shape| check_shape(shape).map(|_| shape)));
        let spacing = checks.at(spacing_field, self::spacing_mm(&spacing_mm));
        let affine_field = format!("{field}.affine_mm");
        let affine = checks.at(&affine_field, affine(&affine_mm))?;
        // An affine needs only the spacing, so it is checked whatever the shape is.
        let spacing = spacing?;
        let placed = |shape| match affine {
            Some(affine) => VoxelGrid::new(shape, spacing)?.with_affine(affine),
            None => VoxelGrid::new(shape, spacing),
        };
        checks.at(affine_field, placed([1; 3]))?;
        checks.at(field, placed(shape?))
    }
}

/// Voxel edges [mm].
///
/// # Errors
/// If there are not three, or as [`check_spacing`].
pub fn spacing_mm(values: &[f64]) -> Result<[f64; 3], Invalid> {
    let edges = three(values)?;
    check_spacing(edges).map(|()| edges)
}

/// # Errors
/// If there are not three.
fn three<T: Copy>(values: &[T]) -> Result<[T; 3], Invalid> {
    values.try_into().map_err(|_| Invalid::new(format!("has {} numbers, not 3", values.len())))
}

/// A matrix of twelve numbers, or of sixteen with the last row 0 0 0 1; none of none.
///
/// # Errors
/// If there are others, or one is not finite.
pub fn affine(numbers: &[f64]) -> Result<Option<Affine>, Invalid> {
    if !numbers.iter().all(|number| number.is_finite()) {
        return Err(Invalid::new("has an element that is not finite"));
    }
    let (rows, rest) = numbers.as_chunks::<4>();
    match (rows, rest) {
        ([], []) => Ok(None),
        ([x, y, z], []) => Ok(Some([*x, *y, *z])),
        ([x, y, z, last], []) if *last == [0.0, 0.0, 0.0, 1.0] => Ok(Some([*x, *y, *z])),
        ([_, _, _, last], []) => Err(Invalid::new(format!("has the last row {last:?}, not 0 0 0 1"))),
        _ => Err(Invalid::new(format!("has {} numbers, not 12, 16 or none", numbers.len()))),
    }
}
