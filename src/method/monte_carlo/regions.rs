//! Mean doses of regions, from a tally.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::dosimetry::Dosimetry;
use super::label_sigmas::LabelSigma;
use crate::domain::{GroupTally, LabelMap, RegionDose, UNITS_PER_MEV};

/// The voxels of a region that have a dose.
#[derive(Clone, Copy, Debug, Default)]
struct RegionSize {
    voxels: u64,
    /// The sum of their densities [g/cm³].
    density_g_cm3: f64,
}

/// Sums over the voxels of a region that have a dose.
#[derive(Clone, Copy, Debug, Default)]
struct RegionSum {
    /// Of their doses [Gy].
    gy: f64,
    /// Of their energies [MeV].
    mev: f64,
}

impl Dosimetry<'_> {
    /// Mean doses of each region over the voxels that have a dose, by volume and by mass, with their 1σ. Voxels are
    /// correlated, so the 1σ is taken from the means of the groups.
    ///
    /// * `sigmas` – how uncertain each region is
    pub(super) fn regions(&self, labels: &LabelMap, sigmas: &BTreeMap<u16, LabelSigma>) -> Vec<RegionDose> {
        let labels = labels.labels().as_slice();
        let last = labels.iter().copied().max().map_or(0, usize::from);
        let mut sizes = vec![RegionSize::default(); last + 1];
        for (voxel, &label) in labels.iter().enumerate() {
            if let Some(density) = self.scale.density(voxel).filter(|_| label != 0) {
                sizes[usize::from(label)].voxels += 1;
                sizes[usize::from(label)].density_g_cm3 += density;
            }
        }
        let of_group = |group: &GroupTally| {
            self.region_sums(labels, last, |voxel| group.energy.get(voxel) as f64 / UNITS_PER_MEV * self.decays.total)
        };
        let groups: Vec<Vec<RegionSum>> = self.statistics.tally.groups.par_iter().map(of_group).collect();
        let local = self.region_sums(labels, last, |voxel| self.decays.local_mev(voxel));
        let region = |label: usize| {
            let volume = self.statistics.estimate(|group| groups[group][label].gy);
            let mass = self.statistics.estimate(|group| groups[group][label].mev);
            let RegionSize { voxels, density_g_cm3 } = sizes[label];
            let number = u16::try_from(label).expect("a label has 16 bits");
            let by_mass = |mev: f64| self.scale.dose_by_mass(mev, density_g_cm3);
            RegionDose {
                label: number,
                mean_gy: (volume.mean + local[label].gy) / voxels as f64,
                sigma_gy: volume.sigma / voxels as f64,
                mean_by_mass_gy: by_mass(mass.mean + local[label].mev),
                sigma_by_mass_gy: by_mass(mass.sigma),
                voxel_relative_sigma: sigmas.get(&number).map(|sigma| sigma.voxels),
                held_to: sigmas.get(&number).map(|sigma| sigma.held_to),
            }
        };
        (1..=last).filter(|&label| sizes[label].voxels > 0).map(region).collect()
    }

    /// Sums over each region, by its label, of the voxels that have a dose.
    ///
    /// * `energy_mev` – of a voxel
    fn region_sums(&self, labels: &[u16], last: usize, energy_mev: impl Fn(usize) -> f64) -> Vec<RegionSum> {
        let mut sums = vec![RegionSum::default(); last + 1];
        for (voxel, &label) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
            let mev = energy_mev(voxel);
            if let Some(gy) = self.scale.absorbed_dose(mev, voxel) {
                sums[usize::from(label)].gy += gy;
                sums[usize::from(label)].mev += mev;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::method::monte_carlo::dosimetry::tests::{GY_PER_MEV_IN_1_G, dosimetry, labels, tally};

    #[test]
    fn regions_count_correlations() {
        // Group 0 has 12 in 4, group 1 has 6 in 2: the sum of both voxels does not vary at all, although each does.
        let (tally, density) = (tally(), [1.0, 1.0]);
        let regions = dosimetry(&tally, &density).regions(&labels([3.0, 3.0]), &BTreeMap::new());
        assert_eq!((regions.len(), regions[0].label), (1, 3));
        assert!((regions[0].mean_gy / (1.5 * 12.0 * GY_PER_MEV_IN_1_G) - 1.0).abs() < 1e-12);
        assert!(regions[0].sigma_gy < 1e-12 * regions[0].mean_gy);
        let apart = dosimetry(&tally, &density).regions(&labels([1.0, 2.0]), &BTreeMap::new());
        assert!((apart[0].sigma_gy / apart[0].mean_gy - 0.5f64.sqrt() / 1.5).abs() < 1e-12);
        assert!(dosimetry(&tally, &[0.0, 0.0]).regions(&labels([1.0, 0.0]), &BTreeMap::new()).is_empty());
    }

    #[test]
    fn the_dose_of_a_region_is_energy_over_mass_too() {
        // Means of 1.5 and 1.5 MeV a history in 1 and 3 g; their sum of 3 MeV does not vary, their doses do.
        let (tally, density) = (tally(), [1.0, 3.0]);
        let region = dosimetry(&tally, &density).regions(&labels([1.0, 1.0]), &BTreeMap::new())[0];
        let gy = |mev_per_g: f64| mev_per_g * 12.0 * GY_PER_MEV_IN_1_G;
        assert!((region.mean_by_mass_gy / gy(3.0 / 4.0) - 1.0).abs() < 1e-12, "{region:?}");
        assert!((region.mean_gy / gy((1.5 + 0.5) / 2.0) - 1.0).abs() < 1e-12, "{region:?}");
        assert!(region.sigma_by_mass_gy < 1e-12 * region.mean_by_mass_gy && region.sigma_gy > 0.0, "{region:?}");
        // A voxel without a dose has neither energy nor mass in it.
        let thin = dosimetry(&tally, &[1.0, 0.01]).regions(&labels([1.0, 1.0]), &BTreeMap::new())[0];
        assert!([thin.mean_by_mass_gy, thin.mean_gy].iter().all(|mean| (mean / gy(1.5) - 1.0).abs() < 1e-12));
        assert!((thin.sigma_by_mass_gy / thin.mean_by_mass_gy - 0.5f64.sqrt() / 1.5).abs() < 1e-12, "{thin:?}");
    }
}
