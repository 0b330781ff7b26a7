//! Means and their uncertainties from the spread of the statistical groups.
//!
//! The groups are independent and equivalent, so the variance of the mean energy per history `m = Σ E_g / N` is `Σ n_g
//! (E_g / n_g − m)² / (N (K − 1))`, with `n_g` of the `N` histories in group `g` of `K`.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::domain::summed::truncated;
use crate::domain::{GroupTally, Summed, Tally, UNITS_PER_MEV};

/// A mean per history and its standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MeanSigma {
    pub(super) mean: f64,
    pub(super) sigma: f64,
}

/// Where the energy of the histories is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scores<'a> {
    /// By group and voxel.
    Tally(&'a Tally),
    /// Summed up by a device. Every statistic is the same, to the last bit.
    Summed(&'a Summed),
}

/// What histories scored, and the weights of their groups.
pub(super) struct Statistics<'a> {
    pub(super) scores: Scores<'a>,
    /// The groups that have histories, by how many they have.
    classes: Vec<(u64, Vec<usize>)>,
    histories: u64,
}

impl<'a> Statistics<'a> {
    pub(super) fn new(tally: &'a Tally) -> Self {
        Self::of(Scores::Tally(tally), tally.groups.iter().map(|group| group.histories))
    }

    pub(super) fn of_summed(summed: &'a Summed) -> Self {
        Self::of(Scores::Summed(summed), summed.histories.iter().copied())
    }

    fn of(scores: Scores<'a>, histories: impl Iterator<Item = u64> + Clone) -> Self {
        let mut classes = BTreeMap::<u64, Vec<usize>>::new();
        for (group, count) in histories.clone().enumerate().filter(|(_, count)| *count > 0) {
            classes.entry(count).or_default().push(group);
        }
        Self { scores, classes: classes.into_iter().collect(), histories: histories.sum() }
    }

    /// Number of voxels.
    pub(super) fn voxels(&self) -> usize {
        match self.scores {
            Scores::Tally(tally) => tally.voxels(),
            Scores::Summed(summed) => summed.energy.len(),
        }
    }

    /// Energy scored by each group in all voxels [units].
    pub(super) fn scored(&self) -> Vec<u128> {
        match self.scores {
            Scores::Tally(tally) => tally.groups.par_iter().map(GroupTally::scored).collect(),
            Scores::Summed(summed) => summed.scored.clone(),
        }
    }

    /// The groups that have histories, each with their number.
    fn weights(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.classes.iter().flat_map(|(count, groups)| groups.iter().map(|&group| (group, *count as f64)))
    }

    /// Degrees of freedom of the spread of the groups.
    fn freedom(&self) -> f64 {
        let groups: usize = self.classes.iter().map(|(_, groups)| groups.len()).sum();
        groups.saturating_sub(1).max(1) as f64
    }

    /// Mean per history of a quantity, and its uncertainty. Both are 0 without histories.
    ///
    /// * `total` – sum of the quantity over the histories of a group
    pub(super) fn estimate(&self, total: impl Fn(usize) -> f64) -> MeanSigma {
        if self.histories == 0 {
            return MeanSigma { mean: 0.0, sigma: 0.0 };
        }
        let histories = self.histories as f64;
        let mean = self.weights().map(|(group, _)| total(group)).sum::<f64>() / histories;
        let squares: f64 = self.weights().map(|(group, count)| (total(group) - count * mean).powi(2) / count).sum();
        MeanSigma { mean, sigma: (squares / self.freedom() / histories).sqrt() }
    }

    /// Energy scored in a voxel [MeV per history].
    ///
    /// `Σ n_g (E_g / n_g − m)²` is `Σ d_g² / n_g − (Σ d_g)² / N`, where `d_g = E_g − n_g ⌊E / N⌋` is a whole number of
    /// units. The squares of groups with as many histories are summed up as whole numbers.
    pub(super) fn voxel(&self, voxel: usize) -> MeanSigma {
        let energy = self.units(voxel);
        if energy == 0 {
            return MeanSigma { mean: 0.0, sigma: 0.0 };
        }
        let a_history = energy / u128::from(self.histories);
        let rest = (energy % u128::from(self.histories)) as f64;
        let histories = self.histories as f64;
        let squares: f64 = match self.scores {
            Scores::Tally(tally) => {
                let of_class = |(count, groups): &(u64, Vec<usize>)| {
                    let due = a_history.saturating_mul(u128::from(*count));
                    let distance = |group: &usize| u128::from(tally.groups[*group].energy.get(voxel)).abs_diff(due);
                    let square = |distance: u128| distance.saturating_mul(distance);
                    let sum = groups.iter().map(distance).map(square).fold(0, u128::saturating_add);
                    f64::from(truncated(sum)) / *count as f64
                };
                self.classes.iter().map(of_class).sum()
            }
            Scores::Summed(summed) => {
                summed.squares.iter().map(|(count, squares)| f64::from(squares[voxel]) / *count as f64).sum()
            }
        };
        let variance = (squares - rest * rest / histories).max(0.0) / self.freedom() / histories;
        MeanSigma { mean: energy as f64 / UNITS_PER_MEV / histories, sigma: variance.sqrt() / UNITS_PER_MEV }
    }

    /// The same without the uncertainty.
    pub(super) fn voxel_mean(&self, voxel: usize) -> f64 {
        let units = self.units(voxel);
        if units == 0 { 0.0 } else { units as f64 / UNITS_PER_MEV / self.histories as f64 }
    }

    /// Energy scored in a voxel by all histories [units].
    pub(super) fn units(&self, voxel: usize) -> u128 {
        match self.scores {
            Scores::Tally(tally) => tally.groups.iter().map(|group| u128::from(group.energy.get(voxel))).sum(),
            Scores::Summed(summed) => summed.energy[voxel].into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Regions;

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

    /// Sums of all sizes, of groups with 7 histories, 8, and none.
    fn uneven() -> Tally {
        let mut state = 11u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> (10 + (state >> 20) % 50)
        };
        let group = |number: usize| GroupTally {
            histories: [8, 8, 7, 8, 7, 7, 7, 0][number],
            energy: (0..200).map(|voxel| if number == 7 || voxel == 9 { 0 } else { next() >> 3 }).collect(),
            ..GroupTally::default()
        };
        Tally::of((0..8).map(group).collect())
    }

    #[test]
    fn what_a_device_sums_up_gives_the_same_statistics() {
        let tally = uneven();
        let summed = Summed::of(&tally, &Regions { labels: Vec::new(), of_voxel: vec![0; 200], weights: vec![0; 200] });
        let (here, there) = (Statistics::new(&tally), Statistics::of_summed(&summed));
        assert_eq!((here.voxels(), there.voxels()), (200, 200));
        for voxel in 0..200 {
            assert_eq!(here.voxel(voxel), there.voxel(voxel));
            assert_eq!((here.units(voxel), here.voxel_mean(voxel)), (there.units(voxel), there.voxel_mean(voxel)));
            // What the formula gives in double precision.
            let plain = here.estimate(|group| tally.groups[group].energy.get(voxel) as f64 / UNITS_PER_MEV);
            let MeanSigma { mean, sigma } = here.voxel(voxel);
            assert!((mean - plain.mean).abs() <= 1e-14 * plain.mean, "{voxel}: {mean} {plain:?}");
            // Squares are truncated by up to a unit in the last place of single precision.
            let truncation = 0.5 * f64::from(f32::EPSILON);
            assert!((sigma - plain.sigma).abs() <= truncation * plain.sigma, "{voxel}: {sigma} {plain:?}");
        }
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
