//! Work whose course on a GPU is kept, so that any other can be given the same.

use super::convolution::{Convolution, ConvolutionSize};
use super::scenes::{BenchSource, scene_phantom};
use super::twins::twins_of;
use crate::domain::{Control, DoseError, Nuclide, Source, Tally};
use crate::engine::Device;
use crate::engine::gpu::Recording;

/// What is convolved: small enough that a page can hold it.
pub(super) const CONVOLUTION: ConvolutionSize = ConvolutionSize { edge: 48, half_width: 12, core: None };

/// Inputs of each body of the transport: so few that a page can hold them.
const TWIN_CASES: usize = 1024;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CaptureCase {
    /// A volume in which no two voxels are alike, with a kernel like that of a beta emitter.
    Convolution,
    /// The bodies of the transport, one by one.
    Twins,
    /// Monte Carlo transport of decays.
    Transport {
        /// What decays.
        nuclide: &'static Nuclide,
        /// Where.
        source: BenchSource,
        /// Edge of a voxel [mm]; the body has its own.
        spacing_mm: f64,
        /// How many.
        histories: u64,
    },
}

impl CaptureCase {
    /// What a reader is told.
    pub fn title(&self) -> String {
        match *self {
            Self::Convolution => {
                let ConvolutionSize { edge, half_width, .. } = CONVOLUTION;
                format!("convolution {edge}³ ∗ {}³", 2 * half_width + 1)
            }
            Self::Twins => format!("each body of the transport, {TWIN_CASES} cases"),
            Self::Transport { nuclide, source, spacing_mm, histories } => {
                let name = source.name();
                format!("transport of {histories} decays of {}, {name}, {spacing_mm} mm", nuclide.name)
            }
        }
    }
}

/// Computes a case on a device that keeps what it is given, and gives what it kept.
///
/// * `device` – a GPU, opened by [`Device::open_portable`]
///
/// # Errors
/// A failure of the device, [`DoseError::Cancelled`].
pub fn capture(device: &mut Device, case: &CaptureCase, control: &Control) -> Result<Recording, DoseError> {
    device.record();
    match *case {
        CaptureCase::Convolution => {
            let Convolution { plan, kernel, source } = Convolution::new(CONVOLUTION)?;
            device.convolve(&plan, &kernel, &source, control)?;
        }
        CaptureCase::Twins => {
            twins_of(device, TWIN_CASES, control)?;
        }
        CaptureCase::Transport { nuclide, source, spacing_mm, histories } => {
            let emissions = Source::from(nuclide);
            let phantom = scene_phantom(source, spacing_mm, (**emissions.emissions()).clone());
            let mut tally = Tally::new(phantom.groups, phantom.grid.voxels());
            device.transport(&phantom.scene(), 0..histories, &mut tally, control)?;
        }
    }
    device.take_recording().ok_or_else(|| DoseError::DeviceUnavailable("this device keeps nothing".to_owned()))
}
