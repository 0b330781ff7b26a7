//! Several figures under one title, as SVG or as PNG.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::cannot_draw;
use super::canvas::{Canvas, OVERSAMPLING};
use super::figure::{Figure, Style};
use super::palette;
use super::text::Look;
use crate::domain::DoseError;

/// Drawn units of an SVG for one pixel: the drawing library has whole ones only.
const SVG_SCALE: u32 = 4;
/// Height of the title with the space around it.
const TITLE_HEIGHT: f64 = 44.0;

/// Figures one below the other.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The line above all of them.
    pub title: String,
    /// The figures, from the top.
    pub figures: Vec<Figure>,
    /// Width and height [pixels].
    pub size: [u32; 2],
}

impl Sheet {
    /// The sheet as an SVG element.
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn svg(&self) -> Result<String, DoseError> {
        svg(self.size, |area, scale| self.draw(area, scale))
    }

    /// The sheet as the bytes of a PNG.
    ///
    /// # Errors
    /// If it cannot be drawn or encoded.
    pub fn png(&self) -> Result<Vec<u8>, DoseError> {
        let [width, height] = self.size;
        let mut canvas = Canvas::new(width, height);
        self.draw(&canvas.area(), OVERSAMPLING)?;
        canvas.into_png()
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, scale: u32) -> Result<(), DoseError> {
        let style = Style { scale, text: 15.0, stroke: 2.0 };
        area.fill(&WHITE).map_err(cannot_draw)?;
        let title = Look::new(24.0, palette::INK).centred().style(scale);
        let at = (area.dim_in_pixel().0.cast_signed() / 2, style.drawn(TITLE_HEIGHT * 0.55));
        area.draw_text(&self.title, &title, at).map_err(cannot_draw)?;
        let rest = area.margin(style.drawn(TITLE_HEIGHT), 0, 0, 0);
        let rows = rest.split_evenly((self.figures.len().max(1), 1));
        rows.iter().zip(&self.figures).try_for_each(|(row, figure)| figure.draw(row, style))
    }
}

/// Draws an SVG element that a page can hold as it is.
///
/// * `draw` – is told the drawn units for one pixel
pub(super) fn svg(
    [width, height]: [u32; 2],
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>, u32) -> Result<(), DoseError>,
) -> Result<String, DoseError> {
    let [units_x, units_y] = [width, height].map(|pixels| pixels * SVG_SCALE);
    let mut drawn = String::new();
    draw(&SVGBackend::with_string(&mut drawn, (units_x, units_y)).into_drawing_area(), SVG_SCALE)?;
    // Its own first tag has the size in drawn units, and a name space that SVG in HTML does not need.
    let (_, content) = drawn.split_once('>').ok_or_else(|| cannot_draw("no SVG"))?;
    let size = format!("width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {units_x} {units_y}\"");
    Ok(format!("<svg {size} role=\"img\">{}", content.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::super::{Axis, Series};
    use super::*;

    #[test]
    fn both_formats_show_every_figure() {
        let figure = |name: &str| {
            let mut figure = Figure::new("", [Axis::linear(name), Axis::logarithmic("y")]);
            figure.series.push(Series::line(format!("{name} series"), [[0.0, 1.0], [1.0, 20.0]]));
            figure
        };
        let sheet = Sheet { title: "both".into(), figures: vec![figure("upper"), figure("lower")], size: [300, 400] };
        let svg = sheet.svg().expect("a sheet");
        for text in ["both", "upper", "lower series"] {
            assert!(svg.contains(&format!(">\n{text}\n<")), "{text}");
        }
        assert!(svg.starts_with("<svg width=\"300\" height=\"400\" viewBox=\"0 0 1200 1600\""));
        let png = sheet.png().expect("a sheet");
        let decoder = png::Decoder::new(std::io::Cursor::new(png));
        let info = decoder.read_info().expect("a PNG");
        assert_eq!((info.info().width, info.info().height), (300, 400));
    }
}
