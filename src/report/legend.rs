//! The names of the series, in the corner of a figure that has the least in it.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::cannot_draw;
use super::figure::Style;
use super::palette::{self, Colour};
use super::series::{Mark, Series};
use super::text::Look;
use crate::domain::DoseError;

/// Length of the line that stands for a series.
const SWATCH: f64 = 26.0;
/// Distance from the edges of the figure.
const MARGIN: f64 = 8.0;
/// Between a name and its line.
const GAP: f64 = 8.0;
/// Opacity of the plate behind the legend.
const PLATE_OPACITY: f64 = 0.75;

/// Draws one row for each series. Names come first and are aligned to the right, so that they do not run into the lines
/// whatever the font.
///
/// * `drawn` – places where something is drawn, in drawn pixels of the area
pub(super) fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    series: &[Series],
    drawn: &[(i32, i32)],
    style: Style,
) -> Result<(), DoseError> {
    let look = Look { horizontal: HPos::Right, ..Look::new(style.text, palette::INK) }.style(style.scale);
    let widths = series.iter().map(|series| area.estimate_text_size(&series.name, &look).map(|(width, _)| width));
    let widths: Vec<u32> = widths.collect::<Result<_, _>>().map_err(cannot_draw)?;
    let Some(widest) = widths.into_iter().max() else { return Ok(()) };
    let [margin, gap, swatch, row] = [MARGIN, GAP, SWATCH, style.text * 1.5].map(|pixels| style.drawn(pixels));
    let rows = i32::try_from(series.len()).unwrap_or(i32::MAX);
    let size = [widest.cast_signed() + gap + swatch + 2 * margin, row * rows];
    let (width, height) = area.dim_in_pixel();
    let [left, top] = emptiest_corner([width, height].map(u32::cast_signed), size, style.drawn(MARGIN / 2.0), drawn);
    let plate = Rectangle::new([(left, top), (left + size[0], top + size[1])], WHITE.mix(PLATE_OPACITY).filled());
    area.draw(&plate).map_err(cannot_draw)?;
    let right = left + size[0] - margin;
    for (number, series) in series.iter().enumerate() {
        let y = top + row / 2 + row * i32::try_from(number).unwrap_or(i32::MAX);
        area.draw_text(&series.name, &look, (right - swatch - gap, y)).map_err(cannot_draw)?;
        draw_swatch(area, series.mark, palette::series(number), [(right - swatch, y), (right, y)], style)?;
    }
    Ok(())
}

/// Where a plate covers the fewest places; the upper right if others cover as few.
fn emptiest_corner(area: [i32; 2], size: [i32; 2], margin: i32, drawn: &[(i32, i32)]) -> [i32; 2] {
    let [right, bottom] = [0, 1].map(|side| area[side] - size[side] - margin);
    let corners = [[right, margin], [margin, margin], [right, bottom], [margin, bottom]];
    let covered = |[left, top]: &[i32; 2]| {
        let within = |(x, y): &&(i32, i32)| (*left..left + size[0]).contains(x) && (*top..top + size[1]).contains(y);
        drawn.iter().filter(within).count()
    };
    corners.into_iter().min_by_key(covered).expect("there are four corners")
}

fn draw_swatch<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    mark: Mark,
    colour: Colour,
    ends: [(i32, i32); 2],
    style: Style,
) -> Result<(), DoseError> {
    let line = style.line(colour);
    let drawn = match mark {
        Mark::Line | Mark::Sticks => area.draw(&PathElement::new(ends, line)),
        Mark::Dashes => {
            let [dash, gap] = style.dashes();
            area.draw(&DashedPathElement::new(ends, dash, gap, line))
        }
        Mark::Points => {
            let middle = (i32::midpoint(ends[0].0, ends[1].0), ends[0].1);
            area.draw(&Circle::new(middle, style.width(2.8), colour.rgb().filled()))
        }
    };
    drawn.map_err(cannot_draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legend_goes_where_nothing_is_drawn() {
        let corner = |drawn: &[(i32, i32)]| emptiest_corner([100, 100], [30, 20], 5, drawn);
        assert_eq!(corner(&[]), [65, 5]);
        assert_eq!(corner(&[(80, 10)]), [5, 5]);
        assert_eq!(corner(&[(80, 10), (10, 10), (50, 50)]), [65, 75]);
        assert_eq!(corner(&[(80, 10), (10, 10), (80, 90)]), [5, 75]);
    }
}
