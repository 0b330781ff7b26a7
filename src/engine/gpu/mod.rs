//! Any GPU, through WGSL and wgpu. Only this module knows wgpu.

mod adapter;

use crate::domain::{Control, DeviceInfo, DeviceSelector, DoseError, Volume};
use crate::physics::kernel::VoxelKernel;
use crate::plan::ConvolutionPlan;

pub use adapter::{has_hardware, list};

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
        let (_adapter, info) = adapter::find(selector)?;
        Ok(Self { info })
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
