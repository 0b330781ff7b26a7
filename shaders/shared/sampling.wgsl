// Angles and paths that several interactions share, and the bound of every rejection loop.
// Twin: src/engine/cpu/transport/sampling.rs
#import random
#import elementary
#import geometry

// Most draws of a rejection loop. The least efficient loop accepts one draw in fifty, so that the bound is reached with
// a probability below 1e-80. The last draw is then taken, and the loop is counted.
const MAX_DRAWS: u32 = 10000u;

const PI: f32 = 3.14159265358979;

// Ends a rejection loop: counts it if none of its draws was accepted. Device only: `accepted` is the loop in Rust.
fn end_rejection(is_accepted: bool, stream: ptr<function, Stream>) {
    stream.exhausted += u32(!is_accepted);
}

// Cosine and sine of a uniform azimuth.
fn next_azimuth(stream: ptr<function, Stream>) -> vec2<f32> {
    return azimuth(next_word(stream));
}

// Cosine and sine of the azimuth that a word stands for: two bits choose a quarter of the circle, and the others the
// angle from its middle. By series, to 3e-7: trigonometric functions differ between devices.
fn azimuth(word: u32) -> vec2<f32> {
    let angle = (f32((word << 2u) >> 9u) + 0.5) * (0.5 * PI / 8388608.0) - 0.25 * PI;
    let square = angle * angle;
    let cosine = 1.0 - square * 0.5 * (1.0 - square * (1.0 / 12.0)
        * (1.0 - square * (1.0 / 30.0) * (1.0 - square * (1.0 / 56.0))));
    let sine = angle * (1.0 - square * (1.0 / 6.0) * (1.0 - square * 0.05 * (1.0 - square * (1.0 / 42.0))));
    let sign = select(1.0, -1.0, (word >> 31u) != 0u);
    return sign * select(vec2(cosine, sine), vec2(sine, cosine), (word & 0x40000000u) != 0u);
}

// A place in a voxel, from 0 to 1 by axis, and a unit vector to the face that it lies under.
struct PlaceInVoxel {
    place: vec3<f32>,
    to_face: vec3<f32>,
}

// A uniform place in a voxel, from 0 to 1 by axis, whose nearest face and distance from it follow from one number:
// systematic in that number, the decays of a voxel are systematic in what decides whether they reach other voxels.
//
// The voxel is cut into six pyramids from its centre, one for each face. The first number, `part`, chooses the pyramid,
// and how far the place is from the centre on the way to the face: the cubic root of a uniform number. `aside`: two
// uniform numbers, for the other two axes.
fn place_in_voxel(part: f32, aside: vec2<f32>) -> PlaceInVoxel {
    let faces = part * 6.0;
    let face = min(u32(faces), 5u);
    let reach = 0.5 * cubic_root(min(faces - f32(face), 1.0));
    let side = select(1.0, -1.0, face % 2u == 0u);
    let along = 0.5 + side * reach;
    let uv = 0.5 + reach * (2.0 * aside - 1.0);
    let axis = face / 2u;
    if axis == 0u { return PlaceInVoxel(vec3(along, uv.x, uv.y), vec3(side, 0.0, 0.0)); }
    if axis == 1u { return PlaceInVoxel(vec3(uv.y, along, uv.x), vec3(0.0, side, 0.0)); }
    return PlaceInVoxel(vec3(uv.x, uv.y, along), vec3(0.0, 0.0, side));
}

// Cubic root of a number from 1e-12 to 1, or of the nearest of these, by two steps of Halley's from a root of its
// exponent: powers differ between devices.
fn cubic_root(unbounded: f32) -> f32 {
    let x = max(unbounded, 1e-12);
    var root = bitcast<f32>(bitcast<u32>(x) / 3u + 0x2A5137A0u);
    for (var step = 0u; step < 2u; step++) {
        let cube = root * root * root;
        root *= (cube + 2.0 * x) / (2.0 * cube + x);
    }
    return root;
}

// A uniform direction.
fn isotropic(stream: ptr<function, Stream>) -> vec3<f32> {
    let cosine = 2.0 * next_uniform(stream) - 1.0;
    return turned(vec3(0.0, 0.0, 1.0), cosine, next_azimuth(stream));
}

// Mean free paths to the next interaction. They are above 0, since no random number is 1.
fn next_paths(stream: ptr<function, Stream>) -> f32 {
    return -natural_log(next_uniform(stream));
}
