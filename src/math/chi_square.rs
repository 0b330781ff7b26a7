//! The distribution of chi-square.

/// Probability that chi-square is at least this large by chance.
///
/// * `degrees` – of freedom, above 0
///
/// Source: the closed sums of the incomplete gamma function of halves, Abramowitz & Stegun 26.4.4 and 26.4.5.
pub(crate) fn probability_above(chi_square: f64, degrees: usize) -> f64 {
    let half = 0.5 * chi_square.max(0.0);
    let (mut term, mut sum, mut order) = if degrees.is_multiple_of(2) {
        ((-half).exp(), 0.0, 0.0)
    } else {
        let root = half.sqrt();
        ((-half).exp() * 2.0 * root / std::f64::consts::PI.sqrt(), libm::erfc(root), 0.5)
    };
    for _ in 0..degrees / 2 {
        sum += term;
        order += 1.0;
        term *= half / order;
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::quadrature::integrate;

    #[test]
    fn it_is_the_integral_of_its_density() {
        for degrees in 1..9_u32 {
            for chi_square in [0.3_f64, 2.0, 11.0] {
                let power = 0.5 * f64::from(degrees) - 1.0;
                let norm = 2.0_f64.powf(power + 1.0) * libm::tgamma(power + 1.0);
                // In the root of chi-square, where the density has no pole.
                let density = |x: f64| 2.0 * x.powf(2.0 * power + 1.0) * (-0.5 * x * x).exp() / norm;
                let above = 1.0 - integrate(0.0, chi_square.sqrt(), density);
                let found = probability_above(chi_square, degrees as usize);
                assert!((found - above).abs() < 1e-10, "{degrees} {chi_square}: {found} {above}");
            }
        }
    }

    #[test]
    fn known_limits_are_met() {
        // Tables: 1 % of chi-square is above these.
        for (degrees, limit) in [(1, 6.634_897), (2, 9.210_340), (5, 15.086_272)] {
            assert!((probability_above(limit, degrees) - 0.01).abs() < 1e-7, "{degrees}");
        }
        assert_eq!(probability_above(0.0, 3), 1.0);
    }
}
