// Where decays are and what they emit: systematic samples.
// Twin: src/prepare/transport/source.rs src/prepare/transport/emissions.rs src/engine/cpu/transport/history.rs
#import transport
#import random
#import geometry
#import sampling
#import wide
#import sequence

// Marks the key from which the shifts of a group are drawn. No history has so high a number.
const SHIFT_MARK: u32 = 0xFFFFFFFFu;

override GUIDE_BITS: u32;

// For each cell of the cumulative activity, the first source that reaches beyond its start.
@group(0) @binding(6) var<storage, read> source_guide: array<u32>;
// Where each source ends on the cumulative activity, in 2^-64.
@group(0) @binding(7) var<storage, read> source_ends: array<vec2<u32>>;
// The voxel of each.
@group(0) @binding(8) var<storage, read> source_voxels: array<u32>;

// By how much the places of a group are shifted.
struct Shift {
    place: vec2<u32>, // on the cumulative activity, in 2^-64
    charged: u32,     // in the slots of charged emissions, in 2^-32
    photon: u32,      // in the slots of photons
    aside: vec4<u32>, // of the two numbers that say where in the voxel, aside from the way to its face
}

// A stretch of emissions of one kind, from which one number takes at most one particle.
struct Slot {
    kind: u32,
    weight: f32,    // for how many particles one stands
    first_row: u32,
    end_row: u32,
    first_cell: u32, // of its guide
}

// Uniform, and independent from group to group.
fn shift_of(group: u32) -> Shift {
    let words = shift_words(group, 0u);
    return Shift(words.xy, words.z, words.w, shift_words(group, 1u));
}

// What scrambles and what shifts the cosine and the azimuth of what a slot emits: independent from slot to slot too.
fn turn_of(group: u32, slot: u32) -> vec4<u32> {
    return shift_words(group, 2u + slot);
}

// Random words of a group, four at a time.
fn shift_words(group: u32, block: u32) -> vec4<u32> {
    return threefry(history_key(vec2(group, SHIFT_MARK)), vec4(block, 0u, 0u, 0u));
}

// A voxel with activity, and which part of its own stretch of the cumulative activity lies before a place, from 0 to 1.
struct SourcePlace {
    voxel: u32,
    part: f32,
}

// The voxel at a place on the cumulative activity.
fn source_voxel(at: vec2<u32>) -> SourcePlace {
    let cell = at.y >> (32u - params.source_guide_bits);
    var low = source_guide[cell];
    var high = params.n_sources - 1u;
    if cell + 1u < (1u << params.source_guide_bits) { high = min(high, source_guide[cell + 1u]); }
    while low < high {
        let middle = low + (high - low) / 2u;
        if is_below(at, source_ends[middle]) { high = middle; } else { low = middle + 1u; }
    }
    var start = vec2(0u);
    if low > 0u { start = source_ends[low - 1u]; }
    var before = vec2(0u);
    if is_below(start, at) { before = without(at, start); }
    let part = single(before) / single(without(source_ends[low], start));
    return SourcePlace(source_voxels[low], min(part, 1.0));
}

// Where the decay is: a voxel and a place in it, both by systematic sampling. The direction is that to the voxel's face
// that the place lies under. `digits`: of the rank, in the further dimensions of the sequence.
fn decay(rank: u32, digits: vec4<u32>, shift: Shift) -> Position {
    let source = source_voxel(activity_place(rank, shift.place));
    let first = unit_interval(further_place(digits.y, shift.aside.x, shift.aside.y));
    let second = unit_interval(further_place(digits.z, shift.aside.z, shift.aside.w));
    let found = place_in_voxel(source.part, vec2(first, second));
    return Position(cell_of(source.voxel), spacing_cm() * found.place, found.to_face);
}

// The direction of what is emitted at a decay: uniform, and systematic in its angle with the way to the nearest face.
fn emitted_direction(to_face: vec3<f32>, digits: vec4<u32>, turn: vec4<u32>) -> vec3<f32> {
    let cosine = 2.0 * unit_interval(further_place(digits.x, turn.x, turn.y)) - 1.0;
    return turned(to_face, cosine, azimuth(further_place(digits.w, turn.z, turn.w)));
}

// A slot by its number. Device only: an element of a vector in Rust.
fn slot_at(number: u32) -> Slot {
    let words = tables[params.slots_first + number];
    return Slot(words.x, bitcast<f32>(words.y), words.z, words.w, number << GUIDE_BITS);
}

// The place of a rank in a slot. Each kind is scrambled by the shift of the other, which says nothing of its own.
fn slot_place(slot: Slot, rank: u32, shift: Shift) -> u32 {
    if slot.kind == PHOTON { return emission_place(rank, shift.charged, shift.photon); }
    return emission_place(rank, shift.photon, shift.charged);
}

// The energy [MeV] of the particle at a place of a slot; below 0 where the slot is empty there.
fn slot_energy_mev(slot: Slot, at: u32) -> f32 {
    let cell = at >> (32u - GUIDE_BITS);
    var low = value_word(params.emission_guide_first + slot.first_cell + cell);
    var high = slot.end_row;
    if cell + 1u < (1u << GUIDE_BITS) {
        high = min(high, value_word(params.emission_guide_first + slot.first_cell + cell + 1u));
    }
    while low < high {
        let middle = low + (high - low) / 2u;
        if at < tables[params.rows_first + middle].y { high = middle; } else { low = middle + 1u; }
    }
    if low == slot.end_row { return -1.0; }
    let words = tables[params.rows_first + low];
    let part = f32(at - min(at, words.x)) / f32(words.y - words.x);
    let energies = bitcast<vec2<f32>>(words.zw);
    return energies.x + part * (energies.y - energies.x);
}
