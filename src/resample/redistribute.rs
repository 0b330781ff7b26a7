//! What is per voxel and has a total: activities and decays.

use std::sync::Arc;

use rayon::prelude::*;

use super::Resampler;
use super::alignment::Alignment;
use super::lattice::{add, displacements, position, voxel_at};
use super::separable::overlap_sums;
use crate::domain::grid::{Affine, apply};
use crate::domain::transform::inverse;
use crate::domain::{Invalid, RigidTransform, Volume, VoxelGrid};

/// Numbers that tallies of oblique grids may take together [values].
const TALLY_VALUES: usize = 1 << 25;
/// Most tallies.
const MAX_TALLIES: usize = 8;

/// A map whose total was kept.
#[derive(Clone, Debug)]
pub struct Redistributed {
    /// What is in each voxel of the target.
    pub volume: Volume<f32>,
    /// Sum over the source.
    pub total_before: f64,
    /// Sum over the target.
    pub total_after: f64,
}

/// How many tallies oblique grids are summed in.
fn tallies(target_voxels: usize) -> usize {
    (TALLY_VALUES / target_voxels).clamp(1, MAX_TALLIES)
}

/// Values of all tallies together.
pub(super) fn tally_values(target_voxels: usize) -> u64 {
    (tallies(target_voxels) * target_voxels) as u64
}

impl Redistributed {
    /// The part of the total that lies outside the target.
    pub fn share_outside(&self) -> f64 {
        if self.total_before == 0.0 { 0.0 } else { (1.0 - self.total_after / self.total_before).max(0.0) }
    }
}

impl Resampler {
    /// Gives to each voxel of the target what the source has where they overlap. Nothing is lost but what lies outside
    /// the target: the total is kept to 1e-6 or better, for oblique grids too.
    ///
    /// # Errors
    /// If the volume is not on the source's grid.
    pub fn redistribute(&self, volume: &Volume<f32>) -> Result<Redistributed, Invalid> {
        self.check_source(volume)?;
        let total = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>();
        let total_before = total(volume.as_slice());
        let volume = match (self.reordered(volume), &self.alignment) {
            (Some(volume), _) => volume,
            (None, Alignment::Aligned(axes) | Alignment::Reordered(axes)) => {
                let sums = overlap_sums(volume.as_slice(), self.source.shape(), axes, self.target.shape(), &|| {
                    self.is_stopped()
                });
                self.on_target(sums)?
            }
            (None, Alignment::Oblique(matrix)) => self.on_target(self.scattered(volume.as_slice(), matrix))?,
        };
        Ok(Redistributed { total_before, total_after: total(volume.as_slice()), volume })
    }

    /// Each voxel of the source, cut into equal parts at sampled points, each part in the voxel of the target that it
    /// lies in.
    fn scattered(&self, values: &[f32], to_source: &Affine) -> Vec<f64> {
        let (source, target) = (self.source.shape(), self.target.shape());
        let to_target = inverse(to_source).expect("the product of two affines that can be inverted");
        let points = displacements(&to_target, self.source.voxels());
        // The number of tallies follows from the grids alone, so that sums do not depend on the threads there are.
        let tallies = tallies(self.target.voxels());
        let share = values.len().div_ceil(tallies);
        let tally = |(at, values): (usize, &[f32])| {
            let mut sums = vec![0.0; self.target.voxels()];
            for (offset, &value) in values.iter().enumerate().filter(|(_, value)| **value != 0.0) {
                if self.is_stopped() {
                    break;
                }
                let centre = apply(&to_target, position(at * share + offset, source));
                let part = f64::from(value) / points.len() as f64;
                for &point in &points {
                    if let Some(voxel) = voxel_at(add(centre, point), target) {
                        sums[voxel] += part;
                    }
                }
            }
            sums
        };
        let mut all: Vec<Vec<f64>> = values.par_chunks(share).enumerate().map(tally).collect();
        let mut sums = all.pop().expect("a grid has voxels");
        while let Some(other) = all.pop() {
            sums.par_iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
        }
        sums
    }

    #[expect(clippy::cast_possible_truncation, reason = "single precision is what is computed with")]
    fn on_target(&self, values: Vec<f64>) -> Result<Volume<f32>, Invalid> {
        Volume::from_vec(self.target.clone(), values.into_iter().map(|value| value as f32).collect())
    }
}

/// The part of an activity that lies outside the field of view of another map, such as a CT.
///
/// * `transform` – from points of the activity to those of the other map
pub fn share_outside(activity: &Volume<f32>, view: &Arc<VoxelGrid>, transform: &RigidTransform) -> f64 {
    let resampler = Resampler::new(view, activity.grid(), transform);
    if resampler.is_reordering() {
        return 0.0;
    }
    let (mut all, mut outside) = (0.0, 0.0);
    for (&value, covered) in activity.as_slice().iter().zip(resampler.coverage()) {
        all += f64::from(value);
        outside += f64::from(value) * (1.0 - covered).max(0.0);
    }
    if all > 0.0 { outside / all } else { 0.0 }
}
