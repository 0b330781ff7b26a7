//! `ComputeKernel`: voxel kernels are integrated on the CPU, beside the device and its queue.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::off_thread::off_thread;
use crate::domain::{Control, DoseError, Stage};
use crate::jobs::RETRY_AFTER;
use crate::physics::kernel::{KernelSpec, VoxelKernel, voxel_kernel};

/// Integrates one kernel at a time. A bounded number of callers may wait.
#[derive(Debug)]
pub(super) struct KernelCalls {
    /// Of those who wait and the one that runs.
    places: Semaphore,
    turn: Semaphore,
}

impl KernelCalls {
    /// * `length` – how many callers may wait, beside the one whose kernel is integrated
    pub(super) fn new(length: usize) -> Self {
        Self { places: Semaphore::new(length.max(1) + 1), turn: Semaphore::new(1) }
    }

    /// Integrates a kernel. Dropping the future stops it.
    ///
    /// # Errors
    /// [`DoseError::Busy`] at once if too many callers wait; [`DoseError::Internal`] if the integration panicked.
    pub(super) async fn compute(&self, spec: KernelSpec) -> Result<Arc<VoxelKernel>, DoseError> {
        let busy = |_| DoseError::Busy { what: "the queue", retry_after: RETRY_AFTER };
        let _place = self.places.try_acquire().map_err(busy)?;
        let _turn = self.turn.acquire().await.map_err(|_| DoseError::ShuttingDown)?;
        let cancel = CancellationToken::new();
        let (control, _progress) = Control::new(cancel.clone());
        let _cancel_on_drop = cancel.drop_guard();
        off_thread(move || Ok(voxel_kernel(&spec, &control.at_stage(Stage::Kernel))?)).await
    }
}
