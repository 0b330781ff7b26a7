//! Ranges of numbers that callers give: wide enough for all that has a meaning, and no wider.

use std::ops::RangeInclusive;

use super::Invalid;
use super::words::plain;

/// The range of one kind of number.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberRange {
    /// What it is, as it stands at the beginning of a reason.
    pub what: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Where it must lie, both ends included.
    pub range: RangeInclusive<f64>,
}

impl NumberRange {
    /// # Errors
    /// If a number is not in the range; NaN is in none.
    pub fn check(&self, number: f64) -> Result<(), Invalid> {
        if self.range.contains(&number) {
            return Ok(());
        }
        let (low, high) = (self.range.start(), self.range.end());
        let Self { what, unit, .. } = self;
        let above = if *low > 0.0 { "above 0" } else { "0 or above" };
        Err(Invalid::new(format!(
            "{what} must be {above}, from {} to {} {unit}, got {number} {unit}",
            plain(*low),
            plain(*high)
        )))
    }
}

/// Half-lives: from a millisecond to more than the age of the universe.
pub const HALF_LIFE_S: NumberRange = NumberRange { what: "the half-life", unit: "s", range: 1e-3..=1e18 };
/// Times that decays are counted over: from a second to some thirty thousand years.
pub const INTEGRATION_TIME_S: NumberRange = NumberRange { what: "the integration time", unit: "s", range: 1.0..=1e12 };
/// Radii that kernels are cut off at: from the edge of a small voxel to more than a body.
pub const TRUNCATION_RADIUS_MM: NumberRange = NumberRange { what: "the radius", unit: "mm", range: 0.01..=1e4 };
/// Least densities that get a dose, up to that of the densest element.
pub const MINIMUM_DENSITY_G_CM3: NumberRange = NumberRange { what: "the density", unit: "g/cm³", range: 0.0..=25.0 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_in_a_range_and_nonsense_is_in_none() {
        for range in [HALF_LIFE_S, INTEGRATION_TIME_S, TRUNCATION_RADIUS_MM, MINIMUM_DENSITY_G_CM3] {
            for good in [*range.range.start(), *range.range.end()] {
                assert!(range.check(good).is_ok(), "{range:?} {good}");
            }
            let (below, above) = (range.range.start().next_down(), range.range.end().next_up());
            for bad in [below, above, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
                assert!(range.check(bad).is_err(), "{range:?} {bad}");
            }
        }
        assert!([0.0, 5e-324, 1e-300].iter().all(|bad| HALF_LIFE_S.check(*bad).is_err()));
    }
}
