//! Voxel energies where the kernel is steep or singular: exact along every ray from the source point, Gauss-Legendre over directions.
//!
//! With `f(r) = k(r) / 4πr²`, the energy absorbed at offset n is `∫ f(|x|) Π_a (1 − |x_a / d_a − n_a|)₊ d³x`: the average over directions of the
//! overlap of two voxels at displacement x, times the energy that travels that far. Between lattice planes the overlap is a product of straight
//! lines, along a ray a cubic in r, and its integral a sum of the kernel's first four moments. So a lattice cell takes integrals over its faces
//! only: moments where rays enter, less moments where they leave.
//!
//! On a face at `x = X`, `y = X sinh s` and `z = √(X² + y²) sinh t` make the solid angle `ds dt / (cosh s cosh² t)`, smooth at any aspect ratio.

use std::f64::consts::PI;
use std::sync::LazyLock;

use super::radial::{Moments, RadialKernel};
use crate::math::gauss::GaussRule;

/// Longest panel of a Gauss rule, in s or t: the factor that a radius may change by within it, as a logarithm.
const PANEL: f64 = 0.4;
/// Points of the rule in each panel.
const PANEL_POINTS: usize = 8;

static RULE: LazyLock<GaussRule> = LazyLock::new(|| GaussRule::legendre(PANEL_POINTS));

/// A straight line `intercept + slope · x`.
type Linear = [f64; 2];

/// A box between lattice planes in the positive octant, with the overlap of two voxels on it.
struct Cell {
    low: [f64; 3],
    high: [f64; 3],
    /// The overlap is the product of these lines, one an axis.
    overlap: [Linear; 3],
}

/// Energy absorbed at an offset [MeV per decay].
pub(super) fn energy(kernel: &RadialKernel, spacing_cm: [f64; 3], offset: [usize; 3]) -> f64 {
    let slabs = [0, 1, 2].map(|axis| slabs(offset[axis], spacing_cm[axis]));
    let mut sum = 0.0;
    for (low_x, high_x, line_x) in &slabs[0] {
        for (low_y, high_y, line_y) in &slabs[1] {
            for (low_z, high_z, line_z) in &slabs[2] {
                let cell = Cell {
                    low: [*low_x, *low_y, *low_z],
                    high: [*high_x, *high_y, *high_z],
                    overlap: [*line_x, *line_y, *line_z],
                };
                sum += cell.energy(kernel);
            }
        }
    }
    // Differences of moments may leave a rounding error below zero where nothing is absorbed.
    sum.max(0.0)
}

/// The intervals between lattice planes on which the overlap along one axis is a line; at offset 0, two mirrored ones as one of twice the height.
fn slabs(offset: usize, d: f64) -> Vec<(f64, f64, Linear)> {
    let n = offset as f64;
    if offset == 0 {
        return vec![(0.0, d, [2.0, -2.0 / d])];
    }
    vec![((n - 1.0) * d, n * d, [1.0 - n, 1.0 / d]), (n * d, (n + 1.0) * d, [1.0 + n, -1.0 / d])]
}

impl Cell {
    fn energy(&self, kernel: &RadialKernel) -> f64 {
        if self.low.iter().map(|x| x * x).sum::<f64>() >= kernel.end_cm().powi(2) {
            return 0.0;
        }
        if self.low == [0.0; 3] {
            return (0..3).map(|axis| self.face(axis, self.high[axis], &|r| kernel.inner_moments(r))).sum();
        }
        // Moments up to the far corner only, taken from outside: both keep small what is to cancel between the faces.
        let beyond = kernel.outer_moments(self.high.iter().map(|x| x * x).sum::<f64>().sqrt());
        let outer = |r: f64| {
            let moments = kernel.outer_moments(r);
            [0, 1, 2, 3].map(|m| moments[m] - beyond[m])
        };
        (0..3)
            .map(|axis| {
                let enters = if self.low[axis] > 0.0 { self.face(axis, self.low[axis], &outer) } else { 0.0 };
                enters - self.face(axis, self.high[axis], &outer)
            })
            .sum()
    }

    /// Integral over the directions through the face at `x` on an axis: of overlap times kernel along the ray, up to the face or from there on.
    fn face(&self, axis: usize, x: f64, moments: &impl Fn(f64) -> Moments) -> f64 {
        let (axis_y, axis_z) = ((axis + 1) % 3, (axis + 2) % 3);
        let lines = [self.overlap[axis], self.overlap[axis_y], self.overlap[axis_z]];
        let mut sum = 0.0;
        for_each_point((self.low[axis_y] / x).asinh(), (self.high[axis_y] / x).asinh(), |s, weight_s| {
            let (y, w) = (x * s.sinh(), x * s.cosh());
            for_each_point((self.low[axis_z] / w).asinh(), (self.high[axis_z] / w).asinh(), |t, weight_t| {
                let (z, r) = (w * t.sinh(), w * t.cosh());
                let solid_angle = weight_s * weight_t * x * w / (r * r);
                let along_ray = product([lines[0], lines[1], lines[2]], [x / r, y / r, z / r]);
                let moments = moments(r);
                sum += solid_angle * (0..4).map(|m| along_ray[m] * moments[m]).sum::<f64>();
            });
        });
        sum / (4.0 * PI)
    }
}

/// Coefficients of 1, r, r², r³ of a product of lines at `direction · r`.
fn product(lines: [Linear; 3], direction: [f64; 3]) -> [f64; 4] {
    let [[a, p], [b, q], [c, s]] = lines;
    let (p, q, s) = (p * direction[0], q * direction[1], s * direction[2]);
    [a * b * c, p * b * c + a * q * c + a * b * s, p * q * c + p * b * s + a * q * s, p * q * s]
}

/// Calls back with points and weights of a composite rule for `∫ ds`.
fn for_each_point(low: f64, high: f64, mut call: impl FnMut(f64, f64)) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred at most, at least 1")]
    let panels = ((high - low) / PANEL).ceil().max(1.0) as u32;
    let half = 0.5 * (high - low) / f64::from(panels);
    for panel in 0..panels {
        let middle = low + half * f64::from(2 * panel + 1);
        for (point, weight) in RULE.points.iter().zip(&RULE.weights) {
            call(middle + half * point, weight * 2.0 * half);
        }
    }
}
