//! Ordinary differential equations, step by step.

/// One step of the classical Runge-Kutta method of fourth order: `y(x + step)`.
///
/// * `derivative` – y′ as a function of x and y
pub(crate) fn step<const N: usize>(
    x: f64,
    step: f64,
    y: [f64; N],
    derivative: impl Fn(f64, [f64; N]) -> [f64; N],
) -> [f64; N] {
    let along = |slope: [f64; N], by: f64| std::array::from_fn(|i| y[i] + by * slope[i]);
    let k1 = derivative(x, y);
    let k2 = derivative(x + 0.5 * step, along(k1, 0.5 * step));
    let k3 = derivative(x + 0.5 * step, along(k2, 0.5 * step));
    let k4 = derivative(x + step, along(k3, step));
    std::array::from_fn(|i| y[i] + step / 6.0 * (k1[i] + 2.0 * (k2[i] + k3[i]) + k4[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_followed_to_fourth_order() {
        let turn = |steps: u32| {
            let h = 1.0 / f64::from(steps);
            (0..steps).fold([1.0, 0.0], |y, i| step(f64::from(i) * h, h, y, |_, [u, v]| [-v, u]))
        };
        let error = |steps| (turn(steps)[1] - 1f64.sin()).abs();
        assert!(error(20) < 1e-7 && (12.0..20.0).contains(&(error(10) / error(20))), "{} {}", error(10), error(20));
    }
}
