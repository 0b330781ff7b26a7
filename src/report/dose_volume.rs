//! Cumulative dose-volume histograms.

use super::Axis;
use super::axis::round_up;
use super::figure::Figure;
use super::series::{Mark, Series};
use crate::dosimetry::DoseDistribution;

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
    let histogram = curve.distribution.cumulative_histogram(POINTS);
    let points = histogram.dose_gy.into_iter().zip(histogram.volume_fraction);
    Series::exact(&curve.name, curve.mark, points.map(|(gy, fraction)| [gy, 100.0 * fraction]))
}
