//! Multiple scattering and straggling of a condensed step. Twin: `shaders/shared/deflection.wgsl`.

/// μ = (1 − cos θ)/2 of a step's deflection: one uniform part near 0 and another one beyond it, which together have the
/// first three moments of the exact angular distribution.
///
/// * `path_over_lambda` – path over the first, second and third transport mean free path
/// * `choice`, `xi` – uniform numbers: which part, and where in it
///
/// Two moments alone, with the far part up to μ = 1, turn too many particles back, the more so the longer the step: the
/// third moment is then 1.4 times too large in water, and doses depend on the steps and on what ends them.
///
/// Source of the moments: Goudsmit & Saunderson, Phys. Rev. 57 (1940) 24; of two uniform parts with two moments:
/// Fernández-Varea, Mayol, Baró & Salvat, Nucl. Instrum. Methods B 73 (1993) 447. The third moment is ours.
#[inline]
pub(crate) fn angular_deflection(path_over_lambda: [f32; 3], choice: f32, xi: f32) -> f32 {
    let Parts { mu_0, mu_1, beyond } = deflection_parts(path_over_lambda);
    if choice < beyond { mu_0 + xi * (mu_1 - mu_0) } else { xi * mu_0 }
}

/// The two uniform parts of a distribution of μ: from 0 to `mu_0`, and from there to `mu_1`.
struct Parts {
    mu_0: f32,
    mu_1: f32,
    /// Probability of the second.
    beyond: f32,
}

/// With q = `beyond`·μ₁, the moments are ⟨μ⟩ = (μ₀ + q)/2, ⟨μ²⟩ = (μ₀² + q(μ₀ + μ₁))/3 and
/// ⟨μ³⟩ = (μ₀³ + q(μ₀² + μ₀μ₁ + μ₁²))/4. Without q and μ₁, a quadratic equation for μ₀ is left. Where it has no
/// solution among angles, the first two moments are kept, with μ₁ = 1.
#[inline]
fn deflection_parts(path_over_lambda: [f32; 3]) -> Parts {
    let [lost_first, lost_second, lost_third] = path_over_lambda.map(decayed);
    let mean = 0.5 * lost_first;
    let square = mean - lost_second * (1.0 / 6.0);
    let cube = (lost_third + 9.0 * lost_first - 5.0 * lost_second) * 0.05;
    let a = 3.0 * square - 4.0 * mean * mean;
    let b = 4.0 * cube - 6.0 * mean * square;
    let c = 8.0 * mean * cube - 9.0 * square * square;
    let mu_0 = 2.0 * c / (b + (b * b - 4.0 * a * c).max(0.0).sqrt()).max(1e-30);
    let q = 2.0 * mean - mu_0;
    let mu_1 = (3.0 * square - 2.0 * mean * mu_0) / q.max(1e-30);
    if mu_0 > 0.0 && q > 0.0 && mu_1 > mu_0 && mu_1 <= 1.0 {
        return Parts { mu_0, mu_1, beyond: q / mu_1 };
    }
    // No distribution on 0 to 1 can have less spread than one uniform part.
    let mu_0 = ((2.0 * mean - 3.0 * square) / (1.0 - 2.0 * mean).max(1e-6)).clamp(0.0, 2.0 * mean);
    Parts { mu_0, mu_1: 1.0, beyond: 2.0 * mean - mu_0 }
}

/// 1 − exp(−x) by its series, to 1e-6 up to x = 0.5: a step's deflection is small, and exponentials differ between
/// devices. Beyond x = 1, its value there.
#[inline]
fn decayed(x: f32) -> f32 {
    let x = x.min(1.0);
    x * (1.0 - x * (1.0 / 2.0) * (1.0 - x * (1.0 / 3.0) * (1.0 - x * 0.25 * (1.0 - x * 0.2 * (1.0 - x * (1.0 / 6.0))))))
}

/// Energy lost in a step by soft collisions [MeV]: uniform about its mean where that is large against its spread, else
/// either none or uniform from 0. It is never negative, and its mean and variance are exact.
///
/// * `xi` – a uniform number
///
/// Source: as PENELOPE, Salvat, Fernández-Varea & Sempau (2011), section 4.2.3.
#[inline]
pub(crate) fn soft_loss(mean_mev: f32, variance_mev2: f32, xi: f32) -> f32 {
    let square = mean_mev * mean_mev;
    if 3.0 * variance_mev2 < square {
        return mean_mev + (2.0 * xi - 1.0) * (3.0 * variance_mev2).sqrt();
    }
    let largest_mev = 1.5 * (variance_mev2 + square) / mean_mev;
    let lossy_part = 2.0 * mean_mev / largest_mev;
    if xi < lossy_part { largest_mev * xi / lossy_part } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::transport::random::{Stream, unit_pair};

    const SAMPLES: u32 = 400_000;

    /// As a step draws it.
    fn drawn_deflection(path_over_lambda: [f32; 3], stream: &mut Stream) -> f32 {
        let choice = stream.next_uniform();
        let [xi, _] = unit_pair(stream.next_word());
        angular_deflection(path_over_lambda, choice, xi)
    }

    /// Means of x, x² and x³, with their standard errors.
    fn moments(mut draw: impl FnMut() -> f32) -> [(f64, f64); 3] {
        let draws: Vec<f64> = (0..SAMPLES).map(|_| f64::from(draw())).collect();
        let n = f64::from(SAMPLES);
        [1, 2, 3].map(|power| {
            let mean = draws.iter().map(|x| x.powi(power)).sum::<f64>() / n;
            (mean, (draws.iter().map(|x| (x.powi(power) - mean).powi(2)).sum::<f64>() / n / n).sqrt())
        })
    }

    #[test]
    fn deflections_have_the_moments_of_goudsmit_and_saunderson() {
        // Screened Rutherford scattering in water at 5, 1, 0.05 and 0.005 MeV. The last: as isotropic as a step can be.
        for over_lambda in [[1e-3f32, 2.75e-3, 5.17e-3], [0.02, 0.054, 0.1], [0.07, 0.18, 0.32], [0.3, 0.6, 0.85]] {
            let mut stream = Stream::new([1, 2, 3, 4], 1);
            let found = moments(|| drawn_deflection(over_lambda, &mut stream));
            // ⟨P_l⟩ = exp(−s/λ_l), in μ = (1 − cos θ)/2: P₂ = 1 − 6μ + 6μ², P₃ = 1 − 12μ + 30μ² − 20μ³.
            let [lost_1, lost_2, lost_3] = over_lambda.map(|x| -(-f64::from(x)).exp_m1());
            let square = lost_1 / 2.0 - lost_2 / 6.0;
            let expected = [lost_1 / 2.0, square, (lost_3 - 6.0 * lost_1 + 30.0 * square) / 20.0];
            for ((found, error), expected) in found.into_iter().zip(expected) {
                assert!((found - expected).abs() < 4.2 * error, "{over_lambda:?}: {found} {expected}");
                // In the shortest step, one in 4000 makes most of the third moment: too few for a narrow bound.
                assert!(error < 0.05 * expected || over_lambda[0] < 0.01, "{over_lambda:?}: {error}");
            }
        }
    }

    /// Where three moments leave no room for two uniform parts, two are kept.
    #[test]
    fn deflections_without_a_third_moment_keep_two() {
        let over_lambda = [0.1, 0.25, 0.2];
        let parts = deflection_parts(over_lambda);
        assert!(parts.mu_1 >= 1.0, "{}", parts.mu_1);
        let mut stream = Stream::new([1, 2, 3, 4], 4);
        let [(mean, mean_error), (square, square_error), _] = moments(|| drawn_deflection(over_lambda, &mut stream));
        let [lost_1, lost_2, _] = over_lambda.map(|x| -(-f64::from(x)).exp_m1());
        assert!((mean - lost_1 / 2.0).abs() < 4.2 * mean_error, "{mean}");
        assert!((square - lost_1 / 2.0 + lost_2 / 6.0).abs() < 4.2 * square_error, "{square}");
    }

    #[test]
    fn deflections_are_angles_whatever_the_step() {
        let mut stream = Stream::new([1, 2, 3, 4], 2);
        for first in [0.0f32, 1e-9, 1e-4, 1.0, 30.0] {
            for second in [0.0f32, 0.5 * first, 2.0 * first, 2.7 * first, 3.0 * first] {
                for third in [0.0f32, first, 5.0 * first, 6.0 * first] {
                    for _ in 0..100 {
                        let half = drawn_deflection([first, second, third], &mut stream);
                        assert!((0.0..=1.0).contains(&half), "{first} {second} {third}: {half}");
                    }
                }
            }
        }
    }

    #[test]
    fn soft_losses_have_their_mean_and_variance_and_are_never_negative() {
        for (mean, variance) in [(5e-3f32, 1e-7f32), (5e-3, 8e-6), (1e-3, 1e-6), (1e-4, 1e-6)] {
            let mut stream = Stream::new([1, 2, 3, 4], 3);
            let [(found, error), (square, square_error), _] = moments(|| {
                let [xi, _] = unit_pair(stream.next_word());
                let loss = soft_loss(mean, variance, xi);
                assert!(loss >= 0.0, "{mean} {variance}: {loss}");
                loss
            });
            let (mean, variance) = (f64::from(mean), f64::from(variance));
            assert!((found - mean).abs() < 4.2 * error, "{mean} {variance}: {found}");
            assert!((square - variance - mean * mean).abs() < 4.2 * square_error, "{mean} {variance}: {square}");
        }
    }
}
