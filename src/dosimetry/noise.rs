//! What statistical noise does to the extremes of a dose distribution: it spreads the doses of a region, so that D95
//! and the minimum come out too low, D2 and the maximum too high.
//!
//! The noise of each voxel is known by its 1σ. Spreading the distribution by the same noise once more shows how far one
//! helping moves a figure. Variances add, so the square of a figure's distance from the median is taken to be linear in
//! the variance of the noise, and carried on to no noise at all. This is exact where dose and noise are normal; it is
//! the simulation extrapolation of Cook and Stefanski (J. Am. Stat. Assoc. 89 (1994) 1314), without random numbers.

use super::dvh::{D2, D50, D95, D98, reaching};

/// A figure that noise has moved by more than this part of itself is marked.
pub const MARKED_SHARE: f64 = 0.01;
/// Voxels are taken together in groups of at most this part of their rank from the nearer end.
const GROUP_PART: usize = 100;
/// How far the noise of a voxel is followed [σ].
const REACH_SIGMAS: f64 = 8.0;
/// Halvings that find a quantile: to 1e-9 of the range.
const HALVINGS: u32 = 30;

/// A voxel of a region.
#[derive(Clone, Copy, Debug)]
pub struct NoisyVoxel {
    /// Its dose [Gy].
    pub dose_gy: f64,
    /// 1σ of the dose [Gy].
    pub sigma_gy: f64,
    /// The part of it that belongs to the region.
    pub share: f64,
}

/// By how much noise has moved the figures of a region: each figure less this is the estimate without noise [Gy].
///
/// Of D98, D95 and D2 at least two thirds of what noise does is found, unless noise is far above the spread of the true
/// doses; the estimate without noise is then the median, and says nothing. Minimum and maximum are single voxels, and
/// theirs is the order of magnitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseShift {
    /// Of the minimum.
    pub min_gy: f64,
    /// Of D98.
    pub d98_gy: f64,
    /// Of D95.
    pub d95_gy: f64,
    /// Of D2.
    pub d2_gy: f64,
    /// Of the maximum.
    pub max_gy: f64,
}

impl NoiseShift {
    /// The shifts in a region; none if it has no voxels.
    ///
    /// * `voxels` – in any order
    pub fn of(mut voxels: Vec<NoisyVoxel>) -> Option<Self> {
        voxels.sort_by(|a, b| a.dose_gy.total_cmp(&b.dose_gy));
        let noisy = Noisy::new(&voxels)?;
        let [min_gy, d98_gy, d95_gy, d2_gy, max_gy] = [1.0, D98, D95, D2, 0.0].map(|volume| noisy.shift(volume));
        Some(Self { min_gy, d98_gy, d95_gy, d2_gy, max_gy })
    }
}

/// The voxels of a region by rising dose, and what their noise makes of them.
struct Noisy<'a> {
    voxels: &'a [NoisyVoxel],
    /// Neighbours in dose, as one.
    groups: Vec<NoisyVoxel>,
    total: f64,
    median_gy: f64,
}

impl<'a> Noisy<'a> {
    fn new(voxels: &'a [NoisyVoxel]) -> Option<Self> {
        let total: f64 = voxels.iter().map(|voxel| voxel.share).sum();
        if voxels.is_empty() {
            return None;
        }
        let noisy = Self { voxels, groups: grouped(voxels), total, median_gy: 0.0 };
        Some(Self { median_gy: noisy.middle_gy(), ..noisy })
    }

    /// By how much noise moved the dose to a fraction of the volume.
    fn shift(&self, volume: f64) -> f64 {
        if self.groups.iter().all(|group| group.sigma_gy == 0.0) {
            return 0.0;
        }
        let voxel = self.reaching(volume);
        let once = self.voxels[voxel].dose_gy - self.median_gy;
        let twice = self.spread_further(self.middle(voxel)) - self.median_gy;
        let square = 2.0 * once.powi(2) - twice.powi(2);
        // Below 0, noise alone reaches farther than the figure lies from the median.
        let without = if square > 0.0 { square.sqrt().min(once.abs()) } else { 0.0 };
        once - without * once.signum()
    }

    /// The median, from both ends alike: midway between the voxels with which the highest doses and the lowest reach
    /// half of the volume [Gy].
    fn middle_gy(&self) -> f64 {
        let last = self.voxels.len() - 1;
        let from_below = last - reaching(last + 1, |voxel| self.voxels[last - voxel].share, D50 * self.total);
        f64::midpoint(self.voxels[self.reaching(D50)].dose_gy, self.voxels[from_below].dose_gy)
    }

    /// The voxel whose dose is that to a fraction of the volume, as [`super::DoseDistribution`] takes it.
    fn reaching(&self, volume: f64) -> usize {
        reaching(self.voxels.len(), |voxel| self.voxels[voxel].share, volume * self.total)
    }

    /// The part of the volume below the middle of a voxel's own, by rising dose.
    fn middle(&self, voxel: usize) -> f64 {
        let below: f64 = self.voxels[..voxel].iter().map(|voxel| voxel.share).sum();
        (below + self.voxels[voxel].share / 2.0) / self.total
    }

    /// The dose below which a part of the volume lies if the same noise is added once more [Gy].
    fn spread_further(&self, part: f64) -> f64 {
        let reach =
            |sign: f64| self.groups.iter().map(move |group| group.dose_gy + sign * REACH_SIGMAS * group.sigma_gy);
        let (mut low, mut high) =
            (reach(-1.0).fold(f64::INFINITY, f64::min), reach(1.0).fold(f64::NEG_INFINITY, f64::max));
        for _ in 0..HALVINGS {
            let dose_gy = f64::midpoint(low, high);
            let below: f64 = self.groups.iter().map(|group| group.share * below(dose_gy, group)).sum();
            if below < part * self.total { low = dose_gy } else { high = dose_gy }
        }
        f64::midpoint(low, high)
    }
}

/// The chance that a voxel with its noise has less than a dose.
fn below(dose_gy: f64, voxel: &NoisyVoxel) -> f64 {
    let over = dose_gy - voxel.dose_gy;
    if voxel.sigma_gy > 0.0 {
        libm::erfc(-over / voxel.sigma_gy * std::f64::consts::FRAC_1_SQRT_2) / 2.0
    } else {
        f64::from(u8::from(over >= 0.0))
    }
}

/// Neighbours in dose taken together: few voxels near the ends, where each counts, and many in between.
fn grouped(voxels: &[NoisyVoxel]) -> Vec<NoisyVoxel> {
    let mut groups = Vec::new();
    let mut first = 0;
    while first < voxels.len() {
        let rank = first.min(voxels.len() - 1 - first);
        let end = voxels.len().min(first + (rank / GROUP_PART).max(1));
        let members = &voxels[first..end];
        let share: f64 = members.iter().map(|voxel| voxel.share).sum();
        let mean = |of: fn(&NoisyVoxel) -> f64| members.iter().map(|v| v.share * of(v)).sum::<f64>() / share;
        let (dose_gy, variance) = (mean(|voxel| voxel.dose_gy), mean(|voxel| voxel.sigma_gy.powi(2)));
        groups.push(NoisyVoxel { dose_gy, sigma_gy: variance.sqrt(), share });
        first = end;
    }
    groups
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rand_distr::{Distribution, Normal, Poisson};

    use super::super::DoseDistribution;
    use super::*;

    const MEAN_GY: f64 = 2.0;
    /// 1σ of D98 in 20 000 voxels of 15 % spread, relative to it.
    const CHANCE: f64 = 0.0045;

    fn normal(sigma: f64) -> Normal<f64> {
        Normal::new(0.0, sigma).expect("a finite width")
    }

    /// True doses, and the same with noise of a part of each dose.
    fn with_noise(truth: Vec<f64>, noise: f64) -> (DoseDistribution, DoseDistribution, NoiseShift) {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let voxels: Vec<NoisyVoxel> = truth
            .iter()
            .map(|gy| {
                let sigma_gy = noise * gy;
                NoisyVoxel { dose_gy: gy + normal(sigma_gy).sample(&mut random), sigma_gy, share: 1.0 }
            })
            .collect();
        #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
        let distribution = |doses: Vec<f64>| {
            DoseDistribution::new(doses.into_iter().map(|gy| gy as f32).collect()).expect("there are voxels")
        };
        let noisy = distribution(voxels.iter().map(|voxel| voxel.dose_gy).collect());
        (distribution(truth), noisy, NoiseShift::of(voxels).expect("there are voxels"))
    }

    fn normal_doses(spread: f64, voxels: usize) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        (0..voxels).map(|_| MEAN_GY * (1.0 + normal(spread).sample(&mut random))).collect()
    }

    /// D98, D95 and D2 as they are, as noise makes them, and with its shift taken off; relative to the truth.
    fn errors(truth: Vec<f64>, noise: f64) -> [[f64; 2]; 3] {
        let (truth, noisy, shift) = with_noise(truth, noise);
        [(D98, shift.d98_gy), (D95, shift.d95_gy), (D2, shift.d2_gy)].map(|(volume, shift)| {
            let (right, found) = (truth.dose_to_volume_gy(volume), noisy.dose_to_volume_gy(volume));
            [found / right - 1.0, (found - shift) / right - 1.0]
        })
    }

    #[test]
    fn without_noise_nothing_has_moved() {
        let (.., shift) = with_noise(normal_doses(0.1, 500), 0.0);
        assert_eq!(shift, NoiseShift { min_gy: 0.0, d98_gy: 0.0, d95_gy: 0.0, d2_gy: 0.0, max_gy: 0.0 });
        assert_eq!(NoiseShift::of(Vec::new()), None);
        let alone = NoiseShift::of(vec![NoisyVoxel { dose_gy: 1.0, sigma_gy: 0.1, share: 0.5 }]).expect("a voxel");
        assert_eq!((alone.d95_gy, alone.max_gy), (0.0, 0.0));
    }

    #[test]
    fn figures_less_their_shift_are_those_of_the_truth() {
        for (spread, noise) in [(0.03, 0.01), (0.03, 0.03), (0.03, 0.06), (0.15, 0.1)] {
            for [before, after] in errors(normal_doses(spread, 20_000), noise) {
                assert!(after.abs() < CHANCE + before.abs() / 3.0, "{spread} {noise}: {before} {after}");
            }
        }
        let [_, [before, after], _] = errors(normal_doses(0.03, 20_000), 0.06);
        assert!(before < -0.05 && after.abs() < 0.1 * before.abs(), "{before} {after}");
    }

    #[test]
    fn doses_need_not_be_normal() {
        // Even from 1 to 3 Gy, and a liver with a tumour of 5 % of its voxels and four times its dose.
        let even: Vec<f64> = (0..20_000u32).map(|i| 1.0 + f64::from(i) / 10_000.0).collect();
        let mut liver = normal_doses(0.02, 20_000);
        liver[..1000].iter_mut().for_each(|gy| *gy *= 4.0);
        for truth in [even, liver] {
            for [before, after] in errors(truth, 0.05) {
                assert!(after.abs() < CHANCE + before.abs() / 3.0, "{before} {after}");
            }
        }
    }

    #[test]
    fn counts_of_few_histories_are_near_enough() {
        // As in transport: the noise is that of a count, and σ follows the count and not its expectation.
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let truth = normal_doses(0.05, 20_000);
        let voxel = |gy: &f64| {
            let counts: f64 = Poisson::new(200.0 * gy).expect("above 0").sample(&mut random);
            NoisyVoxel { dose_gy: counts / 200.0, sigma_gy: counts.sqrt() / 200.0, share: 1.0 }
        };
        let voxels: Vec<NoisyVoxel> = truth.iter().map(voxel).collect();
        let quantile = |mut doses: Vec<f64>| {
            doses.sort_by(f64::total_cmp);
            doses[1000]
        };
        let found = quantile(voxels.iter().map(|voxel| voxel.dose_gy).collect());
        let right = quantile(truth);
        let shift = NoiseShift::of(voxels).expect("there are voxels");
        let (before, after) = (found / right - 1.0, (found - shift.d95_gy) / right - 1.0);
        assert!(before < -0.02 && after.abs() < 0.01, "{before} {after}");
    }

    #[test]
    fn noise_that_hides_all_spread_is_said_to() {
        // All doses alike, and noise of 30 %: whatever lies off the mean is noise.
        let (_, noisy, shift) = with_noise(vec![MEAN_GY; 5000], 0.3);
        let estimate = noisy.dose_to_volume_gy(D95) - shift.d95_gy;
        assert!((estimate / MEAN_GY - 1.0).abs() < 0.1, "{estimate}");
        assert!(shift.d95_gy < 0.0 && shift.d2_gy > 0.0 && shift.min_gy < shift.d98_gy && shift.max_gy > shift.d2_gy);
    }

    #[test]
    fn parts_of_voxels_count_as_such() {
        let whole: Vec<NoisyVoxel> = normal_doses(0.1, 400)
            .into_iter()
            .map(|dose_gy| NoisyVoxel { dose_gy, sigma_gy: 0.1, share: 1.0 })
            .collect();
        let halves = whole.iter().map(|voxel| NoisyVoxel { share: 0.5, ..*voxel }).collect();
        let (a, b) = (NoiseShift::of(whole).expect("voxels"), NoiseShift::of(halves).expect("voxels"));
        assert!((a.d95_gy - b.d95_gy).abs() < 1e-9 && (a.max_gy - b.max_gy).abs() < 1e-9, "{a:?} {b:?}");
    }
}
