//! Decays along a chain within a given time: Bateman's equations, solved by a matrix exponential.
//!
//! Bateman's own sum of exponentials divides by differences of decay constants and fails where two are nearly equal;
//! scaling and squaring loses accuracy where they span twenty decades. The rational approximation used here does
//! neither: its error is about 10⁻¹² of the atoms at the start, for any decay constants and times.
//!
//! Source: H. Bateman, Proc. Camb. Phil. Soc. 15 (1910) 423; M. Pusa, Nucl. Sci. Eng. 169 (2011) 155, for the method.

use rustfft::num_complex::Complex;

use crate::math::matrix_exponential::exponential_times;

/// A member of a chain. Its parents come before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    /// Decay constant λ [1/s].
    pub(super) decay_per_s: f64,
    /// Rate at which its atoms disappear, by decay or otherwise; at least λ [1/s].
    pub(super) loss_per_s: f64,
    /// Numbers of its parents, and their branching ratios to it.
    pub(super) parents: Vec<(usize, f64)>,
}

/// Decays of each member within a time, starting from one atom of the first member and none of the others.
///
/// * `time_s` – finite, not negative [s]
pub(super) fn decays_within(links: &[Link], time_s: f64) -> Vec<f64> {
    // The unknowns are the atoms N of each member, then its decays D: N' = −loss·N + Σ b·λ·N over its parents, D' =
    // λ·N.
    let members = links.len();
    let mut start = vec![0.0; 2 * members];
    start[0] = 1.0;
    let end = exponential_times(start, |pole, y, x| {
        for (number, link) in links.iter().enumerate() {
            let fed: Complex<f64> = link
                .parents
                .iter()
                .map(|&(parent, branching)| x[parent] * (branching * links[parent].decay_per_s * time_s))
                .sum();
            x[number] = (y[number] - fed) / (-link.loss_per_s * time_s - pole);
        }
        for (number, link) in links.iter().enumerate() {
            x[members + number] = (y[members + number] - x[number] * (link.decay_per_s * time_s)) / -pole;
        }
    });
    // Rounding may leave a little below 0.
    end[members..].iter().map(|decays| decays.max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(decay_per_s: &[f64]) -> Vec<Link> {
        let link = |(number, &rate): (usize, &f64)| Link {
            decay_per_s: rate,
            loss_per_s: rate,
            parents: if number == 0 { Vec::new() } else { vec![(number - 1, 1.0)] },
        };
        decay_per_s.iter().enumerate().map(link).collect()
    }

    #[test]
    fn one_nuclide_decays_exponentially() {
        for lambda_t in [1e-9, 1e-3, 1.0, 30.0, 1e6, 1e14] {
            let found = decays_within(&chain(&[lambda_t]), 1.0)[0];
            let expected = -f64::exp_m1(-lambda_t);
            assert!((found - expected).abs() < 1e-13, "{lambda_t}: {found} {expected}");
        }
    }

    #[test]
    fn two_nuclides_follow_bateman() {
        // ∫ λ₂ N₂ dt = 1 − (λ₂ e^(−λ₁t) − λ₁ e^(−λ₂t)) / (λ₂ − λ₁); for equal constants 1 − (1 + λt) e^(−λt).
        for (a, b) in [(1.0, 3.0), (3.0, 1.0), (1e-3, 1e5), (0.2, 1e-9)] {
            let expected = 1.0 - (b * f64::exp(-a) - a * f64::exp(-b)) / (b - a);
            let found = decays_within(&chain(&[a, b]), 1.0)[1];
            assert!((found - expected).abs() < 1e-12, "{a} {b}: {found} {expected}");
        }
        for b in [2.0, 2.0 + 1e-12, 2.0 - 1e-7] {
            let found = decays_within(&chain(&[2.0, b]), 1.0)[1];
            let expected = 1.0 - 3.0 * f64::exp(-2.0);
            assert!((found - expected).abs() < 1e-7, "{b}: {found} {expected}");
        }
    }

    #[test]
    fn a_long_chain_of_equal_constants_is_a_gamma_distribution() {
        // 1 − e^(−x) Σ x^k / k! for k from 0 to 5.
        let x: f64 = 4.0;
        let terms = (0..6).scan(1.0, |term, k| {
            let this = *term;
            *term *= x / f64::from(k + 1);
            Some(this)
        });
        let expected = 1.0 - f64::exp(-x) * terms.sum::<f64>();
        let found = decays_within(&chain(&[x; 6]), 1.0)[5];
        assert!((found - expected).abs() < 1e-11, "{found} {expected}");
    }

    #[test]
    fn every_daughter_decays_as_often_in_the_end() {
        // Actinium-225 to bismuth-209, over a hundred half-lives of the first.
        let half_lives_s = [864_000.0, 288.0, 0.0323, 2736.0, 3.7e-6, 11_700.0];
        let rates: Vec<f64> = half_lives_s.iter().map(|half_life_s| std::f64::consts::LN_2 / half_life_s).collect();
        for decays in decays_within(&chain(&rates), 8.64e7) {
            assert!((decays - 1.0).abs() < 1e-12, "{decays}");
        }
    }

    #[test]
    fn what_is_washed_out_does_not_decay() {
        let mut links = chain(&[1.0, 50.0]);
        links[0].loss_per_s = 4.0;
        let found = decays_within(&links, 1e3);
        assert!(found.iter().all(|decays| (decays - 0.25).abs() < 1e-13), "{found:?}");
    }
}
