//! How uncertain the voxels of a region are, which decides when a run stops.

use std::ops::Range;

use rayon::prelude::*;

use super::dosimetry::{CHUNK, Dosimetry};
use super::statistics::MeanSigma;
use crate::domain::stop::DEFAULT_DOSE_FRACTION;
use crate::domain::{Control, DoseError, HeldTo, LabelMap, Region};

/// The uncertainty of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RegionSigma {
    /// Mean over its voxels of each one's 1σ relative to its dose, or that of its mean dose.
    pub(super) relative: f64,
    pub(super) region: Region,
    pub(super) held_to: HeldTo,
}

impl RegionSigma {
    /// The region in words.
    pub(super) fn words(&self) -> String {
        match self.held_to {
            HeldTo::Voxels => self.region.to_string(),
            HeldTo::Mean => format!("mean of {}", self.region),
        }
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
                let last = sigmas.into_iter().reduce(|a, b| if b.1.held() > a.1.held() { b } else { a });
                match last {
                    Some((label, sigma)) => {
                        let (relative, held_to) = (sigma.held(), sigma.held_to);
                        Ok(Some(RegionSigma { relative, region: Region::Label(label), held_to }))
                    }
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
        Ok((reached > 0).then(|| RegionSigma { relative: sum / count as f64, region, held_to: HeldTo::Voxels }))
    }

    /// The value of `of` for each chunk of voxels, in order, however many threads there are.
    pub(super) fn by_chunk<T: Send>(
        &self,
        control: &Control,
        of: impl Fn(Range<usize>) -> T + Sync,
    ) -> Result<Vec<T>, DoseError> {
        let voxels = self.statistics.voxels();
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
        assert!((calm[&2].voxels - 0.125f64.sqrt() / 1.5).abs() < 1e-12, "{calm:?}");
        // Without regions, or with none that has a dose, the voxels above a tenth of the maximum count.
        let fraction = Region::AboveDoseFraction(DEFAULT_DOSE_FRACTION);
        let nowhere = labels([0.0, 0.0]);
        for map in [None, Some(&nowhere)] {
            assert_eq!(sigma(&tally, &density, Region::AllRegions, map).map(|last| last.region), Some(fraction));
        }
    }
}
