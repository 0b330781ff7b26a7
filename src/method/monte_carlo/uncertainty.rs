//! How uncertain the voxels of a region are, which decides when a run stops.

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::dosimetry::{CHUNK, Dosimetry};
use super::statistics::MeanSigma;
use crate::domain::stop::{DEFAULT_DOSE_FRACTION, LOW_DOSE_FRACTION};
use crate::domain::{Control, DoseError, LabelMap, Region};

/// The uncertainty of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RegionSigma {
    /// Mean over its voxels of each one's 1σ relative to its dose.
    pub(super) relative: f64,
    pub(super) region: Region,
}

/// A quantity summed over the voxels of a region.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    voxels: u64,
    sum: f64,
}

impl Sum {
    fn mean(&self) -> f64 {
        self.sum / self.voxels as f64
    }
}

impl Dosimetry<'_> {
    /// Uncertainty of a region; of all regions, that of the least certain. None if nothing was deposited in the region,
    /// or none of its voxels has a dose.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn relative_sigma(
        &self,
        region: Region,
        labels: Option<&LabelMap>,
        control: &Control,
    ) -> Result<Option<RegionSigma>, DoseError> {
        match region {
            Region::AllRegions => {
                let sigmas = labels.map(|map| self.label_sigmas(map, control)).transpose()?.unwrap_or_default();
                let last = sigmas.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a });
                match last {
                    Some((label, relative)) => Ok(Some(RegionSigma { relative, region: Region::Label(label) })),
                    None => self.above(DEFAULT_DOSE_FRACTION, control),
                }
            }
            Region::AboveDoseFraction(part) => self.above(part, control),
            Region::Label(label) => {
                let labels = labels.map(|map| map.labels().as_slice());
                let within = |voxel: usize| labels.is_some_and(|labels| labels[voxel] == label);
                self.mean_relative(region, |voxel| within(voxel) && self.scale.has_dose(voxel), control)
            }
        }
    }

    /// Uncertainty of the voxels with at least a part of the maximum dose.
    fn above(&self, part: f64, control: &Control) -> Result<Option<RegionSigma>, DoseError> {
        let mean_mev = |voxel| self.statistics.voxel_mean(voxel) * self.decays.total + self.decays.local_mev(voxel);
        let dose = |voxel: usize| self.scale.absorbed_dose(mean_mev(voxel), voxel);
        let doses = |chunk: Range<usize>| chunk.filter_map(dose).fold(0.0, f64::max);
        let threshold = part * self.by_chunk(control, doses)?.into_iter().fold(0.0, f64::max);
        let within = |voxel: usize| dose(voxel).is_some_and(|dose| dose > 0.0 && dose >= threshold);
        self.mean_relative(Region::AboveDoseFraction(part), within, control)
    }

    /// Mean of each voxel's 1σ relative to its dose. A voxel that nothing reached counts as 100 %.
    fn mean_relative(
        &self,
        region: Region,
        within: impl Fn(usize) -> bool + Sync,
        control: &Control,
    ) -> Result<Option<RegionSigma>, DoseError> {
        let relative = |voxel: usize| {
            let MeanSigma { mean, sigma } = self.energy_mev(voxel);
            if mean > 0.0 { (sigma / mean, 1u32) } else { (1.0, 0) }
        };
        let sums = |chunk: Range<usize>| {
            let add = |(sum, count, reached), (part, hit)| (sum + part, count + 1, reached + u64::from(hit));
            chunk.filter(|&voxel| within(voxel)).map(relative).fold((0.0, 0u64, 0u64), add)
        };
        let add = |(sum, count, reached), (a, b, c)| (sum + a, count + b, reached + c);
        let (sum, count, reached) = self.by_chunk(control, sums)?.into_iter().fold((0.0, 0u64, 0u64), add);
        Ok((reached > 0).then(|| RegionSigma { relative: sum / count as f64, region }))
    }

    /// Uncertainty of each region with voxels that have a dose, by label; none at all if no region received any.
    ///
    /// A dose counts as at least [`LOW_DOSE_FRACTION`] of the largest mean dose of a region. A voxel that
    /// nothing reached has an uncertainty as large as the mean dose of its region: 100 % in most, and nothing in a
    /// region that nothing reached.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn label_sigmas(&self, map: &LabelMap, control: &Control) -> Result<BTreeMap<u16, f64>, DoseError> {
        let dose = |voxel: usize| {
            let mev = self.statistics.voxel_mean(voxel) * self.decays.total + self.decays.local_mev(voxel);
            self.scale.absorbed_dose(mev, voxel).unwrap_or(0.0)
        };
        let doses = self.sums(map, |_, voxel| dose(voxel), control)?;
        let largest_gy = doses.values().map(Sum::mean).fold(0.0, f64::max);
        if largest_gy <= 0.0 {
            return Ok(BTreeMap::new());
        }
        let least_gy = LOW_DOSE_FRACTION * largest_gy;
        let relative = |label: u16, voxel: usize| match self.voxel(voxel) {
            Some(MeanSigma { mean, sigma }) if mean > 0.0 => sigma / mean.max(least_gy),
            _ => doses[&label].mean() / doses[&label].mean().max(least_gy),
        };
        let sigmas = self.sums(map, relative, control)?;
        Ok(sigmas.into_iter().map(|(label, sum)| (label, sum.mean())).collect())
    }

    /// Sums over the voxels of each region that have a dose, in one order however many threads there are.
    ///
    /// * `of` – the quantity, by label and voxel
    fn sums(
        &self,
        map: &LabelMap,
        of: impl Fn(u16, usize) -> f64 + Sync,
        control: &Control,
    ) -> Result<BTreeMap<u16, Sum>, DoseError> {
        let labels = map.labels().as_slice();
        let chunks = self.by_chunk(control, |chunk| {
            let mut sums: BTreeMap<u16, Sum> = BTreeMap::new();
            for voxel in chunk.filter(|&voxel| labels[voxel] != 0 && self.scale.has_dose(voxel)) {
                let sum = sums.entry(labels[voxel]).or_default();
                sum.voxels += 1;
                sum.sum += of(labels[voxel], voxel);
            }
            sums
        })?;
        let mut all: BTreeMap<u16, Sum> = BTreeMap::new();
        for (label, Sum { voxels, sum }) in chunks.into_iter().flatten() {
            let entry = all.entry(label).or_default();
            (entry.voxels, entry.sum) = (entry.voxels + voxels, entry.sum + sum);
        }
        Ok(all)
    }

    /// The value of `of` for each chunk of voxels, in order, however many threads there are.
    fn by_chunk<T: Send>(&self, control: &Control, of: impl Fn(Range<usize>) -> T + Sync) -> Result<Vec<T>, DoseError> {
        let voxels = self.statistics.tally.voxels();
        let chunk = |number: usize| {
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            Ok(of(number * CHUNK..voxels.min((number + 1) * CHUNK)))
        };
        (0..voxels.div_ceil(CHUNK)).into_par_iter().map(chunk).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::dosimetry::tests::{dosimetry, labels, tally};
    use super::*;
    use crate::domain::{GroupTally, Tally};

    /// Sets the energy of voxel 1.
    fn set(group: &mut GroupTally, units: u64) {
        group.energy = [group.energy.get(0), units].into();
    }

    fn sigma(tally: &Tally, density: &[f32], region: Region, labels: Option<&LabelMap>) -> Option<RegionSigma> {
        dosimetry(tally, density).relative_sigma(region, labels, &Control::detached()).expect("nobody cancels")
    }

    #[test]
    fn relative_sigma_is_the_mean_over_the_region() {
        let (mut tally, density) = (tally(), [1.0, 1.0]);
        let sigma = |tally: &Tally, density: &[f32], region, labels: Option<&LabelMap>| {
            sigma(tally, density, region, labels).map(|sigma| sigma.relative)
        };
        let both = 0.5f64.sqrt() / 1.5; // alike in both voxels
        let everywhere = Region::AboveDoseFraction(0.5);
        assert!((sigma(&tally, &density, everywhere, None).expect("doses") - both).abs() < 1e-12);
        tally.groups.iter_mut().for_each(|group| set(group, 0));
        assert!((sigma(&tally, &density, everywhere, None).expect("a dose") - both).abs() < 1e-12);
        // A voxel of the label that nothing reached counts as 100 %.
        let map = labels([1.0, 1.0]);
        let found = sigma(&tally, &density, Region::Label(1), Some(&map)).expect("a dose");
        assert!((found - (both + 1.0) / 2.0).abs() < 1e-12, "{found}");
        assert_eq!(sigma(&tally, &density, Region::Label(1), Some(&labels([0.0, 1.0]))), None);
        assert_eq!(sigma(&tally, &[0.0, 0.0], everywhere, None), None);
        assert_eq!(sigma(&Tally::new(2, 2), &density, everywhere, None), None);
    }

    #[test]
    fn of_all_regions_the_least_certain_counts() {
        let (mut tally, density) = (tally(), [1.0, 1.0]);
        let apart = labels([1.0, 2.0]);
        // Voxel 1 gets 7 and 2 from the two groups: m = 9/6, Σ n (E/n − m)² = 4 (1.75 − 1.5)² + 2 (1 − 1.5)² = 0.75.
        set(&mut tally.groups[0], 7 << 26);
        set(&mut tally.groups[1], 2 << 26);
        let last = sigma(&tally, &density, Region::AllRegions, Some(&apart)).expect("doses");
        assert_eq!(last.region, Region::Label(1));
        assert!((last.relative - 0.5f64.sqrt() / 1.5).abs() < 1e-12);
        let calm = dosimetry(&tally, &density).label_sigmas(&apart, &Control::detached()).expect("nobody cancels");
        assert!((calm[&2] - 0.125f64.sqrt() / 1.5).abs() < 1e-12, "{calm:?}");
        // Without regions, or with none that has a dose, the voxels above a tenth of the maximum count.
        let fraction = Region::AboveDoseFraction(DEFAULT_DOSE_FRACTION);
        let nowhere = labels([0.0, 0.0]);
        for map in [None, Some(&nowhere)] {
            assert_eq!(sigma(&tally, &density, Region::AllRegions, map).map(|last| last.region), Some(fraction));
        }
    }

    #[test]
    fn a_region_of_next_to_no_dose_holds_up_nothing() {
        let (mut tally, density) = (tally(), [1.0, 1.0]);
        let apart = labels([1.0, 2.0]);
        let sigmas = |tally: &Tally| {
            dosimetry(tally, &density).label_sigmas(&apart, &Control::detached()).expect("nobody cancels")
        };
        // A thousandth of the other region's dose, all of it from one group: Σ n (E/n − m)² is 3 m².
        set(&mut tally.groups[0], (9 << 26) / 1000);
        set(&mut tally.groups[1], 0);
        let cold = sigmas(&tally)[&2];
        assert!((cold - 0.5f64.sqrt() * 0.001 / LOW_DOSE_FRACTION).abs() < 1e-6, "{cold}");
        tally.groups.iter_mut().for_each(|group| set(group, 0));
        assert_eq!(sigmas(&tally)[&2], 0.0);
        assert!(sigmas(&Tally::new(2, 2)).is_empty());
    }
}
