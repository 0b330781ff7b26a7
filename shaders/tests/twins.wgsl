// Runs one body of transport for each case, for the test that compares it with its twin (src/engine/gpu/transport/twins.rs).
// In: cases, tables, medium. Out: what the body returns, and how many random words it drew.
#import transport
#import random
#import lookup
#import geometry
#import sampling
#import deflection
#import collision
#import scatter
#import wide
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
    let case_here = cases[id.x];
    start_stream(case_here.key, case_here.id, case_here.drawn);
    var outcome = run(case_here);
    if case_here.body != 0u { outcome.words.w = stream.drawn; }
    outcomes[id.x] = outcome;
}

fn run(case_here: Case) -> Outcome {
    let given = case_here.given;
    let none = vec4(0.0);
    let no_words = vec4(0u);
    let material = case_here.material;
    let spectra = params.spectra_first + 2u * material * SPECTRUM_ROWS * (PHOTON_STEPS + 1u);
    let direction = vec3(given[3], given[4], given[5]);
    let at = Position(cell_of(case_here.id), vec3(given[0], given[1], given[2]), direction);
    switch case_here.body {
        case 0u: { return Outcome(threefry(case_here.key, vec4(case_here.id, 1u, 2u, 3u)), none, none); }
        case 1u: { return Outcome(vec4(next_word(), 0u, 0u, 0u), vec4(next_uniform(), next_azimuth(), next_paths()), vec4(isotropic(), 0.0)); }
        case 2u: {
            let found = place(given[0]);
            return Outcome(vec4(found.node, 0u, 0u, 0u), vec4(found.fraction, number(found.node, given[1]), 0.0, 0.0), none);
        }
        case 3u: {
            let face = next_face(at);
            let beyond = cross_face(at, face);
            let words = vec4(voxel_index(select(at.cell, beyond.at.cell, beyond.is_inside)), u32(beyond.is_inside), 0u, 0u);
            return Outcome(words, vec4(face.distance_cm, nearest_surface_cm(at), 0.0, 0.0), vec4(beyond.at.local_cm, 0.0));
        }
        case 4u: { return Outcome(no_words, vec4(turned(direction, given[0], vec2(given[6], given[7])), 0.0), none); }
        case 5u: { return Outcome(no_words, vec4(half_versine(given[0], given[1]), soft_loss(given[2], given[3]), 0.0, 0.0), none); }
        case 6u: { return of_emerging(moller(given[0], given[1])); }
        case 7u: { return of_emerging(bhabha(given[0], given[1])); }
        case 8u: { return of_emerging(bremsstrahlung(given[0], given[1], spectra)); }
        case 9u: {
            let photons = annihilation(given[0]);
            return Outcome(no_words, vec4(photons.energies_mev, photons.cosines), none);
        }
        case 10u: {
            let scattered = compton(given[0], material);
            return Outcome(no_words, vec4(scattered.photon_mev, scattered.cosine, scattered.electron_cosine, 0.0), none);
        }
        case 11u: { return Outcome(no_words, vec4(coherent_cosine(given[0], material), 0.0, 0.0, 0.0), none); }
        case 12u: { return Outcome(no_words, vec4(photoelectron_cosine(given[0]), pair_cosine(given[1]), 0.0, 0.0), none); }
        case 13u: {
            let found = medium_of(medium[case_here.id]);
            return Outcome(vec4(found.material, 0u, 0u, 0u), vec4(found.density_g_cm3, 0.0, 0.0, 0.0), none);
        }
        case 14u: {
            let shift = Shift(case_here.key.xy, case_here.key.z, case_here.key.w);
            let slot = slot_at(material);
            let energy_mev = slot_energy_mev(slot, slot_place(slot, case_here.id, shift));
            return Outcome(vec4(source_voxel(activity_place(case_here.id, shift.place)), 0u, 0u, 0u), vec4(energy_mev, slot.weight, 0.0, 0.0), none);
        }
        default: {
            // The flight is kept and taken up again between its faces.
            var ray = ray_of(Position(at.cell, kept(at, ray_to_faces(at)), direction));
            let first = ray_face(ray);
            ray = ray_beyond(ray, first);
            let second = ray_face(ray);
            let end = ray_end(ray, given[6] * second.distance_cm, at);
            return Outcome(no_words, vec4(first.distance_cm, second.distance_cm, 0.0, 0.0), vec4(end, 0.0));
        }
    }
}

fn of_emerging(emerging: Emerging) -> Outcome {
    return Outcome(vec4(0u), vec4(emerging.energy_mev, emerging.cosine, emerging.deflection_cosine, 0.0), vec4(0.0));
}
