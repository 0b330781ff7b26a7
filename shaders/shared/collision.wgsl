// Hard collisions, bremsstrahlung photons, annihilation in flight. Twin: src/engine/cpu/transport/collision.rs
#import transport
#import random
#import elementary
#import lookup
#import sampling

// Energy and direction of what leaves an interaction; directions are cosines to that of the incoming particle.
struct Emerging {
    energy_mev: f32,        // of the new particle
    cosine: f32,            // of the angle at which it leaves
    deflection_cosine: f32, // of the deflection of the incoming particle
}

// A collision of an electron with one at rest. It loses more than `cut_mev` and at most half of its energy.
// Source: Møller, Ann. Phys. 14 (1932) 531; sampled as in Salvat, Fernández-Varea & Sempau (2011), section 3.2.
fn moller(kinetic_mev: f32, cut_mev: f32, stream: ptr<function, Stream>) -> Emerging {
    let tau = kinetic_mev / ELECTRON_REST_MEV;
    let a = (tau / (tau + 1.0)) * (tau / (tau + 1.0));
    let kappa_c = cut_mev / kinetic_mev;
    var kappa = kappa_c;
    var is_accepted = false;
    for (var draw = 0u; draw < MAX_DRAWS && !is_accepted; draw++) {
        // The density of κ is 1/κ² from the cut to one half.
        kappa = kappa_c / (1.0 - next_uniform(stream) * (1.0 - 2.0 * kappa_c));
        let ratio = kappa / (1.0 - kappa);
        let phi = 1.0 + ratio * ratio - (1.0 - a) * ratio + a * kappa * kappa;
        is_accepted = next_uniform(stream) * (1.0 + 1.25 * a) < phi;
    }
    end_rejection(is_accepted, stream);
    return binary(kinetic_mev, min(kappa, 0.5) * kinetic_mev);
}

// A collision of a positron with an electron at rest. It loses more than `cut_mev`.
// Source: Bhabha, Proc. R. Soc. A 154 (1936) 195, as in ICRU 37 (1984), section 2.
fn bhabha(kinetic_mev: f32, cut_mev: f32, stream: ptr<function, Stream>) -> Emerging {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let tau = gamma - 1.0;
    let a = (tau / gamma) * (tau / gamma);
    let g2 = (gamma + 1.0) * (gamma + 1.0);
    let b1 = a * (2.0 * g2 - 1.0) / (gamma * gamma - 1.0);
    let b2 = a * (3.0 * g2 + 1.0) / g2;
    let b3 = a * 2.0 * gamma * tau / g2;
    let b4 = a * tau * tau / g2;
    let kappa_c = cut_mev / kinetic_mev;
    var kappa = kappa_c;
    var is_accepted = false;
    for (var draw = 0u; draw < MAX_DRAWS && !is_accepted; draw++) {
        kappa = min(kappa_c / (1.0 - next_uniform(stream) * (1.0 - kappa_c)), 1.0);
        let phi = 1.0 - kappa * (b1 - kappa * (b2 - kappa * (b3 - kappa * b4)));
        is_accepted = next_uniform(stream) < phi;
    }
    end_rejection(is_accepted, stream);
    return binary(kinetic_mev, kappa * kinetic_mev);
}

// Angles of a collision with an electron at rest, from the conservation of energy and momentum.
fn binary(kinetic_mev: f32, loss_mev: f32) -> Emerging {
    let twice_rest = 2.0 * ELECTRON_REST_MEV;
    let sine_squared = twice_rest * loss_mev / (kinetic_mev * (kinetic_mev - loss_mev + twice_rest));
    let recoil_squared = loss_mev * (kinetic_mev + twice_rest) / (kinetic_mev * (loss_mev + twice_rest));
    return Emerging(loss_mev, sqrt(min(recoil_squared, 1.0)), sqrt(max(1.0 - sine_squared, 0.0)));
}

// A bremsstrahlung photon above `cut_mev`: its energy from the tabulated spectrum, its angle that of a dipole that
// moves with the electron.
//
// `spectra`: where the spectra of the material and charge start.
// Source of the angles: Acosta, Llovet & Salvat, Appl. Phys. Lett. 80 (2002) 3228, without their fit.
fn bremsstrahlung(kinetic_mev: f32, cut_mev: f32, spectra: u32, stream: ptr<function, Stream>) -> Emerging {
    let kappa_c = cut_mev / kinetic_mev;
    let log_kappa_c = natural_log(kappa_c);
    var kappa = kappa_c;
    var is_accepted = false;
    for (var draw = 0u; draw < MAX_DRAWS && !is_accepted; draw++) {
        kappa = clamp(exponential(log_kappa_c * next_uniform(stream)), kappa_c, 1.0);
        is_accepted = next_uniform(stream) < acceptance(kinetic_mev, kappa, spectra);
    }
    end_rejection(is_accepted, stream);
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = sqrt(max(1.0 - 1.0 / (gamma * gamma), 0.0));
    // The angle in the frame of the electron.
    var cosine = 0.0;
    is_accepted = false;
    for (var draw = 0u; draw < MAX_DRAWS && !is_accepted; draw++) {
        cosine = 2.0 * next_uniform(stream) - 1.0;
        is_accepted = 2.0 * next_uniform(stream) < 1.0 + cosine * cosine;
    }
    end_rejection(is_accepted, stream);
    return Emerging(kappa * kinetic_mev, boosted(cosine, beta), 1.0);
}

// A cosine in a frame that moves with the speed β, as seen at rest.
fn boosted(cosine: f32, beta: f32) -> f32 {
    return clamp((cosine + beta) / (1.0 + beta * cosine), -1.0, 1.0);
}

// Probability of accepting a photon of the energy κ times that of the electron. Between the nodes it is linear in the
// energy and in √(1 − κ).
fn acceptance(kinetic_mev: f32, kappa: f32, spectra: u32) -> f32 {
    let at = sparse_place(kinetic_mev, (1u << OCTAVE_BITS) / SPECTRUM_ROWS_PER_OCTAVE);
    let position = sqrt(max(1.0 - kappa, 0.0)) * f32(PHOTON_STEPS);
    let step = min(u32(position), PHOTON_STEPS - 1u);
    let within = position - f32(step);
    let low = spectra + at.node * (PHOTON_STEPS + 1u) + step;
    let high = low + PHOTON_STEPS + 1u;
    return between(
        between(value(low), value(low + 1u), within),
        between(value(high), value(high + 1u), within),
        at.fraction,
    );
}

// Energies and cosines of the two photons of a positron that annihilates in flight. Their azimuths are opposite.
struct Annihilation {
    energies_mev: vec2<f32>,
    cosines: vec2<f32>,
}

// Annihilation in flight: ζ is the part of the total energy that one photon carries.
// Source: Heitler, The Quantum Theory of Radiation (1954), § 27; Nelson, Hirayama & Rogers, SLAC-265 (1985), eq.
// 2.12.9.
fn annihilation(kinetic_mev: f32, stream: ptr<function, Stream>) -> Annihilation {
    let gamma = max(kinetic_mev / ELECTRON_REST_MEV + 1.0, 1.0 + 1e-5);
    let momentum = sqrt((gamma - 1.0) * (gamma + 1.0));
    let zeta_min = 1.0 / (gamma + 1.0 + momentum);
    let linear = gamma * gamma + 4.0 * gamma + 1.0;
    let g_max = linear - 2.0 * (gamma + 1.0);
    let log_range = natural_log((1.0 - zeta_min) / zeta_min);
    var zeta = zeta_min;
    var is_accepted = false;
    for (var draw = 0u; draw < MAX_DRAWS && !is_accepted; draw++) {
        // The density of ζ is 1/ζ from its smallest value to its largest.
        zeta = zeta_min * exponential(log_range * next_uniform(stream));
        let g = linear - (gamma + 1.0) * (gamma + 1.0) * zeta - 1.0 / zeta;
        is_accepted = next_uniform(stream) * g_max < g;
    }
    end_rejection(is_accepted, stream);
    let total_mev = kinetic_mev + 2.0 * ELECTRON_REST_MEV;
    let first_mev = zeta * total_mev;
    let parts = vec2(zeta, 1.0 - zeta);
    let cosines = clamp((gamma + 1.0 - 1.0 / parts) / momentum, vec2(-1.0), vec2(1.0));
    return Annihilation(vec2(first_mev, total_mev - first_mev), cosines);
}
