//! How much each point of a series counts.

use super::{Point, Series, Window};

/// Without standard deviations a point counts as at least this part of the largest.
const LEAST_PART: f64 = 0.01;

/// How points are weighted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// 1/σ², σ as given.
    Sigma,
    /// σ in proportion to the activity, at least 1 % of the largest: errors of outline, calibration and reconstruction
    /// grow with the activity. The default without σ.
    Relative,
    /// σ² in proportion to the activity, with the same floor: counts.
    Poisson,
    /// All alike.
    Equal,
}

impl Weighting {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Sigma, Self::Relative, Self::Poisson, Self::Equal];

    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigma => "sigma",
            Self::Relative => "relative",
            Self::Poisson => "poisson",
            Self::Equal => "none",
        }
    }

    /// Standard deviation that a point is weighted with.
    ///
    /// * `largest_mbq` – the largest size of an activity of the series
    fn sigma(self, activity_mbq: f64, sigma_mbq: Option<f64>, largest_mbq: f64) -> f64 {
        let floor_mbq = LEAST_PART * largest_mbq;
        match self {
            Self::Sigma => sigma_mbq.unwrap_or(f64::NAN),
            Self::Relative => activity_mbq.abs().max(floor_mbq),
            Self::Poisson => activity_mbq.max(floor_mbq).sqrt(),
            Self::Equal => 1.0,
        }
    }
}

/// Standard deviations of activities [MBq] that are a part of them, or of the floor below them.
///
/// * `part` – relative standard deviation
pub(super) fn relative_sigmas(activities_mbq: &[f64], part: f64) -> Vec<f64> {
    let largest_mbq = activities_mbq.iter().map(|activity| activity.abs()).fold(0.0, f64::max);
    let size_mbq = |activity_mbq: &f64| Weighting::Relative.sigma(*activity_mbq, None, largest_mbq);
    // All activities 0: any σ above 0 will do, the integral is 0.
    let sizes = activities_mbq.iter().map(size_mbq);
    sizes.map(|size_mbq| part * if size_mbq > 0.0 { size_mbq } else { 1.0 }).collect()
}

/// A point as a fit sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observation {
    pub(super) window: Window,
    pub(super) activity_mbq: f64,
    /// The standard deviation, or what stands for it.
    pub(super) sigma: f64,
}

/// The points of a series with their weights.
pub(super) fn observations(series: &Series, weighting: Weighting) -> Vec<Observation> {
    let largest_mbq = series.points().iter().map(|point| point.activity_mbq.abs()).fold(0.0, f64::max);
    let observe = |point: &Point| Observation {
        window: series.window(point),
        activity_mbq: point.activity_mbq,
        sigma: weighting.sigma(point.activity_mbq, point.sigma_mbq, largest_mbq),
    };
    series.points().iter().map(observe).collect()
}
