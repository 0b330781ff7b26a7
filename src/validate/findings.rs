//! What a check finds: quantities with what was expected of them, and figures.

use serde::Serialize;

use super::statistics::Estimate;
use crate::report::Figure;

/// Standard deviations that are allowed on top of a tolerance.
const SIGMAS: f64 = 3.0;
/// Standard deviations that are allowed if there is no tolerance. With 31 degrees of freedom, one quantity in 2700
/// exceeds them by chance.
const SIGMAS_ALONE: f64 = 4.0;

/// One quantity of a check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub quantity: String,
    /// The expected value.
    pub expected: f64,
    /// The value found.
    pub found: f64,
    /// By how much the two may differ apart from statistics.
    pub tolerance: f64,
    /// Standard deviation of their difference.
    pub sigma: f64,
    /// Number of standard deviations that are allowed on top of the tolerance.
    pub sigmas_allowed: f64,
}

impl Row {
    /// A quantity and its tolerance, both in the same unit.
    pub fn new(quantity: impl Into<String>, found: Estimate, expected: f64, tolerance: f64) -> Self {
        let Estimate { mean, sigma } = found;
        Self { quantity: quantity.into(), expected, found: mean, tolerance, sigma, sigmas_allowed: SIGMAS }
    }

    /// A quantity for which statistics alone decide, apart from rounding.
    pub fn statistical(quantity: impl Into<String>, found: Estimate, expected: f64, rounding: f64) -> Self {
        Self { sigmas_allowed: SIGMAS_ALONE, ..Self::new(quantity, found, expected, rounding) }
    }

    /// A count that must be 0, such as bytes that differ or voxels without a dose.
    pub fn none_of(quantity: impl Into<String>, found: usize) -> Self {
        Self::new(quantity, Estimate::exact(found as f64), 0.0, 0.0)
    }

    /// The quantity that is closest to failing, or fails by most.
    pub fn worst(rows: impl Iterator<Item = Self>) -> Option<Self> {
        // What is not a number ranks as the worst.
        let rank = |row: &Self| {
            let part = (row.found - row.expected).abs() / row.allowed();
            if part.is_nan() { f64::INFINITY } else { part }
        };
        rows.max_by(|a, b| rank(a).total_cmp(&rank(b)))
    }

    /// By how much the quantity may differ from what is expected.
    pub fn allowed(&self) -> f64 {
        self.tolerance + self.sigmas_allowed * self.sigma
    }

    /// The smallest true difference that would fail in 99.9 of 100 runs.
    pub fn detects(&self) -> f64 {
        self.allowed() + 3.1 * self.sigma
    }

    /// Whether the quantity is as expected. What is not a number never is.
    pub fn passes(&self) -> bool {
        self.sigma.is_finite() && (self.found - self.expected).abs() <= self.allowed()
    }
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Every quantity.
    pub rows: Vec<Row>,
    /// Figures that show them.
    pub figures: Vec<Figure>,
}

impl Findings {
    /// Whether there is at least one quantity and all are as expected.
    pub fn passes(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(Row::passes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_beyond_tolerance_and_statistics_fails() {
        let row = |found: f64, sigma: f64| Row::new("ratio", Estimate { mean: found, sigma }, 1.0, 0.01);
        assert!(row(1.009, 0.0).passes() && row(0.991, 0.0).passes() && row(1.02, 0.004).passes());
        assert!(!row(1.011, 0.0).passes() && !row(0.98, 0.003).passes());
        assert!((row(1.0, 0.001).detects() - 0.0161).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_a_number_fails() {
        for (mean, sigma) in [(f64::NAN, 0.0), (1.0, f64::NAN), (1.0, f64::INFINITY), (f64::INFINITY, 0.0)] {
            assert!(!Row::new("ratio", Estimate { mean, sigma }, 1.0, 0.01).passes(), "{mean} {sigma}");
        }
    }

    #[test]
    fn nothing_found_is_no_success() {
        assert!(!Findings::default().passes());
        let rows = vec![Row::none_of("bytes that differ", 0), Row::none_of("others", 1)];
        assert!(rows[0].passes() && !rows[1].passes());
        assert!(!Findings { rows, figures: vec![] }.passes());
    }
}
