//! The mean of an exponential over its interval, and its divided difference, without loss of digits.

/// Closer arguments than this part of them are taken by a series.
const CLOSE: f64 = 1e-3;
/// Moments of smaller arguments come from their series.
const SMALL: f64 = 2.0;
/// Terms of that series: the last is below 1e-16.
const SERIES_TERMS: u32 = 30;

/// `φ(x) = (1 − e^(−x))/x = ∫₀¹ e^(−xs) ds`.
pub(super) fn mean_decay(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { -(-x).exp_m1() / x }
}

/// `(φ(y) − φ(x))/(y − x)`, where they are equal too.
///
/// * `x`, `y` – 0 or more
pub(super) fn divided_difference(x: f64, y: f64) -> f64 {
    let middle = f64::midpoint(x, y);
    if (y - x).abs() > CLOSE * middle.max(1.0) {
        return (mean_decay(y) - mean_decay(x)) / (y - x);
    }
    // Taylor's series about the middle; the next term is below 1e-13.
    let square = ((y - x) / 2.0).powi(2);
    -(moment(1, middle) + square / 6.0 * moment(3, middle) + square * square / 120.0 * moment(5, middle))
}

/// `∫₀¹ sⁿ e^(−xs) ds`, the n-th derivative of φ but for its sign.
fn moment(n: u32, x: f64) -> f64 {
    if x > SMALL {
        return (1..=n).fold(mean_decay(x), |below, order| (f64::from(order) * below - (-x).exp()) / x);
    }
    let mut power = 1.0;
    let mut sum = 0.0;
    for order in 0..SERIES_TERMS {
        sum += power / f64::from(n + order + 1);
        power *= -x / f64::from(order + 1);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::gauss::GaussRule;

    /// `−∫₀¹ ∫₀¹ s e^(−s(x + u(y−x))) du ds`.
    fn by_quadrature(x: f64, y: f64) -> f64 {
        let rule = GaussRule::legendre(40);
        let mut sum = 0.0;
        rule.for_each_point([0.0, 1.0], 0.05, |s, weight| sum -= weight * s * (-x * s).exp() * mean_decay((y - x) * s));
        sum
    }

    #[test]
    fn differences_agree_with_quadrature_near_and_far() {
        for x in [0.0, 1e-4, 0.3, 1.9, 2.1, 7.0, 60.0] {
            for apart in [0.0, 1e-9, 1e-4, 0.9e-3, 1.1e-3, 0.1, 3.0, 40.0] {
                let (found, right) = (divided_difference(x, x + apart), by_quadrature(x, x + apart));
                assert!((found / right - 1.0).abs() < 1e-11, "{x} {apart}: {found} {right}");
                assert_eq!(found, divided_difference(x + apart, x));
            }
        }
    }
}
