// Fourier transforms of a few values in registers. Those of more, and of lines, are written out for each length by
// src/engine/gpu/lines.rs where a stage says `#lines`: `transform_lines` transforms TILE lines of LENGTH points at
// once, of those that `has_line(tile, line)` of the stage. It takes points by `load(tile, point, line)`. Of columns it
// gives values by `store(tile, point, line, value)`; rows it leaves in `line`, by `slot`. A transform there and back
// gives each frequency to `multiplied(tile, frequency, line, value)`.
#import complex

// exp(−2πi k / LENGTH), k from 0 to LENGTH − 1: sines of the device may be off by 2^-11.
@group(0) @binding(1) var<storage, read> twiddles: array<vec2<f32>>;

fn twisted(value: vec2<f32>, k: u32) -> vec2<f32> {
    return complex_mul(value, twiddles[k]);
}

fn dft_2(x: array<vec2<f32>, 2>) -> array<vec2<f32>, 2> {
    return array(x[0] + x[1], x[0] - x[1]);
}

fn dft_3(x: array<vec2<f32>, 3>) -> array<vec2<f32>, 3> {
    let SIN = 0.8660254037844386; // sin(2π/3)
    let sum = x[1] + x[2];
    let even = x[0] - 0.5 * sum;
    let odd = times_minus_i(SIN * (x[1] - x[2]));
    return array(x[0] + sum, even + odd, even - odd);
}

fn dft_4(x: array<vec2<f32>, 4>) -> array<vec2<f32>, 4> {
    let a = x[0] + x[2];
    let b = x[0] - x[2];
    let c = x[1] + x[3];
    let d = times_minus_i(x[1] - x[3]);
    return array(a + c, b + d, a - c, b - d);
}

fn dft_5(x: array<vec2<f32>, 5>) -> array<vec2<f32>, 5> {
    let C1 = 0.30901699437494745; // cos(2π/5), cos(4π/5), sin(2π/5), sin(4π/5)
    let C2 = -0.8090169943749475;
    let S1 = 0.9510565162951535;
    let S2 = 0.5877852522924731;
    let s1 = x[1] + x[4];
    let s2 = x[2] + x[3];
    let d1 = x[1] - x[4];
    let d2 = x[2] - x[3];
    let even1 = x[0] + C1 * s1 + C2 * s2;
    let even2 = x[0] + C2 * s1 + C1 * s2;
    let odd1 = times_minus_i(S1 * d1 + S2 * d2);
    let odd2 = times_minus_i(S2 * d1 - S1 * d2);
    return array(x[0] + s1 + s2, even1 + odd1, even2 + odd2, even2 - odd2, even1 - odd1);
}

fn dft_7(x: array<vec2<f32>, 7>) -> array<vec2<f32>, 7> {
    let C1 = 0.6234898018587336; // cos(2πk/7), sin(2πk/7), k from 1 to 3
    let C2 = -0.22252093395631434;
    let C3 = -0.9009688679024191;
    let S1 = 0.7818314824680298;
    let S2 = 0.9749279121818236;
    let S3 = 0.43388373911755823;
    let s1 = x[1] + x[6];
    let s2 = x[2] + x[5];
    let s3 = x[3] + x[4];
    let d1 = x[1] - x[6];
    let d2 = x[2] - x[5];
    let d3 = x[3] - x[4];
    let even1 = x[0] + C1 * s1 + C2 * s2 + C3 * s3;
    let even2 = x[0] + C2 * s1 + C3 * s2 + C1 * s3;
    let even3 = x[0] + C3 * s1 + C1 * s2 + C2 * s3;
    let odd1 = times_minus_i(S1 * d1 + S2 * d2 + S3 * d3);
    let odd2 = times_minus_i(S2 * d1 - S3 * d2 - S1 * d3);
    let odd3 = times_minus_i(S3 * d1 - S1 * d2 + S2 * d3);
    let first = x[0] + s1 + s2 + s3;
    return array(first, even1 + odd1, even2 + odd2, even3 + odd3, even3 - odd3, even2 - odd2, even1 - odd1);
}
