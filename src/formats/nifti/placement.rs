//! The place of a volume in the patient: sform, qform, voxel sizes.
//!
//! Source: the NIfTI-1 standard (nifti1.h), "3D image (volume) orientation and location in space", methods 1 to 3.

use super::raw::NiftiFields;
use crate::domain::{Invalid, VoxelGrid, grid::Affine};
use crate::formats::volume_file::{LengthUnit, Origin, Placement};

/// How far b² + c² + d² of a unit quaternion may lie above 1: single precision leaves 1e-6.
const UNIT_TOLERANCE: f64 = 1e-4;
/// Distance between the places that sform and qform give to a corner, past which they are unlike, in parts of the
/// smallest voxel edge: single precision and rounded spacings leave less.
const UNLIKE_FORMS: f64 = 0.1;
/// Form codes of the standard: scanner, aligned, Talairach, MNI 152, another template.
const MAX_FORM_CODE: i32 = 5;

/// Where a volume lies, and how the header says so.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) grid: VoxelGrid,
    pub(super) placement: Placement,
    pub(super) origin: Origin,
    pub(super) warnings: Vec<String>,
}

/// The grid of a header, in mm.
///
/// # Errors
/// If voxel sizes, units, quaternion or matrix make no sense, or do not agree with one another.
pub(super) fn place(raw: &NiftiFields, shape: [u64; 3]) -> Result<Placed, Invalid> {
    let unit = length_unit(raw.xyzt_units)?;
    let mm = unit.mm();
    let grid =
        VoxelGrid::new(shape, spacing_mm(raw, mm)).map_err(|Invalid(reason)| Invalid(format!("pixdim: {reason}")))?;
    let [qform_code, sform_code] =
        [raw.qform_code, raw.sform_code].map(|code| i16::try_from(code.clamp(0, MAX_FORM_CODE)).expect("at most 5"));
    let mut origin = Origin { qform_code, sform_code, unit, qform: None };
    let mut warnings = Vec::new();
    let qform = (qform_code > 0).then(|| qform_affine(raw, grid.spacing_mm(), mm));
    if sform_code == 0 {
        let Some(qform) = qform else {
            return Ok(Placed { grid, placement: Placement::VoxelSizes, origin, warnings });
        };
        let (qform, affine) = qform?;
        origin.qform = Some(qform);
        let grid = with_affine(grid, affine, "quatern: the matrix")?;
        return Ok(Placed { grid, placement: Placement::Qform, origin, warnings });
    }
    let affine = raw.srow.map(|row| row.map(|v| v * mm));
    let grid = with_affine(grid, affine, "srow_x, srow_y, srow_z: the matrix")?;
    // A qform that makes no sense is of no account where there is an sform.
    if let Some(Ok((qform, affine))) = qform {
        warnings.extend(unlike(&grid, affine));
        origin.qform = Some(qform);
    }
    Ok(Placed { grid, placement: Placement::Sform, origin, warnings })
}

fn with_affine(grid: VoxelGrid, affine: Affine, field: &str) -> Result<VoxelGrid, Invalid> {
    grid.with_affine(affine).map_err(|Invalid(reason)| Invalid(format!("{field} {reason}")))
}

/// Voxel edges; an axis that is not among the dimensions need not have one.
fn spacing_mm(raw: &NiftiFields, mm: f64) -> [f64; 3] {
    [1, 2, 3].map(|axis| {
        let unused = raw.dim[0] < i64::try_from(axis).expect("1 to 3") && raw.pixdim[axis] == 0.0;
        if unused { 1.0 } else { raw.pixdim[axis] * mm }
    })
}

/// A warning if the qform places the volume elsewhere than the sform.
fn unlike(grid: &VoxelGrid, qform: Affine) -> Option<String> {
    let other = grid.clone().with_affine(qform).ok()?;
    let far = grid.corner_distance_mm(&other);
    let smallest = grid.spacing_mm().into_iter().fold(f64::INFINITY, f64::min);
    (far > UNLIKE_FORMS * smallest)
        .then(|| format!("sform and qform place the volume differently: a corner by {far:.1} mm; the sform is used"))
}

/// The unit of length; one that is not stated is mm.
fn length_unit(xyzt_units: i32) -> Result<LengthUnit, Invalid> {
    match xyzt_units & 0o7 {
        0 => Ok(LengthUnit::Unknown),
        1 => Ok(LengthUnit::Metre),
        2 => Ok(LengthUnit::Millimetre),
        3 => Ok(LengthUnit::Micrometre),
        code => Err(Invalid::new(format!("xyzt_units: the unit of length {code} is not in the standard"))),
    }
}

/// Method 2 of the standard.
fn qform_affine(raw: &NiftiFields, spacing_mm: [f64; 3], mm: f64) -> Result<(Qform, Affine), Invalid> {
    let [b, c, d] = raw.quatern_bcd;
    let offset_mm = raw.qoffset.map(|v| v * mm);
    let vector = b * b + c * c + d * d;
    if vector.is_nan() || vector > 1.0 + UNIT_TOLERANCE {
        return Err(Invalid::new(format!("quatern_b, c, d must be part of a unit quaternion, got {b}, {c}, {d}")));
    }
    let rotation = rotation_of([(1.0 - vector).max(0.0).sqrt(), b, c, d]);
    let handedness = if raw.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let [dx, dy, dz] = spacing_mm;
    let scale = [dx, dy, dz * handedness];
    let affine = [0, 1, 2].map(|row| {
        let [x, y, z] = [0, 1, 2].map(|column| rotation[row][column] * scale[column]);
        [x, y, z, offset_mm[row]]
    });
    Ok((Qform { bcd: [b, c, d], handedness, offset_mm }, affine))
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
#[derive(Clone, Debug, PartialEq)]
pub(in crate::formats) struct Qform {
    /// `quatern_b`, `quatern_c`, `quatern_d`.
    pub(super) bcd: [f64; 3],
    /// 1, or -1 for a left-handed grid.
    pub(super) handedness: f64,
    /// `qoffset_x`, `qoffset_y`, `qoffset_z`.
    pub(super) offset_mm: [f64; 3],
}

/// The rotation in an affine of a valid grid, whose columns are at right angles within the grid's own tolerance.
pub(super) fn qform_of(grid: &VoxelGrid) -> Qform {
    let (affine, spacing) = (grid.affine(), grid.spacing_mm());
    let mut r = [0, 1, 2].map(|row| [0, 1, 2].map(|column| affine[row][column] / spacing[column]));
    let handedness = if determinant(&r) < 0.0 { -1.0 } else { 1.0 };
    r.iter_mut().for_each(|row| row[2] *= handedness);
    // Of the four ways to take a quaternion from a matrix, the one with the largest divisor loses no digits (Shepperd
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
    // q and -q are the same rotation; the standard's first element, which is not stored, is not negative.
    let sign = if quaternion[0] < 0.0 { -1.0 } else { 1.0 };
    let [_, b, c, d] = quaternion.map(|v| sign * v / norm);
    Qform { bcd: [b, c, d], handedness, offset_mm: [affine[0][3], affine[1][3], affine[2][3]] }
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::voxels::ByteOrder;

    /// Header of a qform with these elements, voxels of 1, 2 and 3 mm.
    fn header(qform: &Qform) -> NiftiFields {
        #[expect(clippy::cast_possible_truncation, reason = "the precision of the header's fields")]
        let single = |value: f64| f64::from(value as f32);
        NiftiFields {
            format: "NIfTI-1",
            bytes: 348,
            byte_order: ByteOrder::Little,
            pair: false,
            dim: [3, 2, 2, 2, 1, 1, 1, 1],
            datatype: 16,
            bitpix: 32,
            pixdim: [qform.handedness, 1.0, 2.0, 3.0, 1.0, 1.0, 1.0, 1.0],
            vox_offset: 352.0,
            scl_slope: 0.0,
            scl_inter: 0.0,
            xyzt_units: 2,
            qform_code: 1,
            sform_code: 0,
            quatern_bcd: qform.bcd.map(single),
            qoffset: qform.offset_mm,
            srow: [[0.0; 4]; 3],
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
                    let back = place(&header(&qform_of(&grid)), [2, 2, 2]).expect("a good qform");
                    assert_eq!(back.placement, Placement::Qform);
                    for (row, expected) in back.grid.affine().iter().zip(&affine) {
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
            let Invalid(reason) = place(&header(&Qform { bcd, handedness: 1.0, offset_mm: [0.0; 3] }), [2, 2, 2])
                .expect_err("no rotation");
            assert!(reason.contains("quatern"), "{reason}");
        }
    }
}
