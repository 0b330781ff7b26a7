//! The grid that a dose is computed on.

use crate::domain::grid::apply;
use crate::domain::{Invalid, VoxelGrid};

/// A grid that ends within this part of a voxel of the activity's edge reaches it.
const EDGE_TOLERANCE: f64 = 1e-3;

/// What a caller may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum DoseGrid {
    /// The grid of the activity.
    #[default]
    Activity,
    /// The grid of the CT or the density.
    Ct,
    /// Cubes of this edge, along the axes of the activity, over the whole of it [mm].
    Spacing(f64),
}

impl DoseGrid {
    /// * `word` – `activity`, `ct`, or an edge in mm
    ///
    /// # Errors
    /// The words there are.
    pub fn parse(word: &str) -> Result<Self, Invalid> {
        match word {
            "activity" => Ok(Self::Activity),
            "ct" => Ok(Self::Ct),
            length => {
                let edge = length.trim_end_matches("mm").trim().parse::<f64>().ok();
                let edge = edge.filter(|edge| edge.is_finite() && *edge > 0.0);
                edge.map(Self::Spacing)
                    .ok_or_else(|| Invalid::new("must be activity, ct, or the edge of cubic voxels in mm, such as 2.5"))
            }
        }
    }
}

/// The grid for a dose.
///
/// * `ct` – grid of the CT or the density, where there is one
///
/// # Errors
/// If there is no CT where its grid is chosen, or the voxels are too small or too many.
pub fn dose_grid(choice: DoseGrid, activity: &VoxelGrid, ct: Option<&VoxelGrid>) -> Result<VoxelGrid, Invalid> {
    match choice {
        DoseGrid::Activity => Ok(activity.clone()),
        DoseGrid::Ct => ct.cloned().ok_or_else(|| Invalid::new("ct: there is no CT and no density whose grid to take")),
        DoseGrid::Spacing(edge_mm) => with_spacing(activity, [edge_mm; 3]),
    }
}

/// A grid with the axes of another, with other voxels, that holds all of it around the same centre.
///
/// # Errors
/// If the voxels are too small, too large or too many.
pub fn with_spacing(grid: &VoxelGrid, spacing_mm: [f64; 3]) -> Result<VoxelGrid, Invalid> {
    let (shape, old) = (grid.shape(), grid.spacing_mm());
    let lengths = [0, 1, 2].map(|axis| shape[axis] as f64 * old[axis] / spacing_mm[axis]);
    if lengths.iter().any(|length| !length.is_finite()) {
        return Err(Invalid::new("the spacing must be a length above 0"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
    let new = lengths.map(|length| (length - EDGE_TOLERANCE).ceil().max(1.0) as u64);
    let centre = apply(grid.affine(), shape.map(|n| (n as f64 - 1.0) / 2.0));
    let factor = [0, 1, 2].map(|axis| spacing_mm[axis] / old[axis]);
    let affine = [0, 1, 2].map(|row| {
        let [x, y, z] = [0, 1, 2].map(|column| grid.affine()[row][column] * factor[column]);
        let half: f64 = (0..3).map(|column| [x, y, z][column] * (new[column] as f64 - 1.0) / 2.0).sum();
        [x, y, z, centre[row] - half]
    });
    VoxelGrid::new(new, spacing_mm)?.with_affine(affine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_choose_a_grid() {
        assert_eq!(DoseGrid::parse("activity"), Ok(DoseGrid::Activity));
        assert_eq!(DoseGrid::parse("ct"), Ok(DoseGrid::Ct));
        assert_eq!(DoseGrid::parse("2.5"), Ok(DoseGrid::Spacing(2.5)));
        assert_eq!(DoseGrid::parse("2.5mm"), Ok(DoseGrid::Spacing(2.5)));
        for bad in ["", "0", "-1", "NaN", "spect"] {
            assert!(DoseGrid::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_spacing_covers_the_same_box_around_the_same_centre() {
        let (sin, cos) = 0.3f64.sin_cos();
        let affine = [[-4.0 * cos, 5.0 * sin, 0.0, 11.0], [4.0 * sin, 5.0 * cos, 0.0, -12.0], [0.0, 0.0, 3.0, 13.0]];
        let grid = VoxelGrid::new([10, 8, 7], [4.0, 5.0, 3.0]).and_then(|grid| grid.with_affine(affine));
        let grid = grid.expect("a good grid");
        let fine = dose_grid(DoseGrid::Spacing(2.0), &grid, None).expect("a good grid");
        assert_eq!((fine.shape(), fine.spacing_mm()), ([20, 20, 11], [2.0; 3]));
        let corner = |grid: &VoxelGrid, end: [bool; 3]| {
            let shape = grid.shape();
            apply(grid.affine(), [0, 1, 2].map(|axis| if end[axis] { shape[axis] as f64 - 0.5 } else { -0.5 }))
        };
        for end in [[false, false], [true, false], [true, true]] {
            let (a, b) = (corner(&grid, [end[0], end[1], false]), corner(&fine, [end[0], end[1], false]));
            // Along z the fine grid is half a millimetre longer at each end.
            assert!((a[0] - b[0]).abs() < 1e-9 && (a[1] - b[1]).abs() < 1e-9 && (a[2] - b[2] - 0.5).abs() < 1e-9);
        }
        assert!(dose_grid(DoseGrid::Ct, &grid, None).is_err());
        assert!(dose_grid(DoseGrid::Spacing(1e-3), &grid, None).is_err());
    }
}
