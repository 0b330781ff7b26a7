//! Chebyshev series in the logarithm of the energy: the form of the fitted tables.

use super::log_grid::{MAX_ENERGY_MEV, MIN_ENERGY_MEV};

/// The logarithm of the energy, mapped so that 1 keV to 10 MeV is −1 to 1; beyond, the nearer end.
pub(crate) fn scaled_log_energy(energy_mev: f64) -> f64 {
    (2.0 * (energy_mev / MIN_ENERGY_MEV).ln() / (MAX_ENERGY_MEV / MIN_ENERGY_MEV).ln() - 1.0).clamp(-1.0, 1.0)
}

/// Sum of the coefficients times the Chebyshev polynomials of `x`.
///
/// Source: Clenshaw, Math. Tables Aids Comput. 9 (1955) 118.
pub(crate) fn value(coefficients: &[f64], x: f64) -> f64 {
    let (mut next, mut after) = (0.0, 0.0);
    for coefficient in coefficients[1..].iter().rev() {
        (next, after) = (coefficient + 2.0 * x * next - after, next);
    }
    coefficients[0] + x * next - after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_is_that_of_chebyshev() {
        // T₀ = 1, T₁ = x, T₂ = 2x² − 1, T₃ = 4x³ − 3x.
        let x: f64 = 0.3;
        let expected = 1.0 + 2.0 * x + 3.0 * (2.0 * x * x - 1.0) + 4.0 * (4.0 * x.powi(3) - 3.0 * x);
        assert!((value(&[1.0, 2.0, 3.0, 4.0], x) - expected).abs() < 1e-14);
        assert_eq!(value(&[5.0], x), 5.0);
    }

    #[test]
    fn the_range_of_energies_is_mapped_to_the_unit_interval() {
        for (energy, expected) in [(1e-3, -1.0), (0.1, 0.0), (10.0, 1.0), (1e-5, -1.0), (100.0, 1.0)] {
            assert!((scaled_log_energy(energy) - expected).abs() < 1e-12, "{energy}");
        }
    }
}
