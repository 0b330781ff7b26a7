//! Time-activity curves with their points.

use super::{Axis, Figure, Mark, Series};
use crate::clinic::{Integration, Point, Removals, Window};

/// Points on a curve.
const POINTS: u32 = 240;
/// A curve is drawn this far beyond the last scan.
const BEYOND: f64 = 1.15;

/// The curve of a region and the points that it goes through. Integrals by pieces are drawn from point to point.
///
/// * `points` – measured means over the scans, by time
/// * `infusion_h` – how long the infusion took [h]
/// * `removals` – what was taken away on the way
pub fn time_activity(
    name: &str,
    points: &[Point],
    integration: &Integration,
    infusion_h: f64,
    removals: &Removals,
) -> Figure {
    let end_h = BEYOND * points.iter().map(|point| point.time_h + point.duration_h).fold(1.0, f64::max);
    let middle_h = |point: &Point| point.time_h + 0.5 * point.duration_h;
    let title = format!("{name}: {:.4} MBq·h ({})", integration.tia_mbq_h, integration.model);
    let axes = [Axis::linear("Time since the start of the administration (h)"), Axis::linear("Activity (MBq)")];
    let mut figure = Figure::new(title, axes);
    let measured = points.iter().map(|point| [middle_h(point), point.activity_mbq, point.sigma_mbq.unwrap_or(0.0)]);
    figure.series.push(Series::points("measured", measured));
    figure.series.push(match &integration.curve {
        Some(curve) => {
            let at = |n: u32| end_h * f64::from(n) / f64::from(POINTS);
            let all = |time_h: f64| curve.mean(&Window { infusion_h, ..Window::at(time_h) });
            let value = |time_h: f64| [time_h, all(time_h) * removals.kept(time_h)];
            Series::line(integration.model, (0..=POINTS).map(at).map(value))
        }
        None => {
            let pieces = points.iter().map(|point| [middle_h(point), point.activity_mbq]);
            Series::exact(integration.model, Mark::Dashes, pieces)
        }
    });
    figure
}
