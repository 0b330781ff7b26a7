//! Cumulative dose-volume histograms.

use super::Axis;
use super::axis::round_up;
use super::figure::Figure;
use super::series::{Mark, Series};
use crate::dosimetry::{CumulativeHistogram, DoseDistribution};

/// Points on a curve.
const POINTS: usize = 401;

/// The dose-volume histogram of one region.
#[derive(Clone, Debug)]
pub struct DoseCurve {
    /// Name in the legend.
    pub name: String,
    /// Dose in its voxels.
    pub distribution: DoseDistribution,
    /// How it is drawn: organs and tumours must be told apart at a glance, without colour too.
    pub mark: Mark,
}

/// The histograms of some regions as a figure.
pub fn dose_volume_histogram(curves: &[DoseCurve]) -> Figure {
    let top_gy = round_up(curves.iter().map(|curve| curve.distribution.max_gy()).fold(0.0, f64::max));
    let dose = Axis::linear("Absorbed dose (Gy)").within([0.0, top_gy]);
    let mut figure = Figure::new("", [dose, Axis::linear("Volume (%)").within([0.0, 100.0])]);
    figure.series = curves.iter().map(series).collect();
    figure
}

fn series(curve: &DoseCurve) -> Series {
    of_histogram(&curve.name, curve.mark, &curve.distribution.cumulative_histogram(POINTS))
}

fn of_histogram(name: &str, mark: Mark, histogram: &CumulativeHistogram) -> Series {
    let points = histogram.dose_gy.iter().zip(&histogram.volume_fraction);
    Series::exact(name, mark, points.map(|(gy, fraction)| [*gy, 100.0 * fraction]))
}

/// Histograms that are there already, by name.
///
/// * `labels` – of the axes of dose and volume
pub(super) fn of_histograms(curves: &[(String, CumulativeHistogram)], [dose, volume]: [&str; 2]) -> Figure {
    let top_gy =
        round_up(curves.iter().filter_map(|(_, histogram)| histogram.dose_gy.last()).fold(0.0, |a, b| b.max(a)));
    let axes = [Axis::linear(dose).within([0.0, top_gy]), Axis::linear(volume).within([0.0, 100.0])];
    let mut figure = Figure::new("", axes);
    figure.series = curves.iter().map(|(name, histogram)| of_histogram(name, Mark::Line, histogram)).collect();
    figure
}
