//! Matrices of FSL's flirt: four lines of four numbers.
//!
//! Source: FSL wiki, "FLIRT / FAQ: What is the format of the matrix used by FLIRT?"

use crate::domain::grid::Affine;
use crate::domain::transform::{compose, determinant, inverse};
use crate::domain::{Invalid, RigidTransform, VoxelGrid};

/// The matrix; none if the text is something else.
pub(super) fn of_text(text: &str) -> Option<Affine> {
    let rows: Vec<Vec<f64>> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split_ascii_whitespace().map(|word| word.parse().ok()).collect::<Option<Vec<f64>>>())
        .collect::<Option<_>>()?;
    let [x, y, z, last] = rows.as_slice() else {
        return None;
    };
    let row = |row: &[f64]| <[f64; 4]>::try_from(row).ok();
    (row(last)? == [0.0, 0.0, 0.0, 1.0]).then_some([row(x)?, row(y)?, row(z)?])
}

/// The transform from points of the reference to those of the moving image.
///
/// # Errors
/// If it is not rigid.
pub(super) fn between(matrix: &Affine, moving: &VoxelGrid, reference: &VoxelGrid) -> Result<RigidTransform, Invalid> {
    let back = inverse(matrix).ok_or_else(|| Invalid::new("the matrix cannot be inverted"))?;
    let from_patient = inverse(&to_patient(reference)).expect("a grid can be inverted");
    RigidTransform::new(compose(&to_patient(moving), &compose(&back, &from_patient)))
}

/// From FSL's coordinates of a grid to the patient's: voxels times their size in mm, x reversed where the grid is
/// right-handed.
fn to_patient(grid: &VoxelGrid) -> Affine {
    let ([dx, dy, dz], last) = (grid.spacing_mm(), grid.shape()[0] as f64 - 1.0);
    let to_voxels = if determinant(grid.affine()) > 0.0 {
        [[-1.0 / dx, 0.0, 0.0, last], [0.0, 1.0 / dy, 0.0, 0.0], [0.0, 0.0, 1.0 / dz, 0.0]]
    } else {
        [[1.0 / dx, 0.0, 0.0, 0.0], [0.0, 1.0 / dy, 0.0, 0.0], [0.0, 0.0, 1.0 / dz, 0.0]]
    };
    compose(grid.affine(), &to_voxels)
}
