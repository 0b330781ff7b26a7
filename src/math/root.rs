//! Roots of functions of one variable.

/// Where a falling function crosses 0, by bisection to rounding; the nearer end if it does not cross.
pub(crate) fn of_falling(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if f(middle) > 0.0 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crossing_or_the_nearer_end_is_found() {
        assert!((of_falling(0.0, 3.0, |x| 2.0 - x * x) - 2f64.sqrt()).abs() < 1e-15);
        assert_eq!((of_falling(0.0, 3.0, |_| 1.0), of_falling(0.0, 3.0, |_| -1.0) < 1e-15), (3.0, true));
    }
}
