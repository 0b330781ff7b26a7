//! Gauss rules for weights that are even on [−1, 1], from their three-term recurrence.

/// Points and weights on [−1, 1]; the weights sum to 1.
#[derive(Clone, Debug)]
pub(crate) struct GaussRule {
    /// Abscissae, ascending, symmetric about 0.
    pub(crate) points: Vec<f64>,
    /// Weights, in the same order.
    pub(crate) weights: Vec<f64>,
}

impl GaussRule {
    /// Gauss-Legendre: the mean of a function over [−1, 1]; exact for polynomials of degree `2n − 1`.
    pub(crate) fn legendre(n: usize) -> Self {
        let squares: Vec<f64> = (1..=n).map(|k| k as f64).map(|k| k * k / (4.0 * k * k - 1.0)).collect();
        Self::from_recurrence(n, &squares)
    }

    /// The mean of a function over [−1, 1] under the weight `1 − |t|`: the overlap of two equal intervals at distance
    /// `t`.
    pub(crate) fn triangle(n: usize) -> Self {
        // Stieltjes' procedure on Gauss-Legendre points of each half, which integrate all products that occur exactly.
        let half = Self::legendre(n + 2);
        let measure = [-0.5, 0.5].into_iter().flat_map(|centre| {
            half.points.iter().zip(&half.weights).map(move |(&t, &w)| {
                let t = centre + 0.5 * t;
                (t, w * (1.0 - t.abs()))
            })
        });
        Self::from_recurrence(n, &recurrence(&measure.collect::<Vec<_>>(), n))
    }

    /// Calls back with the points and weights of `∫ ds` from `low` to `high`, in equal panels of at most `longest`.
    pub(crate) fn for_each_point(&self, [low, high]: [f64; 2], longest: f64, mut call: impl FnMut(f64, f64)) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few hundred at most, at least 1"
        )]
        let panels = ((high - low) / longest).ceil().max(1.0) as u32;
        let half = 0.5 * (high - low) / f64::from(panels);
        for panel in 0..panels {
            let middle = low + half * f64::from(2 * panel + 1);
            for (point, weight) in self.points.iter().zip(&self.weights) {
                call(middle + half * point, weight * 2.0 * half);
            }
        }
    }

    /// * `squares` – `β_k` of the monic recurrence `p_{k+1} = t p_k − β_k p_{k−1}`, from `k = 1`
    fn from_recurrence(n: usize, squares: &[f64]) -> Self {
        let points = roots(n, squares);
        let weight = |&t: &f64| {
            // Christoffel numbers: 1 / Σ p_k², with orthonormal p_k.
            let (mut before, mut p, mut sum) = (0.0, 1.0, 0.0);
            for k in 0..n {
                sum += p * p;
                let below = if k == 0 { 0.0 } else { squares[k - 1].sqrt() };
                (before, p) = (p, (t * p - below * before) / squares[k].sqrt());
            }
            1.0 / sum
        };
        let weights = points.iter().map(weight).collect();
        Self { points, weights }
    }
}

/// `β_1` to `β_n` of a discrete even measure of mass 1, as pairs of point and weight.
fn recurrence(measure: &[(f64, f64)], n: usize) -> Vec<f64> {
    let mut before = vec![0.0; measure.len()];
    let mut p = vec![1.0; measure.len()];
    let norm = |p: &[f64]| measure.iter().zip(p).map(|((_, w), p)| w * p * p).sum::<f64>();
    let mut squares = Vec::new();
    for k in 0..n {
        let below = if k == 0 { 0.0 } else { squares[k - 1] };
        let next: Vec<f64> = (0..measure.len()).map(|i| measure[i].0 * p[i] - below * before[i]).collect();
        squares.push(norm(&next) / norm(&p));
        (before, p) = (p, next);
    }
    squares
}

/// Zeros of the monic polynomial of degree `n`: bracketed on a grid, then bisected to the last bit.
fn roots(n: usize, squares: &[f64]) -> Vec<f64> {
    const CELLS: u32 = 4_001; // odd, so that 0 is no edge; far finer than the zeros of the few degrees in use are apart
    let value = |t: f64| {
        let (mut before, mut p) = (0.0, 1.0);
        for k in 0..n {
            let below = if k == 0 { 0.0 } else { squares[k - 1] };
            (before, p) = (p, t * p - below * before);
        }
        p
    };
    let edge = |i: u32| 2.0 * f64::from(i) / f64::from(CELLS) - 1.0;
    let mut roots: Vec<f64> = Vec::new();
    for i in 0..CELLS {
        let (mut a, mut b) = (edge(i), edge(i + 1));
        if value(a).is_sign_negative() != value(b).is_sign_negative() {
            for _ in 0..60 {
                let middle = 0.5 * (a + b);
                if value(middle).is_sign_negative() == value(a).is_sign_negative() { a = middle } else { b = middle }
            }
            roots.push(0.5 * (a + b));
        }
    }
    let mirrored = (0..n).map(|i| 0.5 * (roots[i] - roots[n - 1 - i]));
    mirrored.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_integrate_polynomials_exactly() {
        for n in [1, 2, 3, 4, 6, 8, 16] {
            for (rule, moment) in [
                (GaussRule::legendre(n), (|p| 1.0 / (p + 1.0)) as fn(f64) -> f64),
                (GaussRule::triangle(n), |p| 2.0 / ((p + 1.0) * (p + 2.0))),
            ] {
                assert_eq!(rule.points.len(), n);
                for degree in 0..2 * i32::try_from(n).expect("a small number") {
                    let sum: f64 = rule.points.iter().zip(&rule.weights).map(|(t, w)| w * t.powi(degree)).sum();
                    let exact = if degree % 2 == 1 { 0.0 } else { moment(f64::from(degree)) };
                    assert!((sum - exact).abs() < 1e-13, "n {n}, degree {degree}: {sum} {exact}");
                }
            }
        }
    }
}
