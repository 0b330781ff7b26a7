// Plans a cycle of transport: how many decays emit, how many particles move, how many each may set free so that there
// is room for all, and how many workgroups that takes.
// One lane. In and out: the counters. Out: the workgroups.
#import transport
#import counters

// Decays fill a queue up to this part of its capacity (one in FILLED). The rest is for what particles set free.
const FILLED: u32 = 4u;
// Where there is not room for all particles to move, as many do as there is room for, as long as each queue is empty by
// this part or more (one in ROOMY). The others stand.
const ROOMY: u32 = 2u;
// Where less is empty, those that move may take no more than this part of it (one in THROTTLE). That leaves enough for
// their descendants, whose energies fall from one generation to the next.
const THROTTLE: u32 = 64u;
// Particles of either kind that an interaction of a photon may set free.
const FREED_BY_PHOTON: u32 = 2u;

// The work of an emission, in steps of a particle.
override EMISSION_WORK: u32;

// Workgroups of emission, charged and photon in this cycle, along x, y and z. The device reads them when it dispatches.
@group(0) @binding(9) var<storage, read_write> dispatches: array<array<u32, 3>, 3>;

@compute @workgroup_size(1)
fn main() {
    let charged = queued(
        atomicLoad(&counters.charged), atomicLoad(&counters.charged_running), atomicLoad(&counters.charged_appended),
    );
    let photons = queued(
        atomicLoad(&counters.photons), atomicLoad(&counters.photons_running), atomicLoad(&counters.photons_appended),
    );
    let first_item = atomicLoad(&counters.first_item) + atomicLoad(&counters.emitting);

    // All charged particles can move if they are no more than one in (2 photons_per_charged) of the capacity, and
    // decays leave some of that for those that are set free.
    let filled_charged = max(FILLED, 2u * params.photons_per_charged + 2u);
    let limit_charged = min(params.capacity / filled_charged, most_lanes());
    let limit_photons = min(params.capacity / FILLED, most_lanes());
    let most_charged = limit_charged - min(limit_charged, charged);
    let most_photons = (limit_photons - min(limit_photons, photons)) / params.photons_per_charged;
    let emitting = min(min(most_charged, most_photons), params.n_items - first_item);

    // Half of the room is for what charged particles set free, half for what photons do.
    let room_charged = (params.capacity - charged - emitting) / 2u;
    let room_photons = (params.capacity - photons - params.photons_per_charged * emitting) / 2u;
    let is_roomy = min(room_charged, room_photons) >= params.capacity / (2u * ROOMY);
    let for_charged = min(room_charged, room_photons / params.photons_per_charged);
    let charged_running = running(charged, for_charged, is_roomy);
    let photons_running = running(photons, min(room_charged, room_photons) / FREED_BY_PHOTON, is_roomy);

    let given = vec3(
        workgroups_for(emitting),
        workgroups_of_queue(charged_running, charged - charged_running),
        workgroups_of_queue(photons_running, photons - photons_running),
    );
    dispatches[0] = array(given.x, 1u, 1u);
    dispatches[1] = array(given.y, 1u, 1u);
    dispatches[2] = array(given.z, 1u, 1u);
    atomicStore(&counters.given, atomicLoad(&counters.given) + given.x + given.y + given.z);
    atomicStore(&counters.turn, 1u - atomicLoad(&counters.turn));
    atomicStore(&counters.cycles, atomicLoad(&counters.cycles) + 1u);
    let steps = charged_running * params.charged_steps + photons_running * params.photon_steps;
    let work = emitting * EMISSION_WORK + steps;
    let work_before = atomicLoad(&counters.work_low);
    atomicStore(&counters.work_low, work_before + work);
    if work_before + work < work_before { atomicStore(&counters.work_high, atomicLoad(&counters.work_high) + 1u); }
    atomicStore(&counters.first_item, first_item);
    atomicStore(&counters.emitting, emitting);
    atomicStore(&counters.charged, charged);
    atomicStore(&counters.charged_running, charged_running);
    atomicStore(&counters.charged_appended, 0u);
    atomicStore(&counters.charged_room_charged, room_charged / max(charged_running, 1u));
    atomicStore(&counters.charged_room_photons, room_photons / max(charged_running, 1u));
    atomicStore(&counters.photons, photons);
    atomicStore(&counters.photons_running, photons_running);
    atomicStore(&counters.photons_appended, 0u);
    atomicStore(&counters.photons_room_charged, room_charged / max(photons_running, 1u));
    atomicStore(&counters.photons_room_photons, room_photons / max(photons_running, 1u));
}

// How many particles are in a queue: those that did not move and those that were appended.
fn queued(n: u32, n_running: u32, n_appended: u32) -> u32 {
    return n - n_running + n_appended;
}

// How many of `n` particles move, where there is room for what `affordable` of them may set free.
fn running(n: u32, affordable: u32, is_roomy: bool) -> u32 {
    let few = max(affordable / THROTTLE, min(affordable, 1u));
    return min(min(n, select(few, affordable, n <= affordable || is_roomy)), most_lanes());
}
