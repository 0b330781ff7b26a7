//! The choice among models of one series.

use serde_json::{Value, json};

use super::Shape;
use super::fit::{Fit, fit_beside};
use super::weighting::Observation;

/// Models within this of the lowest score are as good; the one with the fewest parameters wins.
const AS_GOOD: f64 = 2.0;
/// A rate that is less certain than this is not seen in the points.
const LARGEST_CV: f64 = 0.5;
/// No activity is measured better than to this part: closer fits are rounding, and no better ones.
const BEST_MEASURED: f64 = 1e-6;
/// Rounding of χ² of a fit that found the curve of a shape nested in it again.
const NESTED: f64 = 1e-6;
/// From this number of points on there is a choice.
const LEAST_POINTS: usize = 4;

/// A model that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its shape.
    pub shape: Shape,
    /// χ²; none if the fit came to no end.
    pub chi_square: Option<f64>,
    /// Akaike's criterion with the term for small samples, where it exists.
    pub aicc: Option<f64>,
    /// Akaike's criterion without it.
    pub aic: Option<f64>,
    /// Largest relative standard deviation of a rate, where there is one.
    pub largest_cv_of_rates: Option<f64>,
    /// Whether it may be chosen: all rates are at least that of physical decay, and the points determine them.
    pub admitted: bool,
}

impl Candidate {
    fn of(
        shape: Shape,
        fit: Option<&Fit>,
        points: &[Observation],
        given_sigma: bool,
        physical_rate_per_h: f64,
    ) -> Self {
        let largest_cv_of_rates = fit.and_then(Fit::largest_cv_of_rates);
        let is_physical = |fit: &Fit| fit.curve.rates().iter().all(|rate| *rate >= physical_rate_per_h);
        let is_determined = shape == Shape::Mono || largest_cv_of_rates.is_some_and(|cv| cv <= LARGEST_CV);
        let is_sound = |fit: &Fit| fit.is_bounded && is_physical(fit) && fit.curve.integral() > 0.0;
        let admitted = fit.is_some_and(is_sound) && is_determined;
        let chi_square = fit.map(|fit| fit.chi_square);
        let [aic, aicc] =
            chi_square.map_or([None; 2], |chi_square| Self::scores(shape, chi_square, points, given_sigma));
        Self { shape, chi_square, aicc, aic, largest_cv_of_rates, admitted }
    }

    /// Akaike's criterion without and with the term for small samples, as far as it exists.
    fn scores(shape: Shape, chi_square: f64, points: &[Observation], given_sigma: bool) -> [Option<f64>; 2] {
        let n = points.len() as f64;
        let x = if given_sigma { chi_square } else { n * (chi_square.max(rounding(points)) / n).ln() };
        let k = counted(shape, given_sigma);
        let aic = x + 2.0 * k;
        [Some(aic), small_sample_term(n, k).map(|term| aic + term)]
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "model": self.shape.name(),
            "chi2": self.chi_square,
            "aicc": self.aicc,
            "aic": self.aic,
            "largest_cv_of_rates": self.largest_cv_of_rates,
            "admitted": self.admitted,
        })
    }
}

/// Parameters that the criterion counts: without σ of the caller, its size is one more.
fn counted(shape: Shape, given_sigma: bool) -> f64 {
    let parameters = shape.parameters().len() as f64;
    if given_sigma { parameters } else { parameters + 1.0 }
}

/// The term of the criterion for `n` points and `k` parameters, where there is one.
fn small_sample_term(n: f64, k: f64) -> Option<f64> {
    let left = n - k - 1.0;
    (left > 0.0).then(|| 2.0 * k * (k + 1.0) / left)
}

/// χ² below which a fit is no better for it.
fn rounding(points: &[Observation]) -> f64 {
    let squares = points.iter().map(|point| (BEST_MEASURED * point.activity_mbq / point.sigma).powi(2));
    squares.sum::<f64>().max(f64::MIN_POSITIVE)
}

/// What a shape is compared by: Akaike's criterion, without the term for small samples or with it.
///
/// * `is_uncorrected` – whether the uptake has no such term
fn score_of(shape: Shape, is_uncorrected: bool, [aic, aicc]: [Option<f64>; 2]) -> Option<f64> {
    match (is_uncorrected, shape) {
        (true, Shape::Mono | Shape::BiUptake) => aic,
        (true, Shape::BiWashout | Shape::TriUptake) => None,
        // Three points or two have no choice, and no criterion.
        (false, Shape::Mono) => aicc.or(aic),
        (false, Shape::BiUptake | Shape::BiWashout | Shape::TriUptake) => aicc,
    }
}

/// What was tried, and what of it was chosen.
pub(super) struct Choice {
    pub(super) candidates: Vec<Candidate>,
    /// None if nothing is admitted.
    pub(super) chosen: Option<Fit>,
    /// Whether the small-sample term was left out.
    pub(super) is_uncorrected: bool,
    /// The mono-exponential, admitted or not.
    pub(super) mono: Option<Fit>,
}

/// Which models are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tries {
    /// All that the number of points allows.
    All,
    /// As many as there must be until no other can be chosen.
    UntilDecided,
}

/// How models are compared.
struct Comparison<'a> {
    points: &'a [Observation],
    given_sigma: bool,
    physical_rate_per_h: f64,
    /// Whether the small-sample term is left out: by the number of points, whether or not the fit of the uptake came to
    /// an end. A series of four scans is judged by one rule.
    is_uncorrected: bool,
}

impl Comparison<'_> {
    /// A model that was fitted.
    ///
    /// * `before` – those that were tried before it
    fn candidate(&self, shape: Shape, fit: Option<&Fit>, before: &[Candidate]) -> Candidate {
        let mut found = Candidate::of(shape, fit, self.points, self.given_sigma, self.physical_rate_per_h);
        // A fit that is worse than that of a shape nested in it has not found its minimum.
        let is_within = |of: Shape| of == Shape::Mono || shape.nested().contains(&of);
        let least = before.iter().filter(|one| is_within(one.shape)).filter_map(|one| one.chi_square);
        let is_worse = |least: f64| found.chi_square.is_some_and(|own| own > least * (1.0 + NESTED));
        found.admitted &= !least.into_iter().any(is_worse);
        found
    }

    fn score(&self, found: &Candidate) -> Option<f64> {
        score_of(found.shape, self.is_uncorrected, [found.aic, found.aicc]).filter(|_| found.admitted)
    }

    /// The place of what is chosen of some models, in the order of the number of their parameters.
    fn chosen(&self, candidates: &[Candidate]) -> Option<usize> {
        let lowest = candidates.iter().filter_map(|found| self.score(found)).fold(f64::INFINITY, f64::min);
        candidates.iter().position(|found| self.score(found).is_some_and(|score| score <= lowest + AS_GOOD))
    }

    /// Whether none of the models that are left can be chosen, however well they fit.
    fn is_decided(&self, candidates: &[Candidate], left: &[Shape]) -> bool {
        let best = |shape: &Shape| {
            score_of(*shape, self.is_uncorrected, Candidate::scores(*shape, 0.0, self.points, self.given_sigma))
        };
        let best = left.iter().filter_map(best).fold(f64::INFINITY, f64::min);
        let chosen = self.chosen(candidates).and_then(|place| self.score(&candidates[place]));
        chosen.is_some_and(|score| score <= best + AS_GOOD)
    }
}

/// Tries models in the order of the number of their parameters.
///
/// * `distinct_times` – how many times differ
///
/// Source: Akaike's criterion with the small-sample term; Glatting 2007 (Med. Phys. 34:4285).
pub(super) fn choose(
    points: &[Observation],
    distinct_times: usize,
    given_sigma: bool,
    physical_rate_per_h: f64,
    tries: Tries,
) -> Choice {
    let n = points.len();
    let is_tried = |shape: &Shape| {
        let parameters = shape.parameters().len();
        *shape == Shape::Mono || (n >= LEAST_POINTS && n > parameters && distinct_times >= parameters)
    };
    let shapes: Vec<Shape> = Shape::ALL.into_iter().filter(is_tried).collect();
    let of_uptake = small_sample_term(n as f64, counted(Shape::BiUptake, given_sigma));
    let is_uncorrected = n >= LEAST_POINTS && of_uptake.is_none();
    let comparison = Comparison { points, given_sigma, physical_rate_per_h, is_uncorrected };
    let mut fits: Vec<Option<Fit>> = Vec::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    for (at, shape) in shapes.iter().enumerate() {
        let is_nested = |(other, _): &(&Shape, &Option<Fit>)| shape.nested().contains(other);
        let nested = shapes.iter().zip(&fits).filter(is_nested).filter_map(|(_, fit)| fit.as_ref());
        let fit = fit_beside(*shape, points, given_sigma, &nested.map(|fit| &fit.curve).collect::<Vec<_>>());
        candidates.push(comparison.candidate(*shape, fit.as_ref(), &candidates));
        fits.push(fit);
        if tries == Tries::UntilDecided && comparison.is_decided(&candidates, &shapes[at + 1..]) {
            break;
        }
    }
    let chosen = comparison.chosen(&candidates).and_then(|place| fits[place].clone());
    let is_uncorrected = is_uncorrected && chosen.is_some();
    Choice { candidates, chosen, is_uncorrected, mono: fits.into_iter().next().flatten() }
}
