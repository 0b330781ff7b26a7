//! The integral of a curve from one measurement, and what is known of the curve besides. None is a default: the method
//! is always named by the caller.

use std::f64::consts::LN_2;

use serde::Serialize;

use super::plausible::of_relative_sigma;
use super::series::scan_too_long;
use super::{Curve, Flag, Window};
use crate::domain::{Checks, DoseError, Warning};

/// The rule of Hänscheid is within 12 % for half-lives from this part of the time of the scan…
const HAENSCHEID_SHORTEST: f64 = 1.0 / 2.5;
/// …to this part of it.
const HAENSCHEID_LONGEST: f64 = 1.0 / 0.75;
/// Scans of Lu-177 before this are too early for it [h].
const HAENSCHEID_EARLIEST_H: f64 = 60.0;
/// The reason of that warning.
pub const SCAN_EARLY: &str = "SCAN_EARLY";

/// What is known of the curve besides one measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Kinetics {
    /// Nothing leaves but by physical decay, as microspheres.
    Physical {
        /// Physical half-life [h].
        half_life_h: f64,
    },
    /// An effective half-life, such as that of a population.
    PopulationHalfLife {
        /// The half-life [h].
        half_life_h: f64,
        /// One standard deviation of it over the population, relative.
        relative_sd: f64,
    },
    /// The rule of Hänscheid: the scan is at one to two effective half-lives.
    Haenscheid,
    /// The shape of a known curve: of an earlier cycle, or of a population.
    PriorCurve(Curve),
}

impl Kinetics {
    /// The names of all of them.
    pub const NAMES: [&'static str; 4] = ["physical", "population_half_life", "haenscheid", "prior_curve"];

    /// Name on the command line and in results.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Physical { .. } => "physical",
            Self::PopulationHalfLife { .. } => "population_half_life",
            Self::Haenscheid => "haenscheid",
            Self::PriorCurve(_) => "prior_curve",
        }
    }
}

/// One measurement of a region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// When.
    pub window: Window,
    /// Mean activity then [MBq].
    pub activity_mbq: f64,
    /// Relative standard deviation of the activity, if it is known.
    pub activity_relative_sigma: Option<f64>,
}

impl Measurement {
    /// The middle of the scan [h].
    fn middle_h(&self) -> f64 {
        self.window.start_h + 0.5 * self.window.duration_h
    }
}

/// The integral from one measurement, and how far it can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SinglePointIntegral {
    /// The method.
    pub method: &'static str,
    /// Time-integrated activity [MBq·h].
    pub tia_mbq_h: f64,
    /// One standard deviation of it, of activity and half-life; none if it is not known [MBq·h].
    pub tia_sigma_mbq_h: Option<f64>,
    /// The same to first order in the spread of the half-life [MBq·h].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tia_sigma_first_order_mbq_h: Option<f64>,
    /// Effective half-lives for which the rule errs by less than 12 % [h].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_for_half_lives_h: Option<[f64; 2]>,
    /// When a scan would be best: the error of the half-life vanishes to first order [h].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_time_h: Option<f64>,
    /// Part of the integral after the scan; none if the method does not say.
    pub fraction_after_last_point: Option<f64>,
    /// What to look at.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
}

impl SinglePointIntegral {
    /// What must be looked at.
    pub fn flags(&self) -> Vec<Flag> {
        if self.tia_mbq_h == 0.0 { vec![Flag::NoActivity] } else { Vec::new() }
    }

    fn of(kinetics: &Kinetics, tia_mbq_h: f64, relative_sigma: Option<f64>) -> Self {
        Self {
            method: kinetics.name(),
            tia_mbq_h,
            tia_sigma_mbq_h: relative_sigma.map(|relative| relative * tia_mbq_h),
            tia_sigma_first_order_mbq_h: None,
            valid_for_half_lives_h: None,
            best_time_h: None,
            fraction_after_last_point: None,
            warnings: Vec::new(),
        }
    }
}

/// The time-integrated activity from one measurement; 0 without σ where that is not above 0. The mean of the curve over
/// the scan is what was measured; the rule of Hänscheid takes its middle.
///
/// * `kinetics` – what is known of the curve besides
///
/// # Errors
/// If a time, an activity or a half-life is not one, by its field.
///
/// Source: Madsen 2018 (Med. Phys. 45:2318) for a population's half-life, Gustafsson & Taprogge 2022 for its error, to
/// second order; Hänscheid 2018 (J. Nucl. Med. 59:75), Ã = 2tA/ln 2.
pub fn integrate_one(measured: &Measurement, kinetics: &Kinetics) -> Result<SinglePointIntegral, DoseError> {
    check(measured, kinetics)?;
    let Measurement { window, activity_mbq, activity_relative_sigma } = *measured;
    let middle_h = measured.middle_h();
    // Background was taken away from nothing: as a series without a value above 0.
    let (activity_mbq, activity_relative_sigma) =
        if activity_mbq > 0.0 { (activity_mbq, activity_relative_sigma) } else { (0.0, None) };
    // λ times the time that the scan stands for, the integral, and its part after the start of the scan.
    let exponential = |half_life_h: f64| {
        let rate = LN_2 / half_life_h;
        let [mean, slope] = window.mean(rate);
        (-rate * slope / mean, activity_mbq / (rate * mean), rate * window.integral_after(rate)[0])
    };
    let implausible = implausible(activity_relative_sigma, kinetics);
    let found = match kinetics {
        Kinetics::Physical { half_life_h } => {
            let (_, tia_mbq_h, after) = exponential(*half_life_h);
            let found = SinglePointIntegral::of(kinetics, tia_mbq_h, activity_relative_sigma);
            SinglePointIntegral { fraction_after_last_point: Some(after), ..found }
        }
        Kinetics::PopulationHalfLife { half_life_h, relative_sd } => {
            let (x, tia_mbq_h, after) = exponential(*half_life_h);
            let first = |sigma: f64| sigma * sigma + ((1.0 - x) * relative_sd).powi(2);
            let second = 0.5 * x * x * relative_sd.powi(4);
            let sigma = activity_relative_sigma.map(|sigma| (first(sigma) + second).sqrt());
            SinglePointIntegral {
                tia_sigma_first_order_mbq_h: activity_relative_sigma.map(|sigma| first(sigma).sqrt() * tia_mbq_h),
                best_time_h: Some(half_life_h / LN_2),
                fraction_after_last_point: Some(after),
                ..SinglePointIntegral::of(kinetics, tia_mbq_h, sigma)
            }
        }
        Kinetics::Haenscheid => SinglePointIntegral {
            valid_for_half_lives_h: Some([HAENSCHEID_SHORTEST, HAENSCHEID_LONGEST].map(|part| part * middle_h)),
            warnings: too_early(middle_h).into_iter().collect(),
            ..SinglePointIntegral::of(kinetics, 2.0 * middle_h * activity_mbq / LN_2, None)
        },
        Kinetics::PriorCurve(curve) => {
            let tia_mbq_h = curve.integral() * activity_mbq / curve.mean(&window);
            let after = curve.integral_after(&window) / curve.integral();
            let found = SinglePointIntegral::of(kinetics, tia_mbq_h, None);
            SinglePointIntegral { fraction_after_last_point: Some(after), ..found }
        }
    };
    let warnings = found.warnings.iter().cloned().chain(implausible).collect();
    Ok(SinglePointIntegral { warnings, ..found })
}

/// Warnings of σ that are larger than what they are of.
fn implausible(activity_relative_sigma: Option<f64>, kinetics: &Kinetics) -> Vec<Warning> {
    let of_half_life = match kinetics {
        Kinetics::PopulationHalfLife { relative_sd, .. } => {
            of_relative_sigma("half_life_relative_sd", "the half-life", *relative_sd)
        }
        Kinetics::Physical { .. } | Kinetics::Haenscheid | Kinetics::PriorCurve(_) => None,
    };
    let of_activity = activity_relative_sigma.and_then(|sigma| of_relative_sigma("sigma", "the activity", sigma));
    of_activity.into_iter().chain(of_half_life).collect()
}

/// The warning of a scan too early for the rule of Hänscheid.
fn too_early(time_h: f64) -> Option<Warning> {
    (time_h < HAENSCHEID_EARLIEST_H).then(|| {
        let message = format!(
            "the rule 2tA/ln 2 from a scan at {time_h} h is off without limit where the effective half-life is not \
             {:.1} to {:.1} h (by −56 % for a tumour of 90 h at 24 h); scan after {HAENSCHEID_EARLIEST_H} h, or name a \
             half-life",
            HAENSCHEID_SHORTEST * time_h,
            HAENSCHEID_LONGEST * time_h
        );
        Warning::new(SCAN_EARLY, "time_h", message)
    })
}

fn check(measured: &Measurement, kinetics: &Kinetics) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let Measurement { window, activity_mbq, activity_relative_sigma } = *measured;
    let time_h = window.start_h;
    let is_late_enough = match kinetics {
        // Without a time the rule gives nothing.
        Kinetics::Haenscheid => measured.middle_h() > 0.0 && time_h >= 0.0,
        Kinetics::Physical { .. } | Kinetics::PopulationHalfLife { .. } | Kinetics::PriorCurve(_) => time_h >= 0.0,
    };
    if !(time_h.is_finite() && is_late_enough) {
        checks.fail("time_h", format!("must be a finite time after the start of the administration, got {time_h} h"));
    }
    for (field, length_h) in [("duration_h", window.duration_h), ("infusion_h", window.infusion_h)] {
        if !(length_h.is_finite() && length_h >= 0.0) {
            checks.fail(field, format!("must be finite and 0 or more, got {length_h} h"));
        }
    }
    if !activity_mbq.is_finite() {
        checks.fail("activity_mbq", format!("must be finite, got {activity_mbq} MBq"));
    }
    if activity_relative_sigma.is_some_and(|sigma| !(sigma.is_finite() && sigma >= 0.0)) {
        checks.fail("activity_relative_sigma", "must be finite and 0 or more");
    }
    if let Kinetics::Physical { half_life_h } = kinetics
        && let Some(reason) = scan_too_long(window.duration_h, *half_life_h)
    {
        checks.fail("duration_h", reason);
    }
    match kinetics {
        Kinetics::Physical { half_life_h } | Kinetics::PopulationHalfLife { half_life_h, .. }
            if !(half_life_h.is_finite() && *half_life_h > 0.0) =>
        {
            checks.fail("half_life_h", format!("must be finite and above 0, got {half_life_h} h"));
        }
        Kinetics::PopulationHalfLife { relative_sd, .. } if !(relative_sd.is_finite() && *relative_sd >= 0.0) => {
            checks.fail("half_life_relative_sd", format!("must be finite and 0 or more, got {relative_sd}"));
        }
        Kinetics::Physical { half_life_h } | Kinetics::PopulationHalfLife { half_life_h, .. }
            if checks.is_empty() && !window.mean(LN_2 / half_life_h)[0].is_normal() =>
        {
            let reason = "a curve of that half-life has no activity then: it has not come yet, or is gone";
            checks.fail("time_h", reason);
        }
        Kinetics::PriorCurve(curve) if checks.is_empty() && curve.mean(&window) <= 0.0 => {
            checks.fail("curve", format!("the known curve is not above 0 at {time_h} h"));
        }
        Kinetics::Physical { .. }
        | Kinetics::PopulationHalfLife { .. }
        | Kinetics::Haenscheid
        | Kinetics::PriorCurve(_) => {}
    }
    checks.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::Shape;

    #[test]
    fn what_is_not_above_0_has_no_integral_and_no_sigma() {
        let (window, curve) = (Window::at(96.0), Curve::new(Shape::Mono, vec![9.0, 0.01]).expect("a curve"));
        let population = Kinetics::PopulationHalfLife { half_life_h: 50.0, relative_sd: 0.2 };
        let all = [Kinetics::Physical { half_life_h: 159.5 }, population, Kinetics::Haenscheid];
        for kinetics in all.into_iter().chain([Kinetics::PriorCurve(curve)]) {
            for activity_mbq in [0.0, -0.3] {
                let measured = Measurement { window, activity_mbq, activity_relative_sigma: Some(0.06) };
                let found = integrate_one(&measured, &kinetics).expect("an integral");
                assert_eq!((found.tia_mbq_h, found.tia_sigma_mbq_h), (0.0, None), "{kinetics:?}");
                assert_eq!(found.flags(), [Flag::NoActivity]);
            }
            let measured = Measurement { window, activity_mbq: 3.0, activity_relative_sigma: None };
            assert!(integrate_one(&measured, &kinetics).expect("an integral").flags().is_empty());
            assert!(integrate_one(&Measurement { activity_mbq: f64::NAN, ..measured }, &kinetics).is_err());
        }
    }

    #[test]
    fn the_mean_over_a_scan_is_what_was_measured() {
        // Scans that are long beside the half-life, and infusions: the curve that was seen comes back.
        let half_life_h = 0.76;
        let curve = Curve::new(Shape::Mono, vec![50.0, LN_2 / half_life_h]).expect("a curve");
        for [start_h, duration_h, infusion_h] in
            [[0.5, 0.0, 0.0], [0.5, 1.0 / 3.0, 0.0], [0.2, 0.5, 0.4], [0.0, 0.3, 0.3]]
        {
            let window = Window { start_h, duration_h, infusion_h };
            let measured =
                Measurement { window, activity_mbq: curve.mean(&window), activity_relative_sigma: Some(0.05) };
            let population = |half_life_h| Kinetics::PopulationHalfLife { half_life_h, relative_sd: 0.1 };
            let integral = |kinetics: &Kinetics| integrate_one(&measured, kinetics).expect("an integral");
            for kinetics in
                [Kinetics::Physical { half_life_h }, population(half_life_h), Kinetics::PriorCurve(curve.clone())]
            {
                let found = integral(&kinetics);
                assert!((found.tia_mbq_h / curve.integral() - 1.0).abs() < 1e-12, "{window:?}: {found:?}");
                let after = curve.integral_after(&window) / curve.integral();
                let part = found.fraction_after_last_point.expect("an exponential");
                assert!((part / after - 1.0).abs() < 1e-12, "{window:?}");
            }
            // To first order, σ is the change of the integral by that of the half-life.
            let step = 1e-4;
            let [more, less] =
                [1.0 + step, 1.0 - step].map(|factor| integral(&population(factor * half_life_h)).tia_mbq_h);
            let by_half_life = 0.1 * (more - less) / (2.0 * step);
            let right = by_half_life.hypot(0.05 * curve.integral());
            let found = integral(&population(half_life_h)).tia_sigma_first_order_mbq_h.expect("σ is known");
            assert!((found / right - 1.0).abs() < 1e-6, "{window:?}: {found} {right}");
        }
        // A scan over more than five half-lives is none.
        let window = Window { duration_h: 5.1 * half_life_h, ..Window::at(1.0) };
        let measured = Measurement { window, activity_mbq: 3.0, activity_relative_sigma: None };
        let refused = integrate_one(&measured, &Kinetics::Physical { half_life_h }).expect_err("too long");
        assert_eq!(refused.violations()[0].field, "duration_h");
        // At the start of an infusion nothing has come, and after 2,000 half-lives nothing is left.
        for window in [Window { infusion_h: 0.3, ..Window::at(0.0) }, Window::at(2000.0 * half_life_h)] {
            let measured = Measurement { window, activity_mbq: 3.0, activity_relative_sigma: None };
            assert!(integrate_one(&measured, &Kinetics::Physical { half_life_h }).is_err(), "{window:?}");
        }
        let rule = |window| {
            let measured = Measurement { window, activity_mbq: 3.0, activity_relative_sigma: None };
            integrate_one(&measured, &Kinetics::Haenscheid).expect("an integral").tia_mbq_h
        };
        assert_eq!(rule(Window { duration_h: 2.0, ..Window::at(95.0) }), rule(Window::at(96.0)));
    }
}
