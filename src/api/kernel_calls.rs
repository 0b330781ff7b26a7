//! `ComputeKernel`: voxel kernels are integrated on the CPU, beside the device and its queue.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::turns::Turns;
use super::wire::kernel::Wanted;
use crate::domain::{Control, DoseError, Source, Stage};
use crate::physics::kernel::{VoxelKernel, voxel_kernel};

/// Integrates a kernel when it is its turn. Dropping the future stops it.
///
/// # Errors
/// [`DoseError::Busy`] at once if too many callers wait; [`DoseError::Internal`] if the integration panicked.
pub(super) async fn compute(turns: &Turns, wanted: Wanted) -> Result<(Source, Arc<VoxelKernel>), DoseError> {
    let place = turns.place()?;
    let cancel = CancellationToken::new();
    let (control, _progress) = Control::new(cancel.clone());
    let _cancel_on_drop = cancel.drop_guard();
    let work = move || {
        control.checkpoint(Stage::Kernel, 0.0)?;
        let kernel = voxel_kernel(&wanted.spec()?, &control.at_stage(Stage::Kernel))?;
        Ok((wanted.source, kernel))
    };
    place.run(work).await
}
