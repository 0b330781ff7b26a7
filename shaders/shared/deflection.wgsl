// Multiple scattering and straggling of a condensed step. Twin: src/engine/cpu/transport/deflection.rs

// The two uniform parts of a distribution of μ: from 0 to `mu_0`, and from there to `mu_1`.
struct Parts {
    mu_0: f32,
    mu_1: f32,
    beyond: f32, // probability of the second
}

// μ = (1 − cos θ)/2 of a step's deflection: one uniform part near 0 and another one beyond it, which together have the
// first three moments of the exact angular distribution.
//
// `path_over_lambda`: path over the first, second and third transport mean free path; `choice`, `xi`: uniform numbers,
// which part and where in it.
// Source of the moments: Goudsmit & Saunderson, Phys. Rev. 57 (1940) 24; of two uniform parts with two moments:
// Fernández-Varea, Mayol, Baró & Salvat, Nucl. Instrum. Methods B 73 (1993) 447. The third moment is ours.
fn angular_deflection(path_over_lambda: vec3<f32>, choice: f32, xi: f32) -> f32 {
    let parts = deflection_parts(path_over_lambda);
    if choice < parts.beyond { return parts.mu_0 + xi * (parts.mu_1 - parts.mu_0); }
    return xi * parts.mu_0;
}

// With q = `beyond`·μ₁, the moments are ⟨μ⟩ = (μ₀ + q)/2, ⟨μ²⟩ = (μ₀² + q(μ₀ + μ₁))/3 and
// ⟨μ³⟩ = (μ₀³ + q(μ₀² + μ₀μ₁ + μ₁²))/4. Without q and μ₁, a quadratic equation for μ₀ is left. Where it has no
// solution among angles, the first two moments are kept, with μ₁ = 1.
fn deflection_parts(path_over_lambda: vec3<f32>) -> Parts {
    let lost_first = decayed(path_over_lambda.x);
    let lost_second = decayed(path_over_lambda.y);
    let lost_third = decayed(path_over_lambda.z);
    let mean = 0.5 * lost_first;
    let square = mean - lost_second * (1.0 / 6.0);
    let cube = (lost_third + 9.0 * lost_first - 5.0 * lost_second) * 0.05;
    let a = 3.0 * square - 4.0 * mean * mean;
    let b = 4.0 * cube - 6.0 * mean * square;
    let c = 8.0 * mean * cube - 9.0 * square * square;
    let mu_0 = 2.0 * c / max(b + sqrt(max(b * b - 4.0 * a * c, 0.0)), 1e-30);
    let q = 2.0 * mean - mu_0;
    let mu_1 = (3.0 * square - 2.0 * mean * mu_0) / max(q, 1e-30);
    if mu_0 > 0.0 && q > 0.0 && mu_1 > mu_0 && mu_1 <= 1.0 { return Parts(mu_0, mu_1, q / mu_1); }
    // No distribution on 0 to 1 can have less spread than one uniform part.
    let two = clamp((2.0 * mean - 3.0 * square) / max(1.0 - 2.0 * mean, 1e-6), 0.0, 2.0 * mean);
    return Parts(two, 1.0, 2.0 * mean - two);
}

// 1 − exp(−x) by its series, to 1e-6 up to x = 0.5: a step's deflection is small, and exponentials differ between
// devices. Beyond x = 1, its value there.
fn decayed(unbounded: f32) -> f32 {
    let x = min(unbounded, 1.0);
    return x * (1.0 - x * (1.0 / 2.0) * (1.0 - x * (1.0 / 3.0)
        * (1.0 - x * 0.25 * (1.0 - x * 0.2 * (1.0 - x * (1.0 / 6.0))))));
}

// Energy lost in a step by soft collisions [MeV]: uniform about its mean where that is large against its spread, else
// either none or uniform from 0. It is never negative, and its mean and variance are exact. `xi`: a uniform number.
// Source: as PENELOPE, Salvat, Fernández-Varea & Sempau (2011), section 4.2.3.
fn soft_loss(mean_mev: f32, variance_mev2: f32, xi: f32) -> f32 {
    let square = mean_mev * mean_mev;
    if 3.0 * variance_mev2 < square { return mean_mev + (2.0 * xi - 1.0) * sqrt(3.0 * variance_mev2); }
    let largest_mev = 1.5 * (variance_mev2 + square) / mean_mev;
    let lossy_part = 2.0 * mean_mev / largest_mev;
    if xi < lossy_part { return largest_mev * xi / lossy_part; }
    return 0.0;
}
