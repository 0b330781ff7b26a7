//! Voxel energies where the kernel is steep or singular: exact along each ray from the source point, by Gauss-Legendre
//! rules over the directions.
//!
//! With `f(r) = k(r) / 4πr²`, the energy absorbed at offset n is `∫ f(|x|) Π_a (1 − |x_a / d_a − n_a|)₊ d³x`: the
//! overlap of two voxels at displacement x, averaged over directions, times the energy that travels that far. Between
//! lattice planes the overlap is a product of linear functions, a cubic in r along a ray, and its integral is a sum of
//! the kernel's first four moments. So a lattice cell needs integrals over its faces only: moments where rays enter,
//! minus moments where they leave.
//!
//! On a face at `x = X`, `y = X sinh s` and `z = √(X² + y²) sinh t` make the solid angle `ds dt / (cosh s cosh² t)`,
//! smooth at any aspect ratio.

use std::f64::consts::PI;
use std::sync::LazyLock;

use super::radial::{Moments, RadialKernel};
use crate::math::gauss::GaussRule;

/// Longest panel of a Gauss rule, in s or t: the logarithm of the factor by which a radius may change within it.
const PANEL: f64 = 0.4;
/// Points of the rule in each panel.
const PANEL_POINTS: usize = 4;

static RULE: LazyLock<GaussRule> = LazyLock::new(|| GaussRule::legendre(PANEL_POINTS));

/// A linear function `intercept + slope · x`.
type Linear = [f64; 2];

/// A box between lattice planes in the positive octant, with the overlap of two voxels on it.
struct Cell {
    low: [f64; 3],
    high: [f64; 3],
    /// The overlap is the product of these functions, one for each axis.
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
    // Where nothing is absorbed, rounding in the differences of moments may leave a value below zero.
    sum.max(0.0)
}

/// The intervals between lattice planes on which the overlap along one axis is linear. At offset 0, two mirrored
/// intervals are merged into one of twice the height.
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
        // Moments are counted from outside and only up to the far corner: both keep the terms small that cancel between
        // faces.
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

    /// Integral of overlap times kernel over the rays through the face at `x` on an axis, up to the face or beyond it,
    /// as `moments` is.
    fn face(&self, axis: usize, x: f64, moments: &impl Fn(f64) -> Moments) -> f64 {
        let (axis_y, axis_z) = ((axis + 1) % 3, (axis + 2) % 3);
        let lines = [self.overlap[axis], self.overlap[axis_y], self.overlap[axis_z]];
        let mut sum = 0.0;
        RULE.for_each_point(self.interval(axis_y, x), PANEL, |s, weight_s| {
            let (y, w) = (x * s.sinh(), x * s.cosh());
            RULE.for_each_point(self.interval(axis_z, w), PANEL, |t, weight_t| {
                let (z, r) = (w * t.sinh(), w * t.cosh());
                let solid_angle = weight_s * weight_t * x * w / (r * r);
                let along_ray = product([lines[0], lines[1], lines[2]], [x / r, y / r, z / r]);
                let moments = moments(r);
                sum += solid_angle * (0..4).map(|m| along_ray[m] * moments[m]).sum::<f64>();
            });
        });
        sum / (4.0 * PI)
    }

    /// Ends of the cell on an axis, as s or t at a distance from that axis.
    fn interval(&self, axis: usize, distance: f64) -> [f64; 2] {
        [(self.low[axis] / distance).asinh(), (self.high[axis] / distance).asinh()]
    }
}

/// Coefficients of 1, r, r², r³ of a product of linear functions at `direction · r`.
fn product(lines: [Linear; 3], direction: [f64; 3]) -> [f64; 4] {
    let [[a, p], [b, q], [c, s]] = lines;
    let (p, q, s) = (p * direction[0], q * direction[1], s * direction[2]);
    [a * b * c, p * b * c + a * q * c + a * b * s, p * q * c + p * b * s + a * q * s, p * q * s]
}
