//! Any GPU, through WGSL and wgpu. Only this module knows wgpu.

use crate::domain::{Control, DeviceInfo, DeviceSelector, DoseError, Volume};
use crate::physics::kernel::VoxelKernel;
use crate::plan::ConvolutionPlan;

/// A GPU as a device.
#[derive(Debug)]
pub struct GpuEngine {
    info: DeviceInfo,
}

impl GpuEngine {
    /// Opens the GPU that `selector` names.
    ///
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] with what there is instead.
    pub fn open(selector: DeviceSelector) -> Result<Self, DoseError> {
        Err(DoseError::DeviceUnavailable(selector.to_string()))
    }

    /// What runs.
    pub fn info(&self) -> DeviceInfo {
        self.info.clone()
    }

    /// See [`crate::engine::Device::convolve`].
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`].
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

/// Whether there is a GPU that is not software.
pub fn has_hardware() -> bool {
    false
}

/// All GPUs, software ones included, in the order of their numbers.
pub fn list() -> Vec<DeviceInfo> {
    Vec::new()
}
