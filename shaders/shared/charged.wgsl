// The life of an electron or positron: condensed steps with a random hinge, hard interactions between them. Twin: src/engine/cpu/transport/charged.rs

// How a flight ended.
const DONE: u32 = 0u;
const INTERFACE: u32 = 1u;
const ESCAPED: u32 = 2u;

struct Flight {
    end: u32,
    left: f32, // of the path [g/cm²]
}

// How far it goes, at its energy.
struct Reach {
    csda_range: f32,
    photons_to_rest: f32,
    step_loss_mev: f32,
}

// What a condensed step needs, at one energy.
struct Step {
    soft_stopping: f32,
    interactions: f32,
    collision_part: f32,
    photon_part: f32,
    first_transport: f32,
    second_transport: f32,
    soft_variance: f32,
}

// What a condensed step does on average.
struct CondensedStep {
    path: f32,
    loss_mev: f32,
    interactions: f32,
    is_hard: bool,
    node: Step,
}

// Follows a charged particle for some steps. Whether it is still on its way.
fn run_charged() -> bool {
    for (var n = 0u; n < params.charged_steps; n++) {
        let photons = select(1u, 3u, particle.kind == POSITRON);
        if room_charged < 1u || room_photons < photons { return true; }
        let reach = reach_here();
        if is_stopped(reach) { return false; }
        if particle.to_next <= 0.0 { particle.to_next = next_paths(); }
        if !take_step(reach) { return false; }
    }
    return true;
}

// False: the particle is no more.
fn take_step(reach: Reach) -> bool {
    let step = plan_step(reach, particle.to_next);
    let variance = step.node.soft_variance * step.path;
    let loss = min(soft_loss(step.loss_mev, variance), particle.energy_mev);
    let hinge = step.path * next_uniform();
    let rest = step.path - hinge;
    var flight = fly(hinge, step.path, loss);
    if flight.end == DONE {
        deflect(step);
        flight = fly(rest, step.path, loss);
    } else {
        flight.left = flight.left + rest;
    }
    if flight.end == DONE {
        particle.energy_mev -= loss;
        particle.to_next -= step.interactions;
        if step.is_hard {
            particle.to_next = 0.0;
            return interact_charged(step.node);
        }
        return true;
    }
    let part = 1.0 - flight.left / step.path;
    particle.energy_mev -= loss * part;
    particle.to_next -= step.interactions * part;
    if flight.end == ESCAPED {
        escape_charged();
        return false;
    }
    return true;
}

// Stops a particle that is below the cut, or cannot leave its voxel.
fn is_stopped(reach: Reach) -> bool {
    let to_surface = nearest_surface_cm(particle.at) * here.density_g_cm3;
    let stops = particle.energy_mev < params.absorption_mev || reach.csda_range < to_surface;
    if stops { stop(reach); }
    return stops;
}

// Number of the particle's tables: two charges for each material.
fn charge_table() -> u32 {
    return 2u * here.material + u32(particle.kind == POSITRON);
}

fn reach_here() -> Reach {
    let at = place(particle.energy_mev);
    let first = params.reach_first + charge_table() * NODES + at.node;
    let values = rows_between(row(first), row(first + 1u), at.fraction);
    return Reach(values.x, values.y, values.z);
}

// The next step: as long as the tables allow, or to the next hard interaction. Everything is taken at the energy in its middle.
fn plan_step(reach: Reach, to_interaction: f32) -> CondensedStep {
    let at = place(particle.energy_mev - 0.5 * reach.step_loss_mev);
    let first = params.step_first + 2u * (charge_table() * NODES + at.node);
    let a = rows_between(row(first), row(first + 2u), at.fraction);
    let b = rows_between(row(first + 1u), row(first + 3u), at.fraction);
    let node = Step(a.x, a.y, a.z, a.w, b.x, b.y, b.z);
    let path = reach.step_loss_mev / node.soft_stopping;
    let interactions = path * node.interactions;
    let is_hard = interactions >= to_interaction;
    var part = 1.0;
    if is_hard { part = to_interaction / interactions; }
    return CondensedStep(path * part, reach.step_loss_mev * part, interactions * part, is_hard, node);
}

// Flies straight on along a part of a step's path, through all voxels of one material, and leaves energy evenly along it.
fn fly(path: f32, whole: f32, loss_mev: f32) -> Flight {
    let loss_per_path = loss_mev / whole;
    var left = path;
    if path < nearest_surface_cm(particle.at) * here.density_g_cm3 {
        particle.at = advance(particle.at, path / here.density_g_cm3);
        particle.pending_mev += loss_per_path * path;
        return Flight(DONE, 0.0);
    }
    while left >= 0.0 {
        let face = next_face(particle.at);
        let across = face.distance_cm * here.density_g_cm3;
        // Strictly: a voxel without mass is crossed even with nothing left.
        if across > left {
            particle.at = advance(particle.at, left / here.density_g_cm3);
            particle.pending_mev += loss_per_path * left;
            return Flight(DONE, 0.0);
        }
        particle.pending_mev += loss_per_path * across;
        left -= across;
        score_pending();
        let crossing = cross_face(particle.at, face);
        if !crossing.is_inside { return Flight(ESCAPED, left); }
        particle.at = crossing.at;
        voxel = voxel_index(particle.at.cell);
        let before = here.material;
        here = medium_of(medium[voxel]);
        if here.material != before { return Flight(INTERFACE, left); }
    }
    return Flight(DONE, 0.0);
}

fn score_pending() {
    deposit(voxel, particle.weight * particle.pending_mev);
    particle.pending_mev = 0.0;
}

// Turns by what all soft collisions and elastic scatterings of the step do together.
fn deflect(step: CondensedStep) {
    let first = step.node.first_transport * step.path;
    let second = step.node.second_transport * step.path;
    let cosine = 1.0 - 2.0 * half_versine(first, second);
    particle.at.direction = turned(particle.at.direction, cosine, next_azimuth());
}

// A hard interaction. False: the particle is no more.
fn interact_charged(node: Step) -> bool {
    let energy = particle.energy_mev;
    let choice = next_uniform();
    if choice < node.collision_part {
        let cut = params.collision_mev;
        let is_positron = particle.kind == POSITRON;
        // The energy may have fallen below that of the step's middle.
        if cut < select(0.5 * energy, energy, is_positron) {
            var emerging: Emerging;
            if is_positron { emerging = bhabha(energy, cut); } else { emerging = moller(energy, cut); }
            emerge(ELECTRON, emerging);
        }
    } else if choice < node.photon_part {
        if params.photon_mev < energy {
            emerge(PHOTON, bremsstrahlung(energy, params.photon_mev, spectra_here()));
        }
    } else if particle.kind == POSITRON {
        annihilate_in_flight();
        return false;
    }
    return true;
}

fn spectra_here() -> u32 {
    return params.spectra_first + charge_table() * SPECTRUM_ROWS * (PHOTON_STEPS + 1u);
}

// What an interaction sets free, at the expense of this particle.
fn emerge(kind: u32, emerging: Emerging) {
    let azimuth = next_azimuth();
    push(kind, emerging.energy_mev, at_with(turned(particle.at.direction, emerging.cosine, azimuth)));
    particle.at.direction = turned(particle.at.direction, emerging.deflection_cosine, -azimuth);
    particle.energy_mev -= emerging.energy_mev;
}

fn annihilate_in_flight() {
    let photons = annihilation(particle.energy_mev);
    let azimuth = next_azimuth();
    push(PHOTON, photons.energies_mev.x, at_with(turned(particle.at.direction, photons.cosines.x, azimuth)));
    push(PHOTON, photons.energies_mev.y, at_with(turned(particle.at.direction, photons.cosines.y, -azimuth)));
    score_pending();
}

// Absorbs a particle that can leave its voxel no more: its energy stays, but for one bremsstrahlung photon in the mean number that it would
// still emit.
fn stop(reach: Reach) {
    if reach.photons_to_rest > 0.0 && next_uniform() < reach.photons_to_rest {
        let emitter = emitter_mev(reach.photons_to_rest);
        if emitter > params.photon_mev {
            let photon = bremsstrahlung(emitter, params.photon_mev, spectra_here());
            push(PHOTON, photon.energy_mev, at_with(isotropic()));
            particle.energy_mev -= photon.energy_mev;
        }
    }
    particle.pending_mev += particle.energy_mev;
    score_pending();
    if particle.kind == POSITRON { annihilate_at_rest(); }
}

// The energy [MeV] at which a particle that slows down to rest emits a photon: where the number still to come has fallen to a uniform part
// of what it is.
fn emitter_mev(photons_to_rest: f32) -> f32 {
    let start = params.reach_first + charge_table() * NODES;
    let wanted = next_uniform() * photons_to_rest;
    var low = 0u;
    var high = place(particle.energy_mev).node + 1u;
    while high - low > 1u {
        let middle = (low + high) / 2u;
        if row(start + middle).y <= wanted { low = middle; } else { high = middle; }
    }
    let below = row(start + low).y;
    let part = (wanted - below) / max(row(start + high).y - below, 1e-30);
    return min(number(low, part), particle.energy_mev);
}

fn escape_charged() {
    let rest = select(0.0, 2.0 * ELECTRON_REST_MEV, particle.kind == POSITRON);
    escape(particle.weight * (particle.energy_mev + rest));
}
