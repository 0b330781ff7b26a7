//! Kernel dose: convolution of decays with voxel S values, over the whole grid.

use std::time::Instant;

use ndarray::{Array3, Axis, ShapeBuilder};
use rayon::prelude::*;

use super::Deposit;
use crate::domain::{Control, DoseError, DoseRequest, KernelAccount, Stage, StageTime, Volume};
use crate::engine::Device;
use crate::physics::kernel::{KernelSpec, VoxelKernel, library_sha256, voxel_kernel};
use crate::plan::ConvolutionPlan;

pub(super) fn deposit(
    device: &mut Device,
    spec: &KernelSpec,
    plan: &ConvolutionPlan,
    request: &DoseRequest,
    control: &Control,
    wall_time: &mut Vec<StageTime>,
) -> Result<Deposit, DoseError> {
    let start = Instant::now();
    control.checkpoint(Stage::Kernel, 0.0)?;
    let kernel = voxel_kernel(spec, &control.at_stage(Stage::Kernel))?;
    wall_time.push(StageTime::new(Stage::Kernel.name(), start.elapsed()));

    let start = Instant::now();
    control.checkpoint(Stage::Dose, 0.0)?;
    let source = request.activity().decays();
    let energy = device.convolve(plan, &kernel, source, control)?;
    let expected_mev = energy_within_grid(&kernel, source, control)?;
    wall_time.push(StageTime::new(Stage::Dose.name(), start.elapsed()));

    let account = KernelAccount {
        medium: spec.medium.name().to_owned(),
        library_sha256: library_sha256(spec.medium),
        half_width: plan.half_width,
        core_half_width: plan.core_half_width,
        padded_shape: plan.blocks.first().expect("a plan has at least one block").padded_shape,
        captured_fraction: kernel.captured_mev / request.source().released_mev(),
        truncation_radius_mm: spec.truncation_radius_cm.map(|cm| cm * 10.0),
    };
    Ok(Deposit { energy, expected_mev, kernel: Some(account) })
}

/// Energy that a source leaves within its own grid [MeV], from sums of the kernel over boxes: no convolution, so it can check one.
///
/// # Errors
/// [`DoseError::Cancelled`].
fn energy_within_grid(kernel: &VoxelKernel, source: &Volume<f32>, control: &Control) -> Result<f64, DoseError> {
    let sums = box_sums(&kernel.octant, control)?;
    let shape = source.grid().shape();
    // Sum of the kernel over the offsets that stay within the axis on both sides, as signed pieces of the octant's sums.
    let pieces = |axis: usize, index: usize| {
        let half = kernel.spec.half_width[axis];
        let (before, after) = (index.min(half), (shape[axis] - 1 - index).min(half));
        [(before + 1, 1.0), (after + 1, 1.0), (1, -1.0)]
    };
    let row_energy = |(row, decays): (usize, &[f32])| -> Result<f64, DoseError> {
        if control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        if decays.iter().all(|&d| d == 0.0) {
            return Ok(0.0);
        }
        let (ys, zs) = (pieces(1, row % shape[1]), pieces(2, row / shape[1]));
        let along_x: Vec<f64> = (0..sums.dim().0)
            .map(|i| zs.iter().flat_map(|(k, c)| ys.map(|(j, b)| b * c * sums[[i, j, *k]])).sum())
            .collect();
        let held = |x: usize| -> f64 { pieces(0, x).iter().map(|(i, a)| a * along_x[*i]).sum() };
        Ok(decays.iter().enumerate().map(|(x, &d)| f64::from(d) * held(x)).sum())
    };
    // Collected row by row, so that the sum does not depend on the threads.
    let rows: Result<Vec<f64>, DoseError> =
        source.as_slice().par_chunks_exact(shape[0]).enumerate().map(row_energy).collect();
    Ok(rows?.iter().sum())
}

/// `sums[[i, j, k]]` is the sum of the octant over all indices below `(i, j, k)`.
///
/// # Errors
/// [`DoseError::Cancelled`].
fn box_sums(octant: &Array3<f64>, control: &Control) -> Result<Array3<f64>, DoseError> {
    let (nx, ny, nz) = octant.dim();
    let mut sums = Array3::from_shape_fn((nx + 1, ny + 1, nz + 1).f(), |(i, j, k)| {
        if i == 0 || j == 0 || k == 0 { 0.0 } else { octant[[i - 1, j - 1, k - 1]] }
    });
    for axis in 0..3 {
        if control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        sums.accumulate_axis_inplace(Axis(axis), |&previous, current| *current += previous);
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{KernelMedium, VoxelGrid};
    use crate::physics::nuclide;

    #[test]
    fn energy_within_a_grid_is_the_sum_over_all_pairs_of_voxels() {
        for (shape, half_width) in [([5, 4, 3], [4, 3, 2]), ([5, 1, 7], [2, 0, 3]), ([1, 1, 1], [0, 0, 0])] {
            let grid = Arc::new(VoxelGrid::new(shape, [2.0; 3]).expect("a good grid"));
            let values = (0..grid.voxels()).map(|n| (n * 7 % 5) as f32).collect();
            let source = Volume::from_vec(grid.clone(), values).expect("one value a voxel");
            let [hx, hy, hz] = half_width;
            let octant =
                Array3::from_shape_fn((hx + 1, hy + 1, hz + 1).f(), |(i, j, k)| 1.0 / (1 + i + 2 * j + 3 * k) as f64);
            let decaying = nuclide::find("Lu-177").expect("a known nuclide").into();
            let spec = KernelSpec::new(&decaying, KernelMedium::Water, grid.spacing_cm(), half_width);
            let spec = spec.expect("energies that kernels have");
            let kernel = VoxelKernel { spec, octant, captured_mev: 1.0 };
            let mut expected = 0.0;
            for ((x, y, z), &decays) in source.data().indexed_iter() {
                for (to, _) in source.data().indexed_iter() {
                    let offset = [x.abs_diff(to.0), y.abs_diff(to.1), z.abs_diff(to.2)];
                    expected += f64::from(decays) * kernel.octant.get(offset).copied().unwrap_or(0.0);
                }
            }
            let found = energy_within_grid(&kernel, &source, &Control::detached()).expect("nobody cancels");
            assert!((found - expected).abs() <= 1e-12 * expected, "{shape:?}: {found} {expected}");
        }
    }
}
