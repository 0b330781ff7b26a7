//! How fast a device is: voxels convolved per second, histories per second, and the efficiency of the histories.

use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array3, ShapeBuilder};
use serde::Serialize;

use crate::domain::Tally;
use crate::domain::{Control, DoseError, KernelMedium, Volume, VoxelGrid};
use crate::engine::Device;
use crate::physics::kernel::{KernelSpec, VoxelKernel};
use crate::physics::nuclide;
use crate::plan::ConvolutionPlan;
use crate::prepare::transport::Scene;
use crate::validate::phantom::Phantom;
use crate::validate::statistics::Binned;

/// Number of convolutions; the fastest counts.
const REPEATS: usize = 3;

/// Speed of the convolution.
#[derive(Clone, Debug, Serialize)]
pub struct ConvolutionSpeed {
    /// Voxels along each edge of the volume.
    pub edge: usize,
    /// Voxels along each edge of the kernel.
    pub kernel_edge: usize,
    /// Time of the fastest of three [s].
    pub seconds: f64,
    /// Voxels per second.
    pub voxels_per_s: f64,
}

/// Speed of the transport.
#[derive(Clone, Debug, Serialize)]
pub struct TransportSpeed {
    /// Histories run.
    pub histories: u64,
    /// Time that they took, without the preparation of tables [s].
    pub seconds: f64,
    /// Histories per second.
    pub histories_per_s: f64,
    /// Root mean square, over the voxels with activity, of 1σ relative to the dose.
    pub relative_sigma: f64,
    /// Efficiency `1 / (σ² T)` [1/s]: how many times per second this device reaches a relative σ of 1 in the average
    /// voxel with activity. It does not depend on the number of histories.
    pub efficiency_per_s: f64,
}

/// Measures the convolution of a volume, in which no two voxels are alike, with a kernel like that of a beta emitter.
///
/// * `edge` – voxels along each edge of the volume
/// * `half_width` – voxels of the kernel on each side of its centre
///
/// # Errors
/// A failure of the device.
pub fn convolution(device: &mut Device, edge: u64, half_width: usize) -> Result<ConvolutionSpeed, DoseError> {
    let grid = Arc::new(VoxelGrid::new([edge; 3], [4.0; 3]).map_err(|invalid| DoseError::invalid("edge", invalid.0))?);
    let value = |n: usize| ((n.wrapping_mul(2_654_435_761) >> 8) & 0xFF_FFFF) as f32;
    let source = Volume::from_vec(grid.clone(), (0..grid.voxels()).map(value).collect()).expect("one value a voxel");
    let octant = Array3::from_shape_fn(([half_width + 1; 3]).f(), |(i, j, k)| {
        let r2 = (i * i + j * j + k * k) as f64;
        0.1 * (-r2 * 6.0).exp() + 1e-4 / (r2 + 0.1)
    });
    let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
    let half_width = [half_width; 3];
    let spec = KernelSpec::new(&nuclide.into(), KernelMedium::Water, grid.spacing_cm(), half_width)
        .map_err(|invalid| DoseError::invalid("emissions", invalid.0))?;
    let plan = ConvolutionPlan::new(&grid, &spec, 1 << 34)?;
    let kernel = VoxelKernel { spec, octant, captured_mev: 0.1 };
    let mut seconds = f64::INFINITY;
    for _ in 0..REPEATS {
        let start = Instant::now();
        device.convolve(&plan, &kernel, &source, &Control::detached())?;
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    let (edge, kernel_edge) = (grid.shape()[0], 2 * half_width[0] + 1);
    Ok(ConvolutionSpeed { edge, kernel_edge, seconds, voxels_per_s: grid.voxels() as f64 / seconds })
}

/// Measures the transport: runs batches of histories until a time has passed, and at least one batch.
///
/// * `seconds` – the time; a batch is meant to take a tenth of it
///
/// # Errors
/// A failure of the device.
pub fn transport(device: &mut Device, phantom: &Phantom, seconds: f64) -> Result<TransportSpeed, DoseError> {
    let scene = phantom.scene();
    let mut tally = Tally::new(phantom.groups, phantom.grid.voxels());
    // This warms up the device, and shows how many histories a batch should have.
    let warm_up = 32 * u64::from(phantom.groups);
    let start = Instant::now();
    device.transport(&scene, 0..warm_up, &mut tally.clone(), &Control::detached())?;
    let rate = warm_up as f64 / start.elapsed().as_secs_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds of histories, above 0")]
    let batch = ((0.1 * seconds * rate) as u64).max(warm_up);
    let start = Instant::now();
    let mut histories = 0;
    while histories == 0 || start.elapsed().as_secs_f64() < seconds {
        device.transport(&scene, histories..histories + batch, &mut tally, &Control::detached())?;
        histories += batch;
    }
    Ok(speed(&scene, &tally, start.elapsed().as_secs_f64()))
}

fn speed(scene: &Scene, tally: &Tally, seconds: f64) -> TransportSpeed {
    let binned = Binned::by_voxel(tally);
    let active = scene.source.voxels.iter().map(|&voxel| binned.mean(voxel as usize));
    let variance =
        active.map(|found| (found.sigma / found.mean).powi(2)).sum::<f64>() / scene.source.voxels.len() as f64;
    let histories = tally.histories();
    TransportSpeed {
        histories,
        seconds,
        histories_per_s: histories as f64 / seconds,
        relative_sigma: variance.sqrt(),
        efficiency_per_s: 1.0 / (variance * seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DeviceSelector, Particle};
    use crate::validate::phantom::line;

    #[test]
    fn figures_belong_together() {
        let mut device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
        let phantom =
            Phantom::uniform([3; 3], [5.0; 3], "water", 1.0, line(Particle::Electron, 0.2)).with_source_at([1; 3]);
        let speed = transport(&mut device, &phantom, 0.01).expect("it runs");
        assert!((speed.histories as f64 / speed.seconds / speed.histories_per_s - 1.0).abs() < 1e-9);
        assert!((speed.efficiency_per_s * speed.relative_sigma.powi(2) * speed.seconds - 1.0).abs() < 1e-9);
        assert!(speed.relative_sigma > 0.0 && speed.relative_sigma < 0.1, "{speed:?}");
        let speed = convolution(&mut device, 16, 3).expect("it runs");
        assert_eq!((speed.edge, speed.kernel_edge), (16, 7));
        assert!((speed.voxels_per_s * speed.seconds - 4096.0).abs() < 1e-3);
    }
}
