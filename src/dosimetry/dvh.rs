//! The distribution of dose within a region: the dose-volume histogram and figures from it. A voxel may belong to the
//! region in part.
//!
//! There are no bins and nothing is interpolated, so that the dose to a volume and the volume at a dose are each
//! other's inverse, for one voxel, for doses alike and for parts of voxels too. Source: ICRU report 83 (2010).

use super::rising::rising;

/// The part of the volume that D98 is of: the minimum without outliers.
pub const D98: f64 = 0.98;
/// The part of the volume that D95 is of.
pub const D95: f64 = 0.95;
/// The part of the volume that D90 is of.
pub const D90: f64 = 0.9;
/// The part of the volume that D70 is of.
pub const D70: f64 = 0.7;
/// The part of the volume that D50, the median dose, is of.
pub const D50: f64 = 0.5;
/// The part of the volume that D2 is of: the maximum without outliers.
pub const D2: f64 = 0.02;
/// Volumes that differ by less than this part are alike: sums of parts of voxels are not exact.
const VOLUME_TOLERANCE: f64 = 1e-9;

/// The doses in a region, sorted.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseDistribution {
    /// Rising [Gy]; never empty.
    doses_gy: Vec<f32>,
    /// The part of each voxel that belongs to the region, above 0; none if each does whole.
    shares: Option<Vec<f64>>,
}

/// A cumulative dose-volume histogram.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CumulativeHistogram {
    /// Doses, evenly spaced from 0 to the maximum [Gy].
    pub dose_gy: Vec<f64>,
    /// Fraction of the volume that receives at least that dose; 1 at dose 0.
    pub volume_fraction: Vec<f64>,
}

impl DoseDistribution {
    /// The distribution of some doses; none if there are no voxels.
    ///
    /// * `doses_gy` – one dose for each voxel, in any order, none of them NaN [Gy]
    pub fn new(doses_gy: Vec<f32>) -> Option<Self> {
        let doses_gy = rising(doses_gy);
        (!doses_gy.is_empty()).then_some(Self { doses_gy, shares: None })
    }

    /// The distribution over parts of voxels; none if there are no voxels.
    ///
    /// * `doses` – dose [Gy] and part of each voxel, above 0, in any order, none of them NaN
    pub fn weighted(mut doses: Vec<(f32, f64)>) -> Option<Self> {
        if doses.iter().all(|(_, share)| *share == 1.0) {
            return Self::new(doses.into_iter().map(|(dose, _)| dose).collect());
        }
        doses.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (doses_gy, shares) = doses.into_iter().unzip();
        Some(Self { doses_gy, shares: Some(shares) })
    }

    /// Mean over the volume [Gy].
    pub fn mean_gy(&self) -> f64 {
        match &self.shares {
            None => self.doses_gy.iter().map(|&d| f64::from(d)).sum::<f64>() / self.doses_gy.len() as f64,
            Some(shares) => {
                let doses = self.doses_gy.iter().zip(shares);
                doses.map(|(&dose, share)| f64::from(dose) * share).sum::<f64>() / shares.iter().sum::<f64>()
            }
        }
    }

    /// Smallest dose [Gy].
    pub fn min_gy(&self) -> f64 {
        f64::from(self.doses_gy[0])
    }

    /// Largest dose [Gy].
    pub fn max_gy(&self) -> f64 {
        f64::from(self.doses_gy[self.doses_gy.len() - 1])
    }

    /// D_V: the largest dose that at least a fraction of the volume receives; D95 for a fraction of 0.95 [Gy].
    ///
    /// It is the dose of a voxel, and [`Self::volume_at_dose`] of it is at least the fraction. Volumes are compared
    /// with a relative tolerance of 1e-9.
    ///
    /// * `volume_fraction` – 0 to 1; 0 is the maximum
    pub fn dose_to_volume_gy(&self, volume_fraction: f64) -> f64 {
        f64::from(self.doses_gy[self.reaching(volume_fraction * self.volume_voxels())])
    }

    /// The largest dose that at least a volume receives, counted in voxels and parts of voxels [Gy]; none if the region
    /// is smaller. D1cc is that to 1 cm³ over the volume of a voxel.
    ///
    /// * `voxels` – 0 or more
    pub fn dose_to_voxels_gy(&self, voxels: f64) -> Option<f64> {
        let is_within = voxels * (1.0 - VOLUME_TOLERANCE) <= self.volume_voxels();
        is_within.then(|| f64::from(self.doses_gy[self.reaching(voxels)]))
    }

    /// Volume of the region, in voxels and parts of voxels.
    pub fn volume_voxels(&self) -> f64 {
        self.shares.as_ref().map_or(self.doses_gy.len() as f64, |shares| shares.iter().sum())
    }

    /// The voxel with which those of the highest doses reach a volume, by rising dose.
    fn reaching(&self, voxels: f64) -> usize {
        reaching(self.doses_gy.len(), |voxel| self.shares.as_ref().map_or(1.0, |shares| shares[voxel]), voxels)
    }

    /// Fraction of the volume that receives at least a dose, 0 to 1.
    pub fn volume_at_dose(&self, dose_gy: f64) -> f64 {
        let below = self.doses_gy.partition_point(|&d| f64::from(d) < dose_gy);
        if let Some(shares) = &self.shares {
            return shares[below..].iter().sum::<f64>() / shares.iter().sum::<f64>();
        }
        (self.doses_gy.len() - below) as f64 / self.doses_gy.len() as f64
    }

    /// The histogram at a number of doses from 0 to the maximum.
    ///
    /// * `points` – number of doses, at least 2
    pub fn cumulative_histogram(&self, points: usize) -> CumulativeHistogram {
        let last = points.max(2) - 1;
        let dose_gy: Vec<f64> = (0..=last).map(|i| self.max_gy() * (i as f64 / last as f64)).collect();
        let volume_fraction = dose_gy.iter().map(|&dose| self.volume_at_dose(dose)).collect();
        CumulativeHistogram { dose_gy, volume_fraction }
    }
}

/// The voxel with which those of the highest doses reach a volume; the lowest if all of them do not.
///
/// * `share` – the part of a voxel that counts; voxels are numbered by rising dose
/// * `volume` – in voxels
pub(super) fn reaching(voxels: usize, share: impl Fn(usize) -> f64, volume: f64) -> usize {
    let enough = volume * (1.0 - VOLUME_TOLERANCE);
    let mut sum = 0.0;
    let found = (0..voxels).rev().find(|&voxel| {
        sum += share(voxel);
        sum >= enough
    });
    found.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn distribution(doses: impl IntoIterator<Item = f32>) -> DoseDistribution {
        DoseDistribution::new(doses.into_iter().collect()).expect("there are voxels")
    }

    #[test]
    fn parts_of_voxels_count_as_such() {
        let halves = [(1.0, 0.5), (2.0, 0.5), (5.0, 0.5), (9.0, 0.5)];
        let (parts, whole) = (DoseDistribution::weighted(halves.to_vec()), distribution([1.0, 2.0, 5.0, 9.0]));
        let parts = parts.expect("there are voxels");
        assert!((parts.mean_gy() - whole.mean_gy()).abs() < 1e-12);
        for fraction in [0.0, 0.02, 0.3, 0.5, 0.95, 1.0] {
            assert_eq!(parts.dose_to_volume_gy(fraction), whole.dose_to_volume_gy(fraction), "{fraction}");
            assert!((parts.volume_at_dose(10.0 * fraction) - whole.volume_at_dose(10.0 * fraction)).abs() < 1e-12);
        }
        let uneven = DoseDistribution::weighted(vec![(4.0, 0.25), (2.0, 1.0)]).expect("there are voxels");
        assert!((uneven.mean_gy() - 2.4).abs() < 1e-12 && uneven.volume_at_dose(3.0) == 0.2);
        assert_eq!((uneven.dose_to_volume_gy(0.2), uneven.dose_to_volume_gy(0.21)), (4.0, 2.0));
        assert_eq!(DoseDistribution::weighted(vec![(4.0, 1.0)]), DoseDistribution::new(vec![4.0]));
        assert_eq!(DoseDistribution::weighted(Vec::new()), None);
    }

    #[test]
    fn a_volume_may_be_named_in_voxels() {
        let uneven = DoseDistribution::weighted(vec![(4.0, 0.25), (3.0, 0.1), (2.0, 1.0)]).expect("there are voxels");
        assert!((uneven.volume_voxels() - 1.35).abs() < 1e-15);
        for (voxels, gy) in [(0.1, 4.0), (0.25, 4.0), (0.35, 3.0), (0.36, 2.0), (1.35, 2.0)] {
            assert_eq!(uneven.dose_to_voxels_gy(voxels), Some(gy), "{voxels}");
        }
        assert_eq!(uneven.dose_to_voxels_gy(1.36), None);
    }

    #[test]
    fn figures_of_a_ramp_are_doses_of_voxels() {
        // 1, 2, …, 100 Gy in falling order: a hundredth of the volume each.
        let ramp = distribution((1..=100u8).rev().map(f32::from));
        assert_eq!((ramp.min_gy(), ramp.mean_gy(), ramp.max_gy()), (1.0, 50.5, 100.0));
        for (fraction, dose) in [(1.0, 1.0), (0.98, 3.0), (0.975, 3.0), (0.5, 51.0), (0.02, 99.0), (0.0, 100.0)] {
            assert_eq!(ramp.dose_to_volume_gy(fraction), dose, "D{fraction}");
        }
        assert!((ramp.volume_at_dose(40.0) - 0.61).abs() < 1e-15);
        assert!((ramp.volume_at_dose(40.5) - 0.60).abs() < 1e-15);
    }

    #[test]
    fn nothing_is_interpolated() {
        let pair = distribution([3.0, 1.0]);
        assert_eq!([0.95, 0.51, 0.5, 0.02].map(|part| pair.dose_to_volume_gy(part)), [1.0, 1.0, 3.0, 3.0]);
        let single = distribution([2.5]);
        assert_eq!((single.dose_to_volume_gy(0.95), single.dose_to_volume_gy(0.02)), (2.5, 2.5));
        assert!(DoseDistribution::new(Vec::new()).is_none());
    }

    proptest! {
        /// The dose to a volume is received by at least that volume, and no higher dose of a voxel is.
        #[test]
        fn dose_and_volume_are_inverse(
            voxels in prop::collection::vec((0u8..20, 0.001..1.0f64), 1..40),
            volume in 0.0..=1.0f64,
        ) {
            let doses: Vec<(f32, f64)> = voxels.iter().map(|&(dose, share)| (f32::from(dose) / 3.0, share)).collect();
            let found = DoseDistribution::weighted(doses.clone()).expect("there are voxels");
            let dose_gy = found.dose_to_volume_gy(volume);
            prop_assert!(found.volume_at_dose(dose_gy) >= volume * (1.0 - 2.0 * VOLUME_TOLERANCE));
            for higher in doses.into_iter().map(|(dose, _)| f64::from(dose)).filter(|dose| *dose > dose_gy) {
                prop_assert!(found.volume_at_dose(higher) < volume);
            }
            let volume_at = found.volume_at_dose(dose_gy);
            prop_assert_eq!(found.dose_to_volume_gy(volume_at), dose_gy);
        }
    }

    #[test]
    fn histogram_falls_from_the_whole_volume() {
        let histogram = distribution([0.0, 1.0, 2.0, 4.0]).cumulative_histogram(5);
        assert_eq!(histogram.dose_gy, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(histogram.volume_fraction, [1.0, 0.75, 0.5, 0.25, 0.25]);
        let nothing = distribution([0.0, 0.0]).cumulative_histogram(2);
        assert_eq!(nothing.volume_fraction, [1.0, 1.0]);
    }
}
