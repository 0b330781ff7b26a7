//! The stylised phantom on a voxel grid: how much of every voxel belongs to which region.

use std::sync::Arc;

use rayon::prelude::*;

use super::PhantomRegion;
use crate::domain::{Invalid, Volume, VoxelGrid};

/// Sample points of a voxel along each axis. The equations are evaluated at each.
const SAMPLES_PER_AXIS: usize = 3;
/// Sample points of a voxel.
const SAMPLES: usize = SAMPLES_PER_AXIS.pow(3);

/// Lower and upper end of the field of view, above the base of the trunk [cm]: 96 slices of 4.8 mm, which hold all of
/// the liver, the spleen, the kidneys and the lungs.
const FIELD_OF_VIEW_Z_CM: [f64; 2] = [21.45, 67.53];
/// Edge of the square field of view across the body [cm], as in a CT.
const FIELD_OF_VIEW_XY_CM: f64 = 50.0;

/// The stylised adult on a grid.
#[derive(Clone, Debug)]
pub struct StylisedPhantom {
    grid: Arc<VoxelGrid>,
    /// Sample points of each region in each voxel; they add up to [`SAMPLES`].
    samples: Vec<[u8; PhantomRegion::ALL.len()]>,
}

impl StylisedPhantom {
    /// The phantom from above the pelvis to the neck. The axes of the grid run to the phantom's left, back and head.
    /// NIfTI's run to the right, front and head, so two columns of the affine are negative.
    ///
    /// * `shape` – voxels along x, y and z
    ///
    /// # Errors
    /// If an axis is empty or too long.
    pub fn new(shape: [u64; 3]) -> Result<Self, Invalid> {
        crate::domain::grid::check_shape(shape)?;
        let [bottom, top] = FIELD_OF_VIEW_Z_CM;
        let extent_cm = [FIELD_OF_VIEW_XY_CM, FIELD_OF_VIEW_XY_CM, top - bottom];
        let corner_cm = corner_cm();
        let spacing_mm = [0, 1, 2].map(|axis| extent_cm[axis] * 10.0 / shape[axis] as f64);
        let [dx, dy, dz] = spacing_mm;
        let [x, y, z] = [0, 1, 2].map(|axis| corner_cm[axis] * 10.0 + spacing_mm[axis] / 2.0);
        let affine = [[-dx, 0.0, 0.0, -x], [0.0, -dy, 0.0, -y], [0.0, 0.0, dz, z]];
        let grid = Arc::new(VoxelGrid::new(shape, spacing_mm)?.with_affine(affine)?);
        let samples = sample(&grid, corner_cm);
        Ok(Self { grid, samples })
    }

    /// The grid.
    pub fn grid(&self) -> &Arc<VoxelGrid> {
        &self.grid
    }

    /// Index of the voxel that holds a point, or of the nearest voxel.
    ///
    /// * `point_cm` – in the coordinates of the phantom [cm]
    pub fn voxel_at(&self, point_cm: [f64; 3]) -> [usize; 3] {
        let corner_cm = corner_cm();
        [0, 1, 2].map(|axis| {
            let voxels = ((point_cm[axis] - corner_cm[axis]) / self.grid.spacing_cm()[axis]).floor();
            let last = self.grid.shape()[axis] - 1;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the axis")]
            {
                voxels.clamp(0.0, last as f64) as usize
            }
        })
    }

    /// Label of the region that holds most of each voxel; of two that hold equally much, the lower one.
    pub fn labels(&self) -> Volume<u8> {
        self.volume(|samples| {
            let most = samples.iter().max().expect("there are regions");
            let first = samples.iter().position(|count| count == most).expect("one of them holds most");
            PhantomRegion::ALL[first].label()
        })
    }

    /// CT numbers [HU], averaged over each voxel.
    pub fn ct_numbers(&self) -> Volume<f32> {
        self.volume(|samples| {
            let sum: f32 = PhantomRegion::ALL.iter().zip(samples).map(|(r, &n)| r.ct_number_hu() * f32::from(n)).sum();
            sum / SAMPLES as f32
        })
    }

    /// Volume of a region within the grid [cm³].
    pub fn region_volume_cm3(&self, region: PhantomRegion) -> f64 {
        let points: u64 = self.samples.iter().map(|samples| u64::from(samples[usize::from(region.label())])).sum();
        points as f64 / SAMPLES as f64 * self.grid.voxel_volume_cm3()
    }

    /// Spreads a quantity evenly over the volume of each region, and gives its amount in each voxel.
    ///
    /// * `total` – amount in each region, within the grid; ignored for regions outside the grid
    pub fn spread(&self, total: impl Fn(PhantomRegion) -> f64) -> Volume<f64> {
        let per_point = PhantomRegion::ALL.map(|region| {
            let points = self.region_volume_cm3(region) * SAMPLES as f64 / self.grid.voxel_volume_cm3();
            if points > 0.0 { total(region) / points } else { 0.0 }
        });
        self.volume(|samples| per_point.iter().zip(samples).map(|(value, &n)| value * f64::from(n)).sum())
    }

    fn volume<T>(&self, value: impl FnMut(&[u8; PhantomRegion::ALL.len()]) -> T) -> Volume<T> {
        Volume::from_vec(self.grid.clone(), self.samples.iter().map(value).collect())
            .expect("the samples were taken for each voxel of this grid")
    }
}

/// The corner of the grid at the right, front and lower end of the phantom.
fn corner_cm() -> [f64; 3] {
    [-FIELD_OF_VIEW_XY_CM / 2.0, -FIELD_OF_VIEW_XY_CM / 2.0, FIELD_OF_VIEW_Z_CM[0]]
}

/// Counts the sample points of each region in every voxel, x fastest.
fn sample(grid: &VoxelGrid, corner_cm: [f64; 3]) -> Vec<[u8; PhantomRegion::ALL.len()]> {
    let [nx, ny, _] = grid.shape();
    let step_cm = grid.spacing_cm().map(|d| d / SAMPLES_PER_AXIS as f64);
    let coordinate = |axis: usize, voxel: usize, point: usize| {
        corner_cm[axis] + ((voxel * SAMPLES_PER_AXIS + point) as f64 + 0.5) * step_cm[axis]
    };
    (0..grid.voxels())
        .into_par_iter()
        .map(|index| {
            let voxel = [index % nx, index / nx % ny, index / (nx * ny)];
            let mut counts = [0; PhantomRegion::ALL.len()];
            for point in 0..SAMPLES {
                let point = [
                    point % SAMPLES_PER_AXIS,
                    point / SAMPLES_PER_AXIS % SAMPLES_PER_AXIS,
                    point / SAMPLES_PER_AXIS.pow(2),
                ];
                let at = [0, 1, 2].map(|axis| coordinate(axis, voxel[axis], point[axis]));
                counts[usize::from(PhantomRegion::at(at).label())] += 1;
            }
            counts
        })
        .collect()
}
