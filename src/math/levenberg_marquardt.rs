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

/// Residuals and their derivatives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Residuals {
    pub(crate) values: Vec<f64>,
    /// A column for each parameter, one after another.
    pub(crate) slopes: Vec<f64>,
}

impl Residuals {
    fn square(&self) -> f64 {
        self.values.iter().map(|value| value * value).sum()
    }

    fn column(&self, parameter: usize) -> &[f64] {
        &self.slopes[parameter * self.values.len()..][..self.values.len()]
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
/// * `at` – appends residuals at some parameters to what is empty
///
/// Source: Marquardt 1963; damping after Nielsen 1999 (IMM-REP-1999-05), scaling after Moré 1978.
pub(crate) fn minimise(
    start: &[f64],
    bounds: &[[f64; 2]],
    of_values: f64,
    at: impl Fn(&[f64], &mut Residuals),
) -> Option<Minimum> {
    let put = |parameters: &[f64], residuals: &mut Residuals| {
        residuals.values.clear();
        residuals.slopes.clear();
        at(parameters, residuals);
    };
    let mut parameters: Vec<f64> =
        start.iter().zip(bounds).map(|(value, [low, high])| value.clamp(*low, *high)).collect();
    let (mut here, mut there) = (Residuals::default(), Residuals::default());
    put(&parameters, &mut here);
    let mut square = here.square();
    let (mut step, mut moved) = (Step::new(bounds), vec![0.0; start.len()]);
    let (mut damping, mut raise) = (DAMPING, 2.0);
    for _ in 0..MOST_STEPS {
        if !square.is_finite() {
            return None;
        }
        let gain = step.set(&here, &parameters);
        if square <= ROUNDING * of_values || step.free.is_empty() || gain <= DONE * square {
            return Some(Minimum { parameters, sum_of_squares: square });
        }
        let predicted = step.damped(&here, &parameters, damping, &mut moved)?;
        put(&moved, &mut there);
        let after = there.square();
        if after < square {
            let ratio = (square - after) / predicted.max(f64::MIN_POSITIVE);
            damping = (damping * (1.0 - (2.0 * ratio - 1.0).powi(3)).max(1.0 / 3.0)).max(LEAST_DAMPING);
            raise = 2.0;
            std::mem::swap(&mut parameters, &mut moved);
            std::mem::swap(&mut here, &mut there);
            square = after;
        } else {
            // Closer than rounding lets it be seen: of a residual ε once, of its square 2ε beside both.
            let rounding =
                ROUNDING_OF_RESIDUALS * (square * of_values).sqrt() + ROUNDING_OF_RESIDUALS.powi(2) * of_values;
            if gain <= (DONE_UNSEEN * square).max(rounding) {
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

/// The linear problem at one place, in memory that all steps of a fit share.
struct Step<'a> {
    bounds: &'a [[f64; 2]],
    /// Parameters that may move: not those at a bound that want to go beyond.
    free: Vec<usize>,
    /// The largest length of each column so far.
    scales: Vec<f64>,
    triangle: Triangle,
}

impl<'a> Step<'a> {
    fn new(bounds: &'a [[f64; 2]]) -> Self {
        Self { bounds, free: Vec::new(), scales: vec![0.0; bounds.len()], triangle: Triangle::default() }
    }

    /// Goes to a place. What the best linear step there takes away from the sum of squares.
    fn set(&mut self, here: &Residuals, parameters: &[f64]) -> f64 {
        let n = self.bounds.len();
        let slope = |j: usize| here.column(j).iter().zip(&here.values).map(|(slope, value)| slope * value).sum::<f64>();
        let is_free = |j: &usize| {
            let [low, high] = self.bounds[*j];
            !(parameters[*j] <= low && slope(*j) >= 0.0 || parameters[*j] >= high && slope(*j) <= 0.0)
        };
        self.free.clear();
        self.free.extend((0..n).filter(is_free));
        for (j, scale) in self.scales.iter_mut().enumerate() {
            let length = here.column(j).iter().map(|slope| slope * slope).sum::<f64>().sqrt();
            *scale = scale.max(length).max(f64::MIN_POSITIVE);
        }
        let free = &self.free;
        self.triangle.refill(|columns, right| {
            free.iter().for_each(|j| columns.extend_from_slice(here.column(*j)));
            right.extend_from_slice(&here.values);
        });
        self.triangle.explained()
    }

    /// Makes a damped step; what it should take away, none if there is no step.
    ///
    /// * `moved` – is given the place after it
    fn damped(&mut self, here: &Residuals, from: &[f64], damping: f64, moved: &mut [f64]) -> Option<f64> {
        let (free, scales) = (&self.free, &self.scales);
        self.triangle.refill(|columns, right| {
            for (place, j) in free.iter().enumerate() {
                columns.extend_from_slice(here.column(*j));
                columns.extend((0..free.len()).map(|row| if row == place { damping.sqrt() * scales[*j] } else { 0.0 }));
            }
            right.extend(here.values.iter().map(|value| -value));
            right.resize(here.values.len() + free.len(), 0.0);
        });
        let step = self.triangle.solve()?;
        let longest = step.iter().fold(0.0_f64, |longest, value| longest.max(value.abs()));
        let part = if longest > LONGEST { LONGEST / longest } else { 1.0 };
        moved.copy_from_slice(from);
        for (j, by) in free.iter().zip(&step) {
            moved[*j] = (moved[*j] + part * by).clamp(self.bounds[*j][0], self.bounds[*j][1]);
        }
        let linear = |(row, value): (usize, &f64)| {
            value + free.iter().map(|j| here.column(*j)[row] * (moved[*j] - from[*j])).sum::<f64>()
        };
        let after: f64 = here.values.iter().enumerate().map(linear).map(|value| value * value).sum();
        Some(here.square() - after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley.
    fn valley(at: &[f64], into: &mut Residuals) {
        let [x, y] = [at[0], at[1]];
        into.values.extend([10.0 * (y - x * x), 1.0 - x]);
        into.slopes.extend([-20.0 * x, -1.0, 10.0, 0.0]);
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
        let steep = |at: &[f64], into: &mut Residuals| {
            into.values.push(if at[0] > 0.0 { f64::NAN } else { 1.0 });
            into.slopes.push(1.0);
        };
        assert!(minimise(&[1.0], &[[-9.0, 9.0]], 0.0, steep).is_none());
    }
}
