//! Integrals of smooth functions by Gauss-Legendre rules.

use std::sync::LazyLock;

use super::gauss::GaussRule;

/// Nodes of a panel: exact for polynomials of degree 31.
pub(crate) const PANEL_NODES: usize = 16;

static RULE: LazyLock<GaussRule> = LazyLock::new(|| GaussRule::legendre(PANEL_NODES));

/// Nodes and weights from `a` to `b`, in one panel.
pub(crate) fn nodes(a: f64, b: f64) -> impl Iterator<Item = (f64, f64)> {
    let (half, middle) = (0.5 * (b - a), 0.5 * (a + b));
    RULE.points.iter().zip(&RULE.weights).map(move |(x, weight)| (middle + half * x, (b - a) * weight))
}

/// Nodes and weights from `a` to `b`, both above 0, in panels that span at most a factor e each: for functions like
/// powers of x. No nodes if `b` is not above `a`.
pub(crate) fn log_nodes(a: f64, b: f64) -> impl Iterator<Item = (f64, f64)> {
    let span = if b > a { (b / a).ln() } else { 0.0 };
    let panels = (0u32..).take_while(move |&panel| f64::from(panel) < span);
    let width = span / span.ceil().max(1.0);
    panels.flat_map(move |panel| {
        let start = a.ln() + f64::from(panel) * width;
        nodes(start, start + width).map(|(u, weight)| {
            let x = u.exp();
            (x, weight * x)
        })
    })
}

/// Integral of `f` from `a` to `b`, in one panel of 16 nodes.
pub(crate) fn integrate(a: f64, b: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    nodes(a, b).map(|(x, weight)| weight * f(x)).sum()
}

/// Integral of `f` from `a` to `b`, both above 0, as [`log_nodes`].
pub(crate) fn integrate_log(a: f64, b: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    log_nodes(a, b).map(|(x, weight)| weight * f(x)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_and_powers_are_integrated_to_rounding() {
        let degree_31 = integrate(0.0, 1.0, |x| 32.0 * x.powi(31));
        assert!((degree_31 - 1.0).abs() < 1e-13, "{degree_31}");
        let inverse_square = integrate_log(1e-6, 10.0, |x| x.powi(-2));
        assert!((inverse_square / (1e6 - 0.1) - 1.0).abs() < 1e-13, "{inverse_square}");
    }

    #[test]
    fn an_empty_interval_has_no_integral() {
        assert_eq!((integrate(1.0, 1.0, |_| 1.0), integrate_log(2.0, 1.0, |_| 1.0)), (0.0, 0.0));
    }
}
