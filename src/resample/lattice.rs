//! Points within a voxel, spread evenly, for grids that lie oblique to one another.

use crate::domain::grid::{Affine, apply};

/// Fewest points a voxel.
const MIN_POINTS: usize = 216;
/// Most points a voxel.
const MAX_POINTS: usize = 4096;
/// Points along an edge for each voxel of the other grid.
const POINTS_PER_VOXEL: f64 = 2.0;
/// Points of a grid that cost little time: small grids get more points a voxel.
const CHEAP_POINTS: usize = 1 << 30;
/// Fewest points along an edge.
const MIN_POINTS_PER_EDGE: f64 = 6.0;
/// Root of x⁴ = x + 1: its inverse powers spread points in three dimensions best. Source: Roberts 2018.
const R3: f64 = 1.220_744_084_605_759_5;

/// Displacements of points from the centre of a voxel, in indices of the other grid.
///
/// * `matrix` – from indices of the grid whose voxels are sampled to those of the other
/// * `voxels` – of the grid whose voxels are sampled
pub(super) fn displacements(matrix: &Affine, voxels: usize) -> Vec<[f64; 3]> {
    // How many voxels of the other grid each edge crosses.
    let edge = |column: usize| (0..3).map(|row| matrix[row][column].powi(2)).sum::<f64>().sqrt();
    let wanted: f64 = (0..3).map(|column| (POINTS_PER_VOXEL * edge(column)).max(MIN_POINTS_PER_EDGE)).product();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to few points")]
    let count = (wanted.min(MAX_POINTS as f64) as usize).max(CHEAP_POINTS / voxels).clamp(MIN_POINTS, MAX_POINTS);
    let steps = [1, 2, 3].map(|power| R3.powi(-power));
    let linear = matrix.map(|[x, y, z, _]| [x, y, z, 0.0]);
    let point = |at: usize| steps.map(|step| (0.5 + step * (at as f64 + 1.0)).fract() - 0.5);
    (0..count).map(|at| apply(&linear, point(at))).collect()
}

/// Index of the voxel that a point lies in, x fastest; none outside the grid.
#[inline]
pub(super) fn voxel_at(point: [f64; 3], shape: [usize; 3]) -> Option<usize> {
    let mut index = [0; 3];
    for axis in 0..3 {
        let position = point[axis] + 0.5;
        if !(position >= 0.0 && position < shape[axis] as f64) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the grid")]
        {
            index[axis] = position as usize;
        }
    }
    Some(index[0] + shape[0] * (index[1] + shape[1] * index[2]))
}

/// Sum of two vectors.
#[inline]
pub(super) fn add(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// Indices `[x, y, z]` of a voxel, as numbers to compute with.
#[inline]
pub(super) fn position(index: usize, shape: [usize; 3]) -> [f64; 3] {
    let [nx, ny, _] = shape;
    [(index % nx) as f64, (index / nx % ny) as f64, (index / nx / ny) as f64]
}
