//! Multiple scattering and straggling of a condensed step. Twin: `shaders/shared/deflection.wgsl`.

use super::random::Stream;

/// μ = (1 − cos θ)/2 of a step's deflection: one uniform part near 0 and another one beyond it, which together have the
/// first two moments of the exact angular distribution.
///
/// * `path_over_lambda_1`, `path_over_lambda_2` – path over the first and second transport mean free path
///
/// Source of the moments: Goudsmit & Saunderson, Phys. Rev. 57 (1940) 24; of the two uniform parts: Fernández-Varea,
/// Mayol, Baró & Salvat, Nucl. Instrum. Methods B 73 (1993) 447.
#[inline]
pub(crate) fn angular_deflection(path_over_lambda_1: f32, path_over_lambda_2: f32, stream: &mut Stream) -> f32 {
    let (lost_first, lost_second) = (decayed(path_over_lambda_1), decayed(path_over_lambda_2));
    let mean_mu = 0.5 * lost_first;
    let mean_mu_squared = mean_mu - lost_second * (1.0 / 6.0);
    // No distribution on 0 to 1 can have less spread than one uniform part.
    let mu_0 = ((2.0 * mean_mu - 3.0 * mean_mu_squared) / (1.0 - 2.0 * mean_mu).max(1e-6)).clamp(0.0, 2.0 * mean_mu);
    let beyond = 2.0 * mean_mu - mu_0;
    let (choice, xi) = (stream.next_uniform(), stream.next_uniform());
    if choice < beyond { mu_0 + xi * (1.0 - mu_0) } else { xi * mu_0 }
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
/// Source: as PENELOPE, Salvat, Fernández-Varea & Sempau (2011), section 4.2.3.
#[inline]
pub(crate) fn soft_loss(mean_mev: f32, variance_mev2: f32, stream: &mut Stream) -> f32 {
    let xi = stream.next_uniform();
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

    const SAMPLES: u32 = 400_000;

    /// Means of x and x², with their standard errors.
    fn moments(mut draw: impl FnMut() -> f32) -> [(f64, f64); 2] {
        let draws: Vec<f64> = (0..SAMPLES).map(|_| f64::from(draw())).collect();
        let n = f64::from(SAMPLES);
        [1, 2].map(|power| {
            let mean = draws.iter().map(|x| x.powi(power)).sum::<f64>() / n;
            (mean, (draws.iter().map(|x| (x.powi(power) - mean).powi(2)).sum::<f64>() / n / n).sqrt())
        })
    }

    #[test]
    fn deflections_have_the_moments_of_goudsmit_and_saunderson() {
        // The last: as isotropic as a step can be made.
        for (first, second) in [(1e-3f32, 2.7e-3f32), (0.02, 0.05), (0.1, 0.25), (0.3, 0.6)] {
            let mut stream = Stream::new([1, 2, 3, 4], 1);
            let [(mean, mean_error), (square, square_error)] =
                moments(|| angular_deflection(first, second, &mut stream));
            // ⟨P₁⟩ = exp(−s/λ₁) and ⟨P₂⟩ = exp(−s/λ₂), in μ = (1 − cos θ)/2.
            let (g1, g2) = (f64::from(-first).exp(), f64::from(-second).exp());
            let cosine_squared = (1.0 + 2.0 * g2) / 3.0;
            let expected = (0.5 * (1.0 - g1), 0.25 * (1.0 - 2.0 * g1 + cosine_squared));
            assert!((mean - expected.0).abs() < 4.2 * mean_error, "{first}: {mean} {expected:?}");
            assert!((square - expected.1).abs() < 4.2 * square_error, "{first}: {square} {expected:?}");
        }
    }

    #[test]
    fn deflections_are_angles_whatever_the_step() {
        let mut stream = Stream::new([1, 2, 3, 4], 2);
        for first in [0.0f32, 1e-9, 1e-4, 1.0, 30.0] {
            for second in [0.0f32, 0.5 * first, 2.0 * first, 3.0 * first] {
                for _ in 0..200 {
                    let half = angular_deflection(first, second, &mut stream);
                    assert!((0.0..=1.0).contains(&half), "{first} {second}: {half}");
                }
            }
        }
    }

    #[test]
    fn soft_losses_have_their_mean_and_variance_and_are_never_negative() {
        for (mean, variance) in [(5e-3f32, 1e-7f32), (5e-3, 8e-6), (1e-3, 1e-6), (1e-4, 1e-6)] {
            let mut stream = Stream::new([1, 2, 3, 4], 3);
            let [(found, error), (square, square_error)] = moments(|| {
                let loss = soft_loss(mean, variance, &mut stream);
                assert!(loss >= 0.0, "{mean} {variance}: {loss}");
                loss
            });
            let (mean, variance) = (f64::from(mean), f64::from(variance));
            assert!((found - mean).abs() < 4.2 * error, "{mean} {variance}: {found}");
            assert!((square - variance - mean * mean).abs() < 4.2 * square_error, "{mean} {variance}: {square}");
        }
    }
}
