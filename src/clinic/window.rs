//! What a scan sees of one exponential: its mean over the scan, after an infusion of constant rate.

/// Below this argument the functions of a mean are taken from their series.
const SERIES_BELOW: f64 = 0.25;
/// Most terms of a series: the next is below 1e-17 of the sum.
const SERIES_TERMS: u32 = 14;
/// A term below this adds nothing.
const LEAST_TERM: f64 = 1e-18;

/// The time of a scan, and of the infusion before or during it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Start of the scan [h since the start of the administration].
    pub start_h: f64,
    /// How long it took [h]; 0: the activity at its start.
    pub duration_h: f64,
    /// How long the infusion took, at constant rate from time 0 [h]; 0: an injection.
    pub infusion_h: f64,
}

impl Window {
    /// The activity at one time after an injection.
    pub fn at(start_h: f64) -> Self {
        Self { start_h, duration_h: 0.0, infusion_h: 0.0 }
    }

    /// Mean over the window of e^(−λt), averaged over the shifts of an infusion, and its derivative by λ [h].
    ///
    /// * `rate_per_h` – λ, 0 or above
    ///
    /// Source: derived; ∫ over the part of the window before and after the end of the infusion.
    pub fn mean(&self, rate_per_h: f64) -> [f64; 2] {
        let Self { start_h, duration_h, infusion_h } = *self;
        if infusion_h <= 0.0 && duration_h <= 0.0 {
            return decayed(rate_per_h, start_h);
        }
        if infusion_h <= 0.0 {
            return product(decayed(rate_per_h, start_h), mean_decayed(rate_per_h, duration_h));
        }
        if duration_h <= 0.0 {
            return self.at_once(rate_per_h);
        }
        let end_h = start_h + duration_h;
        let mut sum = [0.0; 2];
        if start_h < infusion_h {
            let [to, from] = [end_h.min(infusion_h), start_h].map(|t| rising_integral(rate_per_h, t));
            sum = [0, 1].map(|part| (to[part] - from[part]) / infusion_h);
        }
        if end_h > infusion_h {
            let from_h = start_h.max(infusion_h);
            let after = product(decayed(rate_per_h, from_h - infusion_h), mean_decayed(rate_per_h, infusion_h));
            let falling = product(after, mean_decayed(rate_per_h, end_h - from_h));
            sum = [0, 1].map(|part| sum[part] + falling[part] * (end_h - from_h));
        }
        sum.map(|part| part / duration_h)
    }

    /// The value at the start of the window.
    fn at_once(&self, rate_per_h: f64) -> [f64; 2] {
        let Self { start_h, infusion_h, .. } = *self;
        if start_h < infusion_h {
            return mean_decayed(rate_per_h, start_h).map(|part| part * start_h / infusion_h);
        }
        product(decayed(rate_per_h, start_h - infusion_h), mean_decayed(rate_per_h, infusion_h))
    }

    /// Integral of the same from the start of the window to infinity [h], and its derivative by λ.
    ///
    /// * `rate_per_h` – λ, above 0
    pub fn integral_after(&self, rate_per_h: f64) -> [f64; 2] {
        let Self { start_h, infusion_h, .. } = *self;
        let all = [1.0 / rate_per_h, -1.0 / (rate_per_h * rate_per_h)];
        if infusion_h <= 0.0 {
            return product(decayed(rate_per_h, start_h), all);
        }
        if start_h < infusion_h {
            let before = rising_integral(rate_per_h, start_h);
            return [0, 1].map(|part| all[part] - before[part] / infusion_h);
        }
        product(self.at_once(rate_per_h), all)
    }
}

/// Product of two functions of λ, with its derivative.
pub(super) fn product(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] * b[0], a[1] * b[0] + a[0] * b[1]]
}

/// e^(−λt) and its derivative by λ.
pub(super) fn decayed(rate_per_h: f64, t_h: f64) -> [f64; 2] {
    let value = (-rate_per_h * t_h).exp();
    [value, -t_h * value]
}

/// Mean of e^(−λs) over s from 0 to t, and its derivative by λ.
pub(super) fn mean_decayed(rate_per_h: f64, t_h: f64) -> [f64; 2] {
    let [value, slope] = phi_1(rate_per_h * t_h);
    [value, t_h * slope]
}

/// ∫₀^t (1−e^(−λs))/λ ds, and its derivative by λ.
fn rising_integral(rate_per_h: f64, t_h: f64) -> [f64; 2] {
    let [value, slope] = phi_2(rate_per_h * t_h);
    [t_h * t_h * value, t_h * t_h * t_h * slope]
}

/// (1−e^(−x))/x and its derivative.
pub(super) fn phi_1(x: f64) -> [f64; 2] {
    if x.abs() < SERIES_BELOW {
        return series(x, 1);
    }
    let value = -(-x).exp_m1() / x;
    [value, ((-x).exp() - value) / x]
}

/// (x−1+e^(−x))/x² and its derivative.
fn phi_2(x: f64) -> [f64; 2] {
    if x.abs() < SERIES_BELOW {
        return series(x, 2);
    }
    let value = (x + (-x).exp_m1()) / (x * x);
    [value, (phi_1(x)[0] - 2.0 * value) / x]
}

/// Σ (−x)ⁿ/(n+order)! and its derivative.
fn series(x: f64, order: u32) -> [f64; 2] {
    let first = (1..=order).map(f64::from).product::<f64>().recip();
    let (mut sum, mut slope, mut term) = (first, 0.0, first);
    for n in 1..=SERIES_TERMS {
        let next = term / f64::from(n + order);
        slope -= f64::from(n) * next;
        term = -x * next;
        sum += term;
        if term.abs() < LEAST_TERM {
            break;
        }
    }
    [sum, slope]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::quadrature::integrate;

    /// Closed forms against quadrature.
    const TOLERANCE: f64 = 1e-9;
    /// Derivatives against differences.
    const SLOPE_TOLERANCE: f64 = 1e-6;

    /// Activity at a time for one exponential of amplitude 1, by quadrature over the infusion.
    fn activity(rate_per_h: f64, infusion_h: f64, t_h: f64) -> f64 {
        if infusion_h == 0.0 {
            return (-rate_per_h * t_h).exp();
        }
        integrate(0.0, t_h.min(infusion_h), |s| (-rate_per_h * (t_h - s)).exp()) / infusion_h
    }

    fn windows() -> impl Iterator<Item = Window> {
        [0.0, 0.2, 0.5, 3.0, 40.0].into_iter().flat_map(|start_h| {
            [0.0, 0.1, 0.4, 2.0].into_iter().flat_map(move |duration_h| {
                [0.0, 0.5, 4.0].into_iter().map(move |infusion_h| Window { start_h, duration_h, infusion_h })
            })
        })
    }

    #[test]
    fn means_are_integrals_of_the_activity() {
        for window in windows() {
            let Window { start_h, duration_h, infusion_h } = window;
            for rate in [1e-9, 0.004, 0.3, 2.0] {
                let value = |t_h| activity(rate, infusion_h, t_h);
                let knee_h = infusion_h.clamp(start_h, start_h + duration_h);
                let expected = if duration_h == 0.0 {
                    value(start_h)
                } else {
                    let parts = integrate(start_h, knee_h, value) + integrate(knee_h, start_h + duration_h, value);
                    parts / duration_h
                };
                let found = window.mean(rate)[0];
                assert!((found - expected).abs() <= TOLERANCE * expected, "{window:?} {rate}: {found} {expected}");
            }
        }
    }

    #[test]
    fn derivatives_are_limits_of_differences() {
        for window in windows() {
            for rate in [0.004, 0.3, 2.0] {
                let step = 1e-5 * rate;
                for of in [Window::mean, Window::integral_after] {
                    let difference = (of(&window, rate + step)[0] - of(&window, rate - step)[0]) / (2.0 * step);
                    let [value, slope] = of(&window, rate);
                    let scale = slope.abs().max(value / rate);
                    assert!((slope - difference).abs() <= SLOPE_TOLERANCE * scale, "{window:?} {rate}: {slope}");
                }
            }
        }
    }

    #[test]
    fn an_infusion_changes_no_integral() {
        for infusion_h in [0.0, 0.5, 6.0] {
            let window = Window { infusion_h, ..Window::at(0.0) };
            assert!((window.integral_after(0.02)[0] * 0.02 - 1.0).abs() < TOLERANCE);
            let rest = window.integral_after(0.02)[0] - Window { start_h: 3.0, ..window }.integral_after(0.02)[0];
            let before = Window { duration_h: 3.0, ..window }.mean(0.02)[0] * 3.0;
            assert!((rest - before).abs() < TOLERANCE, "{infusion_h}: {rest} {before}");
        }
    }
}
