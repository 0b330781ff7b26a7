//! Mean doses of regions, from a tally.

use std::collections::{BTreeMap, BTreeSet};

use super::dosimetry::Dosimetry;
use super::label_sigmas::LabelSigma;
use super::statistics::Scores;
use crate::domain::summed::{FULL_WEIGHT, RegionSums};
use crate::domain::tally::to_mev;
use crate::domain::{LabelMap, RegionDose, Regions};
use crate::method::mass::DoseScale;

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
    pub(super) fn regions(&self, map: &LabelMap, sigmas: &BTreeMap<u16, LabelSigma>) -> Vec<RegionDose> {
        let labels = map.labels().as_slice();
        let last = labels.iter().copied().max().map_or(0, usize::from);
        let mut sizes = vec![RegionSize::default(); last + 1];
        for (voxel, &label) in labels.iter().enumerate() {
            if let Some(density) = self.scale.density(voxel).filter(|_| label != 0) {
                sizes[usize::from(label)].voxels += 1;
                sizes[usize::from(label)].density_g_cm3 += density;
            }
        }
        let groups = self.region_groups(map);
        let least_g_cm3 = least_density(&self.scale, labels);
        let mean = self.region_sums(labels, last, |voxel| {
            self.statistics.voxel_mean(voxel) * self.decays.total + self.decays.local_mev(voxel)
        });
        let region = |label: usize| {
            let number = u16::try_from(label).expect("a label has 16 bits");
            let RegionSize { voxels, density_g_cm3 } = sizes[label];
            let sigma =
                |units: &[u128]| self.statistics.estimate(|group| to_mev(units[group])).sigma * self.decays.total;
            let weighted_mev = sigma(&groups[&number].weighted) / f64::from(FULL_WEIGHT);
            RegionDose {
                label: number,
                mean_gy: mean[label].gy / voxels as f64,
                sigma_gy: self.scale.dose_by_mass(weighted_mev, least_g_cm3) / voxels as f64,
                mean_by_mass_gy: self.scale.dose_by_mass(mean[label].mev, density_g_cm3),
                sigma_by_mass_gy: self.scale.dose_by_mass(sigma(&groups[&number].energy), density_g_cm3),
                voxel_relative_sigma: sigmas.get(&number).map(|sigma| sigma.voxels),
                held_to: sigmas.get(&number).map(|sigma| sigma.held_to),
            }
        };
        (1..=last).filter(|&label| sizes[label].voxels > 0).map(region).collect()
    }

    /// What each group scored in each region, by label.
    pub(super) fn region_groups(&self, map: &LabelMap) -> BTreeMap<u16, RegionSums> {
        match self.statistics.scores {
            Scores::Tally(tally) => numbered(Some(map), &self.scale, tally.voxels()).of(tally),
            Scores::Summed(summed) => summed.regions.clone(),
        }
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

/// The regions of a map by number, of the voxels that have a dose. Their weights are in proportion to the dose of a
/// voxel for an energy: the reciprocals of their densities, in whole numbers.
pub(super) fn numbered(map: Option<&LabelMap>, scale: &DoseScale<'_>, voxels: usize) -> Regions {
    let Some(map) = map else {
        return Regions { labels: Vec::new(), of_voxel: vec![0; voxels], weights: vec![0; voxels] };
    };
    let labels = map.labels().as_slice();
    let least_g_cm3 = least_density(scale, labels);
    let with_dose = || labels.iter().enumerate().map(|(voxel, &label)| (label, scale.density(voxel)));
    let all: BTreeSet<u16> = with_dose().filter(|(label, has)| *label != 0 && has.is_some()).map(|(l, _)| l).collect();
    let numbers: BTreeMap<u16, u32> = all.iter().copied().zip(1..).collect();
    let number = |(label, density): (u16, Option<f64>)| density.and_then(|_| numbers.get(&label)).copied().unwrap_or(0);
    let weight = |(label, density): (u16, Option<f64>)| {
        let part = density.filter(|_| label != 0).map_or(0.0, |density| least_g_cm3 / density);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^31; rounded down")]
        let weight = (part * f64::from(FULL_WEIGHT)) as u32;
        weight
    };
    Regions {
        of_voxel: with_dose().map(number).collect(),
        weights: with_dose().map(weight).collect(),
        labels: all.into_iter().collect(),
    }
}

/// The lowest density of a voxel in a region that has a dose [g/cm³]; infinite without any.
fn least_density(scale: &DoseScale<'_>, labels: &[u16]) -> f64 {
    let within = labels.iter().enumerate().filter(|(_, label)| **label != 0);
    within.filter_map(|(voxel, _)| scale.density(voxel)).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn regions_are_numbered_and_weighted_by_their_voxels_with_a_dose() {
        let tally = tally();
        let numbers = |density: &[f32], map: Option<&LabelMap>| numbered(map, &dosimetry(&tally, density).scale, 2);
        let none = Regions { labels: Vec::new(), of_voxel: vec![0, 0], weights: vec![0, 0] };
        assert_eq!(numbers(&[1.0, 1.0], None), none);
        let both = Regions { labels: vec![2, 7], of_voxel: vec![2, 1], weights: vec![FULL_WEIGHT / 4, FULL_WEIGHT] };
        assert_eq!(numbers(&[2.0, 0.5], Some(&labels([7.0, 2.0]))), both);
        let one = Regions { labels: vec![7], of_voxel: vec![1, 0], weights: vec![FULL_WEIGHT, 0] };
        assert_eq!(numbers(&[2.0, 0.01], Some(&labels([7.0, 2.0]))), one, "a voxel without a dose is in none");
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
