// Angles and paths that several interactions share. Twin: src/engine/cpu/transport/sampling.rs

// Draws of any rejection, at most. It is never met: the worst of them accepts one in fifty.
const MAX_DRAWS: u32 = 10000u;
// No logarithm of a random number is nearer to 0; that of a device may be.
const MIN_PATHS: f32 = 5.9e-8;

// Cosine and sine of a uniform azimuth, by rejection from a square: trigonometric functions differ between devices.
fn next_azimuth() -> vec2<f32> {
    for (var draw = 0u; draw < MAX_DRAWS; draw++) {
        let word = next_word();
        let x = (f32(word & 0xFFFFu) + 0.5) * (1.0 / 32768.0) - 1.0;
        let y = (f32(word >> 16u) + 0.5) * (1.0 / 32768.0) - 1.0;
        let square = x * x + y * y;
        if square <= 1.0 && square > 1e-4 {
            // Twice a uniform angle is a uniform angle.
            return vec2((x * x - y * y) / square, 2.0 * x * y / square);
        }
    }
    return vec2(1.0, 0.0);
}

// A uniform direction.
fn isotropic() -> vec3<f32> {
    let cosine = 2.0 * next_uniform() - 1.0;
    return turned(vec3(0.0, 0.0, 1.0), cosine, next_azimuth());
}

// Mean free paths to the next interaction.
fn next_paths() -> f32 {
    return max(-log(next_uniform()), MIN_PATHS);
}
