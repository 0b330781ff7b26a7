//! From numbers to colours.

/// Anchors of matplotlib's colour map `inferno`, evenly spaced: from black through red to light yellow, in steps that look alike.
/// Source: N. Smith and S. van der Walt, matplotlib (CC0).
const INFERNO: [[u8; 3]; 9] = [
    [0, 0, 4],
    [33, 12, 74],
    [86, 16, 110],
    [137, 34, 106],
    [187, 55, 84],
    [227, 89, 50],
    [249, 140, 10],
    [249, 201, 50],
    [252, 255, 164],
];

/// Grey of CT numbers [HU]: straight between these points, steep where soft tissues lie, so that lung, soft tissue and bone can
/// all be told apart.
const CT_GREY: [(f64, f64); 5] = [(-1000.0, 0.0), (-714.0, 0.16), (-100.0, 0.30), (120.0, 0.66), (700.0, 1.0)];

/// Opacity of the dose over the CT where it is high.
const OPACITY: f64 = 0.72;
/// Part of the colour scale over which the dose fades in: below it the CT is untouched, above it the dose is as opaque as anywhere.
const FADE_IN: [f64; 2] = [0.04, 0.16];

/// Colour of a position on the dose scale, 0 to 1.
pub(super) fn dose_colour(position: f64) -> [u8; 3] {
    let at = position.clamp(0.0, 1.0) * (INFERNO.len() - 1) as f64;
    let pair = INFERNO.windows(2).zip(0u8..).find(|(_, i)| at <= f64::from(*i) + 1.0);
    let (pair, i) = pair.expect("a position within the scale lies between two anchors");
    mix(pair[0], pair[1], at - f64::from(i))
}

/// Grey of a CT number [HU].
pub(super) fn ct_grey(hu: f64) -> [u8; 3] {
    let hu = hu.clamp(CT_GREY[0].0, CT_GREY[CT_GREY.len() - 1].0);
    let pair =
        CT_GREY.windows(2).find(|pair| hu <= pair[1].0).expect("a CT number within the scale lies between two points");
    let [(from, low), (to, high)] = [pair[0], pair[1]];
    mix([0; 3], [255; 3], low + (high - low) * (hu - from) / (to - from))
}

/// The colour of a dose, by its position on the scale, laid over a grey.
pub(super) fn overlay(grey: [u8; 3], position: f64) -> [u8; 3] {
    let t = ((position - FADE_IN[0]) / (FADE_IN[1] - FADE_IN[0])).clamp(0.0, 1.0);
    mix(grey, dose_colour(position), OPACITY * t * t * (3.0 - 2.0 * t))
}

/// From `a` (0) to `b` (1).
fn mix(a: [u8; 3], b: [u8; 3], t: f64) -> [u8; 3] {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two bytes, or cut off at them"
    )]
    [0, 1, 2].map(|i| (f64::from(a[i]) * (1.0 - t) + f64::from(b[i]) * t).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_start_and_end_where_they_should() {
        assert_eq!((dose_colour(-1.0), dose_colour(0.5), dose_colour(2.0)), (INFERNO[0], INFERNO[4], INFERNO[8]));
        assert_eq!((ct_grey(-2000.0), ct_grey(3000.0)), ([0; 3], [255; 3]));
    }

    #[test]
    fn brightness_rises_along_both_scales() {
        let luminance = |[r, g, b]: [u8; 3]| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
        for i in 0..100 {
            let (a, b) = (f64::from(i) / 100.0, f64::from(i + 1) / 100.0);
            assert!(luminance(dose_colour(b)) > luminance(dose_colour(a)), "dose at {a}");
            assert!(ct_grey(-1000.0 + 1700.0 * b)[0] >= ct_grey(-1000.0 + 1700.0 * a)[0], "CT at {a}");
        }
    }

    #[test]
    fn no_dose_leaves_the_grey() {
        assert_eq!(overlay([90; 3], 0.0), [90; 3]);
        assert_ne!(overlay([90; 3], 0.5), [90; 3]);
    }
}
