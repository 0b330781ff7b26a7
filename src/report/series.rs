//! Series of a figure: what they hold, and how they are drawn.

use plotters::prelude::*;

use super::cannot_draw;
use super::figure::{Chart, Style};
use super::palette::Colour;
use crate::domain::DoseError;

/// Radius of a point.
const RADIUS: f64 = 2.4;
/// Pieces of a line that are looked at one by one for the place of the legend.
const STEPS: i32 = 8;

/// One series of a figure.
#[derive(Clone, Debug)]
pub struct Series {
    pub(super) name: String,
    pub(super) mark: Mark,
    /// x, y, 1σ of y.
    pub(super) points: Vec<[f64; 3]>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A line through all points.
    Line,
    /// A dashed line through all points.
    Dashes,
    /// Points with bars of 1σ.
    Points,
    /// Lines from the foot of the figure up to each point.
    Sticks,
}

impl Series {
    /// A series without uncertainty.
    ///
    /// * `points` – x and y
    pub fn exact(name: impl Into<String>, mark: Mark, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        Self { name: name.into(), mark, points: points.into_iter().map(|[x, y]| [x, y, 0.0]).collect() }
    }

    /// A line.
    ///
    /// * `points` – x and y
    pub fn line(name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        Self::exact(name, Mark::Line, points)
    }

    /// Points with bars of 1σ.
    ///
    /// * `points` – x, y, 1σ of y
    pub fn points(name: impl Into<String>, points: impl IntoIterator<Item = [f64; 3]>) -> Self {
        Self { name: name.into(), mark: Mark::Points, points: points.into_iter().collect() }
    }

    /// Points that can be drawn.
    fn finite(&self) -> impl Iterator<Item = [f64; 3]> + Clone {
        self.points.iter().copied().filter(|point| point.iter().all(|value| value.is_finite()))
    }
}

/// * `foot` – the lower end of the vertical axis
pub(super) fn draw_series<DB: DrawingBackend>(
    chart: &mut Chart<'_, DB>,
    series: &Series,
    colour: Colour,
    foot: f64,
    style: Style,
) -> Result<(), DoseError> {
    let line = style.line(colour);
    let places = series.finite().map(|[x, y, _]| (x, y));
    let drawn = match series.mark {
        Mark::Line => chart.draw_series(LineSeries::new(places, line)).map(drop),
        Mark::Dashes => {
            let [dash, gap] = style.dashes();
            chart.draw_series(DashedLineSeries::new(places, dash, gap, line)).map(drop)
        }
        Mark::Sticks => {
            let seen = places.filter(|(_, y)| *y > foot);
            chart.draw_series(seen.map(|(x, y)| PathElement::new([(x, foot), (x, y)], line))).map(drop)
        }
        Mark::Points => {
            let thin = colour.rgb().stroke_width(style.width(1.0));
            let uncertain = series.finite().filter(|[_, _, sigma]| *sigma > 0.0);
            let bars = uncertain.map(|[x, y, sigma]| PathElement::new([(x, y - sigma), (x, y + sigma)], thin));
            chart.draw_series(bars).map(drop).and_then(|()| {
                let radius = style.width(RADIUS);
                chart.draw_series(places.map(|place| Circle::new(place, radius, colour.rgb().filled()))).map(drop)
            })
        }
    };
    drawn.map_err(cannot_draw)
}

/// Where a series is drawn, closely enough to see what would cover it, in drawn pixels of the plotting area.
///
/// * `foot` – the lower end of the vertical axis
pub(super) fn places<DB: DrawingBackend>(chart: &Chart<'_, DB>, series: &Series, foot: f64) -> Vec<(i32, i32)> {
    let (columns, rows) = chart.plotting_area().get_pixel_range();
    let place = |x: f64, y: f64| {
        let (x, y) = chart.backend_coord(&(x, y));
        (x - columns.start, y - rows.start)
    };
    let lines: Vec<[(i32, i32); 2]> = match series.mark {
        Mark::Line | Mark::Dashes => {
            let points: Vec<_> = series.finite().map(|[x, y, _]| place(x, y)).collect();
            points.windows(2).map(|pair| [pair[0], pair[1]]).collect()
        }
        Mark::Sticks => series.finite().map(|[x, y, _]| [place(x, foot), place(x, y)]).collect(),
        Mark::Points => series.finite().map(|[x, y, sigma]| [place(x, y - sigma), place(x, y + sigma)]).collect(),
    };
    let along = |[(x0, y0), (x1, y1)]: [(i32, i32); 2]| {
        (0..=STEPS).map(move |step| (x0 + (x1 - x0) * step / STEPS, y0 + (y1 - y0) * step / STEPS))
    };
    lines.into_iter().flat_map(along).collect()
}
