//! Work whose course on a GPU is kept, so that any other can be given the same.

use super::convolution::{Convolution, ConvolutionSize};
use super::scenes::{BenchSource, scene_phantom};
use super::twins::twins_of;
use crate::domain::{Control, DoseError, Nuclide, Source, Tally};
use crate::engine::Device;
use crate::engine::gpu::Recording;

/// What is convolved: small enough that a page can hold it.
pub(super) const CONVOLUTION: ConvolutionSize = ConvolutionSize { edge: 48, half_width: 12, core: None };

/// Convolutions with axes of unlike lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnlikeAxes {
    /// By which it is asked for: the longest of its transforms.
    pub name: &'static str,
    /// Voxels.
    shape: [u64; 3],
    /// Voxels of the kernel on each side of its centre, by axis.
    half_width: [usize; 3],
}

/// Together they have all factors that a transform is made of, but for 2 and 3 alone: with twice as many points as
/// voxels, less one, 252 (18 · 14), 54 (9 · 6), 35 (7 · 5); 240 (16 · 15), 20 (5 · 4), 96 (8 · 12).
pub const UNLIKE_AXES: [UnlikeAxes; 2] = [
    UnlikeAxes { name: "convolution-252", shape: [126, 27, 18], half_width: [125, 26, 17] },
    UnlikeAxes { name: "convolution-240", shape: [120, 10, 48], half_width: [119, 9, 47] },
];

/// Inputs of each body of the transport: so few that a page can hold them.
const TWIN_CASES: usize = 1024;

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CaptureCase {
    /// A volume in which no two voxels are alike, with a kernel like that of a beta emitter.
    Convolution,
    /// A convolution whose axes differ in length.
    UnlikeAxes(UnlikeAxes),
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
            Self::UnlikeAxes(UnlikeAxes { shape, half_width, .. }) => {
                let [x, y, z] = shape;
                let [a, b, c] = half_width.map(|n| 2 * n + 1);
                format!("convolution {x} × {y} × {z} ∗ {a} × {b} × {c}")
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
        CaptureCase::UnlikeAxes(UnlikeAxes { shape, half_width, .. }) => {
            let Convolution { plan, kernel, source } = Convolution::of(shape, half_width, None)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::gpu::factors_of_lines;

    #[test]
    fn the_convolutions_have_every_factor() {
        let mut found: Vec<usize> = Vec::new();
        for UnlikeAxes { name, shape, half_width } in UNLIKE_AXES {
            let plan = Convolution::of(shape, half_width, None).expect("a small one").plan;
            let padded = plan.blocks[0].padded_shape;
            assert!(plan.blocks.len() == 1 && name.ends_with(&padded[0].to_string()), "{name}: {padded:?}");
            assert!(padded[0] != padded[1] && padded[1] != padded[2] && padded[2] != padded[0], "{name}: {padded:?}");
            found.extend(padded.into_iter().flat_map(|length| factors_of_lines(length).expect("it was padded")));
        }
        let plan = Convolution::new(CONVOLUTION).expect("a small one").plan;
        found.extend(factors_of_lines(plan.blocks[0].padded_shape[0]).expect("it was padded"));
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, [4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 18]);
    }
}
