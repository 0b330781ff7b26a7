//! One exponential through the few values of a voxel, fast: the amplitude is eliminated, the rate is looked for on a
//! grid that all voxels share, and then refined.

use super::Series;
use super::fit::RATE_BOUNDS_PER_H;

/// Slowest rate of the grid, beside that of physical decay.
const SLOWEST: f64 = 1e-3;
/// Ratio of two rates of the grid.
const RATIO: f64 = 1.5;
/// A curve may be larger at time 0 than at the first scan, or fall from the first scan to the next, by e to this.
const LARGEST_FALL: f64 = 20.7;
/// Most steps of a refinement; six are usual.
const MOST_STEPS: usize = 60;
/// A rate is found when it changes by less than this part.
const FOUND: f64 = 1e-9;

/// What the values of a voxel say about an exponential.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum MonoFit {
    /// Amplitude [MBq] and rate [1/h].
    Falls([f64; 2]),
    /// The best rate is above 0 and below that of physical decay.
    SlowerThanPhysical,
    /// The best rate is not above 0.
    Rises,
    /// The activity falls so fast that the values do not tell how much there was before.
    Unbounded,
}

/// Sums over the points at one rate: Σ w a e, Σ w e², and their derivatives by the rate.
#[derive(Clone, Copy)]
struct Sums {
    s: f64,
    q: f64,
    s_slope: f64,
    q_slope: f64,
}

impl Sums {
    fn of(means: &[[f64; 2]], activities: &[f64], weights: &[f64]) -> Self {
        let mut sums = Self { s: 0.0, q: 0.0, s_slope: 0.0, q_slope: 0.0 };
        for (([value, slope], activity), weight) in means.iter().zip(activities).zip(weights) {
            sums.s += weight * activity * value;
            sums.q += weight * value * value;
            sums.s_slope += weight * activity * slope;
            sums.q_slope += 2.0 * weight * value * slope;
        }
        sums
    }

    /// Has the sign of the derivative of the gain by the rate.
    fn slope(&self) -> f64 {
        2.0 * self.s_slope * self.q - self.s * self.q_slope
    }
}

/// What an exponential takes away from the sum of squares; nothing where its amplitude is not above 0.
fn gain(means: &[[f64; 2]], activities: &[f64], weights: &[f64]) -> f64 {
    let (mut s, mut q) = (0.0, 0.0);
    for (([value, _], activity), weight) in means.iter().zip(activities).zip(weights) {
        s += weight * activity * value;
        q += weight * value * value;
    }
    if s > 0.0 { s * s / q } else { 0.0 }
}

/// Rates that all voxels of a series share, with what the scans see of them.
#[derive(Clone, Debug)]
pub(super) struct MonoGrid {
    series: Series,
    rates_per_h: Vec<f64>,
    /// Means over the scans and their derivatives, for each rate.
    means: Vec<Vec<[f64; 2]>>,
    /// The same for a rate of about 0.
    flat: Vec<[f64; 2]>,
    /// The same for the rate of physical decay.
    physical: Vec<[f64; 2]>,
}

impl MonoGrid {
    /// The grid of a series with at least two times.
    pub(super) fn new(series: &Series) -> Self {
        let times: Vec<f64> = series.points().iter().map(|point| point.time_h).collect();
        let later = times.iter().find(|time_h| **time_h > times[0]).map_or(1.0, |time_h| time_h - times[0]);
        let fastest = LARGEST_FALL / later.max(times[0]);
        let slowest = SLOWEST * series.physical_rate_per_h();
        let rates_per_h: Vec<f64> = std::iter::successors(Some(slowest), |rate| Some(rate * RATIO))
            .take_while(|rate| *rate <= fastest)
            .collect();
        let means = rates_per_h.iter().map(|rate| seen(series, *rate)).collect();
        let flat = seen(series, RATE_BOUNDS_PER_H[0]);
        let physical = seen(series, series.physical_rate_per_h());
        Self { series: series.clone(), rates_per_h, means, flat, physical }
    }

    /// The best exponential with an amplitude above 0.
    ///
    /// * `activities`, `weights` – of the points, by time
    pub(super) fn fit(&self, activities: &[f64], weights: &[f64]) -> MonoFit {
        let sums = |means: &[[f64; 2]]| Sums::of(means, activities, weights);
        let flat = sums(&self.flat);
        let (mut best, mut most) = (None, gain(&self.flat, activities, weights));
        for (place, means) in self.means.iter().enumerate() {
            let found = gain(means, activities, weights);
            if found > most {
                (best, most) = (Some(place), found);
            }
        }
        let Some(best) = best else {
            return if flat.slope() > 0.0 && flat.s > 0.0 { MonoFit::SlowerThanPhysical } else { MonoFit::Rises };
        };
        let ends = if sums(&self.means[best]).slope() > 0.0 { [best, best + 1] } else { [best.wrapping_sub(1), best] };
        if ends[1] == self.rates_per_h.len() {
            return MonoFit::Unbounded;
        }
        // Below the slowest of the grid the rate is far below that of physical decay.
        let Some(slower) = self.rates_per_h.get(ends[0]) else { return MonoFit::SlowerThanPhysical };
        let rate = self.refined([*slower, self.rates_per_h[ends[1]]], activities, weights);
        if rate < self.series.physical_rate_per_h() {
            return MonoFit::SlowerThanPhysical;
        }
        let at = sums(&seen(&self.series, rate));
        MonoFit::Falls([at.s / at.q, rate])
    }

    /// The amplitude that fits best with the rate of physical decay [MBq].
    pub(super) fn held(&self, activities: &[f64], weights: &[f64]) -> f64 {
        let sums = Sums::of(&self.physical, activities, weights);
        sums.s / sums.q
    }

    /// One standard deviation of the integral of an exponential, in units of the σ of an activity with weight 1.
    ///
    /// * `amplitude_and_rate` – that fit best [MBq, 1/h]
    /// * `is_held` – whether the rate was held at that of physical decay: then it is that of the amplitude alone
    /// * `weights` – of the points, by time
    pub(super) fn integral_sigma(&self, amplitude_and_rate: [f64; 2], is_held: bool, weights: &[f64]) -> f64 {
        let [amplitude, rate] = amplitude_and_rate;
        let means = if is_held { self.physical.clone() } else { seen(&self.series, rate) };
        // The normal matrix of amplitude and rate.
        let (mut aa, mut ar, mut rr) = (0.0, 0.0, 0.0);
        for ([value, slope], weight) in means.iter().zip(weights) {
            aa += weight * value * value;
            ar += weight * value * amplitude * slope;
            rr += weight * (amplitude * slope).powi(2);
        }
        if is_held {
            return 1.0 / (rate * aa.sqrt());
        }
        // Gradient of amplitude/rate.
        let (by_amplitude, by_rate) = (1.0 / rate, -amplitude / (rate * rate));
        let determinant = aa * rr - ar * ar;
        let square = by_amplitude * by_amplitude * rr - 2.0 * by_amplitude * by_rate * ar + by_rate * by_rate * aa;
        let variance = square / determinant;
        if determinant > 0.0 && variance.is_finite() { variance.sqrt() } else { f64::NAN }
    }

    /// The rate between two where the gain is largest: its slope is above 0 at the first and below at the second.
    fn refined(&self, [mut low, mut high]: [f64; 2], activities: &[f64], weights: &[f64]) -> f64 {
        let slope = |rate: f64| {
            let mut sums = Sums { s: 0.0, q: 0.0, s_slope: 0.0, q_slope: 0.0 };
            for ((point, activity), weight) in self.series.points().iter().zip(activities).zip(weights) {
                let mean = [self.series.window(point).mean(rate)];
                let of_point = Sums::of(&mean, &[*activity], &[*weight]);
                sums.s += of_point.s;
                sums.q += of_point.q;
                sums.s_slope += of_point.s_slope;
                sums.q_slope += of_point.q_slope;
            }
            sums.slope()
        };
        let (mut at_low, mut at_high) = (slope(low), slope(high));
        let (mut last_side, mut last) = (0, low);
        for _ in 0..MOST_STEPS {
            // Regula falsi; the weight of an end that stays is halved (Illinois).
            let rate = (low * at_high - high * at_low) / (at_high - at_low);
            if !(rate > low && rate < high) || (rate - last).abs() < FOUND * rate {
                break;
            }
            let at = slope(rate);
            last = rate;
            if at > 0.0 {
                (low, at_low) = (rate, at);
                at_high *= if last_side == 1 { 0.5 } else { 1.0 };
                last_side = 1;
            } else {
                (high, at_high) = (rate, at);
                at_low *= if last_side == -1 { 0.5 } else { 1.0 };
                last_side = -1;
            }
        }
        last
    }
}

/// What the scans see of an exponential.
fn seen(series: &Series, rate_per_h: f64) -> Vec<[f64; 2]> {
    series.points().iter().map(|point| series.window(point).mean(rate_per_h)).collect()
}
