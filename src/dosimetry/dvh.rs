//! The distribution of dose within a region: the dose-volume histogram and figures from it. A voxel may belong to the
//! region in part.

/// The part of the volume that D98 is of: the minimum without outliers.
pub const D98: f64 = 0.98;
/// The part of the volume that D95 is of.
pub const D95: f64 = 0.95;
/// The part of the volume that D50, the median dose, is of.
pub const D50: f64 = 0.5;
/// The part of the volume that D2 is of: the maximum without outliers.
pub const D2: f64 = 0.02;

/// The doses in a region, sorted.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseDistribution {
    /// Rising [Gy]; never empty.
    doses_gy: Vec<f32>,
    /// The part of each voxel that belongs to the region, above 0; none if each does whole.
    shares: Option<Vec<f64>>,
}

/// A cumulative dose-volume histogram.
#[derive(Clone, Debug, PartialEq)]
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
    pub fn new(mut doses_gy: Vec<f32>) -> Option<Self> {
        doses_gy.sort_unstable_by(f32::total_cmp);
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

    /// D_V: the dose that a fraction of the volume receives at least; D95 for a fraction of 0.95 [Gy].
    ///
    /// It is the quantile at `1 - volume_fraction`, interpolated linearly between the sorted voxels, of which the
    /// lowest is at 0 and the highest at 1 (the default of NumPy and R; definition 7 of Hyndman & Fan, Am. Stat. 50
    /// (1996) 361). With parts of voxels, a voxel is at the middle of its part of the volume.
    ///
    /// * `volume_fraction` – 0 to 1
    pub fn dose_to_volume_gy(&self, volume_fraction: f64) -> f64 {
        if let Some(shares) = &self.shares {
            return self.weighted_quantile((1.0 - volume_fraction).clamp(0.0, 1.0), shares);
        }
        let position = (1.0 - volume_fraction).clamp(0.0, 1.0) * (self.doses_gy.len() - 1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last index")]
        let below = position.floor() as usize;
        let above = (below + 1).min(self.doses_gy.len() - 1);
        let (low, high) = (f64::from(self.doses_gy[below]), f64::from(self.doses_gy[above]));
        low + (high - low) * position.fract()
    }

    /// The dose at a fraction of the volume, counted from the lowest dose: 0 is the middle of the first voxel's part, 1
    /// that of the last. With equal parts it is the quantile of whole voxels.
    fn weighted_quantile(&self, fraction: f64, shares: &[f64]) -> f64 {
        let last = shares.len() - 1;
        let between: f64 = shares.iter().sum::<f64>() - (shares[0] + shares[last]) / 2.0;
        let mut left = fraction * between;
        for voxel in 0..last {
            let step = (shares[voxel] + shares[voxel + 1]) / 2.0;
            if left <= step {
                let (low, high) = (f64::from(self.doses_gy[voxel]), f64::from(self.doses_gy[voxel + 1]));
                return low + (high - low) * left / step;
            }
            left -= step;
        }
        self.max_gy()
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

#[cfg(test)]
mod tests {
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
            let (a, b) = (parts.dose_to_volume_gy(fraction), whole.dose_to_volume_gy(fraction));
            assert!((a - b).abs() < 1e-12, "{fraction}: {a} {b}");
            assert!((parts.volume_at_dose(10.0 * fraction) - whole.volume_at_dose(10.0 * fraction)).abs() < 1e-12);
        }
        let uneven = DoseDistribution::weighted(vec![(4.0, 0.25), (2.0, 1.0)]).expect("there are voxels");
        assert!((uneven.mean_gy() - 2.4).abs() < 1e-12 && uneven.volume_at_dose(3.0) == 0.2);
        assert_eq!(DoseDistribution::weighted(vec![(4.0, 1.0)]), DoseDistribution::new(vec![4.0]));
        assert_eq!(DoseDistribution::weighted(Vec::new()), None);
    }

    #[test]
    fn figures_of_a_ramp_are_analytic() {
        // 0, 1, …, 100 Gy in falling order: the quantile at q is 100 q.
        let ramp = distribution((0..=100u8).rev().map(f32::from));
        assert_eq!((ramp.min_gy(), ramp.mean_gy(), ramp.max_gy()), (0.0, 50.0, 100.0));
        for (fraction, dose) in [(1.0, 0.0), (0.98, 2.0), (0.95, 5.0), (0.5, 50.0), (0.02, 98.0), (0.0, 100.0)] {
            assert!((ramp.dose_to_volume_gy(fraction) - dose).abs() < 1e-9, "D{fraction}");
        }
        assert!((ramp.volume_at_dose(40.0) - 61.0 / 101.0).abs() < 1e-15);
        assert!((ramp.volume_at_dose(40.5) - 60.0 / 101.0).abs() < 1e-15);
    }

    #[test]
    fn between_voxels_the_dose_is_interpolated() {
        let pair = distribution([3.0, 1.0]);
        assert!((pair.dose_to_volume_gy(0.95) - 1.1).abs() < 1e-12);
        let single = distribution([2.5]);
        assert_eq!((single.dose_to_volume_gy(0.95), single.dose_to_volume_gy(0.02)), (2.5, 2.5));
        assert!(DoseDistribution::new(Vec::new()).is_none());
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
