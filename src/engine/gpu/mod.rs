//! Any GPU, through WGSL and wgpu. Only this module uses wgpu.
//!
//! A convolution is five passes over memory (`shaders/`): transforms along x and y; along z, times the kernel, and
//! back; back along y and x. Padding is neither stored along z nor read along x and y. The last pass adds the core of
//! the kernel, which is convolved directly.

mod adapter;
mod batch;
mod context;
mod convolution_buffers;
mod fault;
mod fft;
mod kernel;
mod lines;
mod measure;
mod missing;
mod needs;
mod pipeline;
mod played;
mod record;
mod refusal;
mod session;
mod shader;
mod stages;
mod tiling;
mod traffic;
mod transport;

#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod lines_tests;
#[cfg(test)]
mod loose;
#[cfg(test)]
mod played_tests;

use std::ops::Range;

use crate::domain::{Control, DeviceInfo, DeviceSelector, DoseError, Stage, Volume};
use crate::domain::{GroupTally, Regions, Summed, Tally};
use crate::engine::DeviceIdentity;
use crate::physics::kernel::VoxelKernel;
use crate::plan::ConvolutionPlan;
use crate::prepare::kernel_spectrum::{PreparedKernels, power_of_two_below};
use crate::prepare::transport::Scene;

use record::Recorder;
use session::{Block, Session};
use tiling::Tiling;

pub use adapter::{has_hardware, list};
pub use context::DeviceLimits;
#[cfg(test)]
pub(crate) use lines::radices as factors_of_lines;
pub use record::{PortableStage, Recording, probe_stages};
pub use stages::{StageSource, stage_sources};

/// A GPU as a device. Once lost, it stays lost and every call reports it; it must be opened again.
#[derive(Debug)]
pub struct GpuEngine {
    identity: DeviceIdentity,
    limits: DeviceLimits,
    prepared: PreparedKernels,
    session: Session,
}

impl GpuEngine {
    /// Opens the GPU that `selector` names.
    ///
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] with a list of the devices that exist.
    pub fn open(selector: DeviceSelector) -> Result<Self, DoseError> {
        Self::open_within(selector, DeviceLimits::Adapter)
    }

    /// Opens the GPU that `selector` names, within `limits`.
    ///
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] with a list of the devices that exist.
    pub fn open_within(selector: DeviceSelector, limits: DeviceLimits) -> Result<Self, DoseError> {
        Self::open_found(&adapter::find(selector)?, limits)
    }

    /// Opens a GPU that was open before, by where it is plugged in; its number may be another now. It keeps the name
    /// that it had.
    ///
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] if it is not there any more.
    pub fn open_same(identity: &DeviceIdentity) -> Result<Self, DoseError> {
        Self::open_found(&adapter::find_again(identity)?, DeviceLimits::Adapter)
    }

    /// Opens the same GPU once more, within the same limits.
    ///
    /// # Errors
    /// As [`Self::open_same`].
    pub fn open_again(&self) -> Result<Self, DoseError> {
        Self::open_found(&adapter::find_again(&self.identity)?, self.limits)
    }

    fn open_found(
        (adapter, identity): &(wgpu::Adapter, DeviceIdentity),
        limits: DeviceLimits,
    ) -> Result<Self, DoseError> {
        let session = Session::open(adapter, &identity.info, limits)?;
        Ok(Self { identity: identity.clone(), limits, prepared: PreparedKernels::default(), session })
    }

    /// A switch that makes the device fail as hardware or a driver may, to test what happens then.
    pub fn failure_switch(&self) -> impl Fn() + Send + 'static {
        let device = self.session.context.device.clone();
        move || device.destroy()
    }

    /// Keeps all that the device is given from now on, and its results, until [`Self::recording`] is taken.
    pub fn record(&mut self) {
        self.session.release();
        self.session.context.recorder = Some(Recorder::default());
    }

    /// Whether all that the device is given is kept.
    pub fn is_recording(&self) -> bool {
        self.session.context.recorder.is_some()
    }

    /// What was kept since [`Self::record`]; none without it. Nothing more is kept.
    pub fn take_recording(&mut self) -> Option<Recording> {
        self.session.context.recorder.take().map(|recorder| recorder.recording())
    }

    /// Name and driver of the device.
    pub fn info(&self) -> DeviceInfo {
        self.identity.info.clone()
    }

    /// Which device it is.
    pub fn identity(&self) -> DeviceIdentity {
        self.identity.clone()
    }

    /// See [`crate::engine::Device::convolve`].
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`],
    /// [`DoseError::DeviceRefused`]; [`DoseError::TooLarge`] before any work if an axis is longer than what a workgroup
    /// of the device holds.
    pub fn convolve(
        &mut self,
        plan: &ConvolutionPlan,
        kernel: &VoxelKernel,
        source: &Volume<f32>,
        control: &Control,
    ) -> Result<Volume<f32>, DoseError> {
        self.session.begin_request()?;
        let spacing_mm = source.grid().spacing_mm();
        self.session.context.recorder.iter().for_each(|recorder| recorder.grid(plan.shape, spacing_mm));
        let [nx, ny, _] = plan.shape;
        let bounds = self.session.context.bounds();
        let tile = |block| Tiling::new([nx, ny], plan.core_half_width[2], block, bounds);
        let tilings = plan.blocks.iter().map(tile).collect::<Result<Vec<_>, _>>()?;

        let unit_decays = power_of_two_below(source.as_slice().iter().copied().map(f64::from).fold(0.0, f64::max));
        let mut energy = vec![0.0; source.as_slice().len()];
        let n_blocks = tilings.len() as f64;
        for (number, tiling) in tilings.into_iter().enumerate() {
            control.checkpoint(Stage::Dose, number as f64 / n_blocks)?;
            control.give_way()?;
            let prepared = self.prepared.get(kernel, plan.core_half_width, tiling.padded, control)?;
            let output = &mut energy[tiling.output_z.start * nx * ny..tiling.output_z.end * nx * ny];
            let progress = |done| (number as f64 + done) / n_blocks;
            let block = Block { tiling, kernel: &prepared, source: source.as_slice(), unit_decays };
            if let Err(error) = self.session.convolve(block, output, control, progress) {
                if error != DoseError::Cancelled {
                    self.session.release();
                }
                return self.session.settled(Err(error));
            }
        }
        Ok(Volume::from_vec(source.grid().clone(), energy).expect("one value for each voxel of the same grid"))
    }

    /// See [`crate::engine::Device::transport`].
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`],
    /// [`DoseError::DeviceRefused`]; [`DoseError::TooLarge`] before any work if the device cannot hold the grid.
    pub fn transport(
        &mut self,
        scene: &Scene,
        histories: Range<u64>,
        tally: &mut Tally,
        control: &Control,
    ) -> Result<(), DoseError> {
        self.session.begin_request()?;
        let shape = scene.grid.shape.map(|n| n.unsigned_abs() as usize);
        let spacing_mm = scene.grid.spacing_cm.map(|cm| 10.0 * f64::from(cm));
        self.session.context.recorder.iter().for_each(|recorder| recorder.grid(shape, spacing_mm));
        let outcome = self.session.transport(scene, histories, tally, control);
        self.session.settled(outcome)
    }

    /// See [`crate::engine::Device::can_hold`].
    pub fn can_hold(&self, scene: &Scene) -> bool {
        self.session.can_hold(scene)
    }

    /// See [`crate::engine::Device::hold`].
    ///
    /// # Errors
    /// As [`Self::transport`].
    pub fn hold(
        &mut self,
        scene: &Scene,
        histories: &Range<u64>,
        control: &Control,
    ) -> Result<Vec<GroupTally>, DoseError> {
        self.session.begin_request()?;
        let outcome = self.session.hold(scene, histories, control);
        self.session.settled(outcome)
    }

    /// See [`crate::engine::Device::summed`].
    ///
    /// # Errors
    /// As [`Self::transport`].
    pub fn summed(
        &mut self,
        scene: &Scene,
        histories: &Range<u64>,
        regions: &Regions,
        control: &Control,
    ) -> Result<Summed, DoseError> {
        self.session.begin_request()?;
        let outcome = self.session.summed(scene, histories, regions, control);
        self.session.settled(outcome)
    }

    /// See [`crate::engine::Device::collect`].
    ///
    /// # Errors
    /// As [`Self::transport`].
    pub fn collect(&mut self, scene: &Scene, histories: &Range<u64>, control: &Control) -> Result<Tally, DoseError> {
        self.session.begin_request()?;
        let outcome = self.session.collect(scene, histories, control);
        self.session.settled(outcome)
    }
}
