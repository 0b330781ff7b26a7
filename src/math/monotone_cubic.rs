//! Cubics between points that rise and fall only where the points do.
//!
//! Source: F. N. Fritsch, J. Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300.

/// Slopes at the points that keep a cubic Hermite interpolant monotone and preserve its shape.
///
/// * `x` – ascending, at least three points
pub(crate) fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let h: Vec<f64> = x.windows(2).map(|w| w[1] - w[0]).collect();
    let s: Vec<f64> = (0..n - 1).map(|i| (y[i + 1] - y[i]) / h[i]).collect();
    let interior = |i: usize| {
        if s[i - 1] * s[i] <= 0.0 {
            return 0.0;
        }
        let (a, b) = (2.0 * h[i] + h[i - 1], h[i] + 2.0 * h[i - 1]);
        (a + b) / (a / s[i - 1] + b / s[i])
    };
    let edge = |h0: f64, h1: f64, s0: f64, s1: f64| {
        let slope = ((2.0 * h0 + h1) * s0 - h0 * s1) / (h0 + h1);
        if slope * s0 <= 0.0 {
            0.0
        } else if s0 * s1 <= 0.0 {
            if slope.abs() > 3.0 * s0.abs() { 3.0 * s0 } else { slope }
        } else {
            // Without this bound the cubic of the first interval may turn back.
            slope.clamp(-3.0 * s0.abs(), 3.0 * s0.abs())
        }
    };
    let mut slopes = vec![edge(h[0], h[1], s[0], s[1])];
    slopes.extend((1..n - 1).map(interior));
    slopes.push(edge(h[n - 2], h[n - 3], s[n - 2], s[n - 3]));
    slopes
}

/// Value of a cubic between two points.
///
/// * `t` – position between them, 0 to 1
/// * `width` – distance of the points
/// * `from`, `to` – value and slope at each
#[inline]
pub(crate) fn between(t: f64, width: f64, [from, slope_from]: [f64; 2], [to, slope_to]: [f64; 2]) -> f64 {
    let rise = to - from;
    let (a, b) = (slope_from * width - rise, rise - slope_to * width);
    from + t * (rise + (1.0 - t) * (a * (1.0 - t) + b * t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_rise_give_a_curve_that_rises() {
        let (x, y) = ([0.0, 1.0, 1.5, 4.0, 5.0], [0.0, 0.1, 3.0, 3.0, 7.0]);
        let slopes = slopes(&x, &y);
        for i in 0..4 {
            let width = x[i + 1] - x[i];
            let value = |t| between(t, width, [y[i], slopes[i]], [y[i + 1], slopes[i + 1]]);
            assert_eq!((value(0.0), value(1.0)), (y[i], y[i + 1]));
            for step in 0..100 {
                let t = f64::from(step) / 100.0;
                assert!(value(t + 0.01) >= value(t) - 1e-14, "{i} {t}");
            }
        }
    }

    #[test]
    fn lines_are_kept() {
        let slopes = slopes(&[0.0, 1.0, 4.0], &[1.0, 3.0, 9.0]);
        assert!(slopes.iter().all(|slope| (slope - 2.0).abs() < 1e-15), "{slopes:?}");
    }
}
