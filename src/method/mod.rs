//! One driver per method: from a request and its plan, through a device, to a checked dose.

mod finish;
mod kernel;
mod local;
mod maps;
mod mass;
mod monte_carlo;
mod weighting;

use std::time::Instant;

use crate::domain::{Control, DoseError, DoseRequest, DoseResult, KernelAccount, Stage, StageTime, Volume};
use crate::engine::Device;
use crate::plan::{DosePlan, Work};

pub use monte_carlo::{add_checked, merge, merged_dose};

/// Voxels of a simple pass over a map between two looks at whether to go on: some milliseconds.
const VOXELS_A_LOOK: usize = 1 << 20;

/// What a method hands over before the energy becomes a dose.
struct Deposit {
    /// Energy absorbed in each voxel [MeV]; small negative values are rounding.
    energy: Volume<f32>,
    /// The energy that must lie in the grid by the method's own account, computed another way [MeV].
    expected_mev: f64,
    /// The kernel, if one was used.
    kernel: Option<KernelAccount>,
}

/// Runs a planned request on a device, map by map.
///
/// # Errors
/// [`DoseError::Cancelled`], a device's failure, or a dose that is not physical. A dose that has not passed every check
/// is never returned.
pub fn run(
    device: &mut Device,
    plan: &DosePlan,
    request: &DoseRequest,
    control: &Control,
) -> Result<DoseResult, DoseError> {
    let mut sum: Option<DoseResult> = None;
    for (work, request) in plan.works.iter().zip(request.by_map()) {
        let result = run_map(device, work, &request, control)?;
        match &mut sum {
            None => sum = Some(result),
            Some(sum) => maps::add(sum, result)?,
        }
    }
    let mut result = sum.ok_or_else(|| DoseError::Internal("a plan without a map".into()))?;
    weighting::weight(&mut result, request)?;
    Ok(result)
}

/// Runs one map.
fn run_map(
    device: &mut Device,
    work: &Work,
    request: &DoseRequest,
    control: &Control,
) -> Result<DoseResult, DoseError> {
    let mut wall_time = Vec::new();
    let deposit = match work {
        Work::Local => local::deposit(request, control, &mut wall_time)?,
        Work::Kernel(work) => kernel::deposit(device, work, request, control, &mut wall_time)?,
        Work::MonteCarlo(transport) => return monte_carlo::run(device, transport, request, control),
    };
    control.checkpoint(Stage::Finish, 0.0)?;
    let start = Instant::now();
    let mut result = finish::finish(deposit, request, device.info(), control)?;
    wall_time.push(StageTime::new(Stage::Finish.name(), start.elapsed()));
    result.provenance.wall_time = wall_time;
    Ok(result)
}
