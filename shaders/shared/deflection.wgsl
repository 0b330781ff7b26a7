// Multiple scattering and straggling of a condensed step. Twin: src/engine/cpu/transport/deflection.rs
#import random

// μ = (1 − cos θ)/2 of a step's deflection: one uniform part near 0 and another one beyond it, which together have the
// first two moments of the exact angular distribution.
//
// `path_over_lambda_1`, `path_over_lambda_2`: path over the first and second transport mean free path.
// Source of the moments: Goudsmit & Saunderson, Phys. Rev. 57 (1940) 24; of the two uniform parts: Fernández-Varea,
// Mayol, Baró & Salvat, Nucl. Instrum. Methods B 73 (1993) 447.
fn angular_deflection(path_over_lambda_1: f32, path_over_lambda_2: f32, stream: ptr<function, Stream>) -> f32 {
    let lost_first = decayed(path_over_lambda_1);
    let lost_second = decayed(path_over_lambda_2);
    let mean_mu = 0.5 * lost_first;
    let mean_mu_squared = mean_mu - lost_second * (1.0 / 6.0);
    // No distribution on 0 to 1 can have less spread than one uniform part.
    let mu_0 = clamp((2.0 * mean_mu - 3.0 * mean_mu_squared) / max(1.0 - 2.0 * mean_mu, 1e-6), 0.0, 2.0 * mean_mu);
    let beyond = 2.0 * mean_mu - mu_0;
    let choice = next_uniform(stream);
    let xi = next_uniform(stream);
    if choice < beyond { return mu_0 + xi * (1.0 - mu_0); }
    return xi * mu_0;
}

// 1 − exp(−x) by its series, to 1e-6 up to x = 0.5: a step's deflection is small, and exponentials differ between
// devices. Beyond x = 1, its value there.
fn decayed(unbounded: f32) -> f32 {
    let x = min(unbounded, 1.0);
    return x * (1.0 - x * (1.0 / 2.0) * (1.0 - x * (1.0 / 3.0)
        * (1.0 - x * 0.25 * (1.0 - x * 0.2 * (1.0 - x * (1.0 / 6.0))))));
}

// Energy lost in a step by soft collisions [MeV]: uniform about its mean where that is large against its spread, else
// either none or uniform from 0. It is never negative, and its mean and variance are exact.
// Source: as PENELOPE, Salvat, Fernández-Varea & Sempau (2011), section 4.2.3.
fn soft_loss(mean_mev: f32, variance_mev2: f32, stream: ptr<function, Stream>) -> f32 {
    let xi = next_uniform(stream);
    let square = mean_mev * mean_mev;
    if 3.0 * variance_mev2 < square { return mean_mev + (2.0 * xi - 1.0) * sqrt(3.0 * variance_mev2); }
    let largest_mev = 1.5 * (variance_mev2 + square) / mean_mev;
    let lossy_part = 2.0 * mean_mev / largest_mev;
    if xi < lossy_part { return largest_mev * xi / lossy_part; }
    return 0.0;
}
