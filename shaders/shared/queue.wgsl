// Particles that wait: a queue of charged ones and one of photons, each twice. A cycle reads one and writes the other.
//
// A queue is a stack: its last particles move first, and what they set free lies on top. So few stand in line whatever a particle sets free, and
// the plan of a cycle (schedule.wgsl) has room for all that may come.

// A particle to be followed.
struct Particle {
    history: vec2<u32>, // its history
    id: u32,            // the number of its stream
    drawn: u32,         // words drawn of it
    kind: u32,
    energy_mev: f32,    // kinetic energy, or that of a photon
    weight: f32,        // for how many particles it stands
    to_next: f32,       // mean free paths to its next interaction; 0: not drawn yet, below 0: it is there
    pending_mev: f32,   // energy left in its voxel and not yet scored
    at: Position,
}

// Four planes a queue: lanes side by side read side by side.
@group(0) @binding(4) var<storage, read_write> queues: array<vec4<u32>>;

// Particles that a workgroup hands on: how many, and where they go. Charged ones, then photons.
var<workgroup> handed_on: array<atomic<u32>, 2>;
var<workgroup> handed_on_first: array<u32, 2>;

// The particle that the lane follows.
var<private> particle: Particle;
// Particles that it may still set free in this cycle.
var<private> room_charged: u32;
var<private> room_photons: u32;

fn queue_start(is_photon: bool, side: u32) -> u32 {
    return (2u * u32(is_photon) + side) * 4u * params.capacity;
}

fn take(start: u32, index: u32) -> Particle {
    let first = start + index;
    let stream_words = queues[first];
    let state = queues[first + params.capacity];
    let place_words = queues[first + 2u * params.capacity];
    let direction = queues[first + 3u * params.capacity];
    let local_cm = bitcast<vec3<f32>>(place_words.xyz);
    let at = Position(cell_of(state.x), local_cm, bitcast<vec3<f32>>(direction.xyz));
    let energies = bitcast<vec3<f32>>(state.yzw);
    return Particle(
        stream_words.xy, stream_words.z, stream_words.w,
        place_words.w, energies.x, bitcast<f32>(direction.w), energies.y, energies.z, at,
    );
}

fn put(start: u32, index: u32, p: Particle) {
    let first = start + index;
    queues[first] = vec4(p.history, p.id, p.drawn);
    let energies = bitcast<vec3<u32>>(vec3(p.energy_mev, p.to_next, p.pending_mev));
    queues[first + params.capacity] = vec4(voxel_index(p.at.cell), energies);
    queues[first + 2u * params.capacity] = vec4(bitcast<vec3<u32>>(p.at.local_cm), p.kind);
    queues[first + 3u * params.capacity] = vec4(bitcast<vec3<u32>>(p.at.direction), bitcast<u32>(p.weight));
}

// Makes room for particles in the queue that is written; returns the first place.
fn reserve(is_photon: bool, n: u32) -> u32 {
    if is_photon {
        let standing = atomicLoad(&counters.photons) - atomicLoad(&counters.photons_running);
        return standing + atomicAdd(&counters.photons_appended, n);
    }
    let standing = atomicLoad(&counters.charged) - atomicLoad(&counters.charged_running);
    return standing + atomicAdd(&counters.charged_appended, n);
}

fn append(p: Particle) {
    let is_photon = p.kind == PHOTON;
    room_charged -= u32(!is_photon);
    room_photons -= u32(is_photon);
    put(queue_start(is_photon, 1u - atomicLoad(&counters.turn)), reserve(is_photon, 1u), p);
}

// A new particle of the history that the lane follows, which draws the number of its stream.
fn push(kind: u32, energy_mev: f32, at: Position) {
    append(Particle(particle.history, next_word(), 0u, kind, energy_mev, particle.weight, 0.0, 0.0, at));
}

// Hands particles that stand still in this cycle on to the next.
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

// All lanes, after `open_queue`: hands on the particles that are on their way, with one reservation a workgroup.
fn hand_on(lane: u32, is_on_its_way: bool) {
    let is_photon = particle.kind == PHOTON;
    var place_in_workgroup = 0u;
    if is_on_its_way { place_in_workgroup = atomicAdd(&handed_on[u32(is_photon)], 1u); }
    workgroupBarrier();
    if lane < 2u {
        let n = atomicLoad(&handed_on[lane]);
        if n > 0u { handed_on_first[lane] = reserve(lane == 1u, n); }
    }
    workgroupBarrier();
    if is_on_its_way {
        particle.drawn = stream.drawn;
        let start = queue_start(is_photon, 1u - atomicLoad(&counters.turn));
        put(start, handed_on_first[u32(is_photon)] + place_in_workgroup, particle);
    }
}
