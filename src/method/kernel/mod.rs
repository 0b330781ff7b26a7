//! Kernel dose: convolution of decays with voxel S values, over the whole grid.
//!
//! With the correction `water`, one kernel of all energy. With `density-scaled`, charged particles and photons apart:
//!
//! * `cones`: the charged particles' energy where density changes.
//! * `photons`: the photons' dose in bodies that are not of water without end, with `rays`, `scatter` and
//!   `interpolate`.

mod cones;
mod interpolate;
mod photons;
mod rays;
mod scatter;

use std::time::Instant;

use ndarray::{Array3, Axis, ShapeBuilder};
use rayon::prelude::*;

use self::cones::Cones;
use self::photons::PhotonCorrection;
use super::Deposit;
use super::finish::check_energy;
use crate::domain::{Control, DoseError, DoseRequest, KernelAccount, Stage, StageTime, Volume};
use crate::engine::Device;
use crate::physics::kernel::{KernelSpec, VoxelKernel, density_g_cm3, library_sha256, voxel_kernel};
use crate::plan::{Convolution, ConvolutionPlan, KernelWork, SplitWork};

/// Largest part of the energy emitted that corrected charged particles and photons may leave in the grid. Of a
/// source in 10 cm of bone of 1.9 g/cm³ on all sides they leave up to 100.7 % (Y-90), in as much of 7.8 g/cm³ 142 % of
/// Cs-131's.
const MOST_OF_EMITTED: f64 = 1.02;

pub(super) fn deposit(
    device: &mut Device,
    work: &KernelWork,
    request: &DoseRequest,
    control: &Control,
    wall_time: &mut Vec<StageTime>,
) -> Result<Deposit, DoseError> {
    match work {
        KernelWork::Uniform(convolution) => uniform(device, convolution, request, control, wall_time),
        KernelWork::Split(split) => corrected(device, split, request, control, wall_time),
    }
}

fn uniform(
    device: &mut Device,
    convolution: &Convolution,
    request: &DoseRequest,
    control: &Control,
    wall_time: &mut Vec<StageTime>,
) -> Result<Deposit, DoseError> {
    let start = Instant::now();
    control.checkpoint(Stage::Kernel, 0.0)?;
    let kernel = voxel_kernel(&convolution.kernel, &control.at_stage(Stage::Kernel))?;
    wall_time.push(StageTime::new(Stage::Kernel.name(), start.elapsed()));

    let start = Instant::now();
    control.checkpoint(Stage::Dose, 0.0)?;
    let source = request.activity().decays();
    let energy = device.convolve(&convolution.plan, &kernel, source, control)?;
    let expected_mev = energy_within_grid(&kernel, source, control)?;
    wall_time.push(StageTime::new(Stage::Dose.name(), start.elapsed()));
    let account = account(convolution, kernel.captured_mev, request);
    Ok(Deposit { energy, expected_mev, kernel: Some(account) })
}

/// Charged particles and photons apart, each with its correction. What comes out is the energy absorbed in each voxel
/// as it is: its dose times its own mass.
fn corrected(
    device: &mut Device,
    split: &SplitWork,
    request: &DoseRequest,
    control: &Control,
    wall_time: &mut Vec<StageTime>,
) -> Result<Deposit, DoseError> {
    let start = Instant::now();
    control.checkpoint(Stage::Kernel, 0.0)?;
    let watch = control.at_stage(Stage::Kernel);
    let kernel = |spec: &KernelSpec| voxel_kernel(spec, &watch);
    let charged = kernel(&split.charged.kernel)?;
    control.give_way()?;
    let (touching, photons) = (kernel(&split.touching)?, kernel(&split.photons.kernel)?);
    control.give_way()?;
    let correction = PhotonCorrection::new(&split.coarse, control)?;
    wall_time.push(StageTime::new(Stage::Kernel.name(), start.elapsed()));

    let start = Instant::now();
    control.checkpoint(Stage::Dose, 0.0)?;
    let source = request.activity().decays();
    let density = request.density().expect("a request whose method needs a density has one").g_cm3().as_slice();
    let medium_g_cm3 = density_g_cm3(split.photons.kernel.medium);
    let mut energy = convolve_checked(device, &split.photons.plan, &photons, source, control)?;
    control.give_way()?;
    correction.apply(device, &mut energy, source, density, control)?;
    control.give_way()?;
    let mut by_charged = convolve_checked(device, &split.charged.plan, &charged, source, control)?;
    if let Some(cones) = Cones::new(&touching, medium_g_cm3) {
        control.give_way()?;
        cones.correct(&mut by_charged, source, density, control)?;
    }
    let sum = energy.as_mut_slice().par_iter_mut().zip(by_charged.as_slice()).zip(source.as_slice());
    #[expect(clippy::cast_possible_truncation, reason = "the stored precision; decays are bounded")]
    sum.for_each(|((energy, charged), decays)| {
        let local_mev = f64::from(*decays) * split.local_mev;
        *energy = (f64::from(*energy) + f64::from(*charged) + local_mev) as f32;
    });
    let expected_mev = energy.as_slice().iter().map(|&mev| f64::from(mev)).sum();
    check_corrected(expected_mev, request.activity().total() * request.source().released_mev())?;
    wall_time.push(StageTime::new(Stage::Dose.name(), start.elapsed()));
    let captured_mev = charged.captured_mev + photons.captured_mev + split.local_mev;
    let account = account(&split.photons, captured_mev, request);
    Ok(Deposit { energy, expected_mev, kernel: Some(account) })
}

/// The corrections create no energy, apart from their error.
///
/// # Errors
/// [`DoseError::Invalid`] of the correction: they are not made for a body like this.
fn check_corrected(deposited_mev: f64, emitted_mev: f64) -> Result<(), DoseError> {
    let part = deposited_mev / emitted_mev;
    // Without any activity there is no part, and nothing to check.
    if part > MOST_OF_EMITTED {
        let reason = format!(
            "would leave {:.1} % of the energy emitted in the grid: so much of it is denser than tissue that this \
             correction fails; choose the method monte-carlo",
            100.0 * part
        );
        return Err(DoseError::invalid("method.kernel.density_correction", reason));
    }
    Ok(())
}

/// A convolution that holds the energy that it must hold.
///
/// # Errors
/// [`DoseError::EnergyBalance`] if not; as [`Device::convolve`].
fn convolve_checked(
    device: &mut Device,
    plan: &ConvolutionPlan,
    kernel: &VoxelKernel,
    source: &Volume<f32>,
    control: &Control,
) -> Result<Volume<f32>, DoseError> {
    let energy = device.convolve(plan, kernel, source, control)?;
    check_energy(energy.as_slice(), energy_within_grid(kernel, source, control)?)?;
    Ok(energy)
}

fn account(convolution: &Convolution, captured_mev: f64, request: &DoseRequest) -> KernelAccount {
    let Convolution { kernel, plan } = convolution;
    KernelAccount {
        medium: kernel.medium.name().to_owned(),
        library_sha256: library_sha256(kernel.medium),
        half_width: plan.half_width,
        core_half_width: plan.core_half_width,
        padded_shape: plan.blocks.first().expect("a plan has at least one block").padded_shape,
        captured_fraction: captured_mev / request.source().released_mev(),
        truncation_radius_mm: kernel.truncation_radius_cm.map(|cm| cm * 10.0),
    }
}

/// Energy that a source deposits within its own grid [MeV], from sums of the kernel over boxes. It needs no
/// convolution, so it can check one.
///
/// # Errors
/// [`DoseError::Cancelled`].
fn energy_within_grid(kernel: &VoxelKernel, source: &Volume<f32>, control: &Control) -> Result<f64, DoseError> {
    let sums = box_sums(&kernel.octant, control)?;
    let shape = source.grid().shape();
    // Sum of the kernel over the offsets that stay within the grid along an axis, as signed pieces of the sums over the
    // octant.
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
        let mut along_x = vec![0.0; sums.dim().0];
        for (k, c) in zs {
            for (j, b) in ys {
                let row = sums.index_axis(Axis(2), k).index_axis_move(Axis(1), j);
                along_x.iter_mut().zip(row).for_each(|(sum, held)| *sum += b * c * held);
            }
        }
        let held = |x: usize| -> f64 { pieces(0, x).iter().map(|(i, a)| a * along_x[*i]).sum() };
        Ok(decays.iter().enumerate().map(|(x, &d)| f64::from(d) * held(x)).sum())
    };
    // Collected row by row so that the sum does not depend on the threads.
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
    let (row, plane) = (nx + 1, (nx + 1) * (ny + 1));
    let mut sums = vec![0.0; plane * (nz + 1)];
    sums.par_chunks_exact_mut(plane).enumerate().skip(1).try_for_each(|(k, sums)| {
        if control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        let values = octant.index_axis(Axis(2), k - 1);
        for j in 1..=ny {
            let (before, after) = sums.split_at_mut(j * row);
            let mut along_x = 0.0;
            let sums = after[1..row].iter_mut().zip(&before[(j - 1) * row + 1..]);
            for ((sum, below), value) in sums.zip(values.index_axis(Axis(1), j - 1)) {
                along_x += value;
                *sum = along_x + below;
            }
        }
        Ok(())
    })?;
    for k in 1..=nz {
        let (before, after) = sums.split_at_mut(k * plane);
        after[..plane].iter_mut().zip(&before[(k - 1) * plane..]).for_each(|(sum, below)| *sum += below);
    }
    Ok(Array3::from_shape_vec((nx + 1, ny + 1, nz + 1).f(), sums).expect("a sum for each index"))
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
