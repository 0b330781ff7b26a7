//! One section with its dose, and the scale that both sections share.

use plotters::prelude::*;

use super::canvas::{Area, Canvas, OVERSAMPLING};
use super::colour::{ct_grey, dose_colour, overlay};
use super::isodose::{Segment, isodose};
use super::section::{Interpolation, Plane, Section, Window};
use super::text::{FAINT, INK, Look, drawn, write, write_on_image};
use super::{ISODOSES, PIXELS_PER_CM, SCALE_TOP_GY, cannot_draw};
use crate::domain::{DoseError, Volume};

/// Width of the colour scale, in pixels of the finished picture.
const SCALE_WIDTH: u32 = 26;
/// Height of the colour scale.
const SCALE_HEIGHT: u32 = 520;
/// Length of the bar that shows the size of the patient [cm].
const RULER_CM: f64 = 10.0;
/// Letters and rulers over the CT.
const LIGHT: [u8; 3] = [235, 238, 242];

/// A section, resampled and ready to be drawn.
pub(super) struct Panel {
    window: Window,
    at: [u32; 2],
    title: String,
    ct: Section,
    dose: Section,
}

impl Panel {
    /// * `at` – its upper left corner in the finished picture
    pub(super) fn new(ct: &Volume<f32>, dose: &Volume<f32>, window: Window, at: [u32; 2], title: String) -> Self {
        let ct = Section::cut(ct, window, Interpolation::Linear);
        let dose = Section::cut(dose, window, Interpolation::Cubic);
        Self { window, at, title, ct, dose }
    }

    /// CT and dose.
    pub(super) fn paint(&self, canvas: &mut Canvas) {
        let [left, top] = self.at.map(|pixels| pixels * OVERSAMPLING);
        let width = self.ct.width;
        for (index, (hu, dose)) in self.ct.values.iter().zip(&self.dose.values).enumerate() {
            let [x, y] = [index % width, index / width].map(|i| u32::try_from(i).expect("a panel is small"));
            canvas.set(left + x, top + y, overlay(ct_grey(*hu), dose / SCALE_TOP_GY));
        }
    }

    /// Isodose lines, directions, ruler, title.
    pub(super) fn annotate(&self, area: &Area) -> Result<(), DoseError> {
        let [left, top] = self.at.map(f64::from);
        let [width, height] = self.window.pixels.map(|pixels| pixels as f64 / f64::from(OVERSAMPLING));
        for (level, colour) in ISODOSES {
            isodose(&self.dose, level).into_iter().try_for_each(|segment| self.draw_segment(area, segment, colour))?;
        }
        write(area, &self.title, [left, top - 16.0], Look::new(18.0, INK))?;
        let look = Look::new(20.0, LIGHT).centred();
        let (above, below) = match self.window.plane {
            Plane::Axial => ("A", "P"),
            Plane::Coronal => ("H", "F"),
        };
        write_on_image(area, "R", [left + 16.0, top + height / 2.0], look)?;
        write_on_image(area, "L", [left + width - 16.0, top + height / 2.0], look)?;
        write_on_image(area, above, [left + width / 2.0, top + 16.0], look)?;
        write_on_image(area, below, [left + width / 2.0, top + height - 16.0], look)?;
        self.draw_ruler(area, [left + 18.0, top + height - 18.0])
    }

    fn draw_segment(&self, area: &Area, segment: Segment, [r, g, b]: [u8; 3]) -> Result<(), DoseError> {
        let [left, top] = self.at.map(|pixels| f64::from(pixels * OVERSAMPLING));
        #[expect(clippy::cast_possible_truncation, reason = "a picture has a few thousand pixels")]
        let points = segment.map(|[x, y]| ((left + x).round() as i32, (top + y).round() as i32));
        area.draw(&PathElement::new(points, RGBColor(r, g, b).stroke_width(3))).map_err(cannot_draw)
    }

    fn draw_ruler(&self, area: &Area, [x, y]: [f64; 2]) -> Result<(), DoseError> {
        let end = x + RULER_CM * PIXELS_PER_CM;
        let [r, g, b] = LIGHT;
        let bar = Rectangle::new([(drawn(x), drawn(y)), (drawn(end), drawn(y + 3.0))], RGBColor(r, g, b).filled());
        area.draw(&bar).map_err(cannot_draw)?;
        write_on_image(area, "10 cm", [(x + end) / 2.0, y - 11.0], Look::new(15.0, LIGHT).centred())
    }
}

/// The colours of the scale, as they look over soft tissue.
pub(super) fn paint_scale(canvas: &mut Canvas, at: [u32; 2]) {
    let [left, top] = at.map(|pixels| pixels * OVERSAMPLING);
    let height = SCALE_HEIGHT * OVERSAMPLING;
    for y in 0..height {
        let position = 1.0 - (f64::from(y) + 0.5) / f64::from(height);
        for x in 0..SCALE_WIDTH * OVERSAMPLING {
            canvas.set(left + x, top + y, dose_colour(position));
        }
    }
}

/// Ticks, unit, and the legend of the isodose lines.
pub(super) fn annotate_scale(area: &Area, at: [u32; 2]) -> Result<(), DoseError> {
    let [left, top] = at.map(f64::from);
    let (right, bottom) = (left + f64::from(SCALE_WIDTH), top + f64::from(SCALE_HEIGHT));
    write(area, "Dose (Gy)", [left, top - 28.0], Look::new(18.0, INK))?;
    for tick in 0..=5 {
        let gy = SCALE_TOP_GY * f64::from(tick) / 5.0;
        let y = bottom - (bottom - top) * f64::from(tick) / 5.0;
        let [r, g, b] = INK;
        let line = PathElement::new(
            [(drawn(right), drawn(y)), (drawn(right + 6.0), drawn(y))],
            RGBColor(r, g, b).stroke_width(2),
        );
        area.draw(&line).map_err(cannot_draw)?;
        let text = if tick == 5 { format!("≥ {gy}") } else { format!("{gy}") };
        write(area, &text, [right + 12.0, y], Look::new(17.0, INK))?;
    }
    let frame = Rectangle::new([(drawn(left), drawn(top)), (drawn(right), drawn(bottom))], BLACK.stroke_width(2));
    area.draw(&frame).map_err(cannot_draw)?;
    let top = bottom + 46.0;
    write(area, "Isodose lines", [left, top], Look::new(18.0, INK))?;
    for ((level, [r, g, b]), row) in ISODOSES.iter().zip(1u8..) {
        let y = top + 30.0 * f64::from(row);
        let back = Rectangle::new(
            [(drawn(left), drawn(y - 11.0)), (drawn(left + 44.0), drawn(y + 11.0))],
            RGBColor(70, 70, 74).filled(),
        );
        area.draw(&back).map_err(cannot_draw)?;
        let line = PathElement::new(
            [(drawn(left + 4.0), drawn(y)), (drawn(left + 40.0), drawn(y))],
            RGBColor(*r, *g, *b).stroke_width(4),
        );
        area.draw(&line).map_err(cannot_draw)?;
        write(area, &format!("{level} Gy"), [left + 54.0, y], Look::new(17.0, FAINT))?;
    }
    Ok(())
}
