//! Natural cubic spline through given points.

/// A twice differentiable curve through points, its second derivative 0 at both ends. Constant slope outside.
#[derive(Clone, Debug)]
pub(crate) struct CubicSpline {
    x: Vec<f64>,
    y: Vec<f64>,
    /// Second derivative at each point.
    curvature: Vec<f64>,
}

impl CubicSpline {
    /// The spline through `(x, y)`, `x` ascending, at least two points.
    pub(crate) fn new(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (x, y): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
        debug_assert!(x.len() >= 2 && x.windows(2).all(|pair| pair[0] < pair[1]));
        let curvature = curvature(&x, &y);
        Self { x, y, curvature }
    }

    /// Value at `x`; a straight line beyond the ends.
    pub(crate) fn value(&self, x: f64) -> f64 {
        let last = self.x.len() - 1;
        if x < self.x[0] {
            return self.y[0] + (x - self.x[0]) * self.end_slope(0);
        }
        if x > self.x[last] {
            return self.y[last] + (x - self.x[last]) * self.end_slope(last - 1);
        }
        let i = self.x.partition_point(|&node| node <= x).clamp(1, last) - 1;
        let h = self.x[i + 1] - self.x[i];
        let (a, b) = ((self.x[i + 1] - x) / h, (x - self.x[i]) / h);
        let bend = (a * a * a - a) * self.curvature[i] + (b * b * b - b) * self.curvature[i + 1];
        a * self.y[i] + b * self.y[i + 1] + bend * h * h / 6.0
    }

    /// Slope at the outer end of the first or last interval, `i`.
    fn end_slope(&self, i: usize) -> f64 {
        let h = self.x[i + 1] - self.x[i];
        let secant = (self.y[i + 1] - self.y[i]) / h;
        if i == 0 { secant - h / 6.0 * self.curvature[1] } else { secant + h / 6.0 * self.curvature[i] }
    }
}

/// Second derivatives of the natural spline: a tridiagonal system, by elimination and back substitution.
fn curvature(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let mut curvature = vec![0.0; n];
    let mut upper = vec![0.0; n];
    for i in 1..n - 1 {
        let (left, right) = (x[i] - x[i - 1], x[i + 1] - x[i]);
        let weight = left / (left + right);
        let pivot = weight * upper[i - 1] + 2.0;
        upper[i] = (weight - 1.0) / pivot;
        let bend = (y[i + 1] - y[i]) / right - (y[i] - y[i - 1]) / left;
        curvature[i] = (6.0 * bend / (left + right) - weight * curvature[i - 1]) / pivot;
    }
    for i in (0..n - 1).rev() {
        curvature[i] += upper[i] * curvature[i + 1];
    }
    curvature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smooth_curve_is_followed() {
        let spline = CubicSpline::new((0..=20).map(|i| f64::from(i) * 0.1).map(|x| (x, x.sin())));
        // Inside, the error of a cubic spline is about h⁴/384 = 3e-7; at the natural right end, of order h².
        for x in [0.0, 0.05, 0.37, 1.0, 1.44] {
            assert!((spline.value(x) - x.sin()).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn lines_are_kept_inside_and_beyond() {
        let spline = CubicSpline::new([(0.0, 1.0), (1.0, 3.0), (4.0, 9.0)]);
        for x in [-2.0, 0.5, 3.0, 6.0] {
            assert!((spline.value(x) - (1.0 + 2.0 * x)).abs() < 1e-13, "{x}");
        }
        assert_eq!(CubicSpline::new([(0.0, 1.0), (2.0, 2.0)]).value(1.0), 1.5);
    }

    #[test]
    fn the_slope_is_continuous_at_the_ends() {
        let spline = CubicSpline::new([(0.0, 0.0), (1.0, 1.0), (2.0, 8.0), (3.0, 27.0)]);
        for end in [0.0, 3.0] {
            let inner = (spline.value(end + 1e-6) - spline.value(end)) / 1e-6;
            let outer = (spline.value(end) - spline.value(end - 1e-6)) / 1e-6;
            assert!((inner - outer).abs() < 1e-4, "{inner} {outer}");
        }
    }
}
