//! What a SPECT image shows of an activity: blurred and noisy.

use ndarray::Axis;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Poisson};
use rayon::prelude::*;

use crate::domain::Volume;

/// Width of a Gaussian at half its height, in standard deviations: 2·√(2·ln 2).
const FWHM_PER_SIGMA: f64 = 2.354_820_045_030_949_3;
/// Where a Gaussian is cut off, in standard deviations; a fraction of 6e-5 lies beyond.
const CUTOFF_SIGMA: f64 = 4.0;

/// An imaging system: it blurs an activity, counts, and smooths.
#[derive(Clone, Copy, Debug)]
pub struct Spect {
    /// Resolution of the reconstructed image before smoothing [mm FWHM].
    pub resolution_fwhm_mm: f64,
    /// Smoothing after reconstruction [mm FWHM].
    pub filter_fwhm_mm: f64,
    /// Independent counts in the image. A scan detects more, but reconstruction from projections is noisier than
    /// counting in voxels.
    pub noise_equivalent_counts: f64,
    /// Seed of the noise.
    pub seed: u64,
}

impl Default for Spect {
    /// A dual-head camera with a medium-energy collimator, half an hour, and reconstruction with resolution recovery: a
    /// resolution of 10 mm in all, and a coefficient of variation of about 10 % in voxels of the liver.
    fn default() -> Self {
        Self { resolution_fwhm_mm: 8.0, filter_fwhm_mm: 6.0, noise_equivalent_counts: 5e5, seed: 177 }
    }
}

impl Spect {
    /// The image of an activity. It has the same sum, as from a calibrated camera.
    ///
    /// * `truth` – activity, or time-integrated activity, of each voxel, in any unit; not negative
    pub fn image(&self, truth: &Volume<f64>) -> Volume<f32> {
        let total: f64 = truth.as_slice().iter().sum();
        if total <= 0.0 {
            return truth.map(|_| 0.0);
        }
        let mut image = blur(truth, self.resolution_fwhm_mm);
        self.count(image.as_mut_slice(), self.noise_equivalent_counts / total);
        let image = blur(&image, self.filter_fwhm_mm);
        let seen: f64 = image.as_slice().iter().sum();
        #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
        image.map(|value| (value * total / seen) as f32)
    }

    /// Replaces every expected value by a count. Each voxel has its own stream of random numbers: the last bit of an
    /// expected value may differ between machines, and must not change other voxels.
    fn count(&self, values: &mut [f64], counts_per_unit: f64) {
        let rng = ChaCha8Rng::seed_from_u64(self.seed);
        values.par_iter_mut().enumerate().for_each(|(index, value)| {
            // A mean of 0 has no counts, and `Poisson` refuses it.
            if let Ok(counts) = Poisson::new(*value * counts_per_unit) {
                let mut rng = rng.clone();
                rng.set_stream(index as u64);
                *value = counts.sample(&mut rng);
            }
        });
    }
}

/// Convolves with a Gaussian. What would leave the grid is reflected at its faces, as if the patient continued beyond
/// them, so that the sum is kept.
fn blur(volume: &Volume<f64>, fwhm_mm: f64) -> Volume<f64> {
    let mut data = volume.data().to_owned();
    for (axis, spacing_mm) in volume.grid().spacing_mm().into_iter().enumerate() {
        let weights = gaussian(fwhm_mm / FWHM_PER_SIGMA / spacing_mm);
        let lanes: Vec<_> = data.lanes_mut(Axis(axis)).into_iter().collect();
        lanes.into_par_iter().for_each(|mut lane| {
            let values = lane.to_vec();
            for (i, out) in lane.iter_mut().enumerate() {
                *out = weights[0] * values[i];
                for (k, weight) in weights.iter().enumerate().skip(1) {
                    let [before, after] =
                        [reflect_below(i, k), i + k].map(|at| values[reflect_above(at, values.len())]);
                    *out += weight * (before + after);
                }
            }
        });
    }
    Volume::from_vec(volume.grid().clone(), data.into_raw_vec_and_offset().0).expect("the blur keeps the shape")
}

/// Weights of a Gaussian at distances of 0, 1, 2, … voxels. Over both sides they add up to 1.
fn gaussian(sigma_voxels: f64) -> Vec<f64> {
    let weight = |k: f64| (-0.5 * (k / sigma_voxels).powi(2)).exp();
    let weights: Vec<f64> =
        (0..).map(f64::from).take_while(|&k| k == 0.0 || k <= CUTOFF_SIGMA * sigma_voxels).map(weight).collect();
    let sum = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
    weights.into_iter().map(|w| w / sum).collect()
}

/// Index `i − k`, reflected at the lower face: −1 is 0, −2 is 1.
fn reflect_below(i: usize, k: usize) -> usize {
    if k <= i { i - k } else { k - i - 1 }
}

/// Index reflected at the upper face as often as it takes, also for axes shorter than the Gaussian.
fn reflect_above(i: usize, n: usize) -> usize {
    let folded = i % (2 * n);
    if folded < n { folded } else { 2 * n - 1 - folded }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::VoxelGrid;

    fn point_source(shape: [u64; 3], at: [usize; 3]) -> Volume<f64> {
        let grid = Arc::new(VoxelGrid::new(shape, [2.0, 3.0, 4.0]).expect("a good grid"));
        let mut values = vec![0.0; grid.voxels()];
        let [nx, ny, _] = grid.shape();
        values[at[0] + nx * (at[1] + ny * at[2])] = 1000.0;
        Volume::from_vec(grid, values).expect("as many values as voxels")
    }

    #[test]
    fn blur_has_the_width_asked_for_and_keeps_the_sum() {
        let source = point_source([41, 31, 25], [20, 15, 12]);
        let image = blur(&source, 12.0);
        let sum: f64 = image.as_slice().iter().sum();
        assert!((sum - 1000.0).abs() < 1e-9, "{sum}");
        for axis in 0..3 {
            let spacing_mm = image.grid().spacing_mm()[axis];
            let centre = [20.0, 15.0, 12.0][axis];
            let variance: f64 = image
                .data()
                .indexed_iter()
                .map(|((x, y, z), v)| v / sum * (([x, y, z][axis] as f64 - centre) * spacing_mm).powi(2))
                .sum();
            let fwhm = variance.sqrt() * FWHM_PER_SIGMA;
            // The cut-off at four standard deviations takes 0.1 % of the width.
            assert!((fwhm / 12.0 - 1.0).abs() < 2e-3, "axis {axis}: {fwhm} mm");
        }
    }

    #[test]
    fn blur_keeps_the_sum_at_faces_and_on_thin_grids() {
        for (shape, at) in [([5, 4, 3], [0, 3, 1]), ([1, 1, 1], [0, 0, 0]), ([2, 1, 30], [1, 0, 29])] {
            let sum: f64 = blur(&point_source(shape, at), 30.0).as_slice().iter().sum();
            assert!((sum - 1000.0).abs() < 1e-9, "{shape:?}: {sum}");
        }
    }

    #[test]
    fn counts_have_poisson_mean_and_variance() {
        let spect = Spect { noise_equivalent_counts: 0.0, ..Spect::default() };
        let n = 200_000;
        for mean in [0.3, 5.0, 40.0] {
            let mut values = vec![mean; n];
            spect.count(&mut values, 1.0);
            let found = values.iter().sum::<f64>() / n as f64;
            let variance = values.iter().map(|v| (v - found).powi(2)).sum::<f64>() / n as f64;
            // Five standard errors of the mean and of the variance of a Poisson distribution: a false alarm in 2e6.
            assert!((found - mean).abs() < 5.0 * (mean / n as f64).sqrt(), "mean {found}, expected {mean}");
            let error = ((mean + 2.0 * mean * mean) / n as f64).sqrt();
            assert!((variance - mean).abs() < 5.0 * error, "variance {variance}, expected {mean}");
        }
    }

    #[test]
    fn nothing_gives_an_empty_image() {
        let nothing = point_source([4, 4, 4], [0, 0, 0]).map(|_| 0.0);
        assert!(Spect::default().image(&nothing).as_slice().iter().all(|&v| v == 0.0));
    }
}
