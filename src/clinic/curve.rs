//! Time-activity curves: sums of exponentials, their means over scans and their integrals.

use std::f64::consts::LN_2;

use serde_json::{Map, Value, json};

use super::Window;
use crate::domain::{Checks, DoseError};

/// Most terms and most parameters of a curve.
const MOST_TERMS: usize = 3;
pub(super) const MOST_PARAMETERS: usize = 5;

/// Which exponentials a curve is made of. `rate_1` is the slowest.
///
/// Source: Glatting 2007 (Med. Phys. 34:4285) and Kletting 2013 (NUKFIT, Med. Phys. 40:102504) use the same family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A e^(−λ₁t).
    Mono,
    /// A (e^(−λ₁t) − e^(−λ₂t)).
    BiUptake,
    /// A₁ e^(−λ₁t) + A₂ e^(−λ₂t).
    BiWashout,
    /// A₁ e^(−λ₁t) + A₂ e^(−λ₂t) − (A₁+A₂) e^(−λ₃t).
    TriUptake,
}

/// What a parameter of a curve is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// An amplitude [MBq], by its number.
    Amplitude(usize),
    /// A rate [1/h], by its number.
    Rate(usize),
}

use Parameter::{Amplitude, Rate};

impl Shape {
    /// Every shape, the one with the fewest parameters first.
    pub const ALL: [Self; 4] = [Self::Mono, Self::BiUptake, Self::BiWashout, Self::TriUptake];

    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mono => "mono",
            Self::BiUptake => "bi_uptake",
            Self::BiWashout => "bi_washout",
            Self::TriUptake => "tri_uptake",
        }
    }

    /// The shape of the curve of a model; none where it has none. With the rate of physical decay a curve is still one
    /// exponential.
    pub fn of_model(name: &str) -> Option<Self> {
        if name == "physical" { Some(Self::Mono) } else { Self::ALL.into_iter().find(|shape| shape.name() == name) }
    }

    /// Its parameters, in their order.
    pub fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Mono => &[Amplitude(1), Rate(1)],
            Self::BiUptake => &[Amplitude(1), Rate(1), Rate(2)],
            Self::BiWashout => &[Amplitude(1), Rate(1), Amplitude(2), Rate(2)],
            Self::TriUptake => &[Amplitude(1), Rate(1), Amplitude(2), Rate(2), Rate(3)],
        }
    }

    /// Those that it becomes where one of its terms vanishes or is at once, but for those that are nested in them.
    pub(super) fn nested(self) -> &'static [Self] {
        match self {
            Self::Mono => &[],
            Self::BiUptake | Self::BiWashout => &[Self::Mono],
            Self::TriUptake => &[Self::BiUptake, Self::BiWashout],
        }
    }

    /// Places of the rates among the parameters, one for each term.
    pub(super) fn rates(self) -> &'static [usize] {
        match self {
            Self::Mono => &[1],
            Self::BiUptake => &[1, 2],
            Self::BiWashout => &[1, 3],
            Self::TriUptake => &[1, 3, 4],
        }
    }

    /// How often each amplitude is in the amplitude of each term: place of the amplitude, then a weight for each term.
    fn amplitudes(self) -> &'static [(usize, [f64; MOST_TERMS])] {
        match self {
            Self::Mono => &[(0, [1.0, 0.0, 0.0])],
            Self::BiUptake => &[(0, [1.0, -1.0, 0.0])],
            Self::BiWashout => &[(0, [1.0, 0.0, 0.0]), (2, [0.0, 1.0, 0.0])],
            Self::TriUptake => &[(0, [1.0, 0.0, -1.0]), (2, [0.0, 1.0, -1.0])],
        }
    }
}

impl Shape {
    /// Amplitude of a term; of an uptake it is below 0.
    fn amplitude(self, parameters: &[f64], term: usize) -> f64 {
        self.amplitudes().iter().map(|(place, weights)| parameters[*place] * weights[term]).sum()
    }

    /// A linear functional of a curve. Its derivatives by the parameters go into `slopes`.
    ///
    /// * `of` – the functional of e^(−λt), and its derivative by λ
    pub(super) fn apply(self, parameters: &[f64], of: impl Fn(f64) -> [f64; 2], slopes: &mut [f64]) -> f64 {
        let rates = self.rates();
        let (mut amplitudes, mut found) = ([0.0; MOST_TERMS], [[0.0; 2]; MOST_TERMS]);
        for (term, place) in rates.iter().enumerate() {
            amplitudes[term] = self.amplitude(parameters, term);
            found[term] = of(parameters[*place]);
        }
        let (amplitudes, found) = (&amplitudes[..rates.len()], &found[..rates.len()]);
        for (place, weights) in self.amplitudes() {
            slopes[*place] = weights.iter().zip(found).map(|(weight, [value, _])| weight * value).sum();
        }
        for ((place, amplitude), [_, slope]) in rates.iter().zip(amplitudes).zip(found) {
            slopes[*place] = amplitude * slope;
        }
        amplitudes.iter().zip(found).map(|(amplitude, [value, _])| amplitude * value).sum()
    }
}

impl Parameter {
    /// Name in results, with its unit.
    pub fn name(self) -> String {
        match self {
            Amplitude(number) => format!("amplitude_{number}_mbq"),
            Rate(number) => format!("rate_{number}_per_h"),
        }
    }
}

/// A curve: a shape and its parameters, amplitudes in MBq and rates in 1/h.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    shape: Shape,
    parameters: Vec<f64>,
}

impl Curve {
    /// A curve with these parameters, in the order of [`Shape::parameters`].
    ///
    /// # Errors
    /// If their number is not that of the shape, one is not a finite number above 0, or the curve is not above 0: the
    /// rate of an uptake must be above those of the washout.
    pub fn new(shape: Shape, parameters: Vec<f64>) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        let expected = shape.parameters();
        if parameters.len() != expected.len() {
            let reason = format!("{} has {} parameters, got {}", shape.name(), expected.len(), parameters.len());
            return Err(DoseError::invalid("parameters", reason));
        }
        for (kind, value) in expected.iter().zip(&parameters) {
            if !(value.is_finite() && *value > 0.0) {
                checks.fail(format!("parameters.{}", kind.name()), format!("must be finite and above 0, got {value}"));
            }
        }
        let curve = Self { shape, parameters };
        let rates = curve.rates();
        let is_slowest = rates[1..].iter().all(|rate| *rate > rates[0]);
        if checks.is_empty() && !is_slowest {
            checks.fail("parameters.rate_1_per_h", "must be the slowest rate");
        }
        if checks.is_empty() && curve.integral() <= 0.0 {
            checks.fail("parameters", "the integral of the curve is not above 0");
        }
        checks.finish()?;
        Ok(curve)
    }

    /// A curve as a fit left it: of the right number of parameters, and not looked at.
    pub(super) fn unchecked(shape: Shape, parameters: Vec<f64>) -> Self {
        debug_assert_eq!(parameters.len(), shape.parameters().len(), "a fit keeps the number of parameters");
        Self { shape, parameters }
    }

    /// A curve from parameters by their names, such as `rate_1_per_h`.
    ///
    /// # Errors
    /// As [`Self::new`], and if a name is missing or unknown.
    pub fn from_names(shape: Shape, named: &[(String, f64)]) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        let names: Vec<String> = shape.parameters().iter().map(|kind| kind.name()).collect();
        for (name, _) in named.iter().filter(|(name, _)| !names.contains(name)) {
            checks.fail(format!("parameters.{name}"), format!("{} has no such parameter", shape.name()));
        }
        let find = |name: &String| named.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        for name in names.iter().filter(|name| find(name).is_none()) {
            checks.fail(format!("parameters.{name}"), format!("{} needs it", shape.name()));
        }
        checks.finish()?;
        Self::new(shape, names.iter().filter_map(find).collect())
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Its parameters, in the order of [`Shape::parameters`].
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    /// Its rates [1/h], the slowest first.
    pub fn rates(&self) -> Vec<f64> {
        self.shape.rates().iter().map(|place| self.parameters[*place]).collect()
    }

    /// Its effective half-lives [h], the longest first.
    pub fn half_lives_h(&self) -> Vec<f64> {
        self.rates().into_iter().map(|rate| LN_2 / rate).collect()
    }

    /// Amplitude [MBq] and rate [1/h] of each exponential; amplitudes of an uptake are below 0.
    pub fn terms(&self) -> Vec<[f64; 2]> {
        let amplitude = |term| self.shape.amplitude(&self.parameters, term);
        self.rates().into_iter().enumerate().map(|(term, rate)| [amplitude(term), rate]).collect()
    }

    /// A linear functional of the curve, and its derivatives by the parameters.
    ///
    /// * `of` – the functional of e^(−λt), and its derivative by λ
    pub(super) fn apply(&self, of: impl Fn(f64) -> [f64; 2]) -> (f64, Vec<f64>) {
        let mut slopes = vec![0.0; self.parameters.len()];
        let value = self.shape.apply(&self.parameters, of, &mut slopes);
        (value, slopes)
    }

    /// Mean activity in a window [MBq].
    pub fn mean(&self, window: &Window) -> f64 {
        self.apply(|rate| window.mean(rate)).0
    }

    /// Activity at a time after an injection [MBq].
    pub fn value(&self, time_h: f64) -> f64 {
        self.mean(&Window::at(time_h))
    }

    /// Integral over all time from 0 [MBq·h]. An infusion does not change it.
    pub fn integral(&self) -> f64 {
        self.integral_after(&Window::at(0.0))
    }

    /// Integral from the start of a window on [MBq·h].
    pub fn integral_after(&self, window: &Window) -> f64 {
        self.apply(|rate| window.integral_after(rate)).0
    }

    /// Its parameters by their names.
    pub fn named(&self) -> Value {
        let named = self.shape.parameters().iter().zip(&self.parameters);
        Value::Object(named.map(|(kind, value)| (kind.name(), json!(value))).collect::<Map<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::quadrature::integrate_log;

    fn curves() -> [Curve; 4] {
        [
            Curve::new(Shape::Mono, vec![170.0, 0.0133]).expect("a curve"),
            Curve::new(Shape::BiUptake, vec![190.0, 0.0139, 0.495]).expect("a curve"),
            Curve::new(Shape::BiWashout, vec![40.0, 0.0165, 300.0, 0.433]).expect("a curve"),
            Curve::new(Shape::TriUptake, vec![20.0, 0.0099, 25.0, 0.0495, 0.77]).expect("a curve"),
        ]
    }

    #[test]
    fn integrals_are_those_of_the_values() {
        for curve in curves() {
            let from_h = 1e-7;
            let steps = (0..60).map(|n| from_h * 1.6_f64.powi(n)).collect::<Vec<_>>();
            let parts = steps.windows(2).map(|ends| integrate_log(ends[0], ends[1], |t| curve.value(t)));
            let sum = parts.sum::<f64>() + from_h * curve.value(0.5 * from_h);
            assert!((sum / curve.integral() - 1.0).abs() < 1e-9, "{curve:?}: {sum} {}", curve.integral());
            let after = Window::at(30.0);
            let before = Window { duration_h: 30.0, ..Window::at(0.0) };
            let whole = curve.integral_after(&after) + 30.0 * curve.mean(&before);
            assert!((whole / curve.integral() - 1.0).abs() < 1e-12, "{curve:?}");
        }
    }

    #[test]
    fn gradients_are_limits_of_differences() {
        for curve in curves() {
            let window = Window { start_h: 0.3, duration_h: 0.5, infusion_h: 0.6 };
            let (_, slopes) = curve.apply(|rate| window.mean(rate));
            for (place, slope) in slopes.into_iter().enumerate() {
                let step = 1e-5 * curve.parameters[place];
                let moved = |by: f64| {
                    let mut moved = curve.clone();
                    moved.parameters[place] += by;
                    moved.mean(&window)
                };
                let difference = (moved(step) - moved(-step)) / (2.0 * step);
                assert!((slope - difference).abs() < 1e-7 * slope.abs().max(1.0), "{curve:?} {place}");
            }
        }
    }

    #[test]
    fn uptake_starts_at_nothing() {
        for curve in curves().iter().filter(|curve| curve.terms().iter().any(|[amplitude, _]| *amplitude < 0.0)) {
            assert!(curve.value(0.0).abs() < 1e-12 && curve.value(1.0) > 1.0, "{curve:?}");
        }
    }

    #[test]
    fn bad_parameters_are_named() {
        let fields = |result: Result<Curve, DoseError>| -> Vec<String> {
            result.expect_err("a fault").violations().into_iter().map(|fault| fault.field).collect()
        };
        assert_eq!(fields(Curve::new(Shape::Mono, vec![1.0])), ["parameters"]);
        let both = ["parameters.amplitude_1_mbq", "parameters.rate_1_per_h"];
        assert_eq!(fields(Curve::new(Shape::Mono, vec![0.0, f64::NAN])), both);
        let slow_uptake = Curve::new(Shape::BiUptake, vec![1.0, 0.2, 0.1]);
        assert_eq!(fields(slow_uptake), ["parameters.rate_1_per_h"]);
        let named = [("rate_1_per_h".to_owned(), 0.1), ("rate_9_per_h".to_owned(), 0.1)];
        let expected = ["parameters.rate_9_per_h", "parameters.amplitude_1_mbq"];
        assert_eq!(fields(Curve::from_names(Shape::Mono, &named)), expected);
    }
}
