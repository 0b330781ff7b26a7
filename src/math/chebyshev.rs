//! Chebyshev series.

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
}
