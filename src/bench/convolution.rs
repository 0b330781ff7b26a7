//! Voxels convolved per second, and how near that is to what memory allows.

use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array3, ShapeBuilder};
use serde::{Deserialize, Serialize};

use super::Spread;
use super::grow::grow;
use super::transport::StageFigure;
use crate::domain::{Control, DoseError, KernelMedium, Volume, VoxelGrid};
use crate::engine::Device;
use crate::physics::kernel::{KernelSpec, VoxelKernel};
use crate::physics::nuclide;
use crate::plan::ConvolutionPlan;

/// Least time of what is measured [s].
const SECONDS: f64 = 0.5;
/// Most convolutions of a measurement.
const MOST_CONVOLUTIONS: u64 = 1000;
/// Measurements.
const REPEATS: usize = 3;
/// Workspace that a plan may take [bytes].
const WORKSPACE_BYTES: u64 = 1 << 34;

/// What is convolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionSize {
    /// Voxels along each edge of the volume.
    pub edge: u64,
    /// Voxels of the kernel on each side of its centre.
    pub half_width: usize,
    /// Kernel offsets on each side that are convolved directly; none: as the plan chooses.
    pub core: Option<usize>,
}

/// One convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConvolutionFigure {
    /// Voxels along each edge of the volume.
    pub edge: usize,
    /// Voxels along each edge of the kernel.
    pub kernel_edge: usize,
    /// Voxels along each edge of what is convolved directly.
    pub core_edge: usize,
    /// Wall time of one convolution, transfers included.
    pub wall: Spread,
    /// Voxels per second of the median.
    pub voxels_per_s: f64,
    /// Bytes that five passes over memory must move.
    pub bytes: u64,
    /// Those bytes over the time, in parts of the rate at which the device copies; none where that is not known. On a
    /// device with a clock the time is that of the passes alone.
    pub share_of_copy: Option<f64>,
    /// Time of each pass by the device's clock, in one convolution [s].
    pub stages: Vec<StageFigure>,
    /// The same share, by pass.
    pub stage_shares: Vec<(String, f64)>,
}

/// Measures the convolution of a volume, in which no two voxels are alike, with a kernel like that of a beta emitter.
///
/// * `copy_bytes_per_s` – what the device copies, if that is known
///
/// # Errors
/// A failure of the device, [`DoseError::TooLarge`], [`DoseError::Cancelled`].
pub fn convolution(
    device: &mut Device,
    size: ConvolutionSize,
    copy_bytes_per_s: Option<f64>,
    control: &Control,
) -> Result<ConvolutionFigure, DoseError> {
    let Convolution { plan, kernel, source } = Convolution::new(size)?;
    let mut run = |times: u64| -> Result<f64, DoseError> {
        let start = Instant::now();
        for _ in 0..times {
            device.convolve(&plan, &kernel, &source, control)?;
        }
        Ok(start.elapsed().as_secs_f64())
    };
    let times = grow(1, MOST_CONVOLUTIONS, SECONDS, &mut run)?;
    let walls = (0..REPEATS).map(|_| run(times).map(|seconds| seconds / times as f64));
    let wall = Spread::of(walls.collect::<Result<Vec<_>, _>>()?);
    device.watch_stages(true);
    device.take_stage_seconds();
    device.convolve(&plan, &kernel, &source, control)?;
    device.watch_stages(false);
    let stages = device.take_stage_seconds();
    let traffic = traffic(&plan);
    let bytes = traffic.iter().map(|(_, bytes)| bytes).sum();
    let on_device: f64 = stages.iter().map(|(_, seconds)| seconds).sum();
    // A device whose clock says nothing has no share.
    let share = |bytes: u64, seconds: f64| Some(bytes as f64 / seconds / copy_bytes_per_s?).filter(|_| seconds > 0.0);
    let stage_share = |(stage, seconds): &(String, f64)| {
        let (_, bytes) = traffic.iter().find(|(name, _)| name == stage)?;
        Some((stage.clone(), share(*bytes, *seconds)?))
    };
    Ok(ConvolutionFigure {
        edge: plan.shape[0],
        kernel_edge: 2 * size.half_width + 1,
        core_edge: 2 * plan.core_half_width[0] + 1,
        wall,
        voxels_per_s: source.as_slice().len() as f64 / wall.median_s,
        bytes,
        share_of_copy: share(bytes, if on_device > 0.0 { on_device } else { wall.median_s }),
        stage_shares: stages.iter().filter_map(stage_share).collect(),
        stages: stages.into_iter().map(|(stage, seconds)| StageFigure { stage, seconds }).collect(),
    })
}

/// A volume in which no two voxels are alike, and a kernel like that of a beta emitter.
pub(super) struct Convolution {
    pub(super) plan: ConvolutionPlan,
    pub(super) kernel: VoxelKernel,
    pub(super) source: Volume<f32>,
}

impl Convolution {
    /// # Errors
    /// [`DoseError::Invalid`] or [`DoseError::TooLarge`] for a size that cannot be planned.
    pub(super) fn new(size: ConvolutionSize) -> Result<Self, DoseError> {
        let ConvolutionSize { edge, half_width, core } = size;
        Self::of([edge; 3], [half_width; 3], core)
    }

    /// * `shape` – of the volume
    /// * `half_width` – of the kernel, by axis
    /// * `core` – kernel offsets on each side that are convolved directly; none: as the plan chooses
    ///
    /// # Errors
    /// [`DoseError::Invalid`] or [`DoseError::TooLarge`] for a size that cannot be planned.
    pub(super) fn of(shape: [u64; 3], half_width: [usize; 3], core: Option<usize>) -> Result<Self, DoseError> {
        let grid = Arc::new(VoxelGrid::new(shape, [4.0; 3]).map_err(|invalid| DoseError::invalid("edge", invalid.0))?);
        let value = |n: usize| ((n.wrapping_mul(2_654_435_761) >> 8) & 0xFF_FFFF) as f32;
        let source =
            Volume::from_vec(grid.clone(), (0..grid.voxels()).map(value).collect()).expect("one value a voxel");
        let octant = Array3::from_shape_fn((half_width.map(|n| n + 1)).f(), |(i, j, k)| {
            let r2 = (i * i + j * j + k * k) as f64;
            0.1 * (-r2 * 6.0).exp() + 1e-4 / (r2 + 0.1)
        });
        let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
        let spec = KernelSpec::new(&nuclide.into(), KernelMedium::Water, grid.spacing_cm(), half_width)
            .map_err(|invalid| DoseError::invalid("emissions", invalid.0))?;
        let plan = ConvolutionPlan::new(&grid, &spec, WORKSPACE_BYTES)?;
        let core_half_width = core.map_or(plan.core_half_width, |core| [core; 3]);
        let plan = ConvolutionPlan { core_half_width, ..plan };
        let kernel = VoxelKernel { spec, octant, captured_mev: 0.1 };
        Ok(Self { plan, kernel, source })
    }
}

/// What a convolution is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ConvolutionDescription {
    kernel_edge: usize,
    core_edge: usize,
    /// See [`ConvolutionFigure::bytes`].
    bytes: u64,
}

impl ConvolutionDescription {
    /// Of what [`Convolution::new`] makes for a size.
    ///
    /// # Errors
    /// As [`Convolution::new`].
    pub(super) fn new(size: ConvolutionSize) -> Result<Self, DoseError> {
        let plan = Convolution::new(size)?.plan;
        let bytes = traffic(&plan).iter().map(|(_, bytes)| bytes).sum();
        let kernel_edge = 2 * size.half_width + 1;
        Ok(Self { kernel_edge, core_edge: 2 * plan.core_half_width[0] + 1, bytes })
    }
}

/// Bytes that each pass must move: it reads and writes every value once, zeros of the padding left out. The five passes
/// of a GPU, by the names of their stages. The last one reads the source too, for the core.
fn traffic(plan: &ConvolutionPlan) -> [(&'static str, u64); 5] {
    let [nx, ny, _] = plan.shape.map(|n| n as u64);
    let mut sums = [0; 5];
    for block in &plan.blocks {
        let [px, py, pz] = block.padded_shape.map(|n| n as u64);
        let (held, output) = (block.source_z.len() as u64, block.output_z.len() as u64);
        let kx = px / 2 + 1;
        let (voxels, row_values) = (4 * nx * ny, 8 * kx * ny);
        let plane_values = 8 * kx * py;
        // One octant of the kernel's spectrum, which is real.
        let kernel = 4 * kx * (py / 2 + 1) * (pz / 2 + 1);
        let passes = [
            held * (voxels + row_values),
            held * (row_values + plane_values),
            plane_values * (held + output) + kernel,
            output * (plane_values + row_values),
            output * (row_values + voxels) + held * voxels,
        ];
        sums.iter_mut().zip(passes).for_each(|(sum, bytes)| *sum += bytes);
    }
    let names = ["forward_x", "forward_y", "multiply_z", "inverse_y", "inverse_x"];
    std::array::from_fn(|pass| (names[pass], sums[pass]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::DeviceSelector;

    #[test]
    fn figures_belong_together() {
        let mut device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
        let size = ConvolutionSize { edge: 16, half_width: 3, core: None };
        let speed = convolution(&mut device, size, Some(1e9), &Control::detached()).expect("it runs");
        assert_eq!((speed.edge, speed.kernel_edge), (16, 7));
        assert!((speed.voxels_per_s * speed.wall.median_s - 4096.0).abs() < 1e-3);
        let share = speed.share_of_copy.expect("the copy rate is given");
        assert!((share * 1e9 * speed.wall.median_s / speed.bytes as f64 - 1.0).abs() < 1e-9);
        assert!(speed.stages.is_empty(), "a CPU has no stages");
    }

    #[test]
    fn the_traffic_of_256_with_63_is_what_was_counted_by_hand() {
        let grid = VoxelGrid::new([256; 3], [4.0; 3]).expect("a grid");
        let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
        let spec = KernelSpec::new(&nuclide.into(), KernelMedium::Water, grid.spacing_cm(), [31; 3]).expect("a kernel");
        let plan = ConvolutionPlan::new(&grid, &spec, 1 << 40).expect("it fits");
        let traffic = traffic(&plan);
        // Padded to 288: 145 columns of kx. Rows of 256 voxels give 145 complex values.
        let (voxels, rows, columns) = (4 * 256 * 256 * 256, 8 * 145 * 256 * 256, 8 * 145 * 288 * 256);
        assert_eq!(traffic[0], ("forward_x", voxels + rows));
        assert_eq!(traffic[1], ("forward_y", rows + columns));
        assert_eq!(traffic[2], ("multiply_z", 2 * columns + 4 * 145 * 145 * 145));
        assert_eq!(traffic[4], ("inverse_x", rows + 2 * voxels));
    }
}
