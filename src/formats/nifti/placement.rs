//! The position of a volume in the patient: sform, qform, voxel sizes.
//!
//! Source: the NIfTI-1 standard (nifti1.h), "3D image (volume) orientation and location in space", methods 1 to 3.

use nifti::NiftiHeader;

use super::Placement;
use crate::domain::{Invalid, VoxelGrid, grid::Affine};

/// How far b² + c² + d² of a unit quaternion may exceed 1. Single precision leaves 1e-6.
const UNIT_TOLERANCE: f64 = 1e-4;

/// The grid of a header, in mm.
///
/// # Errors
/// If voxel sizes, units, quaternion or matrix are invalid or contradict one another.
pub(super) fn placed_grid(raw: &NiftiHeader, shape: [u64; 3]) -> Result<(VoxelGrid, Placement), Invalid> {
    let mm = mm_per_unit(raw.xyzt_units)?;
    let spacing = [1, 2, 3].map(|axis| f64::from(raw.pixdim[axis]) * mm);
    let grid = VoxelGrid::new(shape, spacing).map_err(|Invalid(reason)| Invalid(format!("pixdim: {reason}")))?;
    let (field, affine, placement) = if raw.sform_code > 0 {
        let rows = [raw.srow_x, raw.srow_y, raw.srow_z];
        ("srow_x, srow_y, srow_z: the matrix", rows.map(|row| row.map(|v| f64::from(v) * mm)), Placement::Sform)
    } else if raw.qform_code > 0 {
        ("quatern: the matrix", qform_affine(raw, spacing, mm)?, Placement::Qform)
    } else {
        return Ok((grid, Placement::VoxelSizes));
    };
    let grid = grid.with_affine(affine).map_err(|Invalid(reason)| Invalid(format!("{field} {reason}")))?;
    Ok((grid, placement))
}

/// The unit of length; mm if none is stated.
fn mm_per_unit(xyzt_units: u8) -> Result<f64, Invalid> {
    match xyzt_units & 0o7 {
        0 | 2 => Ok(1.0),
        1 => Ok(1e3),
        3 => Ok(1e-3),
        code => Err(Invalid::new(format!("xyzt_units: the unit of length {code} is not in the standard"))),
    }
}

/// Method 2 of the standard.
fn qform_affine(raw: &NiftiHeader, spacing_mm: [f64; 3], mm: f64) -> Result<Affine, Invalid> {
    let [b, c, d] = [raw.quatern_b, raw.quatern_c, raw.quatern_d].map(f64::from);
    let offset = [raw.quatern_x, raw.quatern_y, raw.quatern_z].map(|v| f64::from(v) * mm);
    let vector = b * b + c * c + d * d;
    if vector.is_nan() || vector > 1.0 + UNIT_TOLERANCE {
        return Err(Invalid::new(format!("quatern_b, c, d must be part of a unit quaternion, got {b}, {c}, {d}")));
    }
    let rotation = rotation_of([(1.0 - vector).max(0.0).sqrt(), b, c, d]);
    let handedness = if raw.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let [dx, dy, dz] = spacing_mm;
    let scale = [dx, dy, dz * handedness];
    Ok([0, 1, 2].map(|row| {
        let [x, y, z] = [0, 1, 2].map(|column| rotation[row][column] * scale[column]);
        [x, y, z, offset[row]]
    }))
}

/// The rotation of a quaternion `[a, b, c, d]`, which is normalised first.
fn rotation_of(quaternion: [f64; 4]) -> [[f64; 3]; 3] {
    let norm = quaternion.iter().map(|v| v * v).sum::<f64>().sqrt();
    let [a, b, c, d] = quaternion.map(|v| v / norm);
    [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - c * c - b * b],
    ]
}

/// A qform: quaternion without its first element, and `qfac`.
#[derive(Debug, PartialEq)]
pub(super) struct Qform {
    /// `quatern_b`, `quatern_c`, `quatern_d`.
    pub(super) bcd: [f64; 3],
    /// 1, or -1 for a left-handed grid.
    pub(super) handedness: f64,
}

/// The rotation in the affine of a valid grid, whose columns are at right angles within the tolerance of the grid.
pub(super) fn qform_of(grid: &VoxelGrid) -> Qform {
    let (affine, spacing) = (grid.affine(), grid.spacing_mm());
    let mut r = [0, 1, 2].map(|row| [0, 1, 2].map(|column| affine[row][column] / spacing[column]));
    let handedness = if determinant(&r) < 0.0 { -1.0 } else { 1.0 };
    r.iter_mut().for_each(|row| row[2] *= handedness);
    // Of the four ways to get a quaternion from a matrix, the one with the largest divisor loses no digits (Shepperd
    // 1978).
    let trace = r[0][0] + r[1][1] + r[2][2];
    let squares = [1.0 + trace, 1.0 + 2.0 * r[0][0] - trace, 1.0 + 2.0 * r[1][1] - trace, 1.0 + 2.0 * r[2][2] - trace];
    let largest = (0..4).max_by(|&i, &j| squares[i].total_cmp(&squares[j])).expect("four candidates");
    let quaternion = match largest {
        0 => [squares[0], r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]],
        1 => [r[2][1] - r[1][2], squares[1], r[0][1] + r[1][0], r[0][2] + r[2][0]],
        2 => [r[0][2] - r[2][0], r[0][1] + r[1][0], squares[2], r[1][2] + r[2][1]],
        _ => [r[1][0] - r[0][1], r[0][2] + r[2][0], r[1][2] + r[2][1], squares[3]],
    };
    let norm = quaternion.iter().map(|v| v * v).sum::<f64>().sqrt();
    // q and -q are the same rotation. In the standard the first element is not stored and not negative.
    let sign = if quaternion[0] < 0.0 { -1.0 } else { 1.0 };
    let [_, b, c, d] = quaternion.map(|v| sign * v / norm);
    Qform { bcd: [b, c, d], handedness }
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Header with a qform of these elements and voxels of 1, 2 and 3 mm.
    #[expect(clippy::cast_possible_truncation, reason = "the precision of the header's fields")]
    fn header(qform: &Qform) -> NiftiHeader {
        let [b, c, d] = qform.bcd.map(|v| v as f32);
        NiftiHeader {
            pixdim: [qform.handedness as f32, 1.0, 2.0, 3.0, 1.0, 1.0, 1.0, 1.0],
            quatern_b: b,
            quatern_c: c,
            quatern_d: d,
            qform_code: 1,
            sform_code: 0,
            ..NiftiHeader::default()
        }
    }

    #[test]
    fn any_rotation_survives_the_quaternion() {
        // Rotations about each axis by many angles, half turns included, in both hands.
        for axis in 0..3 {
            for step in 0..24 {
                let half = f64::from(step) * std::f64::consts::PI / 24.0;
                let mut quaternion = [half.cos(), 0.1, -0.2, 0.05];
                quaternion[axis + 1] += half.sin();
                for handedness in [1.0, -1.0] {
                    let r = rotation_of(quaternion);
                    let scale = [1.0, 2.0, 3.0 * handedness];
                    let affine = [0, 1, 2].map(|i| {
                        let [x, y, z] = [0, 1, 2].map(|j| r[i][j] * scale[j]);
                        [x, y, z, 0.0]
                    });
                    let grid = VoxelGrid::new([2, 2, 2], [1.0, 2.0, 3.0]).expect("a good grid");
                    let grid = grid.with_affine(affine).expect("a rotation");
                    let (back, placement) = placed_grid(&header(&qform_of(&grid)), [2, 2, 2]).expect("a good qform");
                    assert_eq!(placement, Placement::Qform);
                    for (row, expected) in back.affine().iter().zip(&affine) {
                        for (a, b) in row.iter().zip(expected) {
                            // Near a half turn the missing element is the root of a rounding error of single precision.
                            assert!((a - b).abs() < 2e-3, "{axis} {step} {handedness}: {a} {b}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn quaternions_that_are_no_rotation_are_refused() {
        for bcd in [[1.0, 1.0, 0.0], [f64::NAN, 0.0, 0.0], [f64::INFINITY, 0.0, 0.0]] {
            let Invalid(reason) =
                placed_grid(&header(&Qform { bcd, handedness: 1.0 }), [2, 2, 2]).expect_err("no rotation");
            assert!(reason.contains("quatern"), "{reason}");
        }
    }
}
