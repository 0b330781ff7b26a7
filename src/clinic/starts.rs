//! Where fits start from.

use super::weighting::Observation;
use super::{Curve, Shape};
use crate::math::least_squares::Triangle;

/// Half-lives that a fit starts from [h], the longest first.
pub(super) const START_HALF_LIVES_H: [f64; 7] = [150.0, 39.5, 10.4, 2.74, 0.72, 0.19, 0.05];
/// An amplitude at the start that a linear fit finds to be below 0, beside the largest activity.
const FAINT_START: f64 = 1e-3;

/// Logarithms of the parameters that a fit starts from: every choice of half-lives, with the best amplitudes.
///
/// * `half_lives_h` – the longest first
pub(super) fn starts(shape: Shape, points: &[Observation], scale: f64, half_lives_h: &[f64]) -> Vec<Vec<f64>> {
    let terms = shape.rates().len();
    choices(half_lives_h.len(), terms)
        .into_iter()
        .map(|chosen| {
            let mut parameters = vec![0.0; shape.parameters().len()];
            for (place, which) in shape.rates().iter().zip(chosen) {
                parameters[*place] = std::f64::consts::LN_2 / half_lives_h[which];
            }
            set_amplitudes(shape, &mut parameters, points, scale);
            parameters.into_iter().map(f64::ln).collect()
        })
        .collect()
}

/// The same from a curve that is nested in the shape: its rates, and one more between and beside them.
pub(super) fn starts_from(shape: Shape, nested: &Curve, points: &[Observation], scale: f64) -> Vec<Vec<f64>> {
    let known = nested.rates();
    let ratios = [0.2, 0.9, 1.1, 5.0, 30.0, 1e3];
    let more = known.iter().flat_map(|rate| ratios.map(|ratio| rate * ratio));
    let start = |rate: f64| {
        let mut rates = [known.as_slice(), &[rate]].concat();
        rates.sort_by(f64::total_cmp);
        let mut parameters = vec![0.0; shape.parameters().len()];
        shape.rates().iter().zip(rates).for_each(|(place, rate)| parameters[*place] = rate);
        set_amplitudes(shape, &mut parameters, points, scale);
        parameters.into_iter().map(f64::ln).collect()
    };
    more.map(start).collect()
}

/// Sets the amplitudes that fit best with the rates.
fn set_amplitudes(shape: Shape, parameters: &mut [f64], points: &[Observation], scale: f64) {
    let places: Vec<usize> = (0..parameters.len()).filter(|place| !shape.rates().contains(place)).collect();
    let curve = Curve::unchecked(shape, parameters.to_vec());
    let mut columns = vec![0.0; points.len() * places.len()];
    for (row, point) in points.iter().enumerate() {
        let (_, slopes) = curve.apply(|rate| point.window.mean(rate));
        let of_amplitudes = places.iter().map(|place| slopes[*place] / point.sigma);
        of_amplitudes.enumerate().for_each(|(j, slope)| columns[j * points.len() + row] = slope);
    }
    let right = points.iter().map(|point| point.activity_mbq / point.sigma).collect();
    let best = Triangle::of(columns, right).solve();
    for (number, place) in places.iter().enumerate() {
        let amplitude = best.as_ref().map_or(0.0, |best| best[number]);
        parameters[*place] = if amplitude > FAINT_START * scale { amplitude } else { FAINT_START * scale };
    }
}

/// All ascending choices of some of the first numbers.
fn choices(of: usize, how_many: usize) -> Vec<Vec<usize>> {
    if how_many == 0 {
        return vec![Vec::new()];
    }
    let shorter = choices(of, how_many - 1);
    let longer = |chosen: Vec<usize>| {
        let from = chosen.last().map_or(0, |last| last + 1);
        (from..of).map(move |next| [chosen.as_slice(), &[next]].concat()).collect::<Vec<_>>()
    };
    shorter.into_iter().flat_map(longer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_ascending() {
        assert_eq!(choices(4, 2), [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert_eq!(choices(7, 3).len(), 35);
    }
}
