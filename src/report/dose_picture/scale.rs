//! The colour scale that both sections share, and the legend of the isodose lines.

use plotters::prelude::*;

use super::{ISODOSES_GY, SCALE_TOP_GY};
use crate::domain::DoseError;
use crate::report::cannot_draw;
use crate::report::canvas::{Area, Canvas, OVERSAMPLING};
use crate::report::palette::{DARK, FAINT, INK, ISODOSES, dose_colour};
use crate::report::text::{Look, drawn, write};

/// Width and height of the scale, in pixels of the finished picture.
const WIDTH: u32 = 26;
const HEIGHT: u32 = 520;

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
pub(super) fn annotate(area: &Area, at: [u32; 2]) -> Result<(), DoseError> {
    let [left, top] = at.map(f64::from);
    let (right, bottom) = (left + f64::from(WIDTH), top + f64::from(HEIGHT));
    write(area, "Dose (Gy)", [left, top - 28.0], Look::new(18.0, INK))?;
    for tick in 0..=5 {
        let gy = SCALE_TOP_GY * f64::from(tick) / 5.0;
        let y = bottom - (bottom - top) * f64::from(tick) / 5.0;
        let ends = [(drawn(right), drawn(y)), (drawn(right + 6.0), drawn(y))];
        let line = PathElement::new(ends, INK.rgb().stroke_width(2));
        area.draw(&line).map_err(cannot_draw)?;
        let text = if tick == 5 { format!("≥ {gy}") } else { format!("{gy}") };
        write(area, &text, [right + 12.0, y], Look::new(17.0, INK))?;
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
