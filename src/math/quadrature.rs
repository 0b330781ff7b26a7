//! Integrals of smooth functions by Gauss-Legendre rules.

use std::sync::LazyLock;

use super::gauss::GaussRule;

/// Nodes of a panel: exact for polynomials of degree 31.
pub(crate) const PANEL_NODES: usize = 16;

static RULE: LazyLock<GaussRule> = LazyLock::new(|| GaussRule::legendre(PANEL_NODES));

/// Panels up to this wide in ln x, and nodes that integrate functions like powers of x over them to rounding.
const NARROW: [(f64, usize); 2] = [(0.05, 5), (0.3, 8)];

static NARROW_RULES: LazyLock<[GaussRule; 2]> = LazyLock::new(|| NARROW.map(|(_, count)| GaussRule::legendre(count)));

/// Nodes and weights from `a` to `b`, in one panel.
pub(crate) fn nodes(a: f64, b: f64) -> impl Iterator<Item = (f64, f64)> {
    nodes_of(&RULE, a, b)
}

fn nodes_of(rule: &GaussRule, a: f64, b: f64) -> impl Iterator<Item = (f64, f64)> {
    let (half, middle) = (0.5 * (b - a), 0.5 * (a + b));
    rule.points.iter().zip(&rule.weights).map(move |(x, weight)| (middle + half * x, (b - a) * weight))
}

/// Nodes and weights from `a` to `b`, both above 0, in panels that span at most a factor e each: for functions like
/// powers of x. No nodes if `b` is not above `a`.
pub(crate) fn log_nodes(a: f64, b: f64) -> impl Iterator<Item = (f64, f64)> {
    log_nodes_of(&RULE, a, b)
}

/// As [`log_nodes`], with fewer nodes where `a` and `b` are so near that these do.
pub(crate) fn log_nodes_by_width(a: f64, b: f64) -> impl Iterator<Item = (f64, f64)> {
    let narrow = NARROW.iter().position(|(width, _)| b <= a * width.exp());
    log_nodes_of(narrow.map_or(&*RULE, |number| &NARROW_RULES[number]), a, b)
}

fn log_nodes_of(rule: &GaussRule, a: f64, b: f64) -> impl Iterator<Item = (f64, f64)> {
    let span = if b > a { (b / a).ln() } else { 0.0 };
    let panels = (0u32..).take_while(move |&panel| f64::from(panel) < span);
    let width = span / span.ceil().max(1.0);
    panels.flat_map(move |panel| {
        let start = a.ln() + f64::from(panel) * width;
        nodes_of(rule, start, start + width).map(|(u, weight)| {
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
    fn narrow_panels_do_with_fewer_nodes() {
        for (width, count) in [(0.01, 5), (0.05, 5), (0.1, 8), (0.3, 8), (0.5, 16), (1.5, 32)] {
            let end = f64::exp(0.999 * width);
            // The singularity of the losses of electrons lies at twice the largest one.
            let functions: [fn(f64, f64) -> f64; 3] =
                [|x, _| x.powi(-2), |x, _| x.powi(2), |x, end| (2.0 * end - x).recip()];
            for f in functions {
                let found: f64 = log_nodes_by_width(1.0, end).map(|(x, weight)| weight * f(x, end)).sum();
                assert!((found / integrate_log(1.0, end, |x| f(x, end)) - 1.0).abs() < 1e-14, "{width}: {found}");
            }
            assert_eq!(log_nodes_by_width(1.0, end).count(), count, "{width}");
        }
    }

    #[test]
    fn an_empty_interval_has_no_integral() {
        assert_eq!((integrate(1.0, 1.0, |_| 1.0), integrate_log(2.0, 1.0, |_| 1.0)), (0.0, 0.0));
    }
}
