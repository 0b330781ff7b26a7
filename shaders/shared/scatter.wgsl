// Interactions of photons: energies and angles. Twin: src/engine/cpu/transport/scatter.rs

// A photon scattered by an electron.
struct Compton {
    photon_mev: f32,
    cosine: f32,
    electron_cosine: f32, // opposite in azimuth
}

// Compton scattering by bound electrons: Klein and Nishina's cross section times the incoherent scattering function.
fn compton(energy_mev: f32, material: u32) -> Compton {
    let k = energy_mev / ELECTRON_REST_MEV;
    let least = 1.0 / (1.0 + 2.0 * k);
    let inverse = -log(least);
    let linear = 0.5 * (1.0 - least * least);
    var part = 1.0;
    var versine = 0.0;
    for (var draw = 0u; draw < MAX_DRAWS; draw++) {
        if next_uniform() * (inverse + linear) < inverse {
            part = exp(-inverse * next_uniform());
        } else {
            part = sqrt(least * least + (1.0 - least * least) * next_uniform());
        }
        part = clamp(part, least, 1.0);
        versine = clamp((1.0 - part) / (k * part), 0.0, 2.0);
        let sine_squared = versine * (2.0 - versine);
        let form = 1.0 - part * sine_squared / (1.0 + part * part);
        let transfer = energy_mev * TRANSFER_PER_MEV * sqrt(0.5 * versine);
        if next_uniform() < form * incoherent(transfer, material) { break; }
    }
    return emerging(energy_mev, part, versine);
}

// From the part of the energy that the photon keeps to angles, by the conservation of momentum with an electron at rest.
fn emerging(energy_mev: f32, part: f32, versine: f32) -> Compton {
    let photon_mev = energy_mev * part;
    let cosine = 1.0 - versine;
    let forward = energy_mev - photon_mev * cosine;
    let aside = photon_mev * sqrt(max(versine * (2.0 - versine), 0.0));
    let electron_cosine = forward / max(sqrt(forward * forward + aside * aside), 1e-20);
    return Compton(photon_mev, cosine, clamp(electron_cosine, -1.0, 1.0));
}

// Incoherent scattering function per electron.
fn incoherent(transfer: f32, material: u32) -> f32 {
    let first = params.incoherent_first + material * (TRANSFER_BINS + 1u);
    if transfer < TRANSFER_MIN {
        let part = transfer / TRANSFER_MIN;
        return value(first) * part * part;
    }
    let at = sparse_place(transfer, (NODES - 1u) / TRANSFER_BINS);
    return between(value(first + at.node), value(first + at.node + 1u), at.fraction);
}

// Cosine of the deflection of a photon scattered coherently: form factor by inversion, Thomson's factor by rejection.
fn coherent_cosine(energy_mev: f32, material: u32) -> f32 {
    let largest = energy_mev * TRANSFER_PER_MEV;
    let whole = cumulative(largest, material);
    var cosine = 1.0;
    for (var draw = 0u; draw < MAX_DRAWS; draw++) {
        let transfer = invert(next_uniform() * whole, material);
        let part = min(transfer / largest, 1.0);
        cosine = 1.0 - 2.0 * part * part;
        if 2.0 * next_uniform() < 1.0 + cosine * cosine { break; }
    }
    return cosine;
}

// Integral of the squared form factor over the squared transfer, up to a transfer.
fn cumulative(transfer: f32, material: u32) -> f32 {
    let first = params.coherent_first + material * (FORM_FACTOR_BINS + 1u);
    let at = sparse_place(transfer, (NODES - 1u) / FORM_FACTOR_BINS);
    return between(value(first + at.node), value(first + at.node + 1u), at.fraction);
}

// The transfer [Å⁻¹] up to which the integral has a value: bisection over the bins, then quadratic in the transfer within one.
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

// Cosine of the angle at which a photoelectron leaves.
fn photoelectron_cosine(kinetic_mev: f32) -> f32 {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = sqrt(max(1.0 - 1.0 / (gamma * gamma), 1e-6));
    let a = 1.0 / beta - 1.0;
    let b = 0.5 * beta * gamma * (gamma - 1.0) * (gamma - 2.0);
    let peak = 2.0 * (1.0 / a + b);
    var versine = 0.0;
    for (var draw = 0u; draw < MAX_DRAWS; draw++) {
        let choice = next_uniform();
        let range = (a + 2.0) * (a + 2.0);
        versine = 2.0 * a * (2.0 * choice + (a + 2.0) * sqrt(choice)) / (range - 4.0 * choice);
        let form = (2.0 - versine) * (1.0 / (a + versine) + b);
        if next_uniform() * peak < form { break; }
    }
    return clamp(1.0 - versine, -1.0, 1.0);
}

// Cosine of the angle at which an electron or positron of a pair leaves.
fn pair_cosine(kinetic_mev: f32) -> f32 {
    let gamma = kinetic_mev / ELECTRON_REST_MEV + 1.0;
    let beta = sqrt(max(1.0 - 1.0 / (gamma * gamma), 0.0));
    let choice = 2.0 * next_uniform() - 1.0;
    return clamp((choice + beta) / (choice * beta + 1.0), -1.0, 1.0);
}
