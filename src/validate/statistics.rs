//! Means of a tally and their uncertainty, from the spread of its statistical groups.

use crate::domain::{Tally, UNITS_PER_MEV};

/// A mean and its standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard deviation.
    pub sigma: f64,
}

impl Estimate {
    /// The mean per history of groups of histories, with its uncertainty from the spread of the groups.
    ///
    /// * `groups` – number of histories of each group, and the sum over them
    pub fn of_groups(groups: &[(f64, f64)]) -> Self {
        let histories: f64 = groups.iter().map(|(n, _)| n).sum();
        let mean = groups.iter().map(|(_, sum)| sum).sum::<f64>() / histories;
        let squares: f64 = groups.iter().map(|(n, sum)| (sum - n * mean).powi(2) / n).sum();
        Self { mean, sigma: (squares / (histories * (groups.len() as f64 - 1.0))).sqrt() }
    }

    /// A value without uncertainty.
    pub fn exact(mean: f64) -> Self {
        Self { mean, sigma: 0.0 }
    }

    /// Mean and standard deviation multiplied by a factor.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { mean: self.mean * factor, sigma: self.sigma * factor.abs() }
    }

    /// The quotient of two independent estimates.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        let mean = self.mean / other.mean;
        Self { mean, sigma: (self.sigma / other.mean).hypot(mean * other.sigma / other.mean) }
    }
}

/// Energy per history of a tally, by statistical group and bin. A bin is a set of voxels.
#[derive(Clone, Debug)]
pub struct Binned {
    /// Histories of each group that has any.
    histories: Vec<f64>,
    /// Energy of each of them [MeV], bin by bin.
    energy_mev: Vec<Vec<f64>>,
}

impl Binned {
    /// Sums the scores of a tally over bins.
    ///
    /// * `bin_of` – index of the bin of a voxel, below `bins`; none if it belongs to no bin
    pub fn new(tally: &Tally, bins: usize, bin_of: impl Fn(usize) -> Option<usize>) -> Self {
        let bin_of: Vec<Option<usize>> = (0..tally.voxels()).map(bin_of).collect();
        let groups = || tally.groups.iter().filter(|group| group.histories > 0);
        let sums = groups().map(|group| {
            let mut units = vec![0u128; bins];
            for (energy, bin) in group.energy.iter().zip(&bin_of) {
                if let Some(bin) = bin {
                    units[*bin] += u128::from(energy);
                }
            }
            units.into_iter().map(|units| units as f64 / UNITS_PER_MEV).collect()
        });
        Self { histories: groups().map(|group| group.histories as f64).collect(), energy_mev: sums.collect() }
    }

    /// One bin for each voxel.
    pub fn by_voxel(tally: &Tally) -> Self {
        Self::new(tally, tally.voxels(), Some)
    }

    /// Energy in a bin [MeV per history].
    pub fn mean(&self, bin: usize) -> Estimate {
        let groups: Vec<(f64, f64)> =
            self.histories.iter().zip(&self.energy_mev).map(|(&n, energy)| (n, energy[bin])).collect();
        Estimate::of_groups(&groups)
    }

    /// A function of the energies of all bins [MeV per history], with its uncertainty by the jackknife: one group after
    /// another is left out.
    ///
    /// Source: B. Efron, *The jackknife, the bootstrap and other resampling plans* (1982), chapter 3.
    pub fn of(&self, of: impl Fn(&[f64]) -> f64) -> Estimate {
        let groups = self.histories.len();
        let bins = self.energy_mev.first().map_or(0, Vec::len);
        let total: Vec<f64> = (0..bins).map(|bin| self.energy_mev.iter().map(|energy| energy[bin]).sum()).collect();
        let histories: f64 = self.histories.iter().sum();
        let without = |group: usize| {
            let left = histories - self.histories[group];
            let energy: Vec<f64> =
                total.iter().zip(&self.energy_mev[group]).map(|(all, one)| (all - one) / left).collect();
            of(&energy)
        };
        let values: Vec<f64> = (0..groups).map(without).collect();
        let centre = values.iter().sum::<f64>() / groups as f64;
        let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
        let mean: Vec<f64> = total.iter().map(|energy| energy / histories).collect();
        Estimate { mean: of(&mean), sigma: (squares * (groups as f64 - 1.0) / groups as f64).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::GroupTally;

    fn tally(histories: [u64; 4], energy: [[u64; 2]; 4]) -> Tally {
        let group = |(histories, energy): (u64, [u64; 2])| GroupTally {
            histories,
            energy: energy.map(|mev| mev << 26).into(),
            ..GroupTally::default()
        };
        Tally::of(histories.into_iter().zip(energy).map(group).collect())
    }

    #[test]
    fn the_spread_of_groups_is_the_standard_error() {
        let tally = tally([10; 4], [[10, 0], [14, 1], [12, 2], [8, 1]]);
        // Per history 1.0, 1.4, 1.2, 0.8: mean 1.1, standard deviation √(0.2 / 3), standard error that over 2.
        let found = Binned::by_voxel(&tally).mean(0);
        assert!((found.mean - 1.1).abs() < 1e-12 && (found.sigma - (0.2f64 / 3.0).sqrt() / 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_jackknife_gives_the_same_for_a_sum() {
        let binned = Binned::by_voxel(&tally([10; 4], [[10, 0], [14, 1], [12, 2], [8, 1]]));
        let (direct, jackknife) = (binned.mean(0), binned.of(|energy| energy[0]));
        assert!((direct.mean - jackknife.mean).abs() < 1e-12 && (direct.sigma - jackknife.sigma).abs() < 1e-12);
        // Parts that always add up to the same have no uncertainty together.
        let both = Binned::new(&tally([10; 4], [[5, 5], [4, 6], [6, 4], [5, 5]]), 1, |_| Some(0)).mean(0);
        assert_eq!(both, Estimate::exact(1.0));
    }

    #[test]
    fn groups_without_histories_do_not_count() {
        let binned = Binned::by_voxel(&tally([10, 10, 0, 0], [[10, 0], [12, 0], [0, 0], [0, 0]]));
        assert!((binned.mean(0).mean - 1.1).abs() < 1e-12 && (binned.mean(0).sigma - 0.1).abs() < 1e-12);
    }

    #[test]
    fn quotients_carry_both_uncertainties() {
        let ratio = Estimate { mean: 2.0, sigma: 0.06 }.over(Estimate { mean: 4.0, sigma: 0.16 });
        assert!((ratio.mean - 0.5).abs() < 1e-12 && (ratio.sigma - 0.025).abs() < 1e-12);
        assert_eq!(Estimate { mean: 2.0, sigma: 0.5 }.scaled(-2.0), Estimate { mean: -4.0, sigma: 1.0 });
    }
}
