// Emits decays, one slot of one decay a lane. What can leave its voxel waits in a queue; all else is settled at once.
// In: source, emissions, medium, tables. Out: queues, tally, accounts.
#import transport
#import counters
#import wide
#import score
#import queue
#import history
#import charged
#import source
#import sequence

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let cycle = open_queue(lane);
    if workgroup.x >= workgroups_for(cycle.emitting) { return; }
    open_accounts(lane);
    let item = workgroup.x * WORKGROUP + lane;
    var is_on_its_way = false;
    var walk: Walk;
    if item < cycle.emitting { is_on_its_way = emit_item(cycle.first_item + item, &walk); }
    hand_on(lane, is_on_its_way, walk.track);
    close_accounts(lane);
}

// All decays of the launch, slot by slot. A workgroup has decays of one group, and the next workgroup those of the next
// group, so that they do not add to the same accounts. Whether what is emitted is on its way.
fn emit_item(item: u32, walk: ptr<function, Walk>) -> bool {
    let n_blocks = ((params.n_ranks + WORKGROUP - 1u) / WORKGROUP) << params.launch_bits;
    let block = (item / WORKGROUP) % n_blocks;
    let rank_number = (block >> params.launch_bits) * WORKGROUP + item % WORKGROUP;
    if rank_number >= params.n_ranks { return false; }
    let rank = params.first_rank + rank_number;
    let group = params.first_group + (block & ((1u << params.launch_bits) - 1u));
    // A number of two words: the group in its lowest bits, the rank above.
    let high = select(rank >> (32u - params.group_bits), 0u, params.group_bits == 0u);
    let history = vec2((rank << params.group_bits) | group, high);
    let is_early = is_below(history, vec2(params.first_history_low, params.first_history_high));
    if is_early || !is_below(history, vec2(params.end_history_low, params.end_history_high)) { return false; }
    return emit_slot(history, group, rank, item / (WORKGROUP * n_blocks), walk);
}

fn emit_slot(history: vec2<u32>, group: u32, rank: u32, number: u32, walk: ptr<function, Walk>) -> bool {
    let slot = slot_at(number);
    let shift = shift_of(group);
    let energy_mev = slot_energy_mev(slot, slot_place(slot, rank, shift));
    if energy_mev < 0.0 { return false; }
    let digits = further_digits(rank);
    let at = decay(rank, digits, shift);
    let track = Track(history, number, 0u, slot.kind, energy_mev, slot.weight, 0.0, 0.0, at);
    *walk = follow(track, 1u, params.photons_per_charged);
    var stream = stream_of(track);
    var score = score_of(history);
    let annihilation_mev = select(0.0, 2.0 * ELECTRON_REST_MEV, slot.kind == POSITRON);
    score_emission(&score, slot.weight * (energy_mev + annihilation_mev));
    var is_on_its_way = true;
    if slot.kind != PHOTON && is_stopped(walk, &stream, &score, outlook_here(walk)) { is_on_its_way = false; }
    if is_on_its_way { walk.track.at.direction = emitted_direction(at.direction, digits, turn_of(group, number)); }
    walk.track.drawn = stream.drawn;
    add_accounts(score, stream.exhausted);
    return is_on_its_way;
}
