//! Rigid motions between the coordinates of two scans.

use super::Invalid;
use super::grid::{Affine, VoxelGrid, apply};

/// How far a rotation may lie from one: files round its numbers.
const RIGID_TOLERANCE: f64 = 1e-3;

/// A rotation and a shift in patient coordinates (right, anterior, superior), in mm. It maps a point of the grid that
/// is resampled onto to the same point of the patient in the scan that is resampled, as ITK's transforms do.
#[derive(Clone, Debug, PartialEq)]
pub struct RigidTransform(Affine);

impl RigidTransform {
    /// No motion.
    pub const IDENTITY: Self = Self([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]);

    /// # Errors
    /// If the matrix is not that of a rotation: with scaling, shear or a mirror, volumes and activity would change.
    pub fn new(matrix: Affine) -> Result<Self, Invalid> {
        if !matrix.iter().flatten().all(|v| v.is_finite()) {
            return Err(Invalid::new("the transform has an element that is not finite"));
        }
        let dot = |a: usize, b: usize| (0..3).map(|column| matrix[a][column] * matrix[b][column]).sum::<f64>();
        let away = |a: usize, b: usize| (dot(a, b) - f64::from(u8::from(a == b))).abs() > RIGID_TOLERANCE;
        let pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)];
        if pairs.into_iter().any(|(a, b)| away(a, b)) || determinant(&matrix) < 0.0 {
            return Err(Invalid::new(
                "the transform is not rigid: it scales, shears or mirrors. Register with six degrees of freedom",
            ));
        }
        Ok(Self(matrix))
    }

    /// The matrix.
    pub fn matrix(&self) -> &Affine {
        &self.0
    }

    /// The motion back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self(inverse(&self.0).expect("a rotation can be inverted"))
    }

    /// Where the voxels of a grid go: the same ones, in the coordinates that the motion leads to.
    ///
    /// # Errors
    /// If rounding takes the grid over the edge of what one may be.
    pub fn grid(&self, grid: &VoxelGrid) -> Result<VoxelGrid, Invalid> {
        let affine = compose(&self.0, grid.affine());
        // As far as a rotation of a file is rounded, lengths are too.
        let spacing_mm = [0, 1, 2].map(|axis| affine.iter().map(|row| row[axis] * row[axis]).sum::<f64>().sqrt());
        let exact = |moved: f64, own: f64| if (moved / own - 1.0).abs() < 1e-12 { own } else { moved };
        let spacing_mm = [0, 1, 2].map(|axis| exact(spacing_mm[axis], grid.spacing_mm()[axis]));
        VoxelGrid::new(grid.shape().map(|n| n as u64), spacing_mm)?.with_affine(affine)
    }

    /// Where a point goes [mm].
    pub fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        apply(&self.0, point)
    }
}

/// Determinant of the matrix without its shift.
pub(crate) fn determinant(m: &Affine) -> f64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

/// First `second`, then `first`.
pub(crate) fn compose(first: &Affine, second: &Affine) -> Affine {
    [0, 1, 2].map(|row| {
        [0, 1, 2, 3].map(|column| {
            let sum: f64 = (0..3).map(|k| first[row][k] * second[k][column]).sum();
            if column == 3 { sum + first[row][3] } else { sum }
        })
    })
}

/// The affine that undoes another; none if there is none.
pub(crate) fn inverse(m: &Affine) -> Option<Affine> {
    let determinant = determinant(m);
    if determinant == 0.0 || !determinant.is_finite() {
        return None;
    }
    let cofactor = |row: usize, column: usize| {
        let ([a, b], [c, d]) = (others(row), others(column));
        let minor = m[a][c] * m[b][d] - m[a][d] * m[b][c];
        if (row + column).is_multiple_of(2) { minor } else { -minor }
    };
    Some([0, 1, 2].map(|row| {
        let [x, y, z] = [0, 1, 2].map(|column| cofactor(column, row) / determinant);
        let shift = x * m[0][3] + y * m[1][3] + z * m[2][3];
        [x, y, z, -shift]
    }))
}

/// The two other axes, in order.
fn others(axis: usize) -> [usize; 2] {
    [[1, 2], [0, 2], [0, 1]][axis]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_motion_and_its_inverse_cancel() {
        let (sin, cos) = 0.4f64.sin_cos();
        let transform = RigidTransform::new([[cos, -sin, 0.0, 5.0], [sin, cos, 0.0, -7.0], [0.0, 0.0, 1.0, 2.5]]);
        let transform = transform.expect("a rotation");
        let there = transform.apply([10.0, 20.0, 30.0]);
        let back = transform.inverse().apply(there);
        assert!(back.iter().zip([10.0, 20.0, 30.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{back:?}");
        assert!((there[0] - (10.0 * cos - 20.0 * sin + 5.0)).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_rigid_is_refused() {
        let scaled = [[1.01, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        let sheared = [[1.0, 0.1, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        let mirrored = [[-1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        let nan = [[f64::NAN, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        for matrix in [scaled, sheared, mirrored, nan] {
            assert!(RigidTransform::new(matrix).is_err(), "{matrix:?}");
        }
    }
}
