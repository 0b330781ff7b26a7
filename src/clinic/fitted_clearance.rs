//! The half-time of what sessions clear, where nobody knows it: fitted with the curve.
//!
//! With k = ln 2/T given, the curve β is fitted as ever, and has the least χ²(k). The best k has the least of those. By
//! the inverse of a matrix in blocks, the variance of k is 2/χ²″, and what k adds to the covariance of β, and to the
//! variance of the integral, is that variance times the squared derivative along the best β(k).

use std::f64::consts::LN_2;

use super::integral::Quality;
use super::removed_series::{LEAST_KEPT, integrate_known};
use super::{CurveOptions, Integration, ModelChoice, Removals, Series, Weighting};
use crate::domain::{Checks, DoseError};

/// Rates that are tried before the best is closed in on, evenly by their logarithm.
const TRIED: u32 = 96;
/// The lowest of them, relative to the highest.
const LOWEST: f64 = 1e-5;
/// Steps that close in on the best rate: 0.618⁶⁰ is 3e-13.
const STEPS: u32 = 60;
/// Step of derivatives by the rate, relative to it.
const STEP: f64 = 1e-3;

/// The half-time of clearance in sessions, as it was fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clearance {
    /// The half-time [h].
    pub half_time_h: f64,
    /// One standard deviation of it [h]; none where it does not exist.
    pub sigma_h: Option<f64>,
}

/// See [`super::integrate_removed`].
pub(super) fn integrate_fitted(
    series: &Series,
    options: &CurveOptions,
    removals: &Removals,
) -> Result<Integration, DoseError> {
    check(series, options, removals)?;
    let highest = highest_rate_per_h(series, removals);
    let lowest = LOWEST * highest;
    let at = |rate_per_h: f64| integrate_known(series, options, &removals.with_clearance(LN_2 / rate_per_h));
    if series.points().iter().all(|point| point.activity_mbq <= 0.0) {
        return at(lowest);
    }
    let chi_square = |rate_per_h: f64| at(rate_per_h).ok().and_then(|found| chi_square_of(&found));
    let rates_per_h: Vec<f64> =
        (0..=TRIED).map(|n| lowest * (highest / lowest).powf(f64::from(n) / f64::from(TRIED))).collect();
    let tried: Vec<f64> = rates_per_h.iter().map(|rate| chi_square(*rate).unwrap_or(f64::INFINITY)).collect();
    let best = (0..tried.len()).min_by(|one, other| tried[*one].total_cmp(&tried[*other])).unwrap_or(0);
    if tried[best].is_infinite() {
        // What is wrong whatever the rate may be is told by its own name.
        return at(rates_per_h[best]);
    }
    let untold = |words: &str| DoseError::invalid("sessions", format!("the points tell no half-time: {words}"));
    if best == 0 {
        return Err(untold("nothing is cleared in the sessions by them; leave the sessions out, or give one"));
    }
    let Some(above) = rates_per_h.get(best + 1) else {
        return Err(untold("all is cleared in the sessions by them; give one"));
    };
    let rate_per_h = least([rates_per_h[best - 1], *above], |rate| chi_square(rate).unwrap_or(f64::INFINITY));
    let step = STEP * rate_per_h;
    let beside = [at(rate_per_h - step)?, at(rate_per_h + step)?];
    let given_sigma = options.weighting.map_or(series.has_sigma(), |weighting| weighting == Weighting::Sigma);
    Ok(joined(at(rate_per_h)?, &beside, [rate_per_h, step], given_sigma))
}

fn check(series: &Series, options: &CurveOptions, removals: &Removals) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let times = series.distinct_times();
    match options.model {
        ModelChoice::Auto => checks.fail("model", "auto: with a half-time to be fitted name the model, such as mono"),
        ModelChoice::TrapezoidTail | ModelChoice::Physical | ModelChoice::Exponentials(_) => {
            let needed = options.model.least_times() + 1;
            if times < needed {
                let words = "and a half-time of sessions need";
                checks.fail(
                    "points",
                    format!("{} {words} {needed} different times, there are {times}", options.model.name()),
                );
            }
        }
    }
    let sessions = removals.fitted.iter().filter_map(|place| removals.sessions.get(*place));
    let is_told = sessions.into_iter().any(|one| {
        let (start_h, end_h) = (one.start_h, one.start_h + one.duration_h);
        let points = series.points();
        points.iter().any(|point| point.time_h <= start_h) && points.iter().any(|point| point.time_h >= end_h)
    });
    if !is_told {
        checks.fail("sessions", "a half-time is fitted where a scan is before and another after its session; give it");
    }
    checks.finish()
}

/// The rate with which the sessions to be fitted leave as little at the last scan as can be seen.
fn highest_rate_per_h(series: &Series, removals: &Removals) -> f64 {
    let last_h = series.points().last().map_or(0.0, |point| point.time_h);
    let sessions = removals.fitted.iter().filter_map(|place| removals.sessions.get(*place));
    let cleared_h: f64 = sessions.map(|one| (last_h - one.start_h).clamp(0.0, one.duration_h)).sum();
    // The others take something away besides.
    let others = removals.with_clearance(f64::MAX).kept(last_h);
    (others / LEAST_KEPT).max(2.0).ln() * (1.0 - 1e-9) / cleared_h
}

fn chi_square_of(found: &Integration) -> Option<f64> {
    found.quality.as_ref().map(|quality| quality.chi_square)
}

/// Where a function that falls and rises again is least, by the golden section.
fn least([mut low, mut high]: [f64; 2], of: impl Fn(f64) -> f64) -> f64 {
    let part = (5f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - part * (high - low), low + part * (high - low));
    let (mut at_left, mut at_right) = (of(left), of(right));
    for _ in 0..STEPS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - part * (high - low);
            at_left = of(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + part * (high - low);
            at_right = of(right);
        }
    }
    0.5 * (low + high)
}

/// What was found at the best rate, with what its own uncertainty adds.
///
/// * `beside` – what is found one step below and above
fn joined(
    found: Integration,
    beside: &[Integration; 2],
    [rate_per_h, step]: [f64; 2],
    given_sigma: bool,
) -> Integration {
    let Some(quality) = found.quality.clone() else { return found };
    let degrees_of_freedom = quality.degrees_of_freedom.saturating_sub(1);
    // Without σ the scale is χ² over the degrees of freedom, of which this rate takes one.
    let scale = match (given_sigma, degrees_of_freedom) {
        (true, _) => Some(1.0),
        (false, 0) => None,
        (false, degrees) => Some(quality.degrees_of_freedom as f64 / degrees as f64),
    };
    let variance = scale.and_then(|_| {
        let [below, above] = [chi_square_of(&beside[0])?, chi_square_of(&beside[1])?];
        let bend = (below - 2.0 * quality.chi_square + above) / (step * step);
        let unit = if given_sigma { 1.0 } else { quality.chi_square / degrees_of_freedom as f64 };
        Some(2.0 * unit / bend).filter(|variance| variance.is_finite() && *variance >= 0.0)
    });
    let slope = |of: &dyn Fn(&Integration) -> f64| (of(&beside[1]) - of(&beside[0])) / (2.0 * step);
    let slopes: Option<Vec<f64>> = parameters(&found).and_then(|own| {
        let [below, above] = [parameters(&beside[0])?, parameters(&beside[1])?];
        let is_same = below.len() == own.len() && above.len() == own.len();
        is_same.then(|| below.iter().zip(above).map(|(below, above)| (above - below) / (2.0 * step)).collect())
    });
    let covariance =
        quality.covariance.zip(slopes).zip(scale.zip(variance)).map(|((own, slopes), (scale, variance))| {
            let row = |(row, slope): (Vec<f64>, &f64)| {
                row.into_iter().zip(&slopes).map(|(value, other)| value * scale + variance * slope * other).collect()
            };
            own.into_iter().zip(&slopes).map(row).collect()
        });
    let tia_slope = slope(&|found| found.tia_mbq_h);
    let tia_sigma_mbq_h = found
        .tia_sigma_mbq_h
        .zip(scale.zip(variance))
        .map(|(sigma, (scale, variance))| (sigma * sigma * scale + tia_slope * tia_slope * variance).sqrt());
    let sigma_h = variance.map(|variance| LN_2 / (rate_per_h * rate_per_h) * variance.sqrt());
    let clearance = Clearance { half_time_h: LN_2 / rate_per_h, sigma_h };
    let quality = Quality { degrees_of_freedom, covariance, ..quality };
    found.with_clearance(clearance, quality, tia_sigma_mbq_h, given_sigma)
}

fn parameters(found: &Integration) -> Option<&[f64]> {
    found.curve.as_ref().map(|curve| curve.parameters())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::removal::{RemovedActivity, Session};
    use crate::clinic::{Moment, PointDraft, SeriesDraft, Shape, ValueRefersTo, integrate_removed};

    const PHYSICAL_H: f64 = 192.6;
    const TIMES_H: [f64; 7] = [2.0, 18.0, 25.0, 50.0, 64.0, 72.0, 120.0];

    fn mono() -> CurveOptions {
        CurveOptions { model: ModelChoice::Exponentials(Shape::Mono), ..CurveOptions::default() }
    }

    fn sessions(half_time_h: f64) -> Vec<Session> {
        [20.0, 66.0].map(|start_h| Session { start_h, duration_h: 4.0, clearance_half_time_h: half_time_h }).to_vec()
    }

    fn open() -> Removals {
        Removals { sessions: sessions(1.0), fitted: vec![0, 1], ..Removals::default() }
    }

    fn patient() -> RemovedActivity {
        RemovedActivity {
            activity_at_zero_mbq: 3700.0,
            physical_half_life_h: PHYSICAL_H,
            biological_half_life_h: Some(400.0),
            sessions: sessions(3.2),
            removals: vec![],
        }
    }

    /// The activities of the patient, each off by so many of its standard deviations of 3 %.
    fn series(off: &[f64], has_sigma: bool) -> Series {
        let known = Removals { sessions: sessions(3.2), ..Removals::default() };
        let rate = LN_2 / PHYSICAL_H + LN_2 / 400.0;
        let point = |(time_h, off): (&f64, &f64)| {
            let activity_mbq = 3700.0 * (-rate * time_h).exp() * known.kept(*time_h);
            PointDraft {
                time: Moment::Hours(*time_h),
                activity_mbq: activity_mbq * (1.0 + 0.03 * off),
                sigma_mbq: has_sigma.then_some(activity_mbq * 0.03),
                duration_h: None,
            }
        };
        let draft = SeriesDraft {
            points: TIMES_H.iter().zip(off).map(point).collect(),
            injection: None,
            physical_half_life_h: PHYSICAL_H,
            administered_activity_mbq: Some(3700.0),
            infusion_h: 0.0,
            refers_to: ValueRefersTo::AcquisitionMean,
        };
        Series::new(&draft).expect("a good series")
    }

    #[test]
    fn the_half_time_is_that_of_the_patient() {
        let right = patient().integral().expect("a patient").tia_mbq_h;
        for has_sigma in [true, false] {
            let found = integrate_removed(&series(&[0.0; 7], has_sigma), &mono(), &open()).expect("a good series");
            let clearance = found.clearance.expect("it is fitted");
            assert!((clearance.half_time_h / 3.2 - 1.0).abs() < 1e-6, "{clearance:?}");
            assert!((found.tia_mbq_h / right - 1.0).abs() < 1e-6, "{} {right}", found.tia_mbq_h);
            assert_eq!(found.quality.expect("a fit").degrees_of_freedom, 4);
        }
    }

    #[test]
    fn sigmas_are_those_of_small_changes_of_the_points() {
        let at = |off: &[f64]| integrate_removed(&series(off, true), &mono(), &open()).expect("a good series");
        let plain = at(&[0.0; 7]);
        let small = 1e-3;
        let (mut of_tia, mut of_half_time) = (0.0, 0.0);
        for place in 0..TIMES_H.len() {
            let moved = |by: f64| {
                let mut off = [0.0; 7];
                off[place] = by;
                let found = at(&off);
                [found.tia_mbq_h, found.clearance.expect("it is fitted").half_time_h]
            };
            let (low, high) = (moved(-small), moved(small));
            of_tia += ((high[0] - low[0]) / (2.0 * small)).powi(2);
            of_half_time += ((high[1] - low[1]) / (2.0 * small)).powi(2);
        }
        let sigma = plain.tia_sigma_mbq_h.expect("it exists");
        assert!((sigma / of_tia.sqrt() - 1.0).abs() < 2e-3, "{sigma} {}", of_tia.sqrt());
        let sigma_h = plain.clearance.expect("it is fitted").sigma_h.expect("it exists");
        assert!((sigma_h / of_half_time.sqrt() - 1.0).abs() < 2e-3, "{sigma_h} {}", of_half_time.sqrt());
        // To fit it costs certainty.
        let known = Removals { sessions: sessions(3.2), ..Removals::default() };
        let given = integrate_removed(&series(&[0.0; 7], true), &mono(), &known).expect("a good series");
        assert!(sigma > given.tia_sigma_mbq_h.expect("it exists"));
        let variances = |found: &Integration| {
            let covariance = found.quality.as_ref().and_then(|quality| quality.covariance.clone()).expect("it exists");
            [covariance[0][0], covariance[1][1]]
        };
        assert!(variances(&plain).iter().zip(variances(&given)).all(|(fitted, given)| *fitted > given));
    }

    #[test]
    fn without_sigma_the_scale_has_one_degree_less() {
        let off = [0.4, -1.1, 0.7, 1.3, -0.6, -0.9, 0.5];
        let found = integrate_removed(&series(&off, false), &mono(), &open()).expect("a good series");
        let clearance = found.clearance.expect("it is fitted");
        let sigma_h = clearance.sigma_h.expect("four degrees are left");
        assert!((0.05..0.5).contains(&sigma_h), "{clearance:?}");
        assert!((clearance.half_time_h - 3.2).abs() < 4.0 * sigma_h, "{clearance:?}");
    }

    #[test]
    fn what_tells_no_half_time_is_refused() {
        let measured = series(&[0.0; 7], true);
        let refused = |options: &CurveOptions, removals: &Removals| {
            integrate_removed(&measured, options, removals).expect_err("it is refused").to_string()
        };
        assert!(refused(&CurveOptions::default(), &open()).contains("name the model"));
        let late = Session { start_h: 130.0, duration_h: 4.0, clearance_half_time_h: 1.0 };
        let late = Removals { sessions: vec![late], fitted: vec![0], ..Removals::default() };
        assert!(refused(&mono(), &late).contains("a scan is before and another after"));
        // Where nothing was cleared.
        let idle = Session { start_h: 51.0, duration_h: 4.0, clearance_half_time_h: 1.0 };
        let mut idle = Removals { sessions: vec![idle], fitted: vec![0], ..Removals::default() };
        idle.sessions.extend(sessions(3.0));
        assert!(refused(&mono(), &idle).contains("nothing is cleared"), "{}", refused(&mono(), &idle));
        let few = series(&[0.0; 7], true).with_points(measured.points()[1..3].to_vec());
        let said = integrate_removed(&few, &mono(), &open()).expect_err("two scans").to_string();
        assert!(said.contains("need 3 different times, there are 2"), "{said}");
    }
}
