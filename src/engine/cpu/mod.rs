//! The native engine: rustfft and rayon on all cores.

use crate::domain::{Control, DeviceInfo, DeviceKind, DoseError, Volume};
use crate::physics::kernel::VoxelKernel;
use crate::plan::ConvolutionPlan;

/// The CPU as a device.
#[derive(Debug, Default)]
pub struct CpuEngine {}

impl CpuEngine {
    /// What runs.
    pub fn info(&self) -> DeviceInfo {
        DeviceInfo {
            id: "cpu".into(),
            kind: DeviceKind::Cpu,
            name: "CPU".into(),
            backend: "native".into(),
            driver: format!("rayon, {} threads", rayon::current_num_threads()),
        }
    }

    /// See [`crate::engine::Device::convolve`].
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub fn convolve(
        &mut self,
        _plan: &ConvolutionPlan,
        _kernel: &VoxelKernel,
        _source: &Volume<f32>,
        _control: &Control,
    ) -> Result<Volume<f32>, DoseError> {
        unimplemented!()
    }
}
