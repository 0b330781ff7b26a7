//! One section with its dose.

use plotters::prelude::*;

use super::isodose::{Segment, isodose};
use super::scale::DoseScale;
use super::section::{Interpolation, Plane, Section, Window};
use super::{ISODOSES_GY, PIXELS_PER_CM};
use crate::domain::{DoseError, Volume};
use crate::report::cannot_draw;
use crate::report::canvas::{Area, Canvas, OVERSAMPLING};
use crate::report::palette::{Colour, INK, ISODOSES, LIGHT, ct_grey, overlay};
use crate::report::text::{Look, drawn, write, write_on_image};

/// Length of the bar that shows the size of the patient [cm].
const RULER_CM: f64 = 10.0;

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

    /// The highest dose of a pixel [Gy].
    pub(super) fn highest_gy(&self) -> f64 {
        self.dose.values.iter().copied().fold(0.0, f64::max)
    }

    /// CT and dose.
    pub(super) fn paint(&self, canvas: &mut Canvas, scale: DoseScale) {
        let [left, top] = self.at.map(|pixels| pixels * OVERSAMPLING);
        let width = self.ct.width;
        for (index, (hu, dose)) in self.ct.values.iter().zip(&self.dose.values).enumerate() {
            let [x, y] = [index % width, index / width].map(|i| u32::try_from(i).expect("a panel is small"));
            canvas.set(left + x, top + y, overlay(ct_grey(*hu), scale.position(*dose)));
        }
    }

    /// Isodose lines, directions, ruler, title.
    pub(super) fn annotate(&self, area: &Area) -> Result<(), DoseError> {
        let [left, top] = self.at.map(f64::from);
        let [width, height] = self.window.pixels.map(|pixels| pixels as f64 / f64::from(OVERSAMPLING));
        for (level, colour) in ISODOSES_GY.into_iter().zip(ISODOSES) {
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

    fn draw_segment(&self, area: &Area, segment: Segment, colour: Colour) -> Result<(), DoseError> {
        let [left, top] = self.at.map(|pixels| f64::from(pixels * OVERSAMPLING));
        #[expect(clippy::cast_possible_truncation, reason = "a picture has a few thousand pixels")]
        let points = segment.map(|[x, y]| ((left + x).round() as i32, (top + y).round() as i32));
        area.draw(&PathElement::new(points, colour.rgb().stroke_width(3))).map_err(cannot_draw)
    }

    fn draw_ruler(&self, area: &Area, [x, y]: [f64; 2]) -> Result<(), DoseError> {
        let end = x + RULER_CM * PIXELS_PER_CM;
        let bar = Rectangle::new([(drawn(x), drawn(y)), (drawn(end), drawn(y + 3.0))], LIGHT.rgb().filled());
        area.draw(&bar).map_err(cannot_draw)?;
        write_on_image(area, "10 cm", [(x + end) / 2.0, y - 11.0], Look::new(15.0, LIGHT).centred())
    }
}
