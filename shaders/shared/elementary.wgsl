// Logarithm and exponential from basic operations, which every device rounds alike: those of devices and libraries
// differ, and the flights of a long history make of such a difference another way through the voxels.
// Twin: src/engine/cpu/transport/elementary.rs

// Bits of √½, the lower end of a mantissa.
const ROOT_HALF_BITS: u32 = 0x3F3504F3u;
// ln 2 in two parts, of which the first has so few bits that its product with an exponent is exact.
// Source: Cody & Waite, Software Manual for the Elementary Functions (1980), chapter 5.
const LN_2_HIGH: f32 = 0.693359375;
const LN_2_LOW: f32 = -2.1219444e-4;
const LOG2_E: f32 = 1.44269504088896341;

// Natural logarithm of a normal number above 0, within 2e-7 of itself or, far from 1, of its last digit.
//
// The mantissa m, from √½ to √2, by the series of ln m = 2 artanh s, s = (m − 1)/(m + 1).
fn natural_log(x: f32) -> f32 {
    let above = bitcast<u32>(x) - ROOT_HALF_BITS;
    let exponent = f32(bitcast<i32>(above) >> 23u);
    let mantissa = bitcast<f32>((above & 0x007FFFFFu) + ROOT_HALF_BITS);
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = square * (1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0 + square * (1.0 / 9.0))));
    let of_mantissa = 2.0 * s + 2.0 * s * series;
    return exponent * LN_2_HIGH + (exponent * LN_2_LOW + of_mantissa);
}

// e to the power of x for x from −87 to 88, within 3e-7 of itself. Beyond, its value there.
//
// A power of two times the series of what is left, from −½ ln 2 to ½ ln 2.
fn exponential(unbounded: f32) -> f32 {
    let x = clamp(unbounded, -87.0, 88.0);
    let power = floor(x * LOG2_E + 0.5);
    let left = (x - power * LN_2_HIGH) - power * LN_2_LOW;
    let end = 1.0 + left * 0.2 * (1.0 + left * (1.0 / 6.0) * (1.0 + left * (1.0 / 7.0)));
    let series = 1.0 + left * (1.0 + left * 0.5 * (1.0 + left * (1.0 / 3.0) * (1.0 + left * 0.25 * end)));
    return series * bitcast<f32>(u32(i32(power) + 127) << 23u);
}
