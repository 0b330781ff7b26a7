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
    if is_photon {
        let standing = atomicLoad(&counters.photons) - atomicLoad(&counters.photons_running);
        return standing + atomicAdd(&counters.photons_appended, n);
    }
    let standing = atomicLoad(&counters.charged) - atomicLoad(&counters.charged_running);
    return standing + atomicAdd(&counters.charged_appended, n);
}

// Puts a new particle into the queue that is written.
fn append(track: Track) {
    let is_photon = track.kind == PHOTON;
    put(queue_start(is_photon, 1u - atomicLoad(&counters.turn)), reserve(is_photon, 1u), track);
}

// Copies the particles that do not move in this cycle to the queue that is written.
fn pass_standing(is_photon: bool, standing: u32, first: u32, lanes: u32) {
    let turn = atomicLoad(&counters.turn);
    let source = queue_start(is_photon, turn);
    let target_start = queue_start(is_photon, 1u - turn);
    for (var i = first; i < standing; i += lanes) {
        for (var plane = 0u; plane < 4u; plane++) {
            queues[target_start + plane * params.capacity + i] = queues[source + plane * params.capacity + i];
        }
    }
}

// All lanes; a barrier must follow.
fn open_queue(lane: u32) {
    if lane < 2u { atomicStore(&handed_on[lane], 0u); }
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
        let start = queue_start(is_photon, 1u - atomicLoad(&counters.turn));
        put(start, handed_on_first[u32(is_photon)] + place_in_workgroup, track);
    }
}
