// The life of an electron or positron: condensed steps with a random hinge, and hard interactions between them.
// Twin, by whole histories: src/engine/cpu/transport/charged.rs
//
// Source of the scheme: Fernández-Varea, Mayol, Baró & Salvat, Nucl. Instrum. Methods B 73 (1993) 447.
#import transport
#import random
#import geometry
#import sampling
#import deflection
#import collision
#import score
#import history
#import step
#import rest

// How a flight ended: after its whole path, at the face of another material, or out of the grid.
const DONE: u32 = 0u;
const INTERFACE: u32 = 1u;
const ESCAPED: u32 = 2u;

struct Flight {
    end: u32,
    left: f32, // of its path [g/cm²]
}

// Follows a charged particle for some steps. Whether it is still on its way.
fn run_charged(walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>) -> bool {
    for (var n = 0u; n < params.charged_steps; n++) {
        let photons = select(1u, 3u, walk.track.kind == POSITRON);
        if walk.room_charged < 1u || walk.room_photons < photons { return true; }
        let outlook = outlook_here(walk);
        if is_stopped(walk, stream, score, outlook) { return false; }
        if walk.track.to_next <= 0.0 { walk.track.to_next = next_paths(stream); }
        if !take_step(walk, stream, score, outlook) { return false; }
    }
    return true;
}

// One condensed step, and the hard interaction at its end if there is one. False: the particle has ended.
fn take_step(
    walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>, outlook: Outlook,
) -> bool {
    let step = plan_step(walk.track.energy_mev, table_here(walk), outlook.reach, walk.track.to_next);
    let variance = step.node.soft_variance * step.path;
    let pair = unit_pair(next_word(stream));
    let loss = min(soft_loss(step.loss_mev, variance, pair.x), walk.track.energy_mev);
    let hinge = step.path * pair.y;
    let flight = walk_step(walk, stream, score, step, hinge, loss, outlook.to_surface);
    if flight.end == DONE {
        walk.track.energy_mev -= loss;
        walk.track.to_next -= step.interactions;
        if step.is_hard {
            walk.track.to_next = 0.0;
            return interact_charged(walk, stream, score, step.node);
        }
        return true;
    }
    let part = 1.0 - flight.left / step.path;
    walk.track.energy_mev -= loss * part;
    walk.track.to_next -= step.interactions * part;
    if flight.end == ESCAPED {
        escape_charged(walk, score);
        return false;
    }
    return true;
}

// Both parts of a step's path and the turn between them.
fn walk_step(
    walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>, step: CondensedStep,
    hinge: f32, loss_mev: f32, to_surface: f32,
) -> Flight {
    let after_hinge = step.path - hinge;
    let loss_per_path = loss_mev / step.path;
    if step.path < to_surface {
        // It meets no face, whichever way it turns.
        let cm_per_path = 1.0 / walk.medium.density_g_cm3;
        walk.track.at = advance(walk.track.at, hinge * cm_per_path);
        walk.track.pending_mev += loss_per_path * hinge;
        deflect(walk, stream, step);
        walk.track.at = advance(walk.track.at, after_hinge * cm_per_path);
        walk.track.pending_mev += loss_per_path * after_hinge;
        return Flight(DONE, 0.0);
    }
    var flight = fly(walk, score, hinge, loss_per_path);
    if flight.end == DONE {
        deflect(walk, stream, step);
        return fly(walk, score, after_hinge, loss_per_path);
    }
    flight.left += after_hinge;
    return flight;
}

// Stops a particle that is below the cut, or cannot leave its voxel.
fn is_stopped(
    walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>, outlook: Outlook,
) -> bool {
    let stops = ends_here(outlook, walk.track.energy_mev, walk.medium);
    if stops { stop(walk, stream, score, outlook.reach); }
    return stops;
}

// The particle's tables, where it is.
fn table_here(walk: ptr<function, Walk>) -> u32 {
    return charge_table(walk.medium.material, walk.track.kind);
}

fn outlook_here(walk: ptr<function, Walk>) -> Outlook {
    return outlook_of(walk.track.kind, walk.track.energy_mev, walk.track.at, walk.medium);
}

// Flies straight on along a part of a step's path, through all voxels of one material, and leaves energy evenly along
// it.
fn fly(walk: ptr<function, Walk>, score: ptr<function, Score>, path: f32, loss_per_path: f32) -> Flight {
    var left = path;
    while left >= 0.0 {
        let face = next_face(walk.track.at);
        let across = face.distance_cm * walk.medium.density_g_cm3;
        // Strictly greater: a voxel without mass is crossed even with no path left.
        if across > left {
            walk.track.at = advance(walk.track.at, left / walk.medium.density_g_cm3);
            walk.track.pending_mev += loss_per_path * left;
            return Flight(DONE, 0.0);
        }
        walk.track.pending_mev += loss_per_path * across;
        left -= across;
        score_pending(walk, score);
        let crossing = cross_face(walk.track.at, face);
        if !crossing.is_inside { return Flight(ESCAPED, left); }
        walk.track.at = crossing.at;
        walk.voxel = voxel_index(walk.track.at.cell);
        let before = walk.medium.material;
        walk.medium = medium_of(medium[walk.voxel]);
        if walk.medium.material != before { return Flight(INTERFACE, left); }
    }
    return Flight(DONE, 0.0);
}

fn score_pending(walk: ptr<function, Walk>, score: ptr<function, Score>) {
    deposit(score, walk.voxel, walk.track.weight * walk.track.pending_mev);
    walk.track.pending_mev = 0.0;
}

// Turns by what all soft collisions and elastic scatterings of the step do together.
fn deflect(walk: ptr<function, Walk>, stream: ptr<function, Stream>, step: CondensedStep) {
    let node = step.node;
    let over_lambda = vec3(node.first_transport, node.second_transport, node.third_transport) * step.path;
    let choice = next_uniform(stream);
    let word = next_word(stream);
    let cosine = 1.0 - 2.0 * angular_deflection(over_lambda, choice, unit_pair(word).x);
    walk.track.at.direction = turned(walk.track.at.direction, cosine, azimuth((word & 0xFFFF0000u) | 0x8000u));
}

// A hard interaction. False: the particle has ended.
fn interact_charged(
    walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>, node: Step,
) -> bool {
    let energy = walk.track.energy_mev;
    let choice = next_uniform(stream);
    if choice < node.collision_part {
        let cut = params.collision_mev;
        let is_positron = walk.track.kind == POSITRON;
        // The energy may have fallen below that of the step's middle.
        if cut < select(0.5 * energy, energy, is_positron) {
            var emerging: Emerging;
            if is_positron { emerging = bhabha(energy, cut, stream); } else { emerging = moller(energy, cut, stream); }
            emerge(walk, stream, ELECTRON, emerging);
        }
    } else if choice < node.photon_part {
        if params.photon_mev < energy {
            let spectra = spectra_first(table_here(walk));
            emerge(walk, stream, PHOTON, bremsstrahlung(energy, params.photon_mev, spectra, stream));
        }
    } else if walk.track.kind == POSITRON {
        annihilate_in_flight(walk, stream, score);
        return false;
    }
    return true;
}

// The new particle of an interaction, which takes its energy from this one.
fn emerge(walk: ptr<function, Walk>, stream: ptr<function, Stream>, kind: u32, emerging: Emerging) {
    let around = next_azimuth(stream);
    var is_absorbed = false;
    if kind != PHOTON {
        let absorbed = absorbed_mev(walk, stream, emerging.energy_mev);
        is_absorbed = absorbed >= 0.0;
        walk.track.pending_mev += max(absorbed, 0.0);
    }
    if !is_absorbed {
        push(walk, stream, kind, emerging.energy_mev, turned(walk.track.at.direction, emerging.cosine, around));
    }
    walk.track.at.direction = turned(walk.track.at.direction, emerging.deflection_cosine, -around);
    walk.track.energy_mev -= emerging.energy_mev;
}

fn annihilate_in_flight(walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>) {
    let photons = annihilation(walk.track.energy_mev, stream);
    let around = next_azimuth(stream);
    let first = turned(walk.track.at.direction, photons.cosines.x, around);
    push(walk, stream, PHOTON, photons.energies_mev.x, first);
    let second = turned(walk.track.at.direction, photons.cosines.y, -around);
    push(walk, stream, PHOTON, photons.energies_mev.y, second);
    score_pending(walk, score);
}

// Absorbs a particle that cannot leave its voxel. Its energy stays there, except for a bremsstrahlung photon.
fn stop(walk: ptr<function, Walk>, stream: ptr<function, Stream>, score: ptr<function, Score>, reach: Reach) {
    walk.track.energy_mev -= last_photon_mev(walk, stream, walk.track.kind, walk.track.energy_mev, reach);
    walk.track.pending_mev += walk.track.energy_mev;
    score_pending(walk, score);
    if walk.track.kind == POSITRON { annihilate_at_rest(walk, stream); }
}

fn escape_charged(walk: ptr<function, Walk>, score: ptr<function, Score>) {
    let annihilation_mev = select(0.0, 2.0 * ELECTRON_REST_MEV, walk.track.kind == POSITRON);
    escape(score, walk.track.weight * (walk.track.energy_mev + annihilation_mev));
}
