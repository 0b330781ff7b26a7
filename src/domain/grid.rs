//! The voxel grid: shape, spacing and place in the patient. Shapes are `[nx, ny, nz]`, x fastest, here and everywhere.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Smallest voxel edge [mm]. The radial kernels are tabulated from 5 µm, too coarse for smaller voxels.
pub const MIN_SPACING_MM: f64 = 0.01;
/// Largest voxel edge [mm].
pub const MAX_SPACING_MM: f64 = 1000.0;
/// Most voxels along one axis.
pub const MAX_AXIS: u64 = 65_535;
/// Relative difference of two spacings that still counts as the same: files round to a few digits.
const SAME_GRID_TOLERANCE: f64 = 1e-3;
/// Cosine of the angle between two axes, past which a grid is sheared: 0.3°, more than rounded directions make.
const RIGHT_ANGLE_TOLERANCE: f64 = 5e-3;
/// Distance between corresponding corners of two grids that still counts as the same place, as a fraction of the
/// smallest voxel edge.
const SAME_PLACE_TOLERANCE: f64 = 0.05;

/// What to do about a map on another grid.
const OTHER_GRID: &str = "put it on that grid with `dosegrid resample --like`, or choose one for all with --dose-grid";

/// A 3×4 matrix that maps voxel indices to patient coordinates in mm, as in a NIfTI sform (the last row, 0 0 0 1, is
/// implied).
pub type Affine = [[f64; 4]; 3];

/// A regular grid of cuboid voxels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct VoxelGrid {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    affine: Affine,
}

/// A grid as it was stored, not yet checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    shape: [u64; 3],
    spacing_mm: [f64; 3],
    affine: Affine,
}

impl TryFrom<Stored> for VoxelGrid {
    type Error = Invalid;

    fn try_from(Stored { shape, spacing_mm, affine }: Stored) -> Result<Self, Invalid> {
        Self::new(shape, spacing_mm)?.with_affine(affine)
    }
}

impl VoxelGrid {
    /// A grid whose voxel (0, 0, 0) is centred on the origin, with axes along the patient's.
    ///
    /// * `shape` – voxels along x, y and z
    /// * `spacing_mm` – voxel edges [mm]
    ///
    /// # Errors
    /// See [`check_shape`] and [`check_spacing`].
    pub fn new(shape: [u64; 3], spacing_mm: [f64; 3]) -> Result<Self, Invalid> {
        let shape = check_shape(shape)?;
        check_spacing(spacing_mm)?;
        let [dx, dy, dz] = spacing_mm;
        let affine = [[dx, 0.0, 0.0, 0.0], [0.0, dy, 0.0, 0.0], [0.0, 0.0, dz, 0.0]];
        Ok(Self { shape, spacing_mm, affine })
    }

    /// The same grid, placed in the patient by `affine`.
    ///
    /// # Errors
    /// If the affine is not finite, not invertible, sheared, or its columns are not as long as the spacing.
    pub fn with_affine(self, affine: Affine) -> Result<Self, Invalid> {
        check_affine(&affine, self.spacing_mm)?;
        Ok(Self { affine, ..self })
    }

    /// Voxels along x, y and z.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Number of voxels.
    pub fn voxels(&self) -> usize {
        self.shape.iter().product()
    }

    /// Voxel edges [mm].
    pub fn spacing_mm(&self) -> [f64; 3] {
        self.spacing_mm
    }

    /// Voxel edges [cm].
    pub fn spacing_cm(&self) -> [f64; 3] {
        self.spacing_mm.map(|mm| mm / 10.0)
    }

    /// Volume of a voxel [cm³].
    pub fn voxel_volume_cm3(&self) -> f64 {
        self.spacing_cm().iter().product()
    }

    /// From voxel indices to patient coordinates [mm].
    pub fn affine(&self) -> &Affine {
        &self.affine
    }

    /// Whether `other` has the same voxels in the same place.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn check_same(&self, other: &Self) -> Result<(), Invalid> {
        if self.shape != other.shape {
            return Err(Invalid::new(format!(
                "has shape {:?}, the activity has {:?}; {OTHER_GRID}",
                other.shape, self.shape
            )));
        }
        for axis in 0..3 {
            let (a, b) = (self.spacing_mm[axis], other.spacing_mm[axis]);
            if (a - b).abs() > SAME_GRID_TOLERANCE * a {
                return Err(Invalid::new(format!(
                    "has spacing {:?} mm, the activity has {:?} mm; {OTHER_GRID}",
                    other.spacing_mm, self.spacing_mm
                )));
            }
        }
        let far = self.corner_distance_mm(other);
        let allowed = SAME_PLACE_TOLERANCE * self.spacing_mm.iter().copied().fold(f64::INFINITY, f64::min);
        if far > allowed {
            return Err(Invalid::new(format!(
                "lies elsewhere in the patient: a corner is {far:.3} mm from the activity's; {OTHER_GRID}"
            )));
        }
        Ok(())
    }

    /// Largest distance between corresponding corners of two grids of the same shape [mm].
    pub fn corner_distance_mm(&self, other: &Self) -> f64 {
        let last = self.shape.map(|n| (n - 1) as f64);
        (0..8u8)
            .map(|corner| {
                let index = [0, 1, 2].map(|axis| if corner >> axis & 1 == 1 { last[axis] } else { 0.0 });
                let (a, b) = (apply(&self.affine, index), apply(&other.affine, index));
                (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
            })
            .fold(0.0, f64::max)
    }
}

/// Patient coordinates [mm] of a voxel index.
pub(crate) fn apply(affine: &Affine, index: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|row| {
        let [a, b, c, t] = affine[row];
        a * index[0] + b * index[1] + c * index[2] + t
    })
}

/// # Errors
/// If an axis is empty or longer than [`MAX_AXIS`], or if the number of voxels overflows.
pub fn check_shape(shape: [u64; 3]) -> Result<[usize; 3], Invalid> {
    if shape.contains(&0) {
        return Err(Invalid::new(format!("every axis needs at least one voxel, got {shape:?}")));
    }
    if shape.iter().any(|&n| n > MAX_AXIS) {
        return Err(Invalid::new(format!("an axis has at most {MAX_AXIS} voxels, got {shape:?}")));
    }
    let overflow = || Invalid::new(format!("the number of voxels overflows: {shape:?}"));
    shape
        .iter()
        .try_fold(1usize, |product, &n| product.checked_mul(usize::try_from(n).ok()?))
        .and_then(|voxels| voxels.checked_mul(size_of::<f64>()))
        .ok_or_else(overflow)?;
    Ok(shape.map(|n| usize::try_from(n).expect("an axis of at most 65535 voxels fits")))
}

/// # Errors
/// If a spacing is not finite or outside [`MIN_SPACING_MM`] to [`MAX_SPACING_MM`].
pub fn check_spacing(spacing_mm: [f64; 3]) -> Result<(), Invalid> {
    if spacing_mm.iter().all(|d| (MIN_SPACING_MM..=MAX_SPACING_MM).contains(d)) {
        Ok(())
    } else {
        Err(Invalid::new(format!(
            "every spacing must be a length from {MIN_SPACING_MM} to {MAX_SPACING_MM} mm, got {spacing_mm:?}"
        )))
    }
}

/// # Errors
/// As [`VoxelGrid::with_affine`].
fn check_affine(affine: &Affine, spacing_mm: [f64; 3]) -> Result<(), Invalid> {
    if !affine.iter().flatten().all(|v| v.is_finite()) {
        return Err(Invalid::new("has an element that is not finite"));
    }
    let column = |axis: usize| [affine[0][axis], affine[1][axis], affine[2][axis]];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let [x, y, z] = [column(0), column(1), column(2)];
    let cross = [y[1] * z[2] - y[2] * z[1], y[2] * z[0] - y[0] * z[2], y[0] * z[1] - y[1] * z[0]];
    let volume: f64 = spacing_mm.iter().product();
    let determinant = dot(x, cross);
    if determinant.abs() < 1e-6 * volume {
        return Err(Invalid::new("cannot be inverted"));
    }
    let lengths_mm = [x, y, z].map(|column| dot(column, column).sqrt());
    for (names, a, b) in [("x and y", 0, 1), ("x and z", 0, 2), ("y and z", 1, 2)] {
        let cosine = dot([x, y, z][a], [x, y, z][b]) / (lengths_mm[a] * lengths_mm[b]);
        if cosine.abs() > RIGHT_ANGLE_TOLERANCE {
            let degrees = cosine.acos().to_degrees();
            return Err(Invalid::new(format!(
                "is sheared: its axes {names} are at {degrees:.1}° to one another, and voxels must be cuboids"
            )));
        }
    }
    // Three small differences of one sign are a large one in the volume of a voxel, and so in every dose.
    let differs = |found: f64, said: f64| (found - said).abs() > SAME_GRID_TOLERANCE * said;
    let is_other = (0..3).any(|axis| differs(lengths_mm[axis], spacing_mm[axis]));
    if is_other || differs(lengths_mm.iter().product(), volume) {
        return Err(Invalid::new(format!(
            "has columns of {lengths_mm:.4?} mm where the spacing is {spacing_mm:.4?} mm"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> VoxelGrid {
        VoxelGrid::new([4, 5, 6], [1.0, 2.0, 3.0]).expect("a good grid")
    }

    #[test]
    fn good_grid_keeps_what_it_was_given() {
        let affine = [[-1.0, 0.0, 0.0, 7.0], [0.0, 2.0, 0.0, 8.0], [0.0, 0.0, 3.0, 9.0]];
        let grid = grid().with_affine(affine).expect("a flipped axis is fine");
        assert_eq!((grid.voxels(), grid.shape(), grid.affine()), (120, [4, 5, 6], &affine));
        assert!((grid.voxel_volume_cm3() - 0.006).abs() < 1e-15);
    }

    #[test]
    fn bad_shapes_and_spacings_are_refused() {
        for shape in [[0, 1, 1], [1, 1, 65_536], [u64::MAX, 2, 2]] {
            assert!(check_shape(shape).is_err(), "{shape:?}");
        }
        for d in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-3, 1e4] {
            assert!(check_spacing([1.0, d, 1.0]).is_err(), "{d}");
        }
    }

    #[test]
    fn bad_affines_are_refused() {
        let with = |affine| grid().with_affine(affine).map(|_| ()).expect_err("a bad affine").0;
        let nan = [[f64::NAN, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]];
        assert!(with(nan).contains("finite"));
        let singular = [[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0]];
        assert!(with(singular).contains("inverted"));
        let long = [[1.5, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]];
        assert!(with(long).contains("columns of [1.5000, 2.0000, 3.0000] mm where the spacing is [1.0000, 2.0000"));
        let sheared = [[1.0, 1.0, 0.0, 0.0], [0.0, 3f64.sqrt(), 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]];
        assert!(with(sheared).contains("sheared: its axes x and y are at 60.0°"));
        // A gantry that is tilted by half a degree.
        let tilted = [[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.026, 0.0], [0.0, 0.0, 3.0, 0.0]];
        assert!(with(tilted).contains("sheared: its axes y and z are at 89.5°"));
    }

    #[test]
    fn a_rounded_spacing_is_a_wrong_spacing_and_no_shear() {
        let placed = |d: f64| {
            let affine = [[d, 0.0, 0.0, 0.0], [0.0, d, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]];
            VoxelGrid::new([4, 5, 6], [3.9063, 3.9063, 4.0]).and_then(|grid| grid.with_affine(affine))
        };
        let reason = placed(3.91).expect_err("a voxel of 0.2 % more volume").0;
        assert!(reason.contains("columns of [3.9100, 3.9100, 4.0000] mm") && !reason.contains("sheared"), "{reason}");
        placed(3.90625).expect("rounded to four digits");
    }

    #[test]
    fn directions_may_be_rounded() {
        // 30° about z, to three digits.
        let affine = [[0.866, -0.5, 0.0, 0.0], [0.5, 0.866, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        VoxelGrid::new([4, 5, 6], [1.0; 3]).and_then(|grid| grid.with_affine(affine)).expect("a rotation");
    }

    #[test]
    fn grids_elsewhere_or_of_another_shape_are_not_the_same() {
        let here = grid();
        assert!(here.check_same(&grid()).is_ok());
        let moved = [[1.0, 0.0, 0.0, 0.5], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]];
        let moved = grid().with_affine(moved).expect("a good affine");
        assert!(here.check_same(&moved).expect_err("moved").0.contains("elsewhere"));
        let other = VoxelGrid::new([4, 5, 7], [1.0, 2.0, 3.0]).expect("a good grid");
        assert!(here.check_same(&other).expect_err("other shape").0.contains("shape"));
        let coarse = VoxelGrid::new([4, 5, 6], [1.0, 2.0, 3.1]).expect("a good grid");
        assert!(here.check_same(&coarse).expect_err("other spacing").0.contains("spacing"));
    }
}
