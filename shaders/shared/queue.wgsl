// Queues of particles that wait: one for charged particles and one for photons, each held twice. A cycle reads one of
// the two and writes the other.
//
// A queue is a stack: its last particles move first, and what they set free is put on top. So only a few particles
// wait, however many a particle sets free, and the plan of a cycle (transport_schedule.wgsl) has room for all that may
// come.
#import transport
#import counters
#import geometry

// A particle on its way.
struct Track {
    history: vec2<u32>, // its history
    id: u32,            // the number of its stream
    drawn: u32,         // words drawn of it
    kind: u32,
    energy_mev: f32,    // kinetic energy, or that of a photon
    weight: f32,        // for how many particles it stands
    to_next: f32,       // mean free paths to its next interaction; 0: not drawn yet, below 0: reached
    pending_mev: f32,   // energy left in its voxel and not yet scored
    at: Position,
}

// Four planes a queue: lanes side by side read side by side.
@group(0) @binding(4) var<storage, read_write> queues: array<vec4<u32>>;

// The plan of a cycle, as one workgroup needs it.
struct Plan {
    turn: u32,                 // which queue of each kind is read
    first_item: u32,           // emissions
    emitting: u32,
    charged_standing: u32,     // charged particles that do not move in this cycle: the first of the queue
    charged_running: u32,
    charged_room_charged: u32, // particles that one of them may set free
    charged_room_photons: u32,
    photons_standing: u32,     // photons likewise
    photons_running: u32,
    photons_room_charged: u32,
    photons_room_photons: u32,
}

// Read from memory once a workgroup.
var<workgroup> plan: Plan;

// How many particles a workgroup hands on, and where they go: charged particles, then photons.
var<workgroup> handed_on: array<atomic<u32>, 2>;
var<workgroup> handed_on_first: array<u32, 2>;

// Where a queue begins.
fn queue_start(is_photon: bool, side: u32) -> u32 {
    return (2u * u32(is_photon) + side) * 4u * params.capacity;
}

// Reads a particle.
fn take(start: u32, index: u32) -> Track {
    let first = start + index;
    let stream_words = queues[first];
    let state = queues[first + params.capacity];
    let place_words = queues[first + 2u * params.capacity];
    let direction = queues[first + 3u * params.capacity];
    let local_cm = bitcast<vec3<f32>>(place_words.xyz);
    let at = Position(cell_of(state.x), local_cm, bitcast<vec3<f32>>(direction.xyz));
    let energies = bitcast<vec3<f32>>(state.yzw);
    return Track(
        stream_words.xy, stream_words.z, stream_words.w,
        place_words.w, energies.x, bitcast<f32>(direction.w), energies.y, energies.z, at,
    );
}

// Writes a particle.
fn put(start: u32, index: u32, track: Track) {
    let first = start + index;
    queues[first] = vec4(track.history, track.id, track.drawn);
    let energies = bitcast<vec3<u32>>(vec3(track.energy_mev, track.to_next, track.pending_mev));
    queues[first + params.capacity] = vec4(voxel_index(track.at.cell), energies);
    queues[first + 2u * params.capacity] = vec4(bitcast<vec3<u32>>(track.at.local_cm), track.kind);
    queues[first + 3u * params.capacity] = vec4(bitcast<vec3<u32>>(track.at.direction), bitcast<u32>(track.weight));
}

// Makes room for `n` particles in the queue that is written; returns the first place.
fn reserve(is_photon: bool, n: u32) -> u32 {
    if is_photon { return plan.photons_standing + atomicAdd(&counters.photons_appended, n); }
    return plan.charged_standing + atomicAdd(&counters.charged_appended, n);
}

// Puts a new particle into the queue that is written.
fn append(track: Track) {
    let is_photon = track.kind == PHOTON;
    put(queue_start(is_photon, 1u - plan.turn), reserve(is_photon, 1u), track);
}

// Copies the particles that do not move in this cycle to the queue that is written.
fn pass_standing(is_photon: bool, standing: u32, first: u32, lanes: u32) {
    let source = queue_start(is_photon, plan.turn);
    let target_start = queue_start(is_photon, 1u - plan.turn);
    for (var i = first; i < standing; i += lanes) {
        for (var plane = 0u; plane < 4u; plane++) {
            queues[target_start + plane * params.capacity + i] = queues[source + plane * params.capacity + i];
        }
    }
}

// All lanes, first of all: the plan, the same for all.
fn open_queue(lane: u32) -> Plan {
    if lane < 2u { atomicStore(&handed_on[lane], 0u); }
    if lane == 0u {
        let n_charged = atomicLoad(&counters.charged_running);
        let n_photons = atomicLoad(&counters.photons_running);
        plan = Plan(
            atomicLoad(&counters.turn),
            atomicLoad(&counters.first_item),
            atomicLoad(&counters.emitting),
            atomicLoad(&counters.charged) - n_charged,
            n_charged,
            atomicLoad(&counters.charged_room_charged),
            atomicLoad(&counters.charged_room_photons),
            atomicLoad(&counters.photons) - n_photons,
            n_photons,
            atomicLoad(&counters.photons_room_charged),
            atomicLoad(&counters.photons_room_photons),
        );
    }
    return workgroupUniformLoad(&plan);
}

// All lanes, after `open_queue`: hands on the particles that are still on their way, with one reservation a workgroup.
fn hand_on(lane: u32, is_on_its_way: bool, track: Track) {
    let is_photon = track.kind == PHOTON;
    var place_in_workgroup = 0u;
    if is_on_its_way { place_in_workgroup = atomicAdd(&handed_on[u32(is_photon)], 1u); }
    workgroupBarrier();
    if lane < 2u {
        let n = atomicLoad(&handed_on[lane]);
        if n > 0u { handed_on_first[lane] = reserve(lane == 1u, n); }
    }
    workgroupBarrier();
    if is_on_its_way {
        let start = queue_start(is_photon, 1u - plan.turn);
        put(start, handed_on_first[u32(is_photon)] + place_in_workgroup, track);
    }
}
