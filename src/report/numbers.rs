//! Numbers for people: significant digits, and a unit that fits the dose.

use std::fmt;

/// Significant digits of a dose.
pub const DIGITS: usize = 4;

/// Figures of this size and below are written with a power of ten.
const SMALLEST_PLAIN: f64 = 1e-4;

/// A unit of absorbed dose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoseUnit {
    name: &'static str,
    per_gy: f64,
}

impl DoseUnit {
    /// The largest unit in which a dose is at least 0.1, down to µGy; Gy for no dose at all.
    pub fn fitting(gy: f64) -> Self {
        let units = [("Gy", 1.0), ("mGy", 1e3), ("µGy", 1e6)].map(|(name, per_gy)| Self { name, per_gy });
        if gy.is_nan() || gy <= 0.0 {
            return units[0];
        }
        units.into_iter().find(|unit| gy * unit.per_gy >= 0.1).unwrap_or(units[2])
    }

    /// A dose in this unit, without the unit's name.
    pub fn figure(self, gy: f64) -> String {
        significant(gy * self.per_gy, DIGITS)
    }

    /// A dose in this unit, with its name.
    pub fn with_unit(self, gy: f64) -> String {
        format!("{} {self}", self.figure(gy))
    }
}

impl fmt::Display for DoseUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A number with so many significant digits; whole numbers keep all their digits.
pub fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    if value.abs() < SMALLEST_PLAIN {
        return format!("{value:.*e}", digits - 1);
    }
    // The exponent of the rounded number: 9.99996 has one digit more before the point than 9.9.
    let rounded = format!("{value:.*e}", digits - 1);
    let exponent: i32 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let decimals = usize::try_from(i32::try_from(digits).unwrap_or(i32::MAX) - 1 - exponent).unwrap_or(0);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_their_digits() {
        for (value, text) in [
            (0.0, "0"),
            (12.345_67, "12.35"),
            (0.628_71, "0.6287"),
            (9.999_96, "10.00"),
            (123_456.7, "123457"),
            (0.001_234_56, "0.001235"),
            (-0.5, "-0.5000"),
            (1.234_56e-7, "1.235e-7"),
        ] {
            assert_eq!(significant(value, DIGITS), text);
        }
    }

    #[test]
    fn units_fit_the_dose() {
        for (gy, text) in [
            (0.0, "0 Gy"),
            (71.25, "71.25 Gy"),
            (0.25, "0.2500 Gy"),
            (0.000_628_7, "0.6287 mGy"),
            (4.2e-5, "42.00 µGy"),
            (4.2e-9, "0.004200 µGy"),
            (4.2e-12, "4.200e-6 µGy"),
        ] {
            assert_eq!(DoseUnit::fitting(gy).with_unit(gy), text);
        }
    }
}
