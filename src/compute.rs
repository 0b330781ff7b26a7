//! The one way from a request to its dose: plan it, run it on a device, check the dose.

use crate::domain::{ActivityAccount, Control, DoseError, DoseRequest, DoseResult, Warning};
use crate::engine::Device;
use crate::{method, plan, plan::Limits};

/// Computes the dose of a request on a device. The same request, device and limits give the same bytes every time.
///
/// * `limits` – what the computation may use; the last bits of a convolution depend on `workspace_bytes`
/// * `control` – reports progress and carries the caller's cancellation; [`Control::detached`] does neither
///
/// ```
/// use std::sync::Arc;
///
/// use dosegrid::domain::{
///     ActivityUnit, Control, DensityMap, DeviceSelector, DoseRequest, KernelOptions, Method, TimeIntegratedActivity,
///     Volume, VoxelGrid,
/// };
/// use dosegrid::{engine::Device, physics::nuclide, plan::Limits};
///
/// // 1e9 decays of Lu-177 in the middle of 5 × 5 × 5 voxels of water, 4 mm wide.
/// let grid = Arc::new(VoxelGrid::new([5; 3], [4.0; 3])?);
/// let mut decays = vec![0.0; 125];
/// decays[62] = 1e9;
/// let activity = TimeIntegratedActivity::new(Volume::from_vec(grid.clone(), decays)?, ActivityUnit::BqS)?;
/// let density = DensityMap::new(Volume::from_vec(grid, vec![1.0; 125])?)?;
/// let method = Method::Kernel(KernelOptions::default());
/// let request = DoseRequest::new(activity, Some(density), nuclide::find("Lu-177")?, method)?;
///
/// let mut device = Device::open(DeviceSelector::Cpu)?;
/// let result = dosegrid::compute(&request, &mut device, &Limits::default(), &Control::detached())?;
/// let gray = result.dose.data();
/// assert!((0.25..0.35).contains(&gray[[2, 2, 2]]) && gray[[0, 0, 0]] < 1e-3 * gray[[2, 2, 2]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`DoseError::Invalid`] or [`DoseError::TooLarge`] if the request cannot be planned; [`DoseError::Cancelled`]; a
/// failure of the device; a dose that is not physical; [`DoseError::Implausible`] if the request makes warnings errors,
/// before any work where they are known before it. A dose that has not passed every check is never returned.
pub fn compute(
    request: &DoseRequest,
    device: &mut Device,
    limits: &Limits,
    control: &Control,
) -> Result<DoseResult, DoseError> {
    let strict = request.header().strict();
    let mut warnings = Warning::of_request(request);
    Warning::check(&warnings, strict)?;
    let plan = plan::plan(request, limits)?;
    let result = method::run(device, &plan, request, control)?;
    warnings.extend(Warning::of_dose(request, &result));
    Warning::check(&warnings, strict)?;
    Ok(DoseResult { activity: ActivityAccount::of(request), warnings, ..result })
}
