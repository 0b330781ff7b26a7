//! What the points of a series say of the parameters of a curve: their slopes and the covariance.

use super::Curve;
use super::weighting::Observation;
use crate::math::least_squares::Triangle;

/// (JᵀWJ)⁻¹ in the parameters themselves.
pub(super) fn covariance(
    curve: &Curve,
    points: &[Observation],
    chi_square: f64,
    given_sigma: bool,
) -> Option<Vec<Vec<f64>>> {
    let degrees = points.len() - curve.parameters().len();
    let inverse = Triangle::of(jacobian(curve, points), vec![0.0; points.len()]).inverse_of_normal()?;
    scaled(inverse, chi_square, degrees, given_sigma)
}

/// Derivatives of the points by the parameters, in standard deviations: a column for each parameter, one after another.
pub(super) fn jacobian(curve: &Curve, points: &[Observation]) -> Vec<f64> {
    let mut columns = vec![0.0; points.len() * curve.parameters().len()];
    for (place, point) in points.iter().enumerate() {
        let (_, slopes) = curve.apply(|rate| point.window.mean(rate));
        slopes.iter().enumerate().for_each(|(j, slope)| columns[j * points.len() + place] = slope / point.sigma);
    }
    columns
}

/// With σ of the caller as it is, else times χ²/(n−p): then none without a degree of freedom.
///
/// Source: Gear 2018 (EJNMMI 45:2456).
pub(super) fn scaled(
    covariance: Vec<Vec<f64>>,
    chi_square: f64,
    degrees: usize,
    given_sigma: bool,
) -> Option<Vec<Vec<f64>>> {
    if given_sigma {
        return Some(covariance);
    }
    let factor = (degrees > 0).then(|| chi_square / degrees as f64)?;
    Some(covariance.into_iter().map(|row| row.into_iter().map(|value| value * factor).collect()).collect())
}

/// One standard deviation of a linear functional of a curve; none where its covariance does not exist.
///
/// * `covariance` – of its parameters
/// * `of` – the functional of e^(−λt), and its derivative by λ
pub(super) fn sigma_of(curve: &Curve, covariance: Option<&[Vec<f64>]>, of: impl Fn(f64) -> [f64; 2]) -> Option<f64> {
    let (_, slopes) = curve.apply(of);
    let row = |row: &Vec<f64>| row.iter().zip(&slopes).map(|(value, slope)| value * slope).sum::<f64>();
    let variance: f64 = covariance?.iter().zip(&slopes).map(|(values, slope)| slope * row(values)).sum();
    Some(variance.sqrt()).filter(|sigma| sigma.is_finite())
}
