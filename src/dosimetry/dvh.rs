//! The distribution of dose within a region: the dose-volume histogram and figures from it. All voxels have the same
//! volume.

/// The doses in a region, sorted.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseDistribution {
    /// Rising [Gy]; never empty.
    doses_gy: Vec<f32>,
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
        (!doses_gy.is_empty()).then_some(Self { doses_gy })
    }

    /// Mean over the volume [Gy].
    pub fn mean_gy(&self) -> f64 {
        self.doses_gy.iter().map(|&d| f64::from(d)).sum::<f64>() / self.doses_gy.len() as f64
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
    /// (1996) 361).
    ///
    /// * `volume_fraction` – 0 to 1
    pub fn dose_to_volume_gy(&self, volume_fraction: f64) -> f64 {
        let position = (1.0 - volume_fraction).clamp(0.0, 1.0) * (self.doses_gy.len() - 1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last index")]
        let below = position.floor() as usize;
        let above = (below + 1).min(self.doses_gy.len() - 1);
        let (low, high) = (f64::from(self.doses_gy[below]), f64::from(self.doses_gy[above]));
        low + (high - low) * position.fract()
    }

    /// Fraction of the volume that receives at least a dose, 0 to 1.
    pub fn volume_at_dose(&self, dose_gy: f64) -> f64 {
        let below = self.doses_gy.partition_point(|&d| f64::from(d) < dose_gy);
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
