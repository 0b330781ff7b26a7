//! The devices. An operation is what a method asks for, wide enough that each engine can do it its own best way.

pub mod cpu;
pub mod gpu;
pub mod kernel_spectrum;
pub mod kernel_split;
pub mod transport;

use crate::domain::{Control, DeviceInfo, DeviceSelector, DoseError, Volume};
use crate::physics::kernel::VoxelKernel;
use crate::plan::ConvolutionPlan;

/// An open device. Chosen once, at the start; a job never changes it.
#[derive(Debug)]
pub enum Device {
    /// The native engine: rustfft and rayon.
    Cpu(Box<cpu::CpuEngine>),
    /// WGSL through wgpu.
    Gpu(Box<gpu::GpuEngine>),
}

impl Device {
    /// Opens a device by name.
    ///
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] with what there is instead.
    pub fn open(selector: DeviceSelector) -> Result<Self, DoseError> {
        match selector {
            DeviceSelector::Cpu => Ok(Self::Cpu(Box::default())),
            DeviceSelector::Gpu | DeviceSelector::GpuNumber(_) => {
                Ok(Self::Gpu(Box::new(gpu::GpuEngine::open(selector)?)))
            }
            DeviceSelector::Auto if gpu::has_hardware() => Self::open(DeviceSelector::Gpu),
            DeviceSelector::Auto => Self::open(DeviceSelector::Cpu),
        }
    }

    /// What runs.
    pub fn info(&self) -> DeviceInfo {
        match self {
            Self::Cpu(cpu) => cpu.info(),
            Self::Gpu(gpu) => gpu.info(),
        }
    }

    /// Convolves decays per voxel with energy per decay: the energy absorbed in each voxel of the grid [MeV].
    /// Rounding may leave small negative values in voxels far from any source.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`].
    pub fn convolve(
        &mut self,
        plan: &ConvolutionPlan,
        kernel: &VoxelKernel,
        source: &Volume<f32>,
        control: &Control,
    ) -> Result<Volume<f32>, DoseError> {
        match self {
            Self::Cpu(cpu) => cpu.convolve(plan, kernel, source, control),
            Self::Gpu(gpu) => gpu.convolve(plan, kernel, source, control),
        }
    }

    /// Adds a range of histories to a tally: the same bytes however a range is split, and in whatever order.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], after which the tally is to be thrown away; [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`], after
    /// which it is unchanged.
    pub fn transport(
        &mut self,
        scene: &transport::Scene,
        histories: std::ops::Range<u64>,
        tally: &mut transport::Tally,
        control: &Control,
    ) -> Result<(), DoseError> {
        match self {
            Self::Cpu(cpu) => cpu.transport(scene, histories, tally, control),
            Self::Gpu(gpu) => gpu.transport(scene, histories, tally, control),
        }
    }
}

/// All devices of this machine, the CPU first.
pub fn list_devices() -> Vec<DeviceInfo> {
    std::iter::once(cpu::CpuEngine::default().info()).chain(gpu::list()).collect()
}
