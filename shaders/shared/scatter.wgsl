// Interactions of photons: energies and angles. Twin: src/engine/cpu/transport/scatter.rs
#import transport
#import random
#import elementary
#import lookup
#import sampling

// A photon scattered by an electron.
struct Compton {
    photon_mev: f32,
    cosine: f32,          // of its deflection
    electron_cosine: f32, // of the angle at which the electron leaves, opposite in azimuth
}

// Compton scattering by bound electrons: Klein and Nishina's cross section times the incoherent scattering function.
// ε is the part of its energy that the photon keeps, and g(ε) = 1 − ε sin²θ / (1 + ε²) the rejection function.
// Source: Klein & Nishina, Z. Phys. 52 (1929) 853; sampled as by Butcher & Messel, Nucl. Phys. 20 (1960) 15.
fn compton(energy_mev: f32, material: u32, stream: ptr<function, Stream>) -> Compton {
    let k = energy_mev / ELECTRON_REST_MEV;
    let epsilon_0 = 1.0 / (1.0 + 2.0 * k);
    let alpha_1 = -natural_log(epsilon_0);
    let alpha_2 = 0.5 * (1.0 - epsilon_0 * epsilon_0);
    var epsilon = 1.0;
    var one_minus_cos_theta = 0.0;
    var is_accepted = false;
    for (var draw = 0u; draw < MAX_DRAWS && !is_accepted; draw++) {
        if next_uniform(stream) * (alpha_1 + alpha_2) < alpha_1 {
            epsilon = exponential(-alpha_1 * next_uniform(stream));
        } else {
            epsilon = sqrt(epsilon_0 * epsilon_0 + (1.0 - epsilon_0 * epsilon_0) * next_uniform(stream));
        }
        epsilon = clamp(epsilon, epsilon_0, 1.0);
        one_minus_cos_theta = clamp((1.0 - epsilon) / (k * epsilon), 0.0, 2.0);
        let sin_squared_theta = one_minus_cos_theta * (2.0 - one_minus_cos_theta);
        let g = 1.0 - epsilon * sin_squared_theta / (1.0 + epsilon * epsilon);
        let x = energy_mev * TRANSFER_PER_MEV * sqrt(0.5 * one_minus_cos_theta);
        is_accepted = next_uniform(stream) < g * incoherent(x, material);
    }
    end_rejection(is_accepted, stream);
    return compton_angles(energy_mev, epsilon, one_minus_cos_theta);
}

// Angles from the part of its energy that the photon keeps, by conservation of momentum with an electron at rest.
fn compton_angles(energy_mev: f32, epsilon: f32, one_minus_cos_theta: f32) -> Compton {
    let photon_mev = energy_mev * epsilon;
    let cosine = 1.0 - one_minus_cos_theta;
    let forward = energy_mev - photon_mev * cosine;
    let aside = photon_mev * sqrt(max(one_minus_cos_theta * (2.0 - one_minus_cos_theta), 0.0));
    let electron_cosine = forward / max(sqrt(forward * forward + aside * aside), 1e-20);
    return Compton(photon_mev, cosine, clamp(electron_cosine, -1.0, 1.0));
}

// Incoherent scattering function per electron, at a momentum transfer x [Å⁻¹].
fn incoherent(x: f32, material: u32) -> f32 {
    let first = params.incoherent_first + material * (TRANSFER_BINS + 1u);
    if x < TRANSFER_MIN {
        let part = x / TRANSFER_MIN;
        return value(first) * part * part;
    }
    let at = sparse_place(x, (NODES - 1u) / TRANSFER_BINS);
    return between(value(first + at.node), value(first + at.node + 1u), at.fraction);
}

// Cosine of the deflection of a photon scattered coherently: the form factor by inversion, Thomson's factor by
// rejection.
// Source: Hubbard et al., J. Phys. Chem. Ref. Data 4 (1975) 471.
fn coherent_cosine(energy_mev: f32, material: u32, stream: ptr<function, Stream>) -> f32 {
    let x_max = energy_mev * TRANSFER_PER_MEV;
    let whole = cumulative(x_max, material);
    var cos_theta = 1.0;
    var is_accepted = false;
    for (var draw = 0u; draw < MAX_DRAWS && !is_accepted; draw++) {
        let x = invert(next_uniform(stream) * whole, material);
        let sin_half_theta = min(x / x_max, 1.0);
        cos_theta = 1.0 - 2.0 * sin_half_theta * sin_half_theta;
        is_accepted = 2.0 * next_uniform(stream) < 1.0 + cos_theta * cos_theta;
    }
    end_rejection(is_accepted, stream);
    return cos_theta;
}

// Integral of the squared form factor over the squared momentum transfer, up to a transfer x [Å⁻¹].
fn cumulative(x: f32, material: u32) -> f32 {
    let first = params.coherent_first + material * (FORM_FACTOR_BINS + 1u);
    let at = sparse_place(x, (NODES - 1u) / FORM_FACTOR_BINS);
    return between(value(first + at.node), value(first + at.node + 1u), at.fraction);
}

// The momentum transfer [Å⁻¹] up to which the integral has a value: bisection over the bins, then quadratic in the
// transfer within one.
fn invert(wanted: f32, material: u32) -> f32 {
    let start = params.coherent_first + material * (FORM_FACTOR_BINS + 1u);
    var low = 0u;
    var high = FORM_FACTOR_BINS;
    while high - low > 1u {
        let middle = (low + high) / 2u;
        if value(start + middle) <= wanted { low = middle; } else { high = middle; }
    }
    let first = value(start + low);
    let second = value(start + high);
    let part = clamp((wanted - first) / max(second - first, 1e-30), 0.0, 1.0);
    let lower = value(params.transfer_first + low);
    let upper = value(params.transfer_first + high);
    // Within a bin the form factor is nearly constant: the integral grows like the square of the transfer.
    return sqrt(lower * lower + part * (upper * upper - lower * lower));
}

// Cosine of the angle at which a photoelectron leaves: ν = 1 − cos θ.
// Source: Sauter, Ann. Phys. 11 (1931) 454; sampled as in Salvat, Fernández-Varea & Sempau (2011), section 2.2.1.
fn photoelectron_cosine(kinetic_mev: f32, stream: ptr<function, Stream>) -> f32 {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = sqrt(max(1.0 - 1.0 / (gamma * gamma), 1e-6));
    let a = 1.0 / beta - 1.0;
    let b = 0.5 * beta * gamma * (gamma - 1.0) * (gamma - 2.0);
    let g_0 = 2.0 * (1.0 / a + b);
    var nu = 0.0;
    var is_accepted = false;
    for (var draw = 0u; draw < MAX_DRAWS && !is_accepted; draw++) {
        let xi = next_uniform(stream);
        let a_plus_2_squared = (a + 2.0) * (a + 2.0);
        nu = 2.0 * a * (2.0 * xi + (a + 2.0) * sqrt(xi)) / (a_plus_2_squared - 4.0 * xi);
        let g = (2.0 - nu) * (1.0 / (a + nu) + b);
        is_accepted = next_uniform(stream) * g_0 < g;
    }
    end_rejection(is_accepted, stream);
    return clamp(1.0 - nu, -1.0, 1.0);
}

// Cosine of the angle at which an electron or positron of a pair leaves.
// Source: the leading term of the distribution of Sauter and of Gluckstern & Hull, as in Salvat, Fernández-Varea &
// Sempau (2011), section 2.4.
fn pair_cosine(kinetic_mev: f32, stream: ptr<function, Stream>) -> f32 {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = sqrt(max(1.0 - 1.0 / (gamma * gamma), 0.0));
    let xi = 2.0 * next_uniform(stream) - 1.0;
    return clamp((xi + beta) / (xi * beta + 1.0), -1.0, 1.0);
}
