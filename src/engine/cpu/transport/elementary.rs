//! Logarithm and exponential from basic operations, which every device rounds alike: those of devices and libraries
//! differ, and the flights of a long history make of such a difference another way through the voxels.
//! Twin: `shaders/shared/elementary.wgsl`.

/// Bits of √½, the lower end of a mantissa.
const ROOT_HALF_BITS: u32 = 0x3F35_04F3;
/// ln 2 in two parts, of which the first has so few bits that its product with an exponent is exact.
///
/// Source: Cody & Waite, Software Manual for the Elementary Functions (1980), chapter 5.
const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];

/// Natural logarithm of a normal number above 0, within 2e-7 of itself or, far from 1, of its last digit.
///
/// The mantissa m, from √½ to √2, by the series of ln m = 2 artanh s, s = (m − 1)/(m + 1).
#[inline]
#[expect(clippy::cast_possible_wrap, reason = "an exponent may be below 0")]
pub(crate) fn natural_log(x: f32) -> f32 {
    let above = x.to_bits().wrapping_sub(ROOT_HALF_BITS);
    let exponent = (above as i32 >> 23) as f32;
    let mantissa = f32::from_bits((above & 0x007F_FFFF) + ROOT_HALF_BITS);
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = square * (1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0 + square * (1.0 / 9.0))));
    let of_mantissa = 2.0 * s + 2.0 * s * series;
    exponent * LN_2[0] + (exponent * LN_2[1] + of_mantissa)
}

/// eˣ for x from −87 to 88, within 3e-7 of itself. Beyond, its value there.
///
/// A power of two times the series of what is left, from −½ ln 2 to ½ ln 2.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a biased exponent from 1 to 254")]
pub(crate) fn exponential(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let power = (x * std::f32::consts::LOG2_E + 0.5).floor();
    let left = (x - power * LN_2[0]) - power * LN_2[1];
    let series = 1.0 + left * 0.2 * (1.0 + left * (1.0 / 6.0) * (1.0 + left * (1.0 / 7.0)));
    let series = 1.0 + left * (1.0 + left * 0.5 * (1.0 + left * (1.0 / 3.0) * (1.0 + left * 0.25 * series)));
    series * f32::from_bits(((power as i32 + 127) as u32) << 23)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "a test of single precision")]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right() {
        // All random numbers of 23 bits, and energies and their ratios.
        for number in 0..1u32 << 23 {
            let x = (number as f32 + 0.5) * (1.0 / 8_388_608.0);
            let (found, expected) = (natural_log(x), f64::from(x).ln());
            assert!(found < 0.0 && (f64::from(found) - expected).abs() <= 2e-7 * -expected, "{x}: {found} {expected}");
        }
        for step in -3000..3000 {
            let x = 1.02f64.powi(step) as f32;
            let (found, expected) = (natural_log(x), f64::from(x).ln());
            assert!((f64::from(found) - expected).abs() <= 2e-7 * expected.abs(), "{x}: {found} {expected}");
        }
        assert_eq!(natural_log(1.0), 0.0);
    }

    #[test]
    fn exponentials_are_right() {
        for step in -870_000..880_000 {
            let x = 1e-4 * step as f32;
            let (found, expected) = (exponential(x), f64::from(x).exp());
            assert!((f64::from(found) / expected - 1.0).abs() <= 3e-7, "{x}: {found} {expected}");
        }
        assert_eq!((exponential(0.0), exponential(-1e9)), (1.0, exponential(-87.0)));
    }
}
