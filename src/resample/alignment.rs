//! How the axes of two grids lie to one another.

use crate::domain::grid::Affine;

/// How far, in source voxels, a point of the target may lie from where grids with axes along one another have it.
const ALIGNED_TOLERANCE: f64 = 0.005;
/// The same for grids that have the same voxels: as far as two grids may lie apart and still be the same.
const SAME_TOLERANCE: f64 = 0.05;

/// From indices of the target to those of the source.
#[derive(Clone, Debug)]
pub(super) enum Alignment {
    /// The same voxels in another order, or in the same.
    Reordered([Axis; 3]),
    /// Axes along one another.
    Aligned([Axis; 3]),
    /// Any other.
    Oblique(Affine),
}

/// An axis of the target: `source index = scale · target index + offset` on one axis of the source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) source: usize,
    pub(super) scale: f64,
    pub(super) offset: f64,
}

impl Alignment {
    /// * `matrix` – from indices of the target to those of the source
    pub(super) fn of(matrix: Affine, source: [usize; 3], target: [usize; 3]) -> Self {
        let Some(axes) = aligned(&matrix, target) else {
            return Self::Oblique(matrix);
        };
        let same = (0..3).all(|axis| {
            let Axis { source: of, scale, offset } = axes[axis];
            let last = (target[axis] - 1) as f64;
            let (first, end) = if scale > 0.0 { (0.0, last) } else { (last, 0.0) };
            source[of] == target[axis]
                && (offset - first).abs() < SAME_TOLERANCE
                && (scale * last + offset - end).abs() < SAME_TOLERANCE
                // A single voxel says nothing of the scale by its place.
                && (scale.abs() - 1.0).abs() < SAME_TOLERANCE
        });
        if same { Self::Reordered(axes) } else { Self::Aligned(axes) }
    }

    /// The matrix from indices of the target to those of the source.
    pub(super) fn matrix(&self) -> Affine {
        match self {
            Self::Oblique(matrix) => *matrix,
            Self::Reordered(axes) | Self::Aligned(axes) => {
                let mut matrix = [[0.0; 4]; 3];
                for (target, axis) in axes.iter().enumerate() {
                    matrix[axis.source][target] = axis.scale;
                    matrix[axis.source][3] = axis.offset;
                }
                matrix
            }
        }
    }
}

/// The axes if each of the target runs along one of the source.
fn aligned(matrix: &Affine, target: [usize; 3]) -> Option<[Axis; 3]> {
    let axis = |column: usize| {
        let row = (0..3).max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()));
        Axis { source: row.expect("three rows"), scale: 0.0, offset: 0.0 }
    };
    let mut axes = [0, 1, 2].map(axis);
    if (0..3).any(|source| !axes.iter().any(|axis| axis.source == source)) {
        return None;
    }
    for (row, along) in matrix.iter().enumerate() {
        // What the other axes of the target do on this axis of the source, from one end of the grid to the other. The
        // offset takes half of it.
        let own = axes.iter().position(|axis| axis.source == row).expect("each axis of the source has one");
        let (mut drift, mut reach, mut turn) = (0.0, 0.0, 0.0);
        for column in (0..3).filter(|&column| column != own) {
            let half = along[column] * (target[column] - 1) as f64 / 2.0;
            drift += half;
            reach += half.abs();
            // Voxels that are turned overlap others even where their centres do not move.
            turn += along[column].abs();
        }
        if reach > ALIGNED_TOLERANCE || turn > ALIGNED_TOLERANCE {
            return None;
        }
        axes[own].scale = along[own];
        axes[own].offset = along[3] + drift;
    }
    Some(axes)
}
