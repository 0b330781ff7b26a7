//! Absorbed dose-rate over time: after one administration, and over infusions, sessions of clearance and cycles.

use crate::domain::{Checks, DoseError, Invalid};

/// Points at which the sign of a slope is looked for.
const SLOPE_POINTS: i32 = 4000;
/// Halvings that find a time of no slope, to the last bits.
const HALVINGS: u32 = 200;
/// Terms that leave less than this part of their doses cancel each other: rounding would show in nine digits.
const CANCELLED: f64 = 1e-7;
/// A dose-rate below 0 by less than this part of its largest amplitude comes from amplitudes written with few digits.
const ROUNDING: f64 = 1e-6;

/// One exponential of a dose-rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Dose-rate at the start; below 0 for uptake [Gy/h].
    pub amplitude_gy_per_h: f64,
    /// Effective rate, physical decay inside [1/h].
    pub rate_per_h: f64,
}

impl Term {
    /// The same term, so long after its start.
    pub(super) fn after(self, hours: f64) -> Self {
        Self { amplitude_gy_per_h: self.at(hours), ..self }
    }

    /// Its dose over all time [Gy].
    fn dose_gy(self) -> f64 {
        self.amplitude_gy_per_h / self.rate_per_h
    }

    pub(super) fn at(self, hours: f64) -> f64 {
        self.amplitude_gy_per_h * (-self.rate_per_h * hours).exp()
    }
}

/// The highest dose-rate and when it is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Since the start [h].
    pub time_h: f64,
    /// [Gy/h].
    pub gy_per_h: f64,
}

/// Dose-rate after one short administration: a sum of exponentials.
#[derive(Clone, Debug, PartialEq)]
pub struct DoseRate {
    /// Of some dose above 0.
    terms: Vec<Term>,
    /// What they are times: 0 of a dose of 0, which keeps its shape.
    factor: f64,
}

impl DoseRate {
    /// * `terms` – at least one; the dose-rate is nowhere below 0
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every bad term: an amplitude that is not finite, a rate that is not above 0, a
    /// dose-rate below 0, no dose at all.
    pub fn new(terms: Vec<Term>) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        for (at, term) in terms.iter().enumerate() {
            let field = format!("dose_rate_terms[{at}]");
            if !term.amplitude_gy_per_h.is_finite() {
                checks.fail(format!("{field}.amplitude_gy_per_h"), "must be a finite number");
            }
            if !(term.rate_per_h > 0.0 && term.rate_per_h.is_finite()) {
                let reason = "must be above 0 and finite: a dose-rate with another rate never ends";
                checks.fail(format!("{field}.rate_per_h"), reason);
            }
        }
        if terms.is_empty() {
            checks.fail("dose_rate_terms", "at least one is needed");
        }
        checks.finish()?;
        let rate = Self { terms, factor: 1.0 };
        if rate.lowest() < -ROUNDING * rate.largest_amplitude() {
            return Err(DoseError::invalid("dose_rate_terms", "the dose-rate they give is below 0 at some time"));
        }
        if rate.dose_gy() <= 0.0 {
            return Err(DoseError::invalid(
                "dose_rate_terms",
                "they give no dose: the sum of amplitude / rate is not above 0",
            ));
        }
        if rate.dose_gy() < CANCELLED * rate.terms.iter().map(|term| term.dose_gy().abs()).sum::<f64>() {
            return Err(DoseError::invalid(
                "dose_rate_terms",
                format!("they cancel each other to less than {CANCELLED:.0e} of their doses: give rates further apart"),
            ));
        }
        Ok(rate)
    }

    /// A dose that comes at one exponentially falling rate.
    ///
    /// * `dose_gy` – 0 or more [Gy]
    /// * `half_life_h` – effective, not physical [h]
    ///
    /// # Errors
    /// [`DoseError::Invalid`] if the dose is below 0 or not finite, or the half-life is not above 0 and finite.
    pub fn mono(dose_gy: f64, half_life_h: f64) -> Result<Self, DoseError> {
        let mut checks = Checks::new();
        checks.at("absorbed_dose_gy", dose_of(dose_gy));
        checks.at("effective_half_life_h", above_0(half_life_h));
        checks.finish()?;
        let rate_per_h = std::f64::consts::LN_2 / half_life_h;
        let of_one_gray = Self::new(vec![Term { amplitude_gy_per_h: rate_per_h, rate_per_h }])?;
        Ok(Self { factor: dose_gy, ..of_one_gray })
    }

    /// Its exponentials, of some dose above 0, and what they are times.
    pub(super) fn shape(&self) -> (&[Term], f64) {
        (&self.terms, self.factor)
    }

    /// The dose over all time: `Σ a / λ` [Gy].
    pub fn dose_gy(&self) -> f64 {
        self.factor * self.dose_of_terms_gy()
    }

    fn dose_of_terms_gy(&self) -> f64 {
        self.terms.iter().map(|term| term.dose_gy()).sum()
    }

    /// The same shape with another dose over all time.
    ///
    /// * `dose_gy` – 0 or more [Gy]
    ///
    /// # Errors
    /// If the dose is below 0 or not finite.
    pub fn scaled_to(&self, dose_gy: f64) -> Result<Self, DoseError> {
        dose_of(dose_gy).map_err(|Invalid(reason)| DoseError::invalid("absorbed_dose_gy", reason))?;
        Ok(Self { terms: self.terms.clone(), factor: dose_gy / self.dose_of_terms_gy() })
    }

    /// Dose-rate at a time [Gy/h].
    ///
    /// * `time_h` – since the start [h]
    pub fn at_gy_per_h(&self, time_h: f64) -> f64 {
        self.factor * self.terms_at(time_h)
    }

    fn terms_at(&self, time_h: f64) -> f64 {
        self.terms.iter().map(|term| term.at(time_h)).sum()
    }

    /// The highest dose-rate. With uptake from zero, `a (e^(−λ1 t) − e^(−λ2 t))`, it is at `ln(λ2/λ1)/(λ2 − λ1)`.
    pub fn peak(&self) -> Peak {
        let peak = |time_h: f64| Peak { time_h, gy_per_h: self.terms_at(time_h) };
        let candidates = std::iter::once(0.0).chain(self.turns()).map(peak);
        let highest = candidates.max_by(|a, b| a.gy_per_h.total_cmp(&b.gy_per_h)).expect("the start is one");
        Peak { gy_per_h: self.factor * highest.gy_per_h, ..highest }
    }

    fn largest_amplitude(&self) -> f64 {
        self.terms.iter().map(|term| term.amplitude_gy_per_h.abs()).fold(0.0, f64::max)
    }

    /// The lowest dose-rate [Gy/h].
    fn lowest(&self) -> f64 {
        // Where all but the slowest have gone, its sign decides.
        let slowest = self.terms.iter().min_by(|a, b| a.rate_per_h.total_cmp(&b.rate_per_h)).expect("there is one");
        let equal = self.terms.iter().filter(|term| term.rate_per_h == slowest.rate_per_h);
        let last: f64 = equal.map(|term| term.amplitude_gy_per_h).sum();
        self.turns().into_iter().chain([0.0]).map(|time_h| self.terms_at(time_h)).fold(last.min(0.0), f64::min)
    }

    /// Times without a slope [h].
    fn turns(&self) -> Vec<f64> {
        let slope = |time_h: f64| -> f64 { self.terms.iter().map(|term| -term.rate_per_h * term.at(time_h)).sum() };
        let rates = || self.terms.iter().map(|term| term.rate_per_h);
        let (first, last) = (1e-6 / rates().fold(0.0, f64::max), 60.0 / rates().fold(f64::INFINITY, f64::min));
        let step = (last / first).ln() / f64::from(SLOPE_POINTS);
        let times: Vec<f64> = (0..=SLOPE_POINTS).map(|at| first * (step * f64::from(at)).exp()).collect();
        let turns = times.windows(2).filter(|pair| slope(pair[0]) * slope(pair[1]) < 0.0);
        turns.map(|pair| no_slope(slope, [pair[0], pair[1]])).collect()
    }
}

/// The time between two at which a slope is 0.
fn no_slope(slope: impl Fn(f64) -> f64, [mut low, mut high]: [f64; 2]) -> f64 {
    let rises = slope(low) > 0.0;
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if (slope(middle) > 0.0) == rises { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// # Errors
/// If a dose is below 0 or not finite.
fn dose_of(dose_gy: f64) -> Result<f64, Invalid> {
    let is_good = dose_gy >= 0.0 && dose_gy.is_finite();
    is_good.then_some(dose_gy).ok_or_else(|| Invalid::new(format!("must be 0 or more and finite, got {dose_gy}")))
}

/// # Errors
/// If a number is not above 0 and finite.
pub(super) fn above_0(value: f64) -> Result<f64, Invalid> {
    let is_good = value > 0.0 && value.is_finite();
    is_good.then_some(value).ok_or_else(|| Invalid::new(format!("must be above 0 and finite, got {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uptake() -> DoseRate {
        DoseRate::new(vec![
            Term { amplitude_gy_per_h: 0.2, rate_per_h: 0.02 },
            Term { amplitude_gy_per_h: -0.2, rate_per_h: 0.5 },
        ])
        .expect("a good dose-rate")
    }

    #[test]
    fn the_dose_is_the_integral_of_the_rate() {
        let rate = uptake();
        let (mut sum, step) = (0.0, 0.01);
        for at in 0..100_000u32 {
            sum += rate.at_gy_per_h((f64::from(at) + 0.5) * step) * step;
        }
        assert!((sum / rate.dose_gy() - 1.0).abs() < 1e-5, "{sum}");
        let scaled = rate.scaled_to(3.0).expect("a good dose");
        assert!((scaled.dose_gy() - 3.0).abs() < 1e-14);
    }

    #[test]
    fn the_peak_of_uptake_has_a_closed_form() {
        let peak = uptake().peak();
        let time_h = (0.5f64 / 0.02).ln() / (0.5 - 0.02);
        assert!((peak.time_h / time_h - 1.0).abs() < 1e-12, "{peak:?} {time_h}");
        let falling = DoseRate::mono(5.0, 50.0).expect("good").peak();
        assert_eq!(falling.time_h, 0.0);
    }

    #[test]
    fn bad_dose_rates_are_refused_by_field() {
        let bad = DoseRate::new(vec![
            Term { amplitude_gy_per_h: f64::NAN, rate_per_h: 0.1 },
            Term { amplitude_gy_per_h: 1.0, rate_per_h: 0.0 },
        ]);
        let fields: Vec<String> = bad.expect_err("two faults").violations().into_iter().map(|v| v.field).collect();
        assert_eq!(fields, ["dose_rate_terms[0].amplitude_gy_per_h", "dose_rate_terms[1].rate_per_h"]);
        let term = |amplitude_gy_per_h: f64, rate_per_h: f64| Term { amplitude_gy_per_h, rate_per_h };
        for below_0 in
            [vec![term(-1.0, 0.1)], vec![term(1.0, 0.5), term(-0.5, 0.1)], vec![term(1.0, 0.1), term(-2.0, 1.0)]]
        {
            assert!(DoseRate::new(below_0.clone()).is_err(), "{below_0:?}");
        }
        let cancelled = DoseRate::new(vec![term(1.0, 0.01), term(-1.0, 0.01 * (1.0 + 1e-9))]);
        assert!(cancelled.expect_err("rounding").to_string().contains("cancel"));
        assert!(DoseRate::mono(-1.0, 0.0).expect_err("two faults").violations().len() == 2);
        assert!(DoseRate::new(Vec::new()).is_err());
    }
}
