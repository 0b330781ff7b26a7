//! How uncertain each region of a map of labels is: its voxels, and its mean dose.

use std::collections::BTreeMap;

use super::dosimetry::Dosimetry;
use super::statistics::MeanSigma;
use crate::domain::stop::{LOW_DOSE_FRACTION, OWN_DOSE_FRACTION, UPTAKE_FRACTION};
use crate::domain::tally::to_mev;
use crate::domain::{Control, DoseError, HeldTo, LabelMap};

/// The uncertainty of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LabelSigma {
    /// Mean over its voxels of each one's 1σ relative to its dose.
    pub(super) voxels: f64,
    /// 1σ of its mean dose, relative to it.
    mean: f64,
    pub(super) held_to: HeldTo,
}

impl LabelSigma {
    /// The one that a target is compared with.
    pub(super) fn held(&self) -> f64 {
        match self.held_to {
            HeldTo::Voxels => self.voxels,
            HeldTo::Mean => self.mean,
        }
    }
}

/// Sums over the voxels of a region that have a dose.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    voxels: u64,
    density_g_cm3: f64,
    decays: f64,
    mev: f64,
    gy: f64,
}

impl Sums {
    fn mean_gy(&self) -> f64 {
        self.gy / self.voxels as f64
    }

    /// Decays for each gram, in a unit of its own.
    fn concentration(&self) -> f64 {
        self.decays / self.density_g_cm3
    }
}

impl Dosimetry<'_> {
    /// Uncertainty of each region with voxels that have a dose, by label; none at all if no region received any.
    ///
    /// A dose counts as at least [`LOW_DOSE_FRACTION`] of the largest mean dose of a region. A voxel that
    /// nothing reached has an uncertainty as large as the mean dose of its region: 100 % in most, and nothing in a
    /// region that nothing reached.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn label_sigmas(
        &self,
        map: &LabelMap,
        control: &Control,
    ) -> Result<BTreeMap<u16, LabelSigma>, DoseError> {
        let sums = self.by_label(map, |sums, _, voxel| self.add(sums, voxel), add_sums, control)?;
        let largest_gy = sums.values().map(Sums::mean_gy).fold(0.0, f64::max);
        if largest_gy <= 0.0 {
            return Ok(BTreeMap::new());
        }
        let least_gy = LOW_DOSE_FRACTION * largest_gy;
        let largest_concentration = sums.values().map(Sums::concentration).fold(0.0, f64::max);
        let spread = |spread: &mut f64, label: u16, voxel: usize| {
            let mean_gy = sums[&label].mean_gy();
            *spread += match self.voxel(voxel) {
                Some(MeanSigma { mean, sigma }) if mean > 0.0 => sigma / mean.max(least_gy),
                _ => mean_gy / mean_gy.max(least_gy),
            };
        };
        let spreads = self.by_label(map, spread, |sum, other| *sum += other, control)?;
        let groups = self.region_groups(map);
        let of_label = |(label, spread): (u16, f64)| {
            let sums = &sums[&label];
            let by_mass = |mev: f64| self.scale.dose_by_mass(mev, sums.density_g_cm3);
            let units = |group: usize| to_mev(groups[&label].energy[group]);
            let sigma_mev = self.statistics.estimate(units).sigma * self.decays.total;
            let own = sums.decays * self.decays.charged_mev >= OWN_DOSE_FRACTION * sums.mev;
            let much = sums.decays > 0.0 && sums.concentration() >= UPTAKE_FRACTION * largest_concentration;
            let sigma = LabelSigma {
                voxels: spread / sums.voxels as f64,
                mean: by_mass(sigma_mev) / by_mass(sums.mev).max(least_gy),
                held_to: if own || much { HeldTo::Voxels } else { HeldTo::Mean },
            };
            (label, sigma)
        };
        Ok(spreads.into_iter().map(of_label).collect())
    }

    /// Adds a voxel that has a dose.
    fn add(&self, sums: &mut Sums, voxel: usize) {
        let Some(density_g_cm3) = self.scale.density(voxel) else { return };
        let mev = self.statistics.voxel_mean(voxel) * self.decays.total + self.decays.local_mev(voxel);
        let decays = f64::from(self.decays.of_voxel[voxel]);
        add_sums(sums, Sums { voxels: 1, density_g_cm3, decays, mev, gy: self.scale.dose_by_mass(mev, density_g_cm3) });
    }

    /// Sums over the voxels of each region that have a dose, in one order however many threads there are.
    ///
    /// * `add` – adds a voxel, by label and number
    /// * `join` – adds a sum
    fn by_label<T: Default + Send>(
        &self,
        map: &LabelMap,
        add: impl Fn(&mut T, u16, usize) + Sync,
        join: impl Fn(&mut T, T),
        control: &Control,
    ) -> Result<BTreeMap<u16, T>, DoseError> {
        let labels = map.labels().as_slice();
        let chunks = self.by_chunk(control, |chunk| {
            let mut sums: BTreeMap<u16, T> = BTreeMap::new();
            for voxel in chunk.filter(|&voxel| labels[voxel] != 0 && self.scale.has_dose(voxel)) {
                add(sums.entry(labels[voxel]).or_default(), labels[voxel], voxel);
            }
            sums
        })?;
        let mut all: BTreeMap<u16, T> = BTreeMap::new();
        chunks.into_iter().flatten().for_each(|(label, sum)| join(all.entry(label).or_default(), sum));
        Ok(all)
    }
}

fn add_sums(sums: &mut Sums, other: Sums) {
    sums.voxels += other.voxels;
    sums.density_g_cm3 += other.density_g_cm3;
    sums.decays += other.decays;
    sums.mev += other.mev;
    sums.gy += other.gy;
}

#[cfg(test)]
mod tests {
    use super::super::dosimetry::tests::{dosimetry, labels, tally};
    use super::super::regions::numbered;
    use super::super::statistics::Statistics;
    use super::*;
    use crate::domain::{GroupTally, Summed, Tally};

    /// Sets the energy of voxel 1.
    fn set(group: &mut GroupTally, units: u64) {
        group.energy = [group.energy.get(0), units].into();
    }

    fn sigmas(dosimetry: &Dosimetry) -> BTreeMap<u16, LabelSigma> {
        dosimetry.label_sigmas(&labels([1.0, 2.0]), &Control::detached()).expect("nobody cancels")
    }

    #[test]
    fn a_region_of_next_to_no_dose_holds_up_nothing() {
        let (mut tally, density) = (tally(), [1.0, 1.0]);
        // A thousandth of the other region's dose, all of it from one group: Σ n (E/n − m)² is 3 m².
        set(&mut tally.groups[0], (9 << 26) / 1000);
        set(&mut tally.groups[1], 0);
        let cold = sigmas(&dosimetry(&tally, &density))[&2];
        let expected = 0.5f64.sqrt() * 0.001 / LOW_DOSE_FRACTION;
        assert!((cold.voxels - expected).abs() < 1e-6 && (cold.mean - expected).abs() < 1e-6, "{cold:?}");
        tally.groups.iter_mut().for_each(|group| set(group, 0));
        let none = sigmas(&dosimetry(&tally, &density))[&2];
        assert_eq!((none.voxels, none.mean), (0.0, 0.0));
        assert!(sigmas(&dosimetry(&Tally::new(2, 2), &density)).is_empty());
    }

    /// Each voxel absorbs 18 MeV; 12 decays with 3 MeV of charged particles are in voxel 0 or 1.
    #[test]
    fn a_region_without_uptake_is_held_to_its_mean() {
        let (tally, density) = (tally(), [1.0, 1.0]);
        let held = |of_voxel: [f32; 2], charged_mev: f64| {
            let mut dosimetry = dosimetry(&tally, &density);
            (dosimetry.decays.of_voxel, dosimetry.decays.charged_mev) = (&of_voxel, charged_mev);
            let sigmas = sigmas(&dosimetry);
            [1, 2].map(|label| sigmas[&label].held_to)
        };
        assert_eq!(held([8.0, 4.0], 3.0), [HeldTo::Voxels, HeldTo::Voxels]);
        assert_eq!(held([12.0, 0.0], 3.0), [HeldTo::Voxels, HeldTo::Mean]);
        // Next to no activity, but what it has makes half of the dose, or nearly half.
        assert_eq!(held([11.9, 0.1], 91.0), [HeldTo::Voxels, HeldTo::Voxels]);
        assert_eq!(held([11.9, 0.1], 89.0), [HeldTo::Voxels, HeldTo::Mean]);
        // A photon emitter: 2 % of the largest concentration is uptake, less is not.
        assert_eq!(held([10.0, 0.201], 0.0), [HeldTo::Voxels, HeldTo::Voxels]);
        assert_eq!(held([10.0, 0.199], 0.0), [HeldTo::Voxels, HeldTo::Mean]);
        assert_eq!(held([0.0, 0.0], 0.0), [HeldTo::Mean, HeldTo::Mean]);
    }

    #[test]
    fn what_a_device_sums_up_gives_the_same_uncertainties() {
        let (tally, density) = (tally(), [1.0, 0.01]);
        for map in [labels([1.0, 1.0]), labels([7.0, 2.0]), labels([0.0, 2.0])] {
            for density in [[1.0, 1.0], density] {
                let here = dosimetry(&tally, &density);
                let summed = Summed::of(&tally, &numbered(Some(&map), &here.scale, 2));
                let there = Dosimetry { statistics: Statistics::of_summed(&summed), ..dosimetry(&tally, &density) };
                let sigmas = |of: &Dosimetry| of.label_sigmas(&map, &Control::detached()).expect("nobody cancels");
                assert_eq!(sigmas(&here), sigmas(&there));
            }
        }
    }

    #[test]
    fn the_mean_counts_correlations_and_its_voxels_do_not() {
        // Group 0 has 12 MeV in 4 histories, group 1 has 6 in 2: the mean of both voxels does not vary at all.
        let (tally, density) = (tally(), [1.0, 1.0]);
        let mut dosimetry = dosimetry(&tally, &density);
        dosimetry.decays.charged_mev = 0.5;
        let both = dosimetry.label_sigmas(&labels([1.0, 1.0]), &Control::detached()).expect("nobody cancels")[&1];
        assert!((both.voxels - 0.5f64.sqrt() / 1.5).abs() < 1e-12 && both.mean < 1e-12, "{both:?}");
        assert_eq!(both.held(), both.voxels);
        dosimetry.decays.of_voxel = &[0.0, 0.0];
        let cold = dosimetry.label_sigmas(&labels([1.0, 1.0]), &Control::detached()).expect("nobody cancels")[&1];
        assert_eq!((cold.held_to, cold.held()), (HeldTo::Mean, cold.mean));
    }
}
