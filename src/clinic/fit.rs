//! Fits of curves to a series by weighted least squares.

use super::covariance::{covariance, jacobian, scaled, sigma_of};
use super::curve::MOST_PARAMETERS;
use super::starts::{START_HALF_LIVES_H, starts, starts_from};
use super::weighting::Observation;
use super::{Curve, Shape};
use crate::math::least_squares::Triangle;
use crate::math::levenberg_marquardt::{Residuals, minimise};

/// Bounds of a rate [1/h]: no decay in 80,000 years, and a thousandth of a second.
pub(super) const RATE_BOUNDS_PER_H: [f64; 2] = [1e-9, 2.5e6];
/// Bounds of an amplitude, beside the largest activity.
const AMPLITUDE_BOUNDS: [f64; 2] = [1e-9, 1e9];
/// A parameter this near to its bound, in its logarithm, is at it.
const AT_BOUND: f64 = 1e-6;
/// A parameter moves no point if its logarithm moves them by less than this part of what another does.
const UNSEEN_BELOW: f64 = 1e-11;
/// A change of a parameter by its own size that no point sees may change an integral by this part of it.
const UNSEEN: f64 = 0.1;

/// χ² that differ by less than this part, or residuals by less than this part of the activities, are alike.
const AS_GOOD: f64 = 1e-6;

/// A curve through some points.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    pub(super) curve: Curve,
    /// Whether the rate was held at that of physical decay.
    pub(super) rate_is_held: bool,
    /// Whether no amplitude grew without bound, as where terms cancel each other, and no rate.
    pub(super) is_bounded: bool,
    pub(super) chi_square: f64,
    /// Number of points less that of parameters.
    pub(super) degrees: usize,
    /// Of the parameters; none where the points do not determine them.
    pub(super) covariance: Option<Vec<Vec<f64>>>,
}

impl Fit {
    /// Whether the points see how fast the activity falls. They do not where the fit is the better the faster it falls:
    /// with one activity that is not 0, say, at whatever rate the search for the best one stops.
    ///
    /// Changes of the parameters that no point sees may leave the integral as it is, as where two rates are equal.
    fn is_determined(&self, points: &[Observation]) -> bool {
        // By the logarithms of the parameters.
        let parameters = self.curve.parameters();
        let mut columns = jacobian(&self.curve, points);
        for (column, value) in columns.chunks_exact_mut(points.len()).zip(parameters) {
            column.iter_mut().for_each(|slope| *slope *= value);
        }
        let length = |column: &[f64]| column.iter().map(|slope| slope.powi(2)).sum::<f64>().sqrt();
        let longest = columns.chunks_exact(points.len()).map(length).fold(0.0, f64::max);
        for column in columns.chunks_exact_mut(points.len()) {
            if length(column) < UNSEEN_BELOW * longest {
                column.fill(0.0);
            }
        }
        let Some(unseen) = Triangle::of(columns, vec![0.0; points.len()]).unseen() else { return true };
        let largest = unseen.iter().fold(0.0_f64, |largest, change| largest.max(change.abs()));
        let (integral, slopes) = self.curve.apply(|rate| [rate.recip(), -rate.powi(-2)]);
        let change: f64 =
            unseen.iter().zip(&slopes).zip(parameters).map(|((by, slope), value)| by * slope * value).sum();
        self.curve.shape() != Shape::Mono && change.abs() <= UNSEEN * largest * integral.abs()
    }

    /// Whether the slowest rate went to 0: the activity does not fall.
    pub(super) fn does_not_fall(&self) -> bool {
        self.curve.rates()[0].ln() - RATE_BOUNDS_PER_H[0].ln() < AT_BOUND
    }

    /// Largest relative standard deviation of a rate.
    pub(super) fn largest_cv_of_rates(&self) -> Option<f64> {
        let covariance = self.covariance.as_ref().filter(|_| self.is_bounded && !self.rate_is_held)?;
        let places = self.curve.shape().rates();
        let relative = |place: &usize| covariance[*place][*place].sqrt() / self.curve.parameters()[*place];
        Some(places.iter().map(relative).fold(0.0, f64::max))
    }

    /// One standard deviation of a linear functional of the curve, such as its integral.
    ///
    /// * `of` – the functional of e^(−λt), and its derivative by λ
    pub(super) fn sigma_of(&self, of: impl Fn(f64) -> [f64; 2]) -> Option<f64> {
        sigma_of(&self.curve, self.covariance.as_deref(), of)
    }
}

/// The best curve of a shape; none if no start came to an end, or the points do not determine it. It is looked for from
/// the best curves of the shapes that are nested in it too, so that it fits no worse than they do.
///
/// * `given_sigma` – whether the standard deviations are those of the caller; else the covariance is scaled by χ²/(n−p)
pub(super) fn fit(shape: Shape, points: &[Observation], given_sigma: bool) -> Option<Fit> {
    let of_nested = |nested: &Shape| fit(*nested, points, given_sigma);
    let nested: Vec<Fit> = shape.nested().iter().filter_map(of_nested).collect();
    fit_beside(shape, points, given_sigma, &nested.iter().map(|fit| &fit.curve).collect::<Vec<_>>())
}

/// As [`fit`].
///
/// * `nested` – the best curves of shapes that are nested in this one
pub(super) fn fit_beside(shape: Shape, points: &[Observation], given_sigma: bool, nested: &[&Curve]) -> Option<Fit> {
    let parameters = shape.parameters().len();
    if points.len() < parameters {
        return None;
    }
    let scale = largest(points);
    let from_half_lives = starts(shape, points, scale, &START_HALF_LIVES_H).into_iter();
    let from_nested = nested.iter().flat_map(|curve| starts_from(shape, curve, points, scale));
    let found = [best_from(shape, points, scale, from_half_lives), best_from(shape, points, scale, from_nested)];
    let (chi_square, curve) = match found {
        // Of curves that fit alike the one of the nested starts is hardly other than nested: its terms may be unseen.
        [Some(wide), Some(near)] if wide.0 <= near.0 * (1.0 + AS_GOOD) + AS_GOOD * AS_GOOD * of_values(points) => wide,
        [wide, near] => near.or(wide)?,
    };
    let amplitude_high = AMPLITUDE_BOUNDS[1] * scale * (-AT_BOUND).exp();
    let rate_high = RATE_BOUNDS_PER_H[1] * (-AT_BOUND).exp();
    let is_bounded = curve.terms().iter().all(|[amplitude, _]| amplitude.abs() < amplitude_high)
        && curve.rates().iter().all(|rate| *rate < rate_high);
    let covariance = covariance(&curve, points, chi_square, given_sigma);
    let degrees = points.len() - parameters;
    let fit = Fit { curve, rate_is_held: false, is_bounded, chi_square, degrees, covariance };
    // One that does not fall has an end: at the bound.
    (!is_bounded || fit.does_not_fall() || fit.is_determined(points)).then_some(fit)
}

/// The curve with the least χ² that a fit comes to from one of some starts, and that.
fn best_from(
    shape: Shape,
    points: &[Observation],
    scale: f64,
    starts: impl Iterator<Item = Vec<f64>>,
) -> Option<(f64, Curve)> {
    let bounds: Vec<[f64; 2]> = (0..shape.parameters().len())
        .map(|place| {
            let of_rate = shape.rates().contains(&place);
            let [low, high] = if of_rate { RATE_BOUNDS_PER_H } else { AMPLITUDE_BOUNDS.map(|part| part * scale) };
            [low.ln(), high.ln()]
        })
        .collect();
    let at = |logarithms: &[f64], into: &mut Residuals| residuals(shape, logarithms, points, into);
    let of_values = of_values(points);
    let mut best: Option<(f64, Curve)> = None;
    for start in starts {
        let Some(found) = minimise(&start, &bounds, of_values, at) else { continue };
        let Some(curve) = sorted(shape, &found.parameters) else { continue };
        if best.as_ref().is_none_or(|(least, _)| found.sum_of_squares < *least) {
            best = Some((found.sum_of_squares, curve));
        }
    }
    best
}

/// The best amplitude of one exponential with a given rate [1/h].
pub(super) fn fit_held(rate_per_h: f64, points: &[Observation], given_sigma: bool) -> Fit {
    let weighted = |point: &Observation| point.window.mean(rate_per_h)[0] / point.sigma;
    let square: f64 = points.iter().map(|point| weighted(point).powi(2)).sum();
    let amplitude = points.iter().map(|point| weighted(point) * point.activity_mbq / point.sigma).sum::<f64>() / square;
    let rest = |point: &Observation| (amplitude * weighted(point) - point.activity_mbq / point.sigma).powi(2);
    let chi_square: f64 = points.iter().map(rest).sum();
    let degrees = points.len() - 1;
    let curve = Curve::unchecked(Shape::Mono, vec![amplitude, rate_per_h]);
    let covariance = (square > 0.0).then(|| vec![vec![1.0 / square]]);
    let covariance = covariance.and_then(|covariance| scaled(covariance, chi_square, degrees, given_sigma));
    Fit { curve, rate_is_held: true, is_bounded: true, chi_square, degrees, covariance }
}

/// Sum of squares of the activities in standard deviations.
fn of_values(points: &[Observation]) -> f64 {
    points.iter().map(|point| (point.activity_mbq / point.sigma).powi(2)).sum()
}

/// Largest size of an activity.
fn largest(points: &[Observation]) -> f64 {
    points.iter().map(|point| point.activity_mbq.abs()).fold(0.0, f64::max)
}

/// Appends residuals in standard deviations, by the logarithms of the parameters.
fn residuals(shape: Shape, logarithms: &[f64], points: &[Observation], into: &mut Residuals) {
    let (mut parameters, mut row) = ([0.0; MOST_PARAMETERS], [0.0; MOST_PARAMETERS]);
    let (parameters, row) = (&mut parameters[..logarithms.len()], &mut row[..logarithms.len()]);
    parameters.iter_mut().zip(logarithms).for_each(|(parameter, value)| *parameter = value.exp());
    into.slopes.resize(parameters.len() * points.len(), 0.0);
    for (place, point) in points.iter().enumerate() {
        let value = shape.apply(parameters, |rate| point.window.mean(rate), row);
        into.values.push((value - point.activity_mbq) / point.sigma);
        for (j, (slope, parameter)) in row.iter().zip(&*parameters).enumerate() {
            into.slopes[j * points.len() + place] = slope * (parameter / point.sigma);
        }
    }
}

/// A curve with its slowest washout first; none if the rate of the uptake is not the fastest of those that matter.
fn sorted(shape: Shape, logarithms: &[f64]) -> Option<Curve> {
    let mut parameters: Vec<f64> = logarithms.iter().map(|value| value.exp()).collect();
    match shape {
        Shape::Mono => {}
        Shape::BiUptake if parameters[2] <= parameters[1] => return None,
        Shape::BiUptake => {}
        Shape::BiWashout | Shape::TriUptake => {
            if parameters[3] < parameters[1] {
                parameters.swap(0, 2);
                parameters.swap(1, 3);
            }
            if shape == Shape::TriUptake && parameters[4] <= parameters[1] {
                return None;
            }
        }
    }
    Some(Curve::unchecked(shape, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::Window;

    /// Half-lives that a wide search starts from, and series that it is tried on of each kind.
    const MANY_STARTS: i32 = 9;
    const NOISY_SERIES: u32 = 3;

    /// Curves that a series of a clinic shows, and times that see them.
    fn curves() -> Vec<(Curve, Vec<f64>)> {
        let curve = |shape, parameters: &[f64]| Curve::new(shape, parameters.to_vec()).expect("a curve");
        vec![
            (curve(Shape::Mono, &[170.0, 0.0133]), vec![4.0, 24.0, 96.0]),
            (curve(Shape::BiUptake, &[42.0, 0.0073, 0.107]), vec![1.0, 4.0, 20.0, 45.0, 168.0]),
            (curve(Shape::BiWashout, &[40.0, 0.0165, 300.0, 0.433]), vec![0.1, 0.5, 1.0, 3.0, 6.0, 24.0, 72.0]),
            (
                curve(Shape::TriUptake, &[20.0, 0.0099, 25.0, 0.0495, 0.77]),
                vec![0.3, 1.0, 3.0, 8.0, 18.0, 30.0, 60.0, 110.0, 170.0],
            ),
        ]
    }

    /// What scans of a curve see, with 5 %.
    fn seen(curve: &Curve, times_h: &[f64], duration_h: f64, infusion_h: f64) -> Vec<Observation> {
        let see = |start_h: &f64| {
            let window = Window { start_h: *start_h, duration_h, infusion_h };
            let activity_mbq = curve.mean(&window);
            Observation { window, activity_mbq, sigma: 0.05 * activity_mbq }
        };
        times_h.iter().map(see).collect()
    }

    #[test]
    fn a_curve_without_noise_is_found_again() {
        for (curve, times_h) in curves() {
            for (duration_h, infusion_h) in [(0.0, 0.0), (0.7, 0.0), (0.0, 0.5), (0.3, 2.0)] {
                let points = seen(&curve, &times_h, duration_h, infusion_h);
                let found = fit(curve.shape(), &points, true).expect("it comes to an end");
                let both = found.curve.parameters().iter().zip(curve.parameters());
                let off = both.map(|(found, right)| (found / right - 1.0).abs()).fold(0.0, f64::max);
                assert!(off < 1e-6, "{curve:?}, {duration_h} h, {infusion_h} h: {:?}", found.curve);
            }
        }
    }

    #[test]
    fn no_better_curve_is_found_from_many_more_starts() {
        use rand_chacha::ChaCha8Rng;
        use rand_chacha::rand_core::SeedableRng;
        use rand_distr::{Distribution, Normal};
        let mut random = ChaCha8Rng::seed_from_u64(14);
        let noise = Normal::new(0.0, 1.0).expect("a width");
        let many: Vec<f64> = (0..MANY_STARTS).map(|n| 800.0 * 0.3_f64.powi(n)).collect();
        let (mut compared, mut worse) = (0, Vec::new());
        for (curve, times_h) in curves() {
            for part in [0.03, 0.2] {
                for shape in [Shape::BiUptake, Shape::BiWashout] {
                    for turn in 0..NOISY_SERIES {
                        let mut points = seen(&curve, &times_h, 0.0, 0.0);
                        for point in &mut points {
                            point.sigma = part * point.activity_mbq;
                            point.activity_mbq += point.sigma * noise.sample(&mut random);
                        }
                        let scale = largest(&points);
                        let wide = starts(shape, &points, scale, &many).into_iter();
                        let Some((least, best)) = best_from(shape, &points, scale, wide) else { continue };
                        let Some(found) = fit(shape, &points, true) else { continue };
                        compared += 1;
                        if found.chi_square > least * (1.0 + 1e-6) + 1e-12 {
                            worse.push(format!(
                                "{shape:?} {part} {turn}: {} {least} {best:?} {found:?}",
                                found.chi_square
                            ));
                        }
                    }
                }
            }
        }
        assert!(compared > 5 * NOISY_SERIES, "{compared}");
        assert!(worse.is_empty(), "{} of {compared}:\n{}", worse.len(), worse.join("\n"));
    }

    #[test]
    fn integrals_scale_with_the_activity() {
        for (curve, times_h) in curves() {
            let points = seen(&curve, &times_h, 0.2, 0.0);
            let noisy = |factor: f64| -> Vec<Observation> {
                let part = |number: usize| factor * (1.0 + 0.04 * (7.0 * number as f64).sin());
                let scale = |(number, point): (usize, &Observation)| Observation {
                    activity_mbq: point.activity_mbq * part(number),
                    sigma: point.sigma * factor,
                    ..*point
                };
                points.iter().enumerate().map(scale).collect()
            };
            let [one, many] = [1.0, 1e6].map(|factor| fit(curve.shape(), &noisy(factor), true).expect("a fit"));
            assert!((many.curve.integral() / one.curve.integral() / 1e6 - 1.0).abs() < 1e-6, "{curve:?}");
            assert!((many.chi_square / one.chi_square - 1.0).abs() < 1e-6, "{curve:?}");
        }
    }

    #[test]
    fn sigma_is_the_spread_of_the_integral_over_small_changes() {
        // To first order the variance is the sum over points of (change of the integral by one σ)².
        for (curve, times_h) in curves() {
            let points = seen(&curve, &times_h, 0.0, 0.0);
            let whole = |rate: f64| [rate.recip(), -rate.powi(-2)];
            let sigma = fit(curve.shape(), &points, true).and_then(|fit| fit.sigma_of(whole)).expect("it exists");
            let variance: f64 = (0..points.len())
                .map(|place| {
                    let moved = |by: f64| {
                        let mut moved = points.clone();
                        moved[place].activity_mbq += by * moved[place].sigma;
                        fit(curve.shape(), &moved, true).expect("a fit").curve.integral()
                    };
                    ((moved(1e-3) - moved(-1e-3)) / 2e-3).powi(2)
                })
                .sum();
            assert!((sigma / variance.sqrt() - 1.0).abs() < 1e-3, "{curve:?}: {sigma} {}", variance.sqrt());
        }
    }

    #[test]
    fn values_of_any_number_of_digits_are_fitted() {
        // What is left of the residuals then is rounding of the values: of all sizes from a percent to nothing.
        for (curve, times_h) in curves() {
            let exact = seen(&curve, &times_h, 0.2, 0.0);
            for digits in 5..=17 {
                for given_sigma in [true, false] {
                    let rounded = exact.iter().enumerate().map(|(place, point)| {
                        let factor = 1.0 + 0.3 * 10f64.powi(-digits) * (7.7 * place as f64).sin();
                        Observation { activity_mbq: point.activity_mbq * factor, ..*point }
                    });
                    let points: Vec<Observation> = rounded.collect();
                    let found = fit(curve.shape(), &points, given_sigma).expect("it comes to an end");
                    let off = (found.curve.integral() / curve.integral() - 1.0).abs();
                    assert!(off < 3e3 * 10f64.powi(-digits) + 1e-9, "{curve:?}, {digits} digits: {off}");
                }
            }
        }
    }

    #[test]
    fn one_activity_beside_zeros_determines_no_rate() {
        let seen = |points: &[[f64; 2]], sigma_mbq: f64| -> Vec<Observation> {
            let window = |start_h: f64| Window { start_h, duration_h: 0.0, infusion_h: 0.0 };
            let see = |[time_h, activity_mbq]: &[f64; 2]| Observation {
                window: window(*time_h),
                activity_mbq: *activity_mbq,
                sigma: sigma_mbq + 0.05 * activity_mbq.abs(),
            };
            points.iter().map(see).collect()
        };
        for sigma_mbq in [1e-3, 0.1] {
            for points in [
                &[[20.0, 2.0], [90.0, 0.0]][..],
                &[[0.0, 2.0], [90.0, 0.0]],
                &[[2.0, 2.0], [90.0, 0.0]],
                &[[1.0, 2.0], [90.0, 1e-30]],
                &[[0.0, 2.0], [24.0, 0.0], [90.0, 0.0]],
            ] {
                let found = fit(Shape::Mono, &seen(points, sigma_mbq), true).filter(|fit| fit.is_bounded);
                assert!(found.is_none(), "{points:?}: {found:?}");
            }
            // Two that fall by far do.
            let found = fit(Shape::Mono, &seen(&[[20.0, 2.0], [90.0, 0.01]], sigma_mbq), true).expect("a fit");
            assert!((found.curve.rates()[0] / (200_f64.ln() / 70.0) - 1.0).abs() < 1e-6, "{found:?}");
        }
    }

    #[test]
    fn what_the_points_do_not_determine_has_no_sigma() {
        let (curve, times_h) = curves().swap_remove(0);
        let points = seen(&curve, &[times_h.as_slice(), &[120.0, 168.0]].concat(), 0.0, 0.0);
        let found = fit(Shape::BiWashout, &points, true).expect("a fit");
        assert!((found.curve.integral() / curve.integral() - 1.0).abs() < 1e-3, "{found:?}");
        assert!(found.largest_cv_of_rates().is_none_or(|cv| cv > 0.5), "{found:?}");
        // Without σ, three points for two parameters have one, two have none.
        assert!(fit(Shape::Mono, &points[..3], false).expect("a fit").covariance.is_some());
        assert!(fit(Shape::Mono, &points[..2], false).expect("a fit").covariance.is_none());
        assert!(fit(Shape::Mono, &points[..1], false).is_none());
    }
}
