//! Non-linear least squares with bounds, after Levenberg and Marquardt.

use super::least_squares::Triangle;

/// Most steps of a fit.
const MOST_STEPS: usize = 500;
/// A fit is done when the best linear step would take away less than this part of the sum of squares.
const DONE: f64 = 1e-18;
/// The same where no step is seen to make it smaller.
const DONE_UNSEEN: f64 = 1e-12;
/// A sum of squares below this part of that of what the residuals are differences of is rounding.
const ROUNDING: f64 = 1e-26;
/// Rounding of residuals, and of their squares, beside what they are differences of.
const ROUNDING_OF_RESIDUALS: f64 = 1e-15;
/// Longest step along one parameter.
const LONGEST: f64 = 3.0;
/// Damping at the start, its least and its most.
const DAMPING: f64 = 1e-3;
const LEAST_DAMPING: f64 = 1e-15;
const MOST_DAMPING: f64 = 1e12;

/// Residuals and their derivatives: one row for each, one column for each parameter.
#[derive(Clone, Debug)]
pub(crate) struct Residuals {
    pub(crate) values: Vec<f64>,
    pub(crate) slopes: Vec<Vec<f64>>,
}

impl Residuals {
    fn square(&self) -> f64 {
        self.values.iter().map(|value| value * value).sum()
    }
}

/// Where a sum of squares is least.
#[derive(Clone, Debug)]
pub(crate) struct Minimum {
    pub(crate) parameters: Vec<f64>,
    pub(crate) sum_of_squares: f64,
}

/// A minimum within bounds, from one start; none if it was not reached.
///
/// * `of_values` – sum of squares of what the residuals are differences of: it says what is rounding
/// * `at` – residuals at some parameters
///
/// Source: Marquardt 1963; damping after Nielsen 1999 (IMM-REP-1999-05), scaling after Moré 1978.
pub(crate) fn minimise(
    start: &[f64],
    bounds: &[[f64; 2]],
    of_values: f64,
    at: impl Fn(&[f64]) -> Residuals,
) -> Option<Minimum> {
    let mut parameters: Vec<f64> =
        start.iter().zip(bounds).map(|(value, [low, high])| value.clamp(*low, *high)).collect();
    let mut here = at(&parameters);
    let mut square = here.square();
    let mut scales = vec![0.0_f64; start.len()];
    let (mut damping, mut raise) = (DAMPING, 2.0);
    for _ in 0..MOST_STEPS {
        if !square.is_finite() {
            return None;
        }
        let step = Step::at(&here, &parameters, bounds, &mut scales);
        if square <= ROUNDING * of_values || step.free.is_empty() || step.gain <= DONE * square {
            return Some(Minimum { parameters, sum_of_squares: square });
        }
        let (moved, predicted) = step.damped(&parameters, bounds, damping, &scales)?;
        let there = at(&moved);
        let after = there.square();
        if after < square {
            let ratio = (square - after) / predicted.max(f64::MIN_POSITIVE);
            damping = (damping * (1.0 - (2.0 * ratio - 1.0).powi(3)).max(1.0 / 3.0)).max(LEAST_DAMPING);
            raise = 2.0;
            (parameters, here, square) = (moved, there, after);
        } else {
            // Closer than rounding lets it be seen: of a residual ε once, of its square 2ε beside both.
            let rounding =
                ROUNDING_OF_RESIDUALS * (square * of_values).sqrt() + ROUNDING_OF_RESIDUALS.powi(2) * of_values;
            if step.gain <= (DONE_UNSEEN * square).max(rounding) {
                return Some(Minimum { parameters, sum_of_squares: square });
            }
            (damping, raise) = (damping * raise, 2.0 * raise);
            if damping > MOST_DAMPING {
                return None;
            }
        }
    }
    None
}

/// The linear problem at one place.
struct Step<'a> {
    here: &'a Residuals,
    /// Parameters that may move: not those at a bound that want to go beyond.
    free: Vec<usize>,
    /// What the best linear step takes away from the sum of squares.
    gain: f64,
}

impl<'a> Step<'a> {
    fn at(here: &'a Residuals, parameters: &[f64], bounds: &[[f64; 2]], scales: &mut [f64]) -> Self {
        let slope = |j: usize| here.slopes.iter().zip(&here.values).map(|(row, value)| row[j] * value).sum::<f64>();
        let is_free = |j: &usize| {
            let [low, high] = bounds[*j];
            !(parameters[*j] <= low && slope(*j) >= 0.0 || parameters[*j] >= high && slope(*j) <= 0.0)
        };
        let free: Vec<usize> = (0..parameters.len()).filter(is_free).collect();
        for (j, scale) in scales.iter_mut().enumerate() {
            let length = here.slopes.iter().map(|row| row[j] * row[j]).sum::<f64>().sqrt();
            *scale = scale.max(length).max(f64::MIN_POSITIVE);
        }
        let rows = here.slopes.iter().map(|row| free.iter().map(|j| row[*j]).collect()).collect();
        let gain = Triangle::of(rows, here.values.clone()).explained();
        Self { here, free, gain }
    }

    /// The place after a damped step, and what that step should take away; none if there is no step.
    fn damped(&self, from: &[f64], bounds: &[[f64; 2]], damping: f64, scales: &[f64]) -> Option<(Vec<f64>, f64)> {
        let mut rows: Vec<Vec<f64>> =
            self.here.slopes.iter().map(|row| self.free.iter().map(|j| row[*j]).collect()).collect();
        let mut right: Vec<f64> = self.here.values.iter().map(|value| -value).collect();
        for (place, j) in self.free.iter().enumerate() {
            let mut row = vec![0.0; self.free.len()];
            row[place] = damping.sqrt() * scales[*j];
            rows.push(row);
            right.push(0.0);
        }
        let step = Triangle::of(rows, right).solve()?;
        let longest = step.iter().fold(0.0_f64, |longest, value| longest.max(value.abs()));
        let part = if longest > LONGEST { LONGEST / longest } else { 1.0 };
        let mut moved = from.to_vec();
        for (j, by) in self.free.iter().zip(&step) {
            moved[*j] = (moved[*j] + part * by).clamp(bounds[*j][0], bounds[*j][1]);
        }
        let linear = |(row, value): (&Vec<f64>, &f64)| {
            value + self.free.iter().map(|j| row[*j] * (moved[*j] - from[*j])).sum::<f64>()
        };
        let after: f64 = self.here.slopes.iter().zip(&self.here.values).map(linear).map(|value| value * value).sum();
        Some((moved.clone(), self.here.square() - after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley.
    fn valley(at: &[f64]) -> Residuals {
        let [x, y] = [at[0], at[1]];
        Residuals { values: vec![10.0 * (y - x * x), 1.0 - x], slopes: vec![vec![-20.0 * x, 10.0], vec![-1.0, 0.0]] }
    }

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        let found = minimise(&[-1.2, 1.0], &[[-9.0, 9.0]; 2], 1e-2, valley).expect("a minimum");
        assert!(found.parameters.iter().all(|value| (value - 1.0).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn a_bound_holds() {
        // With x at most 0.5 the best y is its square.
        let found = minimise(&[-1.2, 1.0], &[[-9.0, 0.5], [-9.0, 9.0]], 1e-2, valley).expect("a minimum");
        assert_eq!(found.parameters[0], 0.5);
        assert!((found.parameters[1] - 0.25).abs() < 1e-9 && (found.sum_of_squares - 0.25).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn what_has_no_minimum_has_no_answer() {
        let steep =
            |at: &[f64]| Residuals { values: vec![if at[0] > 0.0 { f64::NAN } else { 1.0 }], slopes: vec![vec![1.0]] };
        assert!(minimise(&[1.0], &[[-9.0, 9.0]], 0.0, steep).is_none());
    }
}
