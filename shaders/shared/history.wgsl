// One history: a decay and all that it emits. Twin: src/engine/cpu/transport/history.rs

// The number of the particle that draws the place of a decay; those that it emits follow.
const DECAY_STREAM: u32 = 0u;

// Where the particle that the lane follows is.
var<private> voxel: u32;
var<private> here: Medium;

// Takes up a particle where it was left.
fn follow(p: Particle) {
    particle = p;
    voxel = voxel_index(p.at.cell);
    here = medium_of(medium[voxel]);
    launch_group = (p.history.x & ((1u << params.group_bits) - 1u)) - params.first_group;
    start_stream(history_key(p.history), p.id, p.drawn);
}

fn at_with(direction: vec3<f32>) -> Position {
    return Position(particle.at.cell, particle.at.local_cm, direction);
}

// The two photons of a positron at rest.
fn annihilate_at_rest() {
    let direction = isotropic();
    push(PHOTON, ELECTRON_REST_MEV, at_with(direction));
    push(PHOTON, ELECTRON_REST_MEV, at_with(-direction));
}
