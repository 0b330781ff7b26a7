//! Means over voxels: densities, and whatever else is per volume, such as activity concentrations.

use rayon::prelude::*;

use super::Resampler;
use super::alignment::Alignment;
use super::lattice::{add, displacements, position, voxel_at};
use super::separable::{overlap_sums, overlaps};
use crate::domain::grid::{Affine, apply};
use crate::domain::{Invalid, Volume};

/// A target voxel with less of it in the source's field of view than this is not covered.
const COVERED: f64 = 1.0 - 1e-6;

/// A map of means, and what was kept.
#[derive(Clone, Debug)]
pub struct Averaged {
    /// Mean of the source over each voxel of the target.
    pub volume: Volume<f32>,
    /// Sum over the source of value times volume: for a density, the mass [unit of the map · cm³].
    pub integral_before: f64,
    /// The same over the target, without what was put in outside the source.
    pub integral_after: f64,
    /// Voxels of the target that do not lie in the source's field of view, or not all of them.
    pub uncovered_voxels: usize,
}

impl Resampler {
    /// The mean over each voxel of the target. The integral is kept: exactly where axes run along one another, within
    /// some 1e-4 for oblique grids.
    ///
    /// * `outside` – the value outside the source
    ///
    /// # Errors
    /// If the volume is not on the source's grid.
    pub fn average(&self, volume: &Volume<f32>, outside: f32) -> Result<Averaged, Invalid> {
        self.check_source(volume)?;
        let before = integral(volume.as_slice(), self.source.voxel_volume_cm3());
        if let Some(volume) = self.reordered(volume) {
            return Ok(Averaged { volume, integral_before: before, integral_after: before, uncovered_voxels: 0 });
        }
        let values = volume.as_slice();
        let (sums, coverage) = match &self.alignment {
            Alignment::Oblique(matrix) => self.sampled_means(values, matrix),
            Alignment::Aligned(axes) | Alignment::Reordered(axes) => {
                let whole = axes.iter().map(|axis| axis.scale.abs()).product::<f64>();
                let mut sums =
                    overlap_sums(values, self.source.shape(), axes, self.target.shape(), &|| self.is_stopped());
                sums.par_iter_mut().for_each(|sum| *sum /= whole);
                (sums, self.coverage())
            }
        };
        let integral_after = sums.iter().sum::<f64>() * self.target.voxel_volume_cm3();
        let uncovered_voxels = coverage.iter().filter(|&&covered| covered < COVERED).count();
        let fill = f64::from(outside);
        #[expect(clippy::cast_possible_truncation, reason = "single precision is what is computed with")]
        let mean = |(sum, covered): (f64, f64)| (sum + (1.0 - covered).max(0.0) * fill) as f32;
        let means = sums.into_iter().zip(coverage).map(mean).collect();
        let volume = Volume::from_vec(self.target.clone(), means)?;
        Ok(Averaged { volume, integral_before: before, integral_after, uncovered_voxels })
    }

    /// The part of each voxel of the target that lies in the source's field of view.
    pub fn coverage(&self) -> Vec<f64> {
        let (source, target) = (self.source.shape(), self.target.shape());
        match &self.alignment {
            Alignment::Oblique(matrix) => {
                let points = displacements(matrix, self.target.voxels());
                let inside = |index: usize| {
                    if self.is_stopped() {
                        return 0.0;
                    }
                    let centre = apply(matrix, position(index, target));
                    let count = points.iter().filter(|&&point| voxel_at(add(centre, point), source).is_some()).count();
                    count as f64 / points.len() as f64
                };
                (0..self.target.voxels()).into_par_iter().map(inside).collect()
            }
            Alignment::Aligned(axes) | Alignment::Reordered(axes) => {
                let [x, y, z] = [0, 1, 2].map(|axis: usize| {
                    let parts = overlaps(&axes[axis], source[axes[axis].source], target[axis]);
                    let part = |lengths: &[f64]| lengths.iter().sum::<f64>() / axes[axis].scale.abs();
                    parts.iter().map(|overlap| part(&overlap.lengths)).collect::<Vec<f64>>()
                });
                z.iter()
                    .flat_map(|z| y.iter().map(move |y| y * z))
                    .flat_map(|yz| x.iter().map(move |x| x * yz))
                    .collect()
            }
        }
    }

    /// Sums over sampled points, and the part of them that lies in the source.
    fn sampled_means(&self, values: &[f32], matrix: &Affine) -> (Vec<f64>, Vec<f64>) {
        let (source, target) = (self.source.shape(), self.target.shape());
        let points = displacements(matrix, self.target.voxels());
        let mean = |index: usize| {
            if self.is_stopped() {
                return (0.0, 0.0);
            }
            let centre = apply(matrix, position(index, target));
            let (mut sum, mut inside) = (0.0, 0u32);
            for &point in &points {
                if let Some(voxel) = voxel_at(add(centre, point), source) {
                    sum += f64::from(values[voxel]);
                    inside += 1;
                }
            }
            let count = points.len() as f64;
            (sum / count, f64::from(inside) / count)
        };
        (0..self.target.voxels()).into_par_iter().map(mean).unzip()
    }

    /// # Errors
    /// If the volume is not on the source's grid.
    pub(super) fn check_source<T>(&self, volume: &Volume<T>) -> Result<(), Invalid> {
        if volume.grid() == &self.source {
            Ok(())
        } else {
            Err(Invalid::new("is not on the grid that it is taken from"))
        }
    }
}

fn integral(values: &[f32], voxel_cm3: f64) -> f64 {
    values.iter().map(|&v| f64::from(v)).sum::<f64>() * voxel_cm3
}
