//! Spherical Bessel functions.

/// Riccati-Bessel functions x·jₙ(x) and x·yₙ(x) of an order n, for x above n.
pub(crate) fn riccati(order: u32, x: f64) -> [f64; 2] {
    let (sin, cos) = x.sin_cos();
    // Orders −1 and 0.
    let (mut before, mut current) = ([cos, sin], [sin, -cos]);
    for n in 0..order {
        let next = [0, 1].map(|i| f64::from(2 * n + 1) / x * current[i] - before[i]);
        (before, current) = (current, next);
    }
    current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_orders_have_their_closed_forms() {
        for x in [2.5f64, 7.0, 30.0] {
            let (sin, cos) = x.sin_cos();
            let expected = [sin / x - cos, -cos / x - sin];
            let found = riccati(1, x);
            assert!((0..2).all(|i| (found[i] - expected[i]).abs() < 1e-14), "{x}: {found:?} {expected:?}");
        }
    }
}
