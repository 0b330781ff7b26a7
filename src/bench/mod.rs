//! How fast a device is, against what it can do at most: one report that laboratories can exchange.
//!
//! Every figure comes from a run that compiled nothing and lasted long against the cost of starting it: batches grow
//! until they do, and the first is thrown away.

mod capture;
mod compare;
mod convolution;
mod end_to_end;
mod grow;
mod page;
mod report;
mod scenes;
mod transport;
mod twins;

pub use capture::{CaptureCase, UNLIKE_AXES, UnlikeAxes, capture};
pub use compare::{Comparison, compare};
pub use convolution::{ConvolutionFigure, ConvolutionSize, convolution};
pub use end_to_end::{EndToEndFigure, end_to_end};
pub use page::page;
pub use report::{CheckFigure, DeviceReport, Figure, Host, Report, SCHEMA, SCHEMA_VERSION, SubmitFigures};
pub use scenes::{BenchSource, scene_phantom};
pub use transport::{TransportFigure, TransportSpeed, measured, transport};
pub use twins::twins;

use serde::{Deserialize, Serialize};

/// The spread of repeated times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spread {
    /// The middle one [s].
    pub median_s: f64,
    /// The least [s].
    pub least_s: f64,
    /// The most [s].
    pub most_s: f64,
}

impl Spread {
    /// Of at least one time [s].
    fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let (least_s, most_s) = (seconds[0], seconds[seconds.len() - 1]);
        Self { median_s: seconds[seconds.len() / 2], least_s, most_s }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_in_order() {
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Spread { median_s: 2.0, least_s: 1.0, most_s: 3.0 });
    }
}
