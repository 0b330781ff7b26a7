// Runs one body of transport for each case, for the test that compares it with its twin
// (src/engine/gpu/transport/twins.rs).
// In: cases, tables, medium. Out: what the body returns, how many random words it drew, and how many rejection loops of
// it reached their bound.
//
// Each function `twin_NAME` is one test. The build script puts a function that calls them by number in place of
// `#twins`.
#import transport
#import random
#import lookup
#import geometry
#import sampling
#import deflection
#import collision
#import scatter
#import step
#import absorption
#import sequence
#import source

struct Case {
    key: vec4<u32>,
    body: u32,
    id: u32,
    material: u32,
    drawn: u32,
    given: array<f32, 8>,
}

struct Outcome {
    words: vec4<u32>,
    first: vec4<f32>,
    second: vec4<f32>,
}

@group(0) @binding(3) var<storage, read> cases: array<Case>;
@group(0) @binding(4) var<storage, read_write> outcomes: array<Outcome>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&cases) { return; }
    let given = cases[id.x];
    var stream = start_stream(given.key, given.id, given.drawn);
    var outcome = run(given, &stream);
    outcome.words.z = stream.exhausted;
    outcome.words.w = stream.drawn;
    outcomes[id.x] = outcome;
}

#twins

fn twin_threefry(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let words = threefry(c.key, vec4(c.id, 1u, 2u, 3u));
    return halves(words);
}

fn twin_sampling(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let word = next_word(stream);
    let first = vec4(next_uniform(stream), next_azimuth(stream), next_paths(stream));
    return Outcome(vec4(word, 0u, 0u, 0u), first, vec4(isotropic(stream), 0.0));
}

fn twin_lookup(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let found = place(c.given[0]);
    return words_and(found.node, 0u, vec4(found.fraction, number(found.node, c.given[1]), 0.0, 0.0));
}

fn twin_face(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let at = position(c);
    let face = next_face(at);
    let beyond = cross_face(at, face);
    let index = voxel_index(select(at.cell, beyond.at.cell, beyond.is_inside));
    let distances = vec4(face.distance_cm, nearest_surface_cm(at), 0.0, 0.0);
    return Outcome(vec4(index, u32(beyond.is_inside), 0u, 0u), distances, vec4(beyond.at.local_cm, 0.0));
}

fn twin_ray(c: Case, stream: ptr<function, Stream>) -> Outcome {
    // The flight is kept and taken up again between its faces.
    let at = position(c);
    var ray = ray_of(Position(at.cell, kept(at, ray_to_faces(at)), at.direction));
    let first = ray_face(ray);
    ray = ray_beyond(ray, first);
    let second = ray_face(ray);
    let end = ray_end(ray, c.given[6] * second.distance_cm, at);
    return Outcome(vec4(0u), vec4(first.distance_cm, second.distance_cm, 0.0, 0.0), vec4(end, 0.0));
}

fn twin_turned(c: Case, stream: ptr<function, Stream>) -> Outcome {
    return values(vec4(turned(position(c).direction, c.given[0], vec2(c.given[6], c.given[7])), 0.0));
}

fn twin_medium(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let found = medium_of(medium[c.id]);
    return words_and(found.material, 0u, vec4(found.density_g_cm3, 0.0, 0.0, 0.0));
}

fn twin_deflection(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let choice = next_uniform(stream);
    let pair = unit_pair(next_word(stream));
    let mu = angular_deflection(vec3(c.given[0], c.given[1], c.given[2]), choice, pair.x);
    return values(vec4(mu, soft_loss(c.given[3], c.given[4], pair.y), 0.0, 0.0));
}

fn twin_moller(c: Case, stream: ptr<function, Stream>) -> Outcome {
    return of_emerging(moller(c.given[0], c.given[1], stream));
}

fn twin_bhabha(c: Case, stream: ptr<function, Stream>) -> Outcome {
    return of_emerging(bhabha(c.given[0], c.given[1], stream));
}

fn twin_bremsstrahlung(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let spectra = spectra_first(charge_table(c.material, ELECTRON));
    return of_emerging(bremsstrahlung(c.given[0], c.given[1], spectra, stream));
}

fn twin_annihilation(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let photons = annihilation(c.given[0], stream);
    return values(vec4(photons.energies_mev, photons.cosines));
}

fn twin_compton(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let scattered = compton(c.given[0], c.material, stream);
    return values(vec4(scattered.photon_mev, scattered.cosine, scattered.electron_cosine, 0.0));
}

fn twin_coherent(c: Case, stream: ptr<function, Stream>) -> Outcome {
    return values(vec4(coherent_cosine(c.given[0], c.material, stream), 0.0, 0.0, 0.0));
}

fn twin_electron_angles(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let cosine = photoelectron_cosine(c.given[0], stream);
    return values(vec4(cosine, pair_cosine(c.given[1], stream), 0.0, 0.0));
}

fn twin_step(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let table = charge_table(c.material, select(ELECTRON, POSITRON, (c.id & 1u) == 1u));
    let energy_mev = c.given[0];
    let reach = reach_at(energy_mev, table);
    let step = plan_step(energy_mev, table, reach, c.given[1]);
    let emitter = emitter_mev(energy_mev, table, reach.photons_to_rest, stream);
    let first = vec4(step.path, step.loss_mev, step.interactions, reach.csda_range);
    let second = vec4(emitter, step.node.soft_variance, step.node.second_transport, step.node.third_transport);
    return Outcome(vec4(u32(step.is_hard), 0u, 0u, 0u), first, second);
}

fn twin_absorption(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let coefficients = attenuation(c.material, place(c.given[0]));
    let fluorescence = fluorescence_mev(c.given[0], c.material, vec2(c.given[1], c.given[2]), stream);
    return values(vec4(fluorescence, coefficients, 0.0));
}

fn twin_source(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let shift = Shift(c.key.xy, c.key.z, c.key.w, c.key.wzyx);
    let slot = slot_at(c.material);
    let energy_mev = slot_energy_mev(slot, slot_place(slot, c.id, shift));
    let source = source_voxel(activity_place(c.id, shift.place));
    let digits = further_digits(c.id);
    let at = decay(c.id, digits, shift);
    let goes = emitted_direction(at.direction, digits, c.key.yxwz);
    let words = vec4(source.voxel, voxel_index(at.cell), 0u, 0u);
    return Outcome(words, vec4(energy_mev, slot.weight + source.part, goes.xy), vec4(at.local_cm, goes.z));
}

fn twin_shift(c: Case, stream: ptr<function, Stream>) -> Outcome {
    let shift = shift_of(c.id);
    var words = vec4(shift.place, shift.charged, shift.photon);
    if (c.drawn & 1u) == 1u { words = shift.aside; }
    if (c.drawn & 2u) == 2u { words ^= turn_of(c.id, c.material); }
    return halves(words);
}

// Whole words, to the last bit: single precision holds their halves.
fn halves(words: vec4<u32>) -> Outcome {
    return Outcome(vec4(0u), vec4<f32>(words & vec4(0xFFFFu)), vec4<f32>(words >> vec4(16u)));
}

fn position(c: Case) -> Position {
    return Position(cell_of(c.id), vec3(c.given[0], c.given[1], c.given[2]), vec3(c.given[3], c.given[4], c.given[5]));
}

fn values(first: vec4<f32>) -> Outcome {
    return Outcome(vec4(0u), first, vec4(0.0));
}

fn words_and(x: u32, y: u32, first: vec4<f32>) -> Outcome {
    return Outcome(vec4(x, y, 0u, 0u), first, vec4(0.0));
}

fn of_emerging(emerging: Emerging) -> Outcome {
    return values(vec4(emerging.energy_mev, emerging.cosine, emerging.deflection_cosine, 0.0));
}
