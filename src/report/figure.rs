//! Figures: series over two axes, with bands behind them.

use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::axis::{Axis, Span};
use super::palette::{self, Colour};
use super::series::{Series, draw_series, places};
use super::text::{Look, font};
use super::{cannot_draw, legend, sheet};
use crate::domain::DoseError;

/// Opacity of a tolerance band and of a named stretch.
const BAND_OPACITY: f64 = 0.10;
const STRETCH_OPACITY: f64 = 0.12;
/// Intended distance between two ticks, along x and y.
const TICK_PIXELS: [u32; 2] = [80, 36];

/// Series over one pair of axes.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The line above it; empty for none.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, in the order of the legend.
    pub series: Vec<Series>,
    /// What lies behind the series.
    pub bands: Vec<Band>,
}

/// A range of one axis.
#[derive(Clone, Debug)]
pub enum Band {
    /// Values of y that are tolerated.
    Tolerance([f64; 2]),
    /// A named stretch of the x axis.
    Stretch(String, [f64; 2]),
}

/// Sizes of what is drawn, in pixels of the finished picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Drawn pixels for one of the finished picture.
    pub(super) scale: u32,
    /// Height of the text.
    pub(super) text: f64,
    /// Width of a line.
    pub(super) stroke: f64,
}

impl Style {
    /// Drawn pixels.
    pub(super) fn drawn(self, pixels: f64) -> i32 {
        #[expect(clippy::cast_possible_truncation, reason = "a picture has a few thousand pixels")]
        {
            (pixels * f64::from(self.scale)).round() as i32
        }
    }

    pub(super) fn width(self, pixels: f64) -> u32 {
        self.drawn(pixels).unsigned_abs().max(1)
    }

    /// A line of a series.
    pub(super) fn line(self, colour: Colour) -> ShapeStyle {
        colour.rgb().stroke_width(self.width(self.stroke))
    }

    /// Length of a dash and of the gap after it, in drawn pixels.
    pub(super) fn dashes(self) -> [u32; 2] {
        [self.width(9.0), self.width(6.0)]
    }
}

/// A figure being drawn.
pub(super) type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<Span, Span>>;

impl Figure {
    /// A figure without any series yet.
    ///
    /// * `axes` – the horizontal and the vertical one
    pub fn new(title: impl Into<String>, [x, y]: [Axis; 2]) -> Self {
        Self { title: title.into(), x, y, series: vec![], bands: vec![] }
    }

    /// The figure as an SVG element.
    ///
    /// * `size` – width and height in pixels
    ///
    /// # Errors
    /// If it cannot be drawn.
    pub fn svg(&self, size: [u32; 2]) -> Result<String, DoseError> {
        sheet::svg(size, |area, scale| self.draw(area, Style { scale, text: 14.0, stroke: 1.5 }))
    }

    /// Draws the figure over a whole area.
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        style: Style,
    ) -> Result<(), DoseError> {
        let [left, bottom] = [style.text * 4.2, style.text * 3.0].map(|pixels| style.width(pixels));
        let [margin, mut top] = [0.5, 0.7].map(|lines| style.drawn(style.text * lines));
        if !self.title.is_empty() {
            let look = Look::new(style.text * 1.15, palette::INK).style(style.scale);
            let at = (margin + left.cast_signed() + style.drawn(4.0), style.drawn(style.text * 0.9));
            area.draw_text(&self.title, &look, at).map_err(cannot_draw)?;
            top += style.drawn(style.text * 1.4);
        }
        let [x, y] = self.spans();
        let mut chart = ChartBuilder::on(area)
            .margin_top(top)
            .margin_left(margin)
            .margin_right(style.drawn(style.text * 0.8))
            .x_label_area_size(bottom)
            .y_label_area_size(left)
            .build_cartesian_2d(x, y)
            .map_err(cannot_draw)?;
        self.draw_bands(&mut chart, [x, y], style)?;
        self.draw_axes(&mut chart, style)?;
        for (number, series) in self.series.iter().enumerate() {
            draw_series(&mut chart, series, palette::series(number), y.range[0], style)?;
        }
        let drawn: Vec<_> = self.series.iter().flat_map(|series| places(&chart, series, y.range[0])).collect();
        legend::draw(&chart.plotting_area().strip_coord_spec(), &self.series, &drawn, style)
    }

    /// The axes over all that is drawn.
    fn spans(&self) -> [Span; 2] {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let tolerated = self.bands.iter().filter_map(|band| match band {
            Band::Tolerance(range) => Some(*range),
            Band::Stretch(..) => None,
        });
        let heights = points().flat_map(|[_, y, sigma]| [y - sigma, y + sigma]).chain(tolerated.flatten());
        [self.x.span(points().map(|[x, ..]| *x)), self.y.span(heights)]
    }

    fn draw_bands<DB: DrawingBackend>(
        &self,
        chart: &mut Chart<'_, DB>,
        [x, y]: [Span; 2],
        style: Style,
    ) -> Result<(), DoseError> {
        for band in &self.bands {
            let (corners, fill) = match band {
                Band::Tolerance([low, high]) => {
                    ([(x.range[0], *low), (x.range[1], *high)], palette::PASS.rgb().mix(BAND_OPACITY))
                }
                Band::Stretch(_, [from, to]) => {
                    ([(*from, y.range[0]), (*to, y.range[1])], palette::SHADE.rgb().mix(STRETCH_OPACITY))
                }
            };
            chart.draw_series([Rectangle::new(corners, fill.filled())]).map_err(cannot_draw)?;
            if let Band::Stretch(name, [from, _]) = band {
                let look = Look::new(style.text, palette::INK).style(style.scale);
                let offset = (style.drawn(4.0), -style.drawn(style.text * 0.7));
                let name = EmptyElement::at((*from, y.range[0])) + Text::new(name.clone(), offset, look);
                chart.draw_series([name]).map_err(cannot_draw)?;
            }
        }
        Ok(())
    }

    fn draw_axes<DB: DrawingBackend>(&self, chart: &mut Chart<'_, DB>, style: Style) -> Result<(), DoseError> {
        let (width, height) = chart.plotting_area().dim_in_pixel();
        let ticks = |drawn: u32, pixels: u32| (drawn / (style.scale * pixels)).clamp(3, 12) as usize;
        let text = Look::new(style.text, palette::INK).style(style.scale);
        let thin = style.width(1.0);
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(palette::GRID.rgb().stroke_width(thin))
            .axis_style(palette::INK.rgb().stroke_width(thin))
            .x_labels(ticks(width, TICK_PIXELS[0]))
            .y_labels(ticks(height, TICK_PIXELS[1]))
            .x_desc(self.x.label.as_str())
            .y_desc(self.y.label.as_str())
            .set_all_tick_mark_size(style.width(4.0))
            .label_style(text.clone())
            .axis_desc_style(font(style.text * 1.05 * f64::from(style.scale)).color(&palette::INK.rgb()))
            .draw()
            .map_err(cannot_draw)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mark;
    use super::*;

    #[test]
    fn a_figure_holds_every_point_and_its_names() {
        let mut figure = Figure::new("A < B", [Axis::linear("x"), Axis::linear("y")]);
        figure.series = vec![
            Series::line("line", [[0.0, 1.0], [1.0, 2.0]]),
            Series::points("points", [[0.0, 1.0, 0.3], [1.0, f64::NAN, 0.1]]),
        ];
        figure.bands = vec![Band::Tolerance([0.5, 1.5]), Band::Stretch("lung".into(), [0.2, 0.4])];
        let svg = figure.svg([460, 280]).expect("a figure");
        for text in ["A &lt; B", "lung", "line", "points"] {
            assert!(svg.contains(&format!(">\n{text}\n</text>")), "{text} is not in {svg}");
        }
        // What is not a number is not drawn: one point, and one more in the legend.
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("http"), "{svg}");
    }

    #[test]
    fn a_figure_without_points_is_a_figure() {
        for axis in [Axis::linear("y"), Axis::logarithmic("y")] {
            let mut figure = Figure::new("", [Axis::linear("x"), axis]);
            assert!(figure.svg([460, 280]).expect("a figure").contains("<svg"));
            figure.series = vec![Series::exact("a", Mark::Dashes, []), Series::exact("b", Mark::Sticks, [[1.0, 0.0]])];
            assert!(figure.svg([460, 280]).expect("a figure").ends_with("</svg>"));
        }
    }
}
