//! `ComputeKernel`: voxel kernels are integrated on the CPU, in line with all that is computed.

use std::sync::Arc;

use super::off_thread::{Watched, watched};
use super::service::Shared;
use super::wire::kernel::Wanted;
use crate::domain::{DoseError, Source, Stage};
use crate::physics::kernel::{VoxelKernel, voxel_kernel};

/// Integrates a kernel when it is its turn. Dropping the future stops it, sums over its spectrum included.
///
/// # Errors
/// [`DoseError::Busy`] at once if too many callers wait or memory is taken; [`DoseError::Internal`] if the integration
/// panicked.
pub(super) async fn compute(shared: &Shared, wanted: Wanted) -> Result<(Source, Arc<VoxelKernel>), DoseError> {
    let memory = shared.budget.reserve(wanted.host_bytes())?;
    let place = shared.kernels.place()?;
    // Where jobs last, calls stand in line with them.
    let device = if shared.durable.is_some() { Some(shared.gate.enter().await?) } else { None };
    let Watched { run, stop: _stop } = watched(move |control| {
        let _held = (memory, device);
        control.checkpoint(Stage::Kernel, 0.0)?;
        let watch = control.at_stage(Stage::Kernel);
        let kernel = voxel_kernel(&wanted.spec(&watch)?, &watch)?;
        Ok((wanted.source, kernel))
    });
    place.run(run).await
}
