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
mod within;

use std::time::Instant;

use rayon::prelude::*;

use self::cones::Cones;
use self::photons::PhotonCorrection;
use self::within::energy_within_grid;
use super::Deposit;
use super::finish::check_energy;
use crate::domain::passes::sum_by_all;
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
    let expected_mev = sum_by_all(energy.as_slice());
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
