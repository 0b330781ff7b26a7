//! Means and their uncertainties from the spread of the statistical groups.
//!
//! The groups are independent and equivalent, so the variance of the mean energy per history `m = Σ E_g / N` is `Σ n_g
//! (E_g / n_g − m)² / (N (K − 1))`, with `n_g` of the `N` histories in group `g` of `K`.

use crate::domain::{Tally, UNITS_PER_MEV};

/// A mean per history and its standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MeanSigma {
    pub(super) mean: f64,
    pub(super) sigma: f64,
}

/// A tally and the weights of its groups.
pub(super) struct Statistics<'a> {
    pub(super) tally: &'a Tally,
    /// Number of histories of each group that has any.
    weights: Vec<(usize, f64)>,
    histories: f64,
}

impl<'a> Statistics<'a> {
    pub(super) fn new(tally: &'a Tally) -> Self {
        let counts = tally.groups.iter().map(|group| group.histories as f64).enumerate();
        let weights: Vec<(usize, f64)> = counts.filter(|(_, count)| *count > 0.0).collect();
        let histories = weights.iter().map(|(_, count)| count).sum();
        Self { tally, weights, histories }
    }

    /// Mean per history of a quantity, and its uncertainty. Both are 0 without histories.
    ///
    /// * `total` – sum of the quantity over the histories of a group
    pub(super) fn estimate(&self, total: impl Fn(usize) -> f64) -> MeanSigma {
        if self.weights.is_empty() {
            return MeanSigma { mean: 0.0, sigma: 0.0 };
        }
        let mean = self.weights.iter().map(|&(group, _)| total(group)).sum::<f64>() / self.histories;
        let spread = |&(group, count): &(usize, f64)| (total(group) - count * mean).powi(2) / count;
        let squares: f64 = self.weights.iter().map(spread).sum();
        let freedom = (self.weights.len() - 1).max(1) as f64;
        MeanSigma { mean, sigma: (squares / freedom / self.histories).sqrt() }
    }

    /// Energy scored in a voxel [MeV per history].
    pub(super) fn voxel(&self, voxel: usize) -> MeanSigma {
        self.estimate(|group| self.tally.groups[group].energy.get(voxel) as f64 / UNITS_PER_MEV)
    }

    /// The same without the uncertainty.
    pub(super) fn voxel_mean(&self, voxel: usize) -> f64 {
        let units: u128 = self.tally.groups.iter().map(|group| u128::from(group.energy.get(voxel))).sum();
        if units == 0 { 0.0 } else { units as f64 / UNITS_PER_MEV / self.histories }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::GroupTally;

    #[test]
    fn mean_and_sigma_are_those_of_the_formula() {
        let group = |histories, mev: u64| GroupTally { histories, energy: [mev << 26].into(), ..GroupTally::default() };
        let tally = Tally::of(vec![group(4, 8), group(2, 1)]);
        // m = 9/6; Σ n (E/n − m)² = 4 (2 − 1.5)² + 2 (0.5 − 1.5)² = 3, over N (K − 1) = 6.
        let estimate = Statistics::new(&tally).voxel(0);
        assert_eq!(estimate.mean, 1.5);
        assert!((estimate.sigma - 0.5f64.sqrt()).abs() < 1e-15);
        let none = Tally::new(4, 1);
        assert_eq!(Statistics::new(&none).voxel(0), MeanSigma { mean: 0.0, sigma: 0.0 });
    }

    #[test]
    fn sigma_is_the_spread_of_repeated_runs() {
        // Energies of histories are exponential with mean 1: the mean of N varies by 1/√N. 400 runs; the mean of σ² has
        // 2/(400·31) of relative variance.
        let mut state = 7u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let (mut means, mut variances) = (Vec::new(), Vec::new());
        for _ in 0..400 {
            let mut tally = Tally::new(32, 1);
            for history in 0..1000 {
                let group = &mut tally.groups[history % 32];
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 40 MeV")]
                let units = (-uniform().ln() * UNITS_PER_MEV) as u32;
                group.energy.add(0, units);
                group.histories += 1;
            }
            let estimate = Statistics::new(&tally).voxel(0);
            means.push(estimate.mean);
            variances.push(estimate.sigma.powi(2));
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let centre = mean(&means);
        let spread = mean(&means.iter().map(|m| (m - centre).powi(2)).collect::<Vec<_>>());
        // Spread of 400: 7 % at 1σ; five times that is exceeded once in 10⁶.
        assert!((spread / mean(&variances) - 1.0).abs() < 0.35, "{spread} {}", mean(&variances));
        assert!((mean(&variances) * 1000.0 - 1.0).abs() < 0.08, "{}", mean(&variances));
    }
}
