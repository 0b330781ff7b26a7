//! Every colour of every figure, picture and page, and the scales from numbers to colours.

use plotters::style::RGBColor;

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

/// Text and axes: nearly black.
pub const INK: Colour = Colour([30, 34, 40]);
/// Text that matters less.
pub const FAINT: Colour = Colour([96, 102, 112]);
/// Grid lines.
pub const GRID: Colour = Colour([225, 228, 232]);
/// Rules between the parts of a page.
pub const RULE: Colour = Colour([216, 220, 226]);
/// Named stretches of an axis, drawn with little opacity.
pub const SHADE: Colour = Colour([95, 106, 122]);
/// Letters and rulers over a CT.
pub const LIGHT: Colour = Colour([235, 238, 242]);
/// Behind the isodose lines of a legend.
pub const DARK: Colour = Colour([70, 70, 74]);
/// A check that passed, and the values that are tolerated.
pub const PASS: Colour = Colour([27, 127, 59]);
/// A check that failed.
pub const FAIL: Colour = Colour([179, 38, 30]);
/// Behind a check that failed.
pub const FAIL_GROUND: Colour = Colour([253, 227, 224]);

/// Series of a figure, in order; they can be told apart with any colour vision.
/// Source: M. Okabe and K. Ito, *Color universal design* (2008), the yellow left out.
pub const SERIES: [Colour; 7] = [
    Colour([0, 114, 178]),
    Colour([213, 94, 0]),
    Colour([0, 158, 115]),
    Colour([204, 121, 167]),
    Colour([230, 159, 0]),
    Colour([86, 180, 233]),
    Colour([0, 0, 0]),
];

/// Isodose lines, from the lowest dose to the highest: light, because they lie over a CT.
pub const ISODOSES: [Colour; 5] = [
    Colour([90, 160, 255]),
    Colour([0, 225, 225]),
    Colour([90, 240, 100]),
    Colour([255, 255, 255]),
    Colour([255, 110, 220]),
];

/// Anchors of matplotlib's colour map `inferno`, evenly spaced: from black through red to light yellow, in steps that
/// look alike. Source: N. Smith and S. van der Walt, matplotlib (CC0).
pub const INFERNO: [Colour; 9] = [
    Colour([0, 0, 4]),
    Colour([33, 12, 74]),
    Colour([86, 16, 110]),
    Colour([137, 34, 106]),
    Colour([187, 55, 84]),
    Colour([227, 89, 50]),
    Colour([249, 140, 10]),
    Colour([249, 201, 50]),
    Colour([252, 255, 164]),
];

/// Grey of CT numbers [HU]: straight between these points, and steep where soft tissues lie, so that lung, soft tissue
/// and bone can all be told apart.
const CT_GREY: [(f64, f64); 5] = [(-1000.0, 0.0), (-714.0, 0.16), (-100.0, 0.30), (120.0, 0.66), (700.0, 1.0)];

/// Opacity of the dose over the CT where it is high.
const OPACITY: f64 = 0.72;
/// Positions on the dose scale between which the dose fades in: below the first the CT is untouched, above the second
/// the dose has its full opacity.
const FADE_IN: [f64; 2] = [0.14, 0.24];

impl Colour {
    /// As CSS writes it.
    pub fn css(self) -> String {
        let Self([r, g, b]) = self;
        format!("#{r:02x}{g:02x}{b:02x}")
    }

    /// As the drawing library wants it.
    pub(super) fn rgb(self) -> RGBColor {
        let Self([r, g, b]) = self;
        RGBColor(r, g, b)
    }

    /// From this colour (0) to another (1).
    fn mix(self, other: Self, t: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
        Self([0, 1, 2].map(|i| (f64::from(self.0[i]) * (1.0 - t) + f64::from(other.0[i]) * t).round() as u8))
    }
}

/// Colour of the series with a number, counted from 0.
pub fn series(number: usize) -> Colour {
    SERIES[number % SERIES.len()]
}

/// Colour of a position on the dose scale, 0 to 1.
pub(super) fn dose_colour(position: f64) -> Colour {
    let at = position.clamp(0.0, 1.0) * (INFERNO.len() - 1) as f64;
    let pair = INFERNO.windows(2).zip(0u8..).find(|(_, i)| at <= f64::from(*i) + 1.0);
    let (pair, i) = pair.expect("a position within the scale lies between two anchors");
    pair[0].mix(pair[1], at - f64::from(i))
}

/// Grey of a CT number [HU].
pub(super) fn ct_grey(hu: f64) -> Colour {
    let hu = hu.clamp(CT_GREY[0].0, CT_GREY[CT_GREY.len() - 1].0);
    let pair =
        CT_GREY.windows(2).find(|pair| hu <= pair[1].0).expect("a CT number within the scale lies between two points");
    let [(from, low), (to, high)] = [pair[0], pair[1]];
    Colour([0; 3]).mix(Colour([255; 3]), low + (high - low) * (hu - from) / (to - from))
}

/// The colour of a dose, by its position on the scale, laid over a grey.
pub(super) fn overlay(grey: Colour, position: f64) -> Colour {
    let t = ((position - FADE_IN[0]) / (FADE_IN[1] - FADE_IN[0])).clamp(0.0, 1.0);
    grey.mix(dose_colour(position), OPACITY * t * t * (3.0 - 2.0 * t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_start_and_end_where_they_should() {
        assert_eq!((dose_colour(-1.0), dose_colour(0.5), dose_colour(2.0)), (INFERNO[0], INFERNO[4], INFERNO[8]));
        assert_eq!((ct_grey(-2000.0), ct_grey(3000.0)), (Colour([0; 3]), Colour([255; 3])));
    }

    #[test]
    fn brightness_rises_along_both_scales() {
        let luminance = |Colour([r, g, b])| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
        for i in 0..100 {
            let (a, b) = (f64::from(i) / 100.0, f64::from(i + 1) / 100.0);
            assert!(luminance(dose_colour(b)) > luminance(dose_colour(a)), "dose at {a}");
            assert!(ct_grey(-1000.0 + 1700.0 * b).0[0] >= ct_grey(-1000.0 + 1700.0 * a).0[0], "CT at {a}");
        }
    }

    #[test]
    fn no_dose_leaves_the_grey() {
        let grey = Colour([90; 3]);
        assert_eq!(overlay(grey, 0.0), grey);
        assert_ne!(overlay(grey, 0.5), grey);
        assert_eq!(grey.css(), "#5a5a5a");
    }
}
