// Fourier transforms of TILE lines of LENGTH points at once, in place in workgroup memory, with one barrier a stage.
//
// Forward: decimation in frequency, from natural order to digit-reversed order. Inverse: decimation in time, from
// digit-reversed order to natural order, on swapped values, without the factor 1/LENGTH. So nothing is ever permuted:
// the kernel's spectrum is read in digit-reversed order instead.
#import complex
#import grid

// Whether the points of a line lie side by side in workgroup memory, rather than the lines.
override ROWS: bool = false;

override LENGTH: u32 = 1u;
override TILE: u32 = 1u;
override LINE_POINTS: u32 = 1u; // LENGTH * TILE
// The factors of LENGTH, in the order of the forward transform, then ones.
override RADIX_0: u32 = 1u;
override RADIX_1: u32 = 1u;
override RADIX_2: u32 = 1u;
override RADIX_3: u32 = 1u;
override RADIX_4: u32 = 1u;
override RADIX_5: u32 = 1u;
override RADIX_6: u32 = 1u;
override RADIX_7: u32 = 1u;
override SPAN_1: u32 = LENGTH / RADIX_0;
override SPAN_2: u32 = SPAN_1 / RADIX_1;
override SPAN_3: u32 = SPAN_2 / RADIX_2;
override SPAN_4: u32 = SPAN_3 / RADIX_3;
override SPAN_5: u32 = SPAN_4 / RADIX_4;
override SPAN_6: u32 = SPAN_5 / RADIX_5;
override SPAN_7: u32 = SPAN_6 / RADIX_6;

// exp(−2πi k / LENGTH), k from 0 to LENGTH − 1: sines of the device may be off by 2^-11.
@group(0) @binding(1) var<storage, read> twiddles: array<vec2<f32>>;

var<workgroup> line: array<vec2<f32>, LINE_POINTS>;

// Point (x) and line (y) of value `i`, for lines of `n_points`.
fn point_and_line(i: u32, n_points: u32) -> vec2<u32> {
    if ROWS { return vec2(i % n_points, i / n_points); }
    return vec2(i / TILE, i % TILE);
}

// All values must be in `line`, after a barrier. Ends with a barrier.
fn fft_forward(lane: u32) {
    if RADIX_0 > 1u { stage(lane, RADIX_0, LENGTH, false); }
    if RADIX_1 > 1u { stage(lane, RADIX_1, SPAN_1, false); }
    if RADIX_2 > 1u { stage(lane, RADIX_2, SPAN_2, false); }
    if RADIX_3 > 1u { stage(lane, RADIX_3, SPAN_3, false); }
    if RADIX_4 > 1u { stage(lane, RADIX_4, SPAN_4, false); }
    if RADIX_5 > 1u { stage(lane, RADIX_5, SPAN_5, false); }
    if RADIX_6 > 1u { stage(lane, RADIX_6, SPAN_6, false); }
    if RADIX_7 > 1u { stage(lane, RADIX_7, SPAN_7, false); }
}

// As `fft_forward`, on swapped values.
fn fft_inverse(lane: u32) {
    if RADIX_7 > 1u { stage(lane, RADIX_7, SPAN_7, true); }
    if RADIX_6 > 1u { stage(lane, RADIX_6, SPAN_6, true); }
    if RADIX_5 > 1u { stage(lane, RADIX_5, SPAN_5, true); }
    if RADIX_4 > 1u { stage(lane, RADIX_4, SPAN_4, true); }
    if RADIX_3 > 1u { stage(lane, RADIX_3, SPAN_3, true); }
    if RADIX_2 > 1u { stage(lane, RADIX_2, SPAN_2, true); }
    if RADIX_1 > 1u { stage(lane, RADIX_1, SPAN_1, true); }
    if RADIX_0 > 1u { stage(lane, RADIX_0, LENGTH, true); }
}

// The points of one butterfly, and its twiddle factors: before it on the way back, after it on the way out.
struct Butterfly {
    start: u32,
    step: u32,
    twiddle_step: u32,
    inverse: bool,
}

// Splits every part of `span` points into `radix` parts.
fn stage(lane: u32, radix: u32, span: u32, inverse: bool) {
    let step = span / radix;
    let n_butterflies = LENGTH / radix;
    let point_stride = select(TILE, 1u, ROWS);
    let line_stride = select(1u, LENGTH, ROWS);
    for (var i = lane; i < n_butterflies * TILE; i += WORKGROUP) {
        let at = point_and_line(i, n_butterflies);
        let j = at.x % step;
        let first = (at.x / step) * span + j;
        let b = Butterfly(first * point_stride + at.y * line_stride, step * point_stride, j * (LENGTH / span), inverse);
        switch radix {
            case 2u: { radix_2(b); }
            case 3u: { radix_3(b); }
            case 4u: { radix_4(b); }
            case 5u: { radix_5(b); }
            case 7u: { radix_7(b); }
            default: { radix_8(b); }
        }
    }
    workgroupBarrier();
}

fn take(b: Butterfly, q: u32) -> vec2<f32> {
    let value = line[b.start + q * b.step];
    if b.inverse { return complex_mul(value, twiddles[q * b.twiddle_step]); }
    return value;
}

fn put(b: Butterfly, q: u32, value: vec2<f32>) {
    if b.inverse {
        line[b.start + q * b.step] = value;
    } else {
        line[b.start + q * b.step] = complex_mul(value, twiddles[q * b.twiddle_step]);
    }
}

fn radix_2(b: Butterfly) {
    let x0 = line[b.start];
    let x1 = take(b, 1u);
    line[b.start] = x0 + x1;
    put(b, 1u, x0 - x1);
}

fn radix_3(b: Butterfly) {
    let SIN = 0.8660254037844386; // sin(2π/3)
    let x0 = line[b.start];
    let x1 = take(b, 1u);
    let x2 = take(b, 2u);
    let sum = x1 + x2;
    let even = x0 - 0.5 * sum;
    let odd = times_minus_i(SIN * (x1 - x2));
    line[b.start] = x0 + sum;
    put(b, 1u, even + odd);
    put(b, 2u, even - odd);
}

fn radix_4(b: Butterfly) {
    let y = dft_4(line[b.start], take(b, 1u), take(b, 2u), take(b, 3u));
    line[b.start] = y[0];
    put(b, 1u, y[1]);
    put(b, 2u, y[2]);
    put(b, 3u, y[3]);
}

fn dft_4(x0: vec2<f32>, x1: vec2<f32>, x2: vec2<f32>, x3: vec2<f32>) -> array<vec2<f32>, 4> {
    let a = x0 + x2;
    let b = x0 - x2;
    let c = x1 + x3;
    let d = times_minus_i(x1 - x3);
    return array(a + c, b + d, a - c, b - d);
}

fn radix_5(b: Butterfly) {
    let C1 = 0.30901699437494745; // cos(2π/5), cos(4π/5), sin(2π/5), sin(4π/5)
    let C2 = -0.8090169943749475;
    let S1 = 0.9510565162951535;
    let S2 = 0.5877852522924731;
    let x0 = line[b.start];
    let x1 = take(b, 1u);
    let x2 = take(b, 2u);
    let x3 = take(b, 3u);
    let x4 = take(b, 4u);
    let s1 = x1 + x4;
    let s2 = x2 + x3;
    let d1 = x1 - x4;
    let d2 = x2 - x3;
    let even1 = x0 + C1 * s1 + C2 * s2;
    let even2 = x0 + C2 * s1 + C1 * s2;
    let odd1 = times_minus_i(S1 * d1 + S2 * d2);
    let odd2 = times_minus_i(S2 * d1 - S1 * d2);
    line[b.start] = x0 + s1 + s2;
    put(b, 1u, even1 + odd1);
    put(b, 2u, even2 + odd2);
    put(b, 3u, even2 - odd2);
    put(b, 4u, even1 - odd1);
}

fn radix_7(b: Butterfly) {
    let C1 = 0.6234898018587336; // cos(2πk/7), sin(2πk/7), k from 1 to 3
    let C2 = -0.22252093395631434;
    let C3 = -0.9009688679024191;
    let S1 = 0.7818314824680298;
    let S2 = 0.9749279121818236;
    let S3 = 0.43388373911755823;
    let x0 = line[b.start];
    let x1 = take(b, 1u);
    let x2 = take(b, 2u);
    let x3 = take(b, 3u);
    let x4 = take(b, 4u);
    let x5 = take(b, 5u);
    let x6 = take(b, 6u);
    let s1 = x1 + x6;
    let s2 = x2 + x5;
    let s3 = x3 + x4;
    let d1 = x1 - x6;
    let d2 = x2 - x5;
    let d3 = x3 - x4;
    let even1 = x0 + C1 * s1 + C2 * s2 + C3 * s3;
    let even2 = x0 + C2 * s1 + C3 * s2 + C1 * s3;
    let even3 = x0 + C3 * s1 + C1 * s2 + C2 * s3;
    let odd1 = times_minus_i(S1 * d1 + S2 * d2 + S3 * d3);
    let odd2 = times_minus_i(S2 * d1 - S3 * d2 - S1 * d3);
    let odd3 = times_minus_i(S3 * d1 - S1 * d2 + S2 * d3);
    line[b.start] = x0 + s1 + s2 + s3;
    put(b, 1u, even1 + odd1);
    put(b, 2u, even2 + odd2);
    put(b, 3u, even3 + odd3);
    put(b, 4u, even3 - odd3);
    put(b, 5u, even2 - odd2);
    put(b, 6u, even1 - odd1);
}

fn radix_8(b: Butterfly) {
    let HALF_ROOT = 0.7071067811865476; // cos(π/4)
    let even = dft_4(line[b.start], take(b, 2u), take(b, 4u), take(b, 6u));
    let odd = dft_4(take(b, 1u), take(b, 3u), take(b, 5u), take(b, 7u));
    let o1 = complex_mul(odd[1], vec2(HALF_ROOT, -HALF_ROOT));
    let o2 = times_minus_i(odd[2]);
    let o3 = complex_mul(odd[3], vec2(-HALF_ROOT, -HALF_ROOT));
    line[b.start] = even[0] + odd[0];
    put(b, 1u, even[1] + o1);
    put(b, 2u, even[2] + o2);
    put(b, 3u, even[3] + o3);
    put(b, 4u, even[0] - odd[0]);
    put(b, 5u, even[1] - o1);
    put(b, 6u, even[2] - o2);
    put(b, 7u, even[3] - o3);
}
