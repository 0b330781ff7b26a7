//! A whole request, the first and the second time, by what the host did.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::compute::compute;
use crate::demo::{StylisedPhantom, uptake};
use crate::domain::{
    ActivityUnit, Control, DoseError, DoseRequest, KernelOptions, Method, MonteCarloOptions, StageTime, StopRule,
    TimeIntegratedActivity,
};
use crate::engine::Device;
use crate::physics::nuclide;
use crate::physics::tissue::DensityCurve;
use crate::plan::Limits;

/// Voxels of the stylised adult.
const SHAPE: [u64; 3] = [104, 104, 96];
/// Histories of the Monte Carlo request.
const HISTORIES: u64 = 2_000_000;
/// The same on software.
const SOFTWARE_HISTORIES: u64 = 20_000;

/// One kind of request, twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EndToEndFigure {
    /// `kernel` or `monte-carlo`.
    pub method: String,
    /// Histories, if there are any.
    pub histories: Option<u64>,
    /// Wall time of the first request: it compiles, and fills the caches [s].
    pub first_s: f64,
    /// Wall time of the same request again [s].
    pub second_s: f64,
    /// What the second was spent on, in order.
    pub second_stages: Vec<StageTime>,
}

/// Measures the Lu-177 dose of the stylised adult in 4.8 mm voxels, by each method.
///
/// * `is_software` – whether the device is a software GPU, which gets less to do
///
/// # Errors
/// A failure of the device, [`DoseError::Cancelled`].
pub fn end_to_end(device: &mut Device, is_software: bool, control: &Control) -> Result<Vec<EndToEndFigure>, DoseError> {
    let adult = StylisedPhantom::new(SHAPE).expect("a shape that a bench chose");
    let histories = if is_software { SOFTWARE_HISTORIES } else { HISTORIES };
    let stop = StopRule { histories: Some(histories), ..StopRule::default() };
    let monte_carlo = MonteCarloOptions { stop, ..MonteCarloOptions::default() };
    let methods = [
        ("kernel", None, Method::Kernel(KernelOptions::default())),
        ("monte-carlo", Some(histories), Method::MonteCarlo(Box::new(monte_carlo))),
    ];
    let measured = methods.into_iter().map(|(name, histories, method)| {
        let request = request(&adult, method)?;
        let mut run = || {
            let start = Instant::now();
            let result = compute(&request, device, &Limits::default(), control)?;
            Ok::<_, DoseError>((start.elapsed().as_secs_f64(), result.provenance.wall_time))
        };
        let (first_s, _) = run()?;
        let (second_s, second_stages) = run()?;
        Ok(EndToEndFigure { method: name.to_owned(), histories, first_s, second_s, second_stages })
    });
    measured.collect()
}

fn request(adult: &StylisedPhantom, method: Method) -> Result<DoseRequest, DoseError> {
    let decays = adult.spread(|region| uptake::decays(adult, region));
    #[expect(clippy::cast_possible_truncation, reason = "activity is single precision")]
    let activity = decays.map(|&value| value as f32);
    let activity = TimeIntegratedActivity::new(activity, ActivityUnit::BqS).expect("activity of organs");
    let density = DensityCurve::schneider_2000().density_map(&adult.ct_numbers()).expect("CT numbers of tissues");
    DoseRequest::new(activity, Some(density), nuclide::find("Lu-177").expect("a known nuclide"), method)
}
