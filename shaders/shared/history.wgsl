// What a lane follows: one particle of a history, and what it sets free.
// Twin, by whole histories: src/engine/cpu/transport/history.rs
#import transport
#import random
#import geometry
#import sampling
#import score
#import queue

// A particle on its way, and where it is.
struct Walk {
    track: Track,
    voxel: u32,
    medium: Medium,
    by_track_length: bool, // a photon whose track is scored, and not what it sets free
    room_charged: u32,     // charged particles that it may still set free in this cycle
    room_photons: u32,     // photons likewise
}

// Takes up a particle where it was left.
fn follow(track: Track, room_charged: u32, room_photons: u32) -> Walk {
    let voxel = voxel_index(track.at.cell);
    return Walk(track, voxel, medium_of(medium[voxel]), false, room_charged, room_photons);
}

// The stream of a particle, where it was left.
fn stream_of(track: Track) -> Stream {
    return start_stream(history_key(track.history), track.id, track.drawn);
}

// The accounts of the group of a history, all zero.
fn score_of(history: vec2<u32>) -> Score {
    let group = (history.x & ((1u << params.group_bits) - 1u)) - params.first_group;
    return Score(group, vec2(0u), vec2(0u), vec2(0u), vec2(0u));
}

// A new particle from here. It has the next word of its parent's stream as the number of its own.
fn push(walk: ptr<function, Walk>, stream: ptr<function, Stream>, kind: u32, energy_mev: f32, direction: vec3<f32>) {
    let at = Position(walk.track.at.cell, walk.track.at.local_cm, direction);
    let id = next_word(stream);
    walk.room_charged -= u32(kind != PHOTON);
    walk.room_photons -= u32(kind == PHOTON);
    append(Track(walk.track.history, id, 0u, kind, energy_mev, walk.track.weight, 0.0, 0.0, at));
}

// The two photons of a positron at rest.
fn annihilate_at_rest(walk: ptr<function, Walk>, stream: ptr<function, Stream>) {
    let direction = isotropic(stream);
    push(walk, stream, PHOTON, ELECTRON_REST_MEV, direction);
    push(walk, stream, PHOTON, ELECTRON_REST_MEV, -direction);
}
