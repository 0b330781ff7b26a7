//! The integral of a series, and all that a reader needs to judge it.

use serde_json::{Value, json};

use super::candidate::Candidate;
use super::fit::Fit;
use super::pieces::Pieces;
use super::plausible::of_sigmas;
use super::weighting::Observation;
use super::{Clearance, Curve, Series, Window};
use crate::domain::Warning;
use crate::math::chi_square::probability_above;

/// With σ given, a fit that is worse by chance less often than this is flagged.
const POOR_BELOW: f64 = 0.01;
/// More of the integral than this after the last point is flagged.
const LARGE_TAIL: f64 = 0.3;

/// What must be looked at before an integral is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// The choice was made without the small-sample term of the criterion, which does not exist for so few points.
    AicUncorrected,
    /// More than 0.3 of the integral lies after the last point.
    LargeTail,
    /// No value is above 0: the integral is 0.
    NoActivity,
    /// No curve can be fitted to the points: an integral by pieces.
    NoFit,
    /// The integral by pieces is not above 0: values below 0 outweigh the others.
    NotPositive,
    /// σ is given, and χ² is improbably large.
    PoorFit,
    /// The fitted rate was below that of physical decay, and is held there; σ is that of the amplitude alone.
    RateAtPhysicalLimit,
    /// The activity does not fall: an integral by pieces with a physical tail.
    Rising,
    /// σ of an integral by pieces is that of first order, and does not hold for changes of the size of σ: a value is as
    /// small as its own.
    SigmaNotLinear,
}

impl Flag {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::AicUncorrected,
        Self::LargeTail,
        Self::NoActivity,
        Self::NoFit,
        Self::NotPositive,
        Self::PoorFit,
        Self::RateAtPhysicalLimit,
        Self::Rising,
        Self::SigmaNotLinear,
    ];

    /// Name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::AicUncorrected => "aic_uncorrected",
            Self::LargeTail => "large_tail",
            Self::NoActivity => "no_activity",
            Self::NoFit => "no_fit",
            Self::NotPositive => "not_positive",
            Self::PoorFit => "poor_fit",
            Self::RateAtPhysicalLimit => "rate_at_physical_limit",
            Self::Rising => "rising",
            Self::SigmaNotLinear => "sigma_not_linear",
        }
    }
}

/// What the curve says at a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residual {
    /// Start of the scan [h].
    pub time_h: f64,
    /// Measured mean over the scan [MBq].
    pub activity_mbq: f64,
    /// That of the curve [MBq].
    pub fitted_mbq: f64,
    /// The difference in standard deviations, or in what stands for them.
    pub in_sigma: f64,
}

/// How well a curve fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// Σ ((curve − point)/σ)².
    pub chi_square: f64,
    /// Number of points less that of parameters.
    pub degrees_of_freedom: usize,
    /// Probability of so large a χ² by chance; none without σ or degrees of freedom.
    pub probability: Option<f64>,
    /// Covariance of the parameters, in their order; none where the points do not determine them.
    pub covariance: Option<Vec<Vec<f64>>>,
    /// Point by point.
    pub residuals: Vec<Residual>,
}

/// The integral of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    /// The model: `none` without activity.
    pub model: &'static str,
    /// Its curve, where it is one.
    pub curve: Option<Curve>,
    /// How well the curve fits.
    pub quality: Option<Quality>,
    /// Time-integrated activity from time 0 to infinity [MBq·h].
    pub tia_mbq_h: f64,
    /// One standard deviation of it, by the fit or the points alone [MBq·h]; none where it does not exist.
    pub tia_sigma_mbq_h: Option<f64>,
    /// Part of it before the first point, and after the last one.
    pub fractions: Option<[f64; 2]>,
    /// Time-integrated activity coefficient: by the administered activity [h].
    pub tia_coefficient_h: Option<f64>,
    /// The half-time of clearance in sessions, where it was fitted.
    pub clearance: Option<Clearance>,
    /// What was tried, where the program chose.
    pub candidates: Vec<Candidate>,
    /// What must be looked at, in alphabetical order.
    pub flags: Vec<Flag>,
    /// What else to look at.
    pub warnings: Vec<Warning>,
}

impl Integration {
    /// No value is above 0.
    pub(super) fn nothing(series: &Series) -> Self {
        let found = Self::new(series, "none", 0.0, vec![Flag::NoActivity]);
        Self { tia_coefficient_h: series.administered_activity_mbq().map(|_| 0.0), ..found }
    }

    /// By pieces.
    pub(super) fn by_pieces(series: &Series, pieces: Pieces, mut flags: Vec<Flag>) -> Self {
        let whole = pieces.tia_mbq_h;
        let fractions = (whole > 0.0).then(|| [pieces.before_mbq_h, pieces.after_mbq_h].map(|part| part / whole));
        if whole <= 0.0 {
            flags.push(Flag::NotPositive);
        }
        if !pieces.is_linear {
            flags.push(Flag::SigmaNotLinear);
        }
        let found = Self::new(series, "trapezoid_tail", whole, flags);
        Self { tia_sigma_mbq_h: pieces.tia_sigma_mbq_h, ..found }.with_parts(fractions)
    }

    /// By a fit.
    ///
    /// * `given_sigma` – whether the weights are from standard deviations of the caller
    pub(super) fn by_fit(
        series: &Series,
        model: &'static str,
        fit: Fit,
        points: &[Observation],
        given_sigma: bool,
        mut flags: Vec<Flag>,
    ) -> Self {
        let start = Window { infusion_h: series.infusion_h(), ..Window::at(0.0) };
        let [first, last] =
            [points.first(), points.last()].map(|point| point.map_or(0.0, |point| point.window.start_h));
        let after = |start_h: f64| fit.curve.integral_after(&Window { start_h, ..start });
        let whole = fit.curve.integral();
        let fractions = [1.0 - after(first) / whole, after(last) / whole];
        let tia_sigma_mbq_h = fit.sigma_of(|rate| start.integral_after(rate));
        let can_judge = given_sigma && fit.degrees > 0;
        let probability = can_judge.then(|| probability_above(fit.chi_square, fit.degrees));
        if probability.is_some_and(|probability| probability < POOR_BELOW) {
            flags.push(Flag::PoorFit);
        }
        let residual = |point: &Observation| {
            let fitted_mbq = fit.curve.mean(&point.window);
            let in_sigma = (point.activity_mbq - fitted_mbq) / point.sigma;
            Residual { time_h: point.window.start_h, activity_mbq: point.activity_mbq, fitted_mbq, in_sigma }
        };
        let quality = Quality {
            chi_square: fit.chi_square,
            degrees_of_freedom: fit.degrees,
            probability,
            residuals: points.iter().map(residual).collect(),
            covariance: fit.covariance,
        };
        let found = Self::new(series, model, whole, flags);
        Self { curve: Some(fit.curve), quality: Some(quality), tia_sigma_mbq_h, ..found }.with_parts(Some(fractions))
    }

    fn new(series: &Series, model: &'static str, tia_mbq_h: f64, flags: Vec<Flag>) -> Self {
        Self {
            model,
            curve: None,
            quality: None,
            tia_mbq_h,
            tia_sigma_mbq_h: None,
            fractions: None,
            tia_coefficient_h: series.administered_activity_mbq().map(|administered| tia_mbq_h / administered),
            clearance: None,
            candidates: Vec::new(),
            flags,
            warnings: series.warnings().iter().cloned().chain(of_sigmas(series.points())).collect(),
        }
    }

    /// The same curve, of which a part is taken away on the way.
    ///
    /// * `whole`, `sigma` – the integral of what is left and one standard deviation of it [MBq·h]
    /// * `fractions` – the parts of it before the first point and after the last one
    pub(super) fn of_what_is_left(
        mut self,
        series: &Series,
        whole: f64,
        sigma: Option<f64>,
        fractions: [f64; 2],
    ) -> Self {
        self.flags.retain(|flag| *flag != Flag::LargeTail);
        let coefficient = series.administered_activity_mbq().map(|administered| whole / administered);
        Self { tia_mbq_h: whole, tia_sigma_mbq_h: sigma, tia_coefficient_h: coefficient, ..self }
            .with_parts(Some(fractions))
    }

    /// The same, where the half-time of clearance was fitted too.
    ///
    /// * `quality`, `sigma` – with what it adds
    pub(super) fn with_clearance(
        mut self,
        clearance: Clearance,
        quality: Quality,
        sigma: Option<f64>,
        given_sigma: bool,
    ) -> Self {
        let can_judge = given_sigma && quality.degrees_of_freedom > 0;
        let probability = can_judge.then(|| probability_above(quality.chi_square, quality.degrees_of_freedom));
        self.flags.retain(|flag| *flag != Flag::PoorFit);
        if probability.is_some_and(|probability| probability < POOR_BELOW) {
            self.flags.push(Flag::PoorFit);
            self.flags.sort();
        }
        let quality = Some(Quality { probability, ..quality });
        Self { clearance: Some(clearance), quality, tia_sigma_mbq_h: sigma, ..self }
    }

    fn with_parts(mut self, fractions: Option<[f64; 2]>) -> Self {
        if fractions.is_some_and(|[_, after]| after > LARGE_TAIL) {
            self.flags.push(Flag::LargeTail);
        }
        self.flags.sort();
        Self { fractions, ..self }
    }

    /// All of it as JSON, with units in the names.
    pub fn to_json(&self) -> Value {
        let quality = self.quality.as_ref();
        let residual = |found: &Residual| {
            json!({ "time_h": found.time_h, "activity_mbq": found.activity_mbq, "fitted_mbq": found.fitted_mbq,
                "in_sigma": found.in_sigma })
        };
        json!({
            "model": self.model,
            "parameters": self.curve.as_ref().map(Curve::named),
            "half_lives_h": self.curve.as_ref().map(Curve::half_lives_h),
            "covariance": quality.and_then(|quality| quality.covariance.clone()),
            "chi_square": quality.map(|quality| quality.chi_square),
            "degrees_of_freedom": quality.map(|quality| quality.degrees_of_freedom),
            "probability_of_chi_square": quality.and_then(|quality| quality.probability),
            "residuals": quality.map(|quality| quality.residuals.iter().map(residual).collect::<Vec<_>>()),
            "tia_mbq_h": self.tia_mbq_h,
            "tia_sigma_mbq_h": self.tia_sigma_mbq_h,
            "tia_coefficient_h": self.tia_coefficient_h,
            "fraction_before_first_point": self.fractions.map(|[before, _]| before),
            "fraction_after_last_point": self.fractions.map(|[_, after]| after),
            "clearance": self
                .clearance
                .map(|found| json!({ "half_time_h": found.half_time_h, "sigma_h": found.sigma_h })),
            "selection": self.candidates.iter().map(Candidate::to_json).collect::<Vec<_>>(),
            "flags": self.flags.iter().map(|flag| flag.name()).collect::<Vec<_>>(),
            "warnings": self.warnings,
        })
    }
}
