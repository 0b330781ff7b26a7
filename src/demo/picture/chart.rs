//! Cumulative dose-volume histograms.

use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::canvas::{Area, OVERSAMPLING};
use super::text::{INK, Look, drawn, write};
use super::{Curve, Line, cannot_draw};
use crate::domain::DoseError;

/// Colours of the curves, in order. Source: M. Okabe and K. Ito, *Color universal design* (2008), the yellow left out.
const PALETTE: [RGBColor; 7] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(86, 180, 233),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];

/// Points on a curve.
const POINTS: u32 = 400;
/// Width of a curve, length of a dash and of the gap after it, in drawn pixels.
const STROKE: u32 = 5;
const DASH: u32 = 18;
const GAP: u32 = 12;
/// Width of the legend, and the height of one of its rows.
const LEGEND_WIDTH: f64 = 250.0;
const LEGEND_ROW: f64 = 27.0;

/// Draws the histograms of all regions.
///
/// * `at`, `size` – where, in pixels of the finished picture
pub(super) fn draw(whole: &Area, at: [u32; 2], size: [u32; 2], regions: &[Curve]) -> Result<(), DoseError> {
    let n = |pixels: u32| i32::try_from(pixels * OVERSAMPLING).expect("a picture has a few thousand pixels");
    let [left, top] = at.map(n);
    let [width, height] = size.map(n);
    let area = whole.clone().shrink((left, top), (width, height));
    let top_gy = axis_end(regions.iter().map(|region| region.distribution.max_gy()).fold(0.0, f64::max));
    let mut chart = ChartBuilder::on(&area)
        .margin_right(n(12))
        .margin_top(n(8))
        .x_label_area_size(n(52))
        .y_label_area_size(n(64))
        .build_cartesian_2d(0.0..top_gy, 0.0..100.0)
        .map_err(cannot_draw)?;
    let [r, g, b] = INK;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(225, 228, 232).stroke_width(2))
        .axis_style(RGBColor(r, g, b).stroke_width(2))
        .x_labels(9)
        .y_labels(6)
        .x_label_formatter(&|gy| format!("{gy:.0}"))
        .y_label_formatter(&|percent| format!("{percent:.0}"))
        .label_style(Look::new(17.0, INK).style())
        .axis_desc_style(Look::new(18.0, INK).style())
        .x_desc("Absorbed dose (Gy)")
        .y_desc("Volume (%)")
        .draw()
        .map_err(cannot_draw)?;
    for (region, colour) in regions.iter().zip(PALETTE.iter().cycle()) {
        let points = (0..=POINTS).map(|i| {
            let gy = region.distribution.max_gy() * f64::from(i) / f64::from(POINTS);
            (gy, region.distribution.volume_at_dose(gy) * 100.0)
        });
        let style = colour.stroke_width(STROKE);
        match region.line {
            Line::Solid => chart.draw_series(LineSeries::new(points, style)),
            Line::Dashed => chart.draw_series(DashedLineSeries::new(points, DASH, GAP, style)),
        }
        .map_err(cannot_draw)?;
    }
    legend(whole, [f64::from(at[0] + size[0]) - LEGEND_WIDTH, f64::from(at[1]) + 28.0], regions)
}

/// One row a region.
fn legend(area: &Area, [x, y]: [f64; 2], regions: &[Curve]) -> Result<(), DoseError> {
    let plate = [
        (drawn(x - 8.0), drawn(y - 16.0)),
        (drawn(x + LEGEND_WIDTH - 18.0), drawn(y + LEGEND_ROW * regions.len() as f64 - 10.0)),
    ];
    area.draw(&Rectangle::new(plate, WHITE.filled())).map_err(cannot_draw)?;
    let swatch = |x: f64, y: f64| [(drawn(x), drawn(y)), (drawn(x + 36.0), drawn(y))];
    for ((region, colour), row) in regions.iter().zip(PALETTE.iter().cycle()).zip(0u8..) {
        let y = y + LEGEND_ROW * f64::from(row);
        let style = colour.stroke_width(STROKE);
        match region.line {
            Line::Solid => area.draw(&PathElement::new(swatch(x, y), style)),
            Line::Dashed => area.draw(&DashedPathElement::new(swatch(x, y), DASH, GAP, style)),
        }
        .map_err(cannot_draw)?;
        write(area, &region.name, [x + 46.0, y], Look::new(17.0, INK))?;
    }
    Ok(())
}

/// The first round number at or above a dose [Gy].
fn axis_end(gy: f64) -> f64 {
    if gy <= 0.0 {
        return 1.0;
    }
    let decade = 10f64.powf(gy.log10().floor());
    [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|m| m * decade)
        .find(|&end| end >= gy)
        .unwrap_or(gy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (gy, end) in [(0.0, 1.0), (0.7, 0.8), (1.0, 1.0), (33.0, 40.0), (81.0, 100.0), (100.0, 100.0)] {
            assert!((axis_end(gy) - end).abs() < 1e-9, "{gy}: {}", axis_end(gy));
        }
    }
}
