// Emits decays, one slot of one decay a lane: what can leave its voxel waits in a queue, all else is settled at once.
// In: source, emissions, medium, tables. Out: queues, tally, accounts.
#import transport
#import random
#import lookup
#import geometry
#import sampling
#import deflection
#import collision
#import score
#import queue
#import history
#import charged
#import source

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    open_accounts(lane);
    if id.x < atomicLoad(&counters.emitting) {
        room_charged = 1u;
        room_photons = params.photons_per_charged;
        emit_item(atomicLoad(&counters.first_item) + id.x);
        book(launch_group);
    }
    close_accounts(lane);
}

// All decays of the launch, slot by slot.
fn emit_item(item: u32) {
    let n_decays = params.n_ranks << params.launch_bits;
    let decay_number = item % n_decays;
    let rank = params.first_rank + (decay_number >> params.launch_bits);
    let group = params.first_group + (decay_number & ((1u << params.launch_bits) - 1u));
    // A number of two words; the parts of a shift do not overlap.
    let high = select(rank >> (32u - params.group_bits), 0u, params.group_bits == 0u);
    let history = vec2((rank << params.group_bits) | group, high);
    let is_early = is_below(history, vec2(params.first_history_low, params.first_history_high));
    if is_early || !is_below(history, vec2(params.end_history_low, params.end_history_high)) { return; }
    emit_slot(history, group, rank, item / n_decays);
}

fn emit_slot(history: vec2<u32>, group: u32, rank: u32, number: u32) {
    let slot = slot_at(number);
    let shift = shift_of(group);
    var energy_mev = 0.0;
    if slot.kind != LOCAL {
        energy_mev = slot_energy_mev(slot, slot_place(slot, rank, shift));
        if energy_mev < 0.0 { return; }
    }
    start_stream(history_key(history), DECAY_STREAM, 0u);
    let at = decay(rank, shift);
    follow(Particle(history, DECAY_STREAM + 1u + number, 0u, slot.kind, energy_mev, slot.weight, 0.0, 0.0, at));
    if slot.kind == LOCAL {
        score_emission(params.local_mev);
        deposit(voxel, params.local_mev);
        return;
    }
    let rest = select(0.0, 2.0 * ELECTRON_REST_MEV, slot.kind == POSITRON);
    score_emission(slot.weight * (energy_mev + rest));
    if slot.kind != PHOTON && is_stopped() { return; }
    particle.at.direction = isotropic();
    particle.drawn = stream.drawn;
    append(particle);
}
