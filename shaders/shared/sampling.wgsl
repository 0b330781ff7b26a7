// Angles and paths that several interactions share, and the bound of every rejection loop.
// Twin: src/engine/cpu/transport/sampling.rs
#import random
#import elementary
#import geometry

// Most draws of a rejection loop. The least efficient loop accepts one draw in fifty, so that the bound is reached with
// a probability below 1e-80. The last draw is then taken, and the loop is counted.
const MAX_DRAWS: u32 = 10000u;

// Ends a rejection loop: counts it if none of its draws was accepted. Device only: `accepted` is the loop in Rust.
fn end_rejection(is_accepted: bool, stream: ptr<function, Stream>) {
    stream.exhausted += u32(!is_accepted);
}

// Cosine and sine of a uniform azimuth, by rejection from a square: trigonometric functions differ between devices.
fn next_azimuth(stream: ptr<function, Stream>) -> vec2<f32> {
    var x = 0.0;
    var y = 0.0;
    var square = 0.0;
    var is_accepted = false;
    for (var draw = 0u; draw < MAX_DRAWS && !is_accepted; draw++) {
        let word = next_word(stream);
        x = (f32(word & 0xFFFFu) + 0.5) * (1.0 / 32768.0) - 1.0;
        y = (f32(word >> 16u) + 0.5) * (1.0 / 32768.0) - 1.0;
        square = x * x + y * y;
        is_accepted = square <= 1.0 && square > 1e-4;
    }
    end_rejection(is_accepted, stream);
    // Twice a uniform angle is a uniform angle.
    return vec2((x * x - y * y) / square, 2.0 * x * y / square);
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
