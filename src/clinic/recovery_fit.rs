//! The fit of a recovery curve to spheres.

use super::recovery::{RecoveryCurve, Sphere};
use crate::domain::Invalid;

/// Steps of the fit; it takes about ten.
const STEPS: u32 = 500;
/// The fit has converged when no parameter moves by more than this part of itself.
const CONVERGED: f64 = 1e-13;
/// The same of steps that are the square of those before.
const CONVERGED_BY_NEWTON: f64 = 1e-9;
const LEAST_DAMPING: f64 = 1e-12;
/// Steeper or flatter curves do not describe recovery: the coefficients do not rise with volume as they should.
const STEEPNESS: std::ops::Range<f64> = 0.02..50.0;

/// Fits in the logarithms of both parameters: by Levenberg and Marquardt, and from where that comes to no end, as where
/// residuals are large, by Newton's steps.
///
/// # Errors
/// If it does not converge, or to a curve that does not rise.
pub(super) fn fit_curve(spheres: &[Sphere]) -> Result<RecoveryCurve, Invalid> {
    let does_not_rise = || Invalid::new("the coefficients do not rise with volume as those of spheres do");
    let first = descend(spheres, start(spheres), false).ok_or_else(does_not_rise)?;
    let found = if first.has_converged { first } else { descend(spheres, first.at, true).ok_or_else(does_not_rise)? };
    if !STEEPNESS.contains(&found.at[1].exp()) {
        return Err(does_not_rise());
    }
    if !found.has_converged {
        let reason = "the fit of a curve to them comes to no end: look for a sphere that does not fit the others";
        return Err(Invalid::new(reason));
    }
    Ok(curve(spheres, found.at, found.square))
}

/// Where damped steps end.
struct Descent {
    at: [f64; 2],
    square: f64,
    has_converged: bool,
}

/// Damped steps from a place; none where no parameter has an effect any more.
///
/// * `by_newton` – with the second derivatives where the sum of squares is convex, in steps of at most 1
fn descend(spheres: &[Sphere], mut at: [f64; 2], by_newton: bool) -> Option<Descent> {
    let converged = if by_newton { CONVERGED_BY_NEWTON } else { CONVERGED };
    let (mut damping, mut square) = (1e-3, square_of(spheres, at));
    for _ in 0..STEPS {
        let (flat, [g1, g2]) = normal(spheres, at);
        let curved = if by_newton { hessian(spheres, at, flat) } else { flat };
        let [[a, b], [_, d]] = if is_convex(curved) { curved } else { flat };
        let (a, d) = (a + damping * flat[0][0], d + damping * flat[1][1]);
        let determinant = a * d - b * b;
        if determinant.is_nan() || determinant <= 0.0 {
            return None;
        }
        let step = [(d * g1 - b * g2) / determinant, (a * g2 - b * g1) / determinant];
        let longest = step[0].abs().max(step[1].abs());
        let part = if by_newton && longest > 1.0 { longest.recip() } else { 1.0 };
        let next = [0, 1].map(|axis| at[axis] + part * step[axis]);
        let after = square_of(spheres, next);
        if after <= square {
            (at, square, damping) = (next, after, (damping / 10.0).max(LEAST_DAMPING));
        } else {
            damping *= 10.0;
        }
        if longest < converged {
            return Some(Descent { at, square, has_converged: true });
        }
    }
    Some(Descent { at, square, has_converged: false })
}

fn is_convex([[a, b], [_, d]]: [[f64; 2]; 2]) -> bool {
    a > 0.0 && a * d - b * b > 0.0
}

/// Logarithms of the parameters of a straight line through the logits.
fn start(spheres: &[Sphere]) -> [f64; 2] {
    let logit = |coefficient: f64| (coefficient / (1.0 - coefficient)).ln();
    let below_1 = spheres.iter().filter(|sphere| sphere.recovery_coefficient < 0.999);
    let points: Vec<[f64; 2]> = below_1.map(|s| [s.volume_cm3.ln(), logit(s.recovery_coefficient)]).collect();
    let mean = |axis: usize| points.iter().map(|point| point[axis]).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(0), mean(1));
    let slope = points.iter().map(|p| (p[0] - x) * (p[1] - y)).sum::<f64>()
        / points.iter().map(|p| (p[0] - x).powi(2)).sum::<f64>();
    if slope > 0.0 && slope.is_finite() { [x - y / slope, slope.ln()] } else { [0.0, 0.0] }
}

fn of(at: [f64; 2]) -> RecoveryCurve {
    RecoveryCurve { b1_cm3: at[0].exp(), b2: at[1].exp(), covariance: None, chi_square: None, range_cm3: None }
}

fn weight(sphere: &Sphere) -> f64 {
    sphere.sigma.map_or(1.0, |sigma| sigma.powi(-2))
}

fn square_of(spheres: &[Sphere], at: [f64; 2]) -> f64 {
    let curve = of(at);
    let square = |s: &Sphere| weight(s) * (s.recovery_coefficient - curve.coefficient(s.volume_cm3)).powi(2);
    spheres.iter().map(square).sum()
}

/// `JᵀWJ` and `JᵀWr` in the logarithms of the parameters.
fn normal(spheres: &[Sphere], at: [f64; 2]) -> ([[f64; 2]; 2], [f64; 2]) {
    let curve = of(at);
    let (mut matrix, mut vector) = ([[0.0; 2]; 2], [0.0; 2]);
    for sphere in spheres {
        let [g1, g2] = curve.gradient(sphere.volume_cm3);
        let gradient = [g1 * curve.b1_cm3, g2 * curve.b2];
        let residual = sphere.recovery_coefficient - curve.coefficient(sphere.volume_cm3);
        for row in 0..2 {
            vector[row] += weight(sphere) * gradient[row] * residual;
            (0..2).for_each(|column| matrix[row][column] += weight(sphere) * gradient[row] * gradient[column]);
        }
    }
    (matrix, vector)
}

/// Half the second derivatives of the sum of squares by the logarithms of the parameters: `JᵀWJ` less the residuals
/// times the second derivatives of `R = 1/(1 + e^x)`, `x = b2 (ln b1 − ln v)`.
fn hessian(spheres: &[Sphere], at: [f64; 2], mut matrix: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    let curve = of(at);
    for sphere in spheres {
        let recovery = curve.coefficient(sphere.volume_cm3);
        let [slope_1, slope_2] = [curve.b2, curve.b2 * (at[0] - sphere.volume_cm3.ln())];
        let first = -recovery * (1.0 - recovery);
        let second = -first * (1.0 - 2.0 * recovery);
        let by_residual = weight(sphere) * (sphere.recovery_coefficient - recovery);
        let mixed = by_residual * (second * slope_1 * slope_2 + first * slope_1);
        matrix[0][0] -= by_residual * second * slope_1 * slope_1;
        matrix[0][1] -= mixed;
        matrix[1][0] -= mixed;
        matrix[1][1] -= by_residual * (second * slope_2 * slope_2 + first * slope_2);
    }
    matrix
}

/// The curve with its covariance in the natural parameters.
fn curve(spheres: &[Sphere], at: [f64; 2], square: f64) -> RecoveryCurve {
    let found = of(at);
    let ([[a, b], [_, d]], _) = normal(spheres, at);
    let determinant = a * d - b * b;
    let freedom = spheres.len() as f64 - 2.0;
    let scale = if spheres[0].sigma.is_some() { Some(1.0) } else { (freedom > 0.0).then(|| square / freedom) };
    let (b1, b2) = (found.b1_cm3, found.b2);
    let in_natural = |scale: f64| {
        let [v11, v12, v22] = [d, -b, a].map(|entry| entry / determinant * scale);
        [[v11 * b1 * b1, v12 * b1 * b2], [v12 * b1 * b2, v22 * b2 * b2]]
    };
    let covariance = scale.map(in_natural).filter(|[[v11, _], [_, v22]]| v11.is_finite() && v22.is_finite());
    RecoveryCurve { covariance, chi_square: Some(square), ..found }
}
