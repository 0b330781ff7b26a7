// Hard collisions, bremsstrahlung photons, annihilation in flight. Twin: src/engine/cpu/transport/collision.rs

// Energy and direction of what leaves an interaction, the latter as cosines to the direction of what came.
struct Emerging {
    energy_mev: f32,
    cosine: f32,
    deflection_cosine: f32,
}

// A collision of an electron with one at rest, that loses more than `cut_mev` and at most half of the energy.
fn moller(kinetic_mev: f32, cut_mev: f32) -> Emerging {
    let tau = kinetic_mev / ELECTRON_REST_MEV;
    let a = (tau / (tau + 1.0)) * (tau / (tau + 1.0));
    let least = cut_mev / kinetic_mev;
    var kappa = least;
    for (var draw = 0u; draw < MAX_DRAWS; draw++) {
        // κ with the density 1/κ² from the cut to one half.
        kappa = least / (1.0 - next_uniform() * (1.0 - 2.0 * least));
        let ratio = kappa / (1.0 - kappa);
        let form = 1.0 + ratio * ratio - (1.0 - a) * ratio + a * kappa * kappa;
        if next_uniform() * (1.0 + 1.25 * a) < form { break; }
    }
    return binary(kinetic_mev, min(kappa, 0.5) * kinetic_mev);
}

// A collision of a positron with an electron at rest, that loses more than `cut_mev`.
fn bhabha(kinetic_mev: f32, cut_mev: f32) -> Emerging {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let tau = gamma - 1.0;
    let scale = (tau / gamma) * (tau / gamma);
    let g2 = (gamma + 1.0) * (gamma + 1.0);
    let b1 = scale * (2.0 * g2 - 1.0) / (gamma * gamma - 1.0);
    let b2 = scale * (3.0 * g2 + 1.0) / g2;
    let b3 = scale * 2.0 * gamma * tau / g2;
    let b4 = scale * tau * tau / g2;
    let least = cut_mev / kinetic_mev;
    var kappa = least;
    for (var draw = 0u; draw < MAX_DRAWS; draw++) {
        kappa = min(least / (1.0 - next_uniform() * (1.0 - least)), 1.0);
        let form = 1.0 - kappa * (b1 - kappa * (b2 - kappa * (b3 - kappa * b4)));
        if next_uniform() < form { break; }
    }
    return binary(kinetic_mev, kappa * kinetic_mev);
}

// Angles of a collision with an electron at rest, from the conservation of energy and momentum.
fn binary(kinetic_mev: f32, loss_mev: f32) -> Emerging {
    let rest = 2.0 * ELECTRON_REST_MEV;
    let sine_squared = rest * loss_mev / (kinetic_mev * (kinetic_mev - loss_mev + rest));
    let recoil_squared = loss_mev * (kinetic_mev + rest) / (kinetic_mev * (loss_mev + rest));
    return Emerging(loss_mev, sqrt(min(recoil_squared, 1.0)), sqrt(max(1.0 - sine_squared, 0.0)));
}

// A bremsstrahlung photon above `cut_mev`; `spectra` is where those of the material and charge start.
fn bremsstrahlung(kinetic_mev: f32, cut_mev: f32, spectra: u32) -> Emerging {
    let least = cut_mev / kinetic_mev;
    var kappa = least;
    for (var draw = 0u; draw < MAX_DRAWS; draw++) {
        kappa = clamp(pow(least, next_uniform()), least, 1.0);
        if next_uniform() < acceptance(kinetic_mev, kappa, spectra) { break; }
    }
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = sqrt(max(1.0 - 1.0 / (gamma * gamma), 0.0));
    var dipole = 0.0;
    for (var draw = 0u; draw < MAX_DRAWS; draw++) {
        dipole = 2.0 * next_uniform() - 1.0;
        if 2.0 * next_uniform() < 1.0 + dipole * dipole { break; }
    }
    return Emerging(kappa * kinetic_mev, boosted(dipole, beta), 1.0);
}

// A cosine in a frame that moves with the speed β, seen at rest.
fn boosted(cosine: f32, beta: f32) -> f32 {
    return clamp((cosine + beta) / (1.0 + beta * cosine), -1.0, 1.0);
}

// Probability of accepting a photon that takes the part κ: linear in the energy and in √(1 − κ) between the nodes.
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

// Energies and cosines of the two photons of a positron that annihilates in flight, the azimuths opposite.
struct Annihilation {
    energies_mev: vec2<f32>,
    cosines: vec2<f32>,
}

fn annihilation(kinetic_mev: f32) -> Annihilation {
    let gamma = max(kinetic_mev / ELECTRON_REST_MEV + 1.0, 1.0 + 1e-5);
    let momentum = sqrt((gamma - 1.0) * (gamma + 1.0));
    let least = 1.0 / (gamma + 1.0 + momentum);
    let linear = gamma * gamma + 4.0 * gamma + 1.0;
    let peak = linear - 2.0 * (gamma + 1.0);
    var part = least;
    for (var draw = 0u; draw < MAX_DRAWS; draw++) {
        // ζ with the density 1/ζ from the least part to the greatest.
        part = least * pow((1.0 - least) / least, next_uniform());
        let form = linear - (gamma + 1.0) * (gamma + 1.0) * part - 1.0 / part;
        if next_uniform() * peak < form { break; }
    }
    let total = kinetic_mev + 2.0 * ELECTRON_REST_MEV;
    let first = part * total;
    let parts = vec2(part, 1.0 - part);
    let cosines = clamp((gamma + 1.0 - 1.0 / parts) / momentum, vec2(-1.0), vec2(1.0));
    return Annihilation(vec2(first, total - first), cosines);
}
