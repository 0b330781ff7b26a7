//! The colour scale that both sections share, and the legend of the isodose lines.

use plotters::prelude::*;

use super::ISODOSES_GY;
use crate::domain::DoseError;
use crate::report::cannot_draw;
use crate::report::canvas::{Area, Canvas, OVERSAMPLING};
use crate::report::palette::{DARK, FAINT, INK, ISODOSES, dose_colour};
use crate::report::text::{Look, drawn, write};

/// Width and height of the scale, in pixels of the finished picture.
const WIDTH: u32 = 26;
const HEIGHT: u32 = 520;

/// Round numbers at which a scale may end.
const TOPS: [u8; 8] = [1, 2, 3, 4, 5, 6, 8, 10];
/// Ticks are these, times powers of ten.
const TICKS: [u8; 3] = [1, 2, 5];
/// The lowest tick above 0, and the highest below the top, as parts of the top: those beyond would touch their
/// neighbours.
const TICKS_WITHIN: [f64; 2] = [0.025, 0.75];

/// From no dose to a round number, which no dose that is shown exceeds. A position is the square root of the part of
/// the top, so that organs can be told apart beside tumours with ten times their dose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct DoseScale {
    top_gy: f64,
}

impl DoseScale {
    /// * `highest_gy` – the highest dose that is shown [Gy]
    pub(super) fn up_to(highest_gy: f64) -> Self {
        if !(highest_gy.is_finite() && highest_gy > 0.0) {
            return Self { top_gy: 1.0 };
        }
        let tops = TOPS.map(|digit| rounded(digit, exponent(highest_gy)));
        // The last one is ten times the power of ten below the dose.
        Self { top_gy: tops.into_iter().find(|top| *top >= highest_gy).unwrap_or(tops[TOPS.len() - 1]) }
    }

    /// Position of a dose on the scale, 0 to 1.
    pub(super) fn position(self, gy: f64) -> f64 {
        (gy / self.top_gy).clamp(0.0, 1.0).sqrt()
    }

    /// Doses with a tick, from 0 to the top [Gy].
    fn ticks_gy(self) -> Vec<f64> {
        let [low, high] = TICKS_WITHIN.map(|part| part * self.top_gy);
        let top = exponent(self.top_gy);
        let between = (top - 2..=top).flat_map(|exponent| TICKS.map(|digit| rounded(digit, exponent)));
        let between = between.filter(|tick| (low..=high).contains(tick));
        std::iter::once(0.0).chain(between).chain([self.top_gy]).collect()
    }
}

/// The power of ten at or below a number above 0.
fn exponent(value: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "between -324 and 308")]
    let exponent = value.log10().floor() as i32;
    exponent
}

/// A digit times a power of ten, as near as a number can be.
fn rounded(digit: u8, exponent: i32) -> f64 {
    format!("{digit}e{exponent}").parse().expect("a number")
}

/// The colours of the scale.
pub(super) fn paint(canvas: &mut Canvas, at: [u32; 2]) {
    let [left, top] = at.map(|pixels| pixels * OVERSAMPLING);
    let height = HEIGHT * OVERSAMPLING;
    for y in 0..height {
        let position = 1.0 - (f64::from(y) + 0.5) / f64::from(height);
        for x in 0..WIDTH * OVERSAMPLING {
            canvas.set(left + x, top + y, dose_colour(position));
        }
    }
}

/// Ticks, unit, and the legend of the isodose lines.
///
/// * `at` – upper left corner of the scale, in pixels of the finished picture
pub(super) fn annotate(area: &Area, scale: DoseScale, at: [u32; 2]) -> Result<(), DoseError> {
    let [left, top] = at.map(f64::from);
    let (right, bottom) = (left + f64::from(WIDTH), top + f64::from(HEIGHT));
    write(area, "Dose (Gy)", [left, top - 28.0], Look::new(18.0, INK))?;
    for gy in scale.ticks_gy() {
        let y = bottom - (bottom - top) * scale.position(gy);
        let ends = [(drawn(right), drawn(y)), (drawn(right + 6.0), drawn(y))];
        let line = PathElement::new(ends, INK.rgb().stroke_width(2));
        area.draw(&line).map_err(cannot_draw)?;
        write(area, &format!("{gy}"), [right + 12.0, y], Look::new(17.0, INK))?;
    }
    let frame = Rectangle::new([(drawn(left), drawn(top)), (drawn(right), drawn(bottom))], BLACK.stroke_width(2));
    area.draw(&frame).map_err(cannot_draw)?;
    annotate_isodoses(area, [left, bottom + 46.0])
}

fn annotate_isodoses(area: &Area, [left, top]: [f64; 2]) -> Result<(), DoseError> {
    write(area, "Isodose lines", [left, top], Look::new(18.0, INK))?;
    for ((level, colour), row) in ISODOSES_GY.iter().zip(ISODOSES).zip(1u8..) {
        let y = top + 30.0 * f64::from(row);
        let back = Rectangle::new(
            [(drawn(left), drawn(y - 11.0)), (drawn(left + 44.0), drawn(y + 11.0))],
            DARK.rgb().filled(),
        );
        area.draw(&back).map_err(cannot_draw)?;
        let line = PathElement::new(
            [(drawn(left + 4.0), drawn(y)), (drawn(left + 40.0), drawn(y))],
            colour.rgb().stroke_width(4),
        );
        area.draw(&line).map_err(cannot_draw)?;
        write(area, &format!("{level} Gy"), [left + 54.0, y], Look::new(17.0, FAINT))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_a_round_number_at_or_above_what_is_shown() {
        for (highest, top) in [(34.8, 40.0), (10.0, 10.0), (10.01, 20.0), (9.9, 10.0), (0.0031, 0.004), (0.0, 1.0)] {
            assert_eq!(DoseScale::up_to(highest).top_gy, top, "{highest}");
        }
        for step in -200..200 {
            let highest = 10f64.powf(f64::from(step) / 37.0);
            let scale = DoseScale::up_to(highest);
            assert!((1.0..=2.0 + 1e-12).contains(&(scale.top_gy / highest)), "{highest}: {}", scale.top_gy);
            let ticks = scale.ticks_gy();
            assert!(ticks.len() > 3 && ticks.is_sorted_by(|a, b| a < b), "{highest}: {ticks:?}");
            assert_eq!((ticks[0], ticks.last()), (0.0, Some(&scale.top_gy)));
            let positions: Vec<f64> = ticks.iter().map(|gy| scale.position(*gy)).collect();
            assert!(positions.windows(2).all(|pair| pair[1] - pair[0] > 0.04), "{highest}: {positions:?}");
        }
        assert_eq!(DoseScale::up_to(34.8).ticks_gy(), [0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0]);
    }
}
