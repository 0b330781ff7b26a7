//! The devices. An operation is what a method needs, large enough for each engine to do it in the way that suits it
//! best.

pub mod cpu;
pub mod gpu;
pub mod measures;

use std::ops::Range;

use crate::domain::{Control, DeviceInfo, DeviceKind, DeviceSelector, DoseError, Volume};
use crate::domain::{GroupTally, Regions, Summed, Tally};
use crate::physics::kernel::VoxelKernel;
use crate::plan::ConvolutionPlan;
use crate::prepare::transport::Scene;
use measures::{Ceilings, CompileTime, Portrait, TransportWork, TwinFigure};

/// Which device it is, so that the same one can be opened again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// What is told of it.
    pub info: DeviceInfo,
    /// Where it is plugged in, as `0000:01:00.0`; empty for the CPU, and where a driver does not say it.
    pub pci_bus_id: String,
}

/// An open device. It is chosen once, at the start; a job never changes it.
#[derive(Debug)]
pub enum Device {
    /// The native engine: vectors and rayon.
    Cpu(Box<cpu::CpuEngine>),
    /// WGSL through wgpu.
    Gpu(Box<gpu::GpuEngine>),
}

impl Device {
    /// Opens a device by name.
    ///
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] with a list of the devices that exist.
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

    /// Opens a GPU within the limits that every device of WebGPU has: what it is given then, any other takes.
    ///
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] if there is no such GPU.
    pub fn open_portable(selector: DeviceSelector) -> Result<Self, DoseError> {
        let selector = match selector {
            DeviceSelector::Auto if gpu::has_hardware() => DeviceSelector::Gpu,
            // Software will do.
            DeviceSelector::Auto => DeviceSelector::GpuNumber(0),
            DeviceSelector::Cpu => {
                return Err(DoseError::DeviceUnavailable("a capture needs a GPU, and the CPU is none".to_owned()));
            }
            DeviceSelector::Gpu | DeviceSelector::GpuNumber(_) => selector,
        };
        let gpu = gpu::GpuEngine::open_within(selector, gpu::DeviceLimits::WebGpuDefault)?;
        Ok(Self::Gpu(Box::new(gpu)))
    }

    /// Keeps all that a GPU is given from now on, and what it answers. A CPU keeps nothing.
    pub fn record(&mut self) {
        if let Self::Gpu(gpu) = self {
            gpu.record();
        }
    }

    /// Whether all that a GPU is given is kept.
    pub fn is_recording(&self) -> bool {
        match self {
            Self::Cpu(_) => false,
            Self::Gpu(gpu) => gpu.is_recording(),
        }
    }

    /// What a GPU was given since [`Self::record`]; none without it. Nothing more is kept.
    pub fn take_recording(&mut self) -> Option<gpu::Recording> {
        match self {
            Self::Cpu(_) => None,
            Self::Gpu(gpu) => gpu.take_recording(),
        }
    }

    /// Name and kind of the device.
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

    /// Adds histories to a tally. The same histories give the same bytes, however they are divided into calls.
    ///
    /// * `histories` – their numbers
    ///
    /// # Errors
    /// [`DoseError::DeviceLost`]: some groups may have their histories. If the tally is intact, the same call, which
    /// must be the next one, gives the others theirs. [`DoseError::Cancelled`] or [`DoseError::DeviceOutOfMemory`],
    /// with a tally that must not be used any more.
    pub fn transport(
        &mut self,
        scene: &Scene,
        histories: Range<u64>,
        tally: &mut Tally,
        control: &Control,
    ) -> Result<(), DoseError> {
        match self {
            Self::Cpu(cpu) => cpu.transport(scene, histories, tally, control),
            Self::Gpu(gpu) => gpu.transport(scene, histories, tally, control),
        }
    }

    /// Whether the energy of histories of a scene can stay on the device from one call to the next ([`Self::hold`]).
    pub fn can_hold(&self, scene: &Scene) -> bool {
        match self {
            Self::Cpu(_) => false,
            Self::Gpu(gpu) => gpu.can_hold(scene),
        }
    }

    /// Makes the device hold the energy of these histories: those of them that it holds already stay, if they are the
    /// first ones, and it runs the others. Gives what each group has without the energy of its voxels. It holds
    /// histories of one scene, until it is asked for something else; then they are run again when they are asked for.
    ///
    /// * `histories` – their numbers, with those of calls before
    ///
    /// # Errors
    /// [`DoseError::DeviceLost`]: nothing is held any more; [`DoseError::Cancelled`], [`DoseError::DeviceOutOfMemory`];
    /// [`DoseError::Internal`] of a device that cannot hold any.
    pub fn hold(
        &mut self,
        scene: &Scene,
        histories: &Range<u64>,
        control: &Control,
    ) -> Result<Vec<GroupTally>, DoseError> {
        self.holding()?.hold(scene, histories, control)
    }

    /// What the groups of held histories say together, to the last bit what follows from their tally.
    ///
    /// * `regions` – whose energy is wanted by group
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub fn summed(
        &mut self,
        scene: &Scene,
        histories: &Range<u64>,
        regions: &Regions,
        control: &Control,
    ) -> Result<Summed, DoseError> {
        self.holding()?.summed(scene, histories, regions, control)
    }

    /// The whole tally of held histories. The device keeps them.
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub fn collect(&mut self, scene: &Scene, histories: &Range<u64>, control: &Control) -> Result<Tally, DoseError> {
        self.holding()?.collect(scene, histories, control)
    }

    fn holding(&mut self) -> Result<&mut gpu::GpuEngine, DoseError> {
        match self {
            Self::Cpu(_) => Err(DoseError::Internal("a CPU holds no histories".to_owned())),
            Self::Gpu(gpu) => Ok(gpu),
        }
    }

    /// What a GPU's adapter is and offers; none for the CPU.
    pub fn portrait(&self) -> Option<Portrait> {
        match self {
            Self::Cpu(_) => None,
            Self::Gpu(gpu) => Some(gpu.portrait()),
        }
    }

    /// How long each stage takes to compile. The CPU's are compiled with the program.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`].
    pub fn compile_times(&self, control: &Control) -> Result<Vec<CompileTime>, DoseError> {
        match self {
            Self::Cpu(_) => Ok(Vec::new()),
            Self::Gpu(gpu) => gpu.compile_times(control),
        }
    }

    /// Measures what the device can do at most.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`].
    pub fn ceilings(&mut self, control: &Control) -> Result<Ceilings, DoseError> {
        match self {
            Self::Cpu(_) => cpu::ceilings(control),
            Self::Gpu(gpu) => gpu.ceilings(control),
        }
    }

    /// Compares each body of the transport on a GPU with its twin on the CPU. The CPU has none beside it.
    ///
    /// * `scene` – has the tables that the bodies read
    /// * `cases` – random inputs of each body
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`].
    pub fn twins(&mut self, scene: &Scene, cases: usize, control: &Control) -> Result<Vec<TwinFigure>, DoseError> {
        match self {
            Self::Cpu(_) => Ok(Vec::new()),
            Self::Gpu(gpu) => gpu.twins(scene, cases, control),
        }
    }

    /// Whether the time of each stage on a GPU is taken from now on, which makes it a little slower.
    pub fn watch_stages(&mut self, is_watched: bool) {
        if let Self::Gpu(gpu) = self {
            gpu.watch_stages(is_watched);
        }
    }

    /// Time that each stage ran since it was last asked [s], by the device's own clock. Empty on the CPU, and where a
    /// GPU has no clock.
    pub fn take_stage_seconds(&mut self) -> Vec<(String, f64)> {
        match self {
            Self::Cpu(_) => Vec::new(),
            Self::Gpu(gpu) => gpu.take_stage_seconds(),
        }
    }

    /// What the transport did on a GPU since it was last asked.
    pub fn take_transport_work(&mut self) -> Option<TransportWork> {
        match self {
            Self::Cpu(_) => None,
            Self::Gpu(gpu) => Some(gpu.take_transport_work()),
        }
    }

    /// Opens the same device again, after it was lost, within the limits that it had.
    ///
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] if it does not come back, or if another device now has its name: jobs never
    /// change the device.
    pub fn reopen(&mut self) -> Result<(), DoseError> {
        *self = match self {
            Self::Cpu(_) => Self::open_same(&self.identity())?,
            Self::Gpu(gpu) => Self::Gpu(Box::new(gpu.open_again()?)),
        };
        Ok(())
    }

    /// Which device it is.
    pub fn identity(&self) -> DeviceIdentity {
        match self {
            Self::Cpu(cpu) => DeviceIdentity { info: cpu.info(), pci_bus_id: String::new() },
            Self::Gpu(gpu) => gpu.identity(),
        }
    }

    /// Opens a device that was open before.
    ///
    /// # Errors
    /// As [`Device::reopen`].
    pub fn open_same(identity: &DeviceIdentity) -> Result<Self, DoseError> {
        if identity.info.kind != DeviceKind::Cpu {
            return Ok(Self::Gpu(Box::new(gpu::GpuEngine::open_same(identity)?)));
        }
        let cpu = Self::open(DeviceSelector::Cpu)?;
        let is_same = cpu.identity() == *identity;
        is_same.then_some(cpu).ok_or_else(|| DoseError::DeviceUnavailable(identity.info.id.clone()))
    }
}

/// All devices of this machine, the CPU first.
pub fn list_devices() -> Vec<DeviceInfo> {
    std::iter::once(cpu::CpuEngine::default().info()).chain(gpu::list()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_device_is_opened_again() {
        let cpu = Device::open(DeviceSelector::Cpu).expect("the CPU is always there").identity();
        assert_eq!(Device::open_same(&cpu).expect("the same").identity(), cpu);
        let named = |info: DeviceInfo| DeviceIdentity { info, ..cpu.clone() };
        let other = named(DeviceInfo { name: "another".into(), ..cpu.info.clone() });
        assert!(matches!(Device::open_same(&other), Err(DoseError::DeviceUnavailable(_))));
        let id = "gpu:4096".into();
        let gone = named(DeviceInfo { id, kind: DeviceKind::DiscreteGpu, ..cpu.info.clone() });
        assert!(matches!(Device::open_same(&gone), Err(DoseError::DeviceUnavailable(_))));
    }
}
