// The tables of charged particles at one energy, and the condensed step that follows from them.
// Twin: src/engine/cpu/transport/step.rs
//
// `table` is the number of a particle's tables: there are two for each material, one for each charge.
#import transport
#import random
#import lookup

// How far a particle goes, at its energy.
struct Reach {
    csda_range: f32,      // [g/cm²]
    photons_to_rest: f32, // mean number of bremsstrahlung photons until it is at rest
    step_loss_mev: f32,   // largest mean soft loss of a condensed step
}

// What a condensed step needs, at one energy.
struct Step {
    soft_stopping: f32,
    interactions: f32,
    collision_part: f32,
    photon_part: f32,
    first_transport: f32,
    second_transport: f32,
    third_transport: f32,
    soft_variance: f32,
}

// What a condensed step does on average.
struct CondensedStep {
    path: f32,         // [g/cm²]
    loss_mev: f32,     // mean soft loss
    interactions: f32, // mean number of hard interactions
    is_hard: bool,     // whether it ends in a hard interaction
    node: Step,
}

// The tables of a material for electrons or positrons.
fn charge_table(material: u32, kind: u32) -> u32 {
    return 2u * material + u32(kind == POSITRON);
}

// Where the bremsstrahlung spectra of a table start. Device only: a slice in Rust.
fn spectra_first(table: u32) -> u32 {
    return params.spectra_first + table * SPECTRUM_ROWS * (PHOTON_STEPS + 1u);
}

// How far a particle of this energy goes.
fn reach_at(energy_mev: f32, table: u32) -> Reach {
    let at = place(energy_mev);
    let first = params.reach_first + table * NODES + at.node;
    let values = rows_between(row(first), row(first + 1u), at.fraction);
    return Reach(values.x, values.y, values.z);
}

// The next step: as long as the tables allow, or up to the next hard interaction. All values are taken at the energy in
// the middle of the part that is walked: taken in the middle of the longest step, they would be those of too low an
// energy wherever a hard interaction ends the step early, the more so the lower the cut.
fn plan_step(energy_mev: f32, table: u32, reach: Reach, to_interaction: f32) -> CondensedStep {
    let whole = step_at(energy_mev - 0.5 * reach.step_loss_mev, table);
    let longest = reach.step_loss_mev / whole.soft_stopping;
    let interactions = longest * whole.interactions;
    if interactions < to_interaction {
        return CondensedStep(longest, reach.step_loss_mev, interactions, false, whole);
    }
    let part = to_interaction / interactions;
    let node = step_at(energy_mev - 0.5 * part * reach.step_loss_mev, table);
    let path = to_interaction / node.interactions;
    return CondensedStep(path, path * node.soft_stopping, to_interaction, true, node);
}

// The tables of a material at one energy.
fn step_at(energy_mev: f32, table: u32) -> Step {
    let at = place(energy_mev);
    let first = params.step_first + 2u * (table * NODES + at.node);
    let a = rows_between(row(first), row(first + 2u), at.fraction);
    let b = rows_between(row(first + 1u), row(first + 3u), at.fraction);
    return Step(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}

// The energy [MeV] at which a particle that slows down to rest emits a photon: where the number of photons still to
// come has fallen to a uniform part of what it is.
fn emitter_mev(energy_mev: f32, table: u32, photons_to_rest: f32, stream: ptr<function, Stream>) -> f32 {
    let start = params.reach_first + table * NODES;
    let wanted = next_uniform(stream) * photons_to_rest;
    var low = 0u;
    var high = place(energy_mev).node + 1u;
    while high - low > 1u {
        let middle = (low + high) / 2u;
        if row(start + middle).y <= wanted { low = middle; } else { high = middle; }
    }
    let below = row(start + low).y;
    let part = (wanted - below) / max(row(start + high).y - below, 1e-30);
    return min(number(low, part), energy_mev);
}
