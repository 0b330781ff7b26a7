//! From energy to dose: clamp, divide by mass, and check before a dose is returned.

use rayon::prelude::*;

use super::mass::{DoseScale, check_bad, count_bad, mass};
use super::{Deposit, VOXELS_A_LOOK};
use crate::domain::passes::{BLOCK, sum_by_all, sum_of_block};
use crate::domain::{
    ActivityAccount, Control, DensityCorrection, DeviceInfo, DoseError, DoseRequest, DoseResult, EnergyAccount, Method,
    Provenance, SourceAccount, Stage,
};

/// Largest relative difference between the energy in a result and the energy expected. Rounding in single precision
/// gives 1e-7; a failed device gives much more.
const ENERGY_BALANCE_TOLERANCE: f64 = 1e-5;

/// Energy that single precision cannot resolve in a voxel [MeV]: its smallest number.
const SMALLEST_MEV: f64 = 1.5e-45;

pub(super) fn finish(
    deposit: Deposit,
    request: &DoseRequest,
    device: DeviceInfo,
    control: &Control,
) -> Result<DoseResult, DoseError> {
    let Deposit { energy: mut dose, expected_mev, kernel } = deposit;
    control.checkpoint(Stage::Finish, 0.0)?;
    let grid = dose.grid().clone();
    let scale = DoseScale::new(&grid, mass(request));
    let found = divide_by_mass(dose.as_mut_slice(), &scale, control)?;
    check_sum(found.all_mev, grid.voxels(), expected_mev)?;
    check_bad(found.bad, grid.voxels())?;
    let Found { clamped_mev, deposited_mev, without_dose_mev, voxels_without_dose, .. } = found;
    let source = request.source();
    let emitted_mev = request.activity().total() * source.released_mev();
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("DOSEGRID_COMMIT").to_owned(),
        device,
        method: request.method().name().to_owned(),
        density_correction: density_correction(request).map(|correction| correction.name().to_owned()),
        minimum_density_g_cm3: scale.minimum_g_cm3(),
        nuclide: source.name().to_owned(),
        nuclide_data_sha256: source.data_sha256().to_owned(),
        source: SourceAccount::new(source),
        decays: request.activity().total(),
        energy: EnergyAccount {
            emitted_mev,
            deposited_mev,
            escaped_mev: emitted_mev - deposited_mev,
            without_dose_mev,
            voxels_without_dose,
            clamped_mev,
        },
        kernel,
        monte_carlo: None,
        biological_weighting: None,
        daughter_maps: Vec::new(),
        wall_time: Vec::new(),
    };
    let activity = ActivityAccount::of(request);
    Ok(DoseResult { dose, uncertainty: None, weighted: None, tally: None, provenance, activity, warnings: Vec::new() })
}

fn density_correction(request: &DoseRequest) -> Option<DensityCorrection> {
    match request.method() {
        Method::Kernel(options) => Some(options.density_correction),
        Method::Local(_) | Method::MonteCarlo(_) => None,
    }
}

/// # Errors
/// [`DoseError::EnergyBalance`] if the energy differs from the expected one or is not a number.
pub(super) fn check_energy(energy: &[f32], expected_mev: f64) -> Result<(), DoseError> {
    check_sum(sum_by_all(energy), energy.len(), expected_mev)
}

/// As [`check_energy`], for the sum over so many voxels.
fn check_sum(found_mev: f64, voxels: usize, expected_mev: f64) -> Result<(), DoseError> {
    let tolerance_mev = ENERGY_BALANCE_TOLERANCE * expected_mev + SMALLEST_MEV * voxels as f64;
    if (found_mev - expected_mev).abs() <= tolerance_mev {
        Ok(())
    } else {
        Err(DoseError::EnergyBalance { expected_mev, found_mev })
    }
}

/// What is found of energies while they are turned into doses.
#[derive(Clone, Copy, Default)]
struct Found {
    /// All energy as it was [MeV].
    all_mev: f64,
    /// What was below 0 and is set to 0 [MeV].
    clamped_mev: f64,
    /// What is left [MeV].
    deposited_mev: f64,
    /// Of that, what is in voxels whose density is too low for a dose [MeV].
    without_dose_mev: f64,
    /// The number of these voxels.
    voxels_without_dose: u64,
    /// Voxels whose dose is not finite.
    bad: usize,
}

impl Found {
    fn add(&mut self, other: &Self) {
        self.all_mev += other.all_mev;
        self.clamped_mev += other.clamped_mev;
        self.deposited_mev += other.deposited_mev;
        self.without_dose_mev += other.without_dose_mev;
        self.voxels_without_dose += other.voxels_without_dose;
        self.bad += other.bad;
    }
}

/// Turns energy [MeV] into dose [Gy] in place; what is below 0 becomes 0. All threads take blocks, whose sums are added
/// in order.
///
/// # Errors
/// [`DoseError::Cancelled`], within some milliseconds.
fn divide_by_mass(dose: &mut [f32], scale: &DoseScale, control: &Control) -> Result<Found, DoseError> {
    let mut found = Found::default();
    let all = dose.len();
    for (number, piece) in dose.chunks_mut(VOXELS_A_LOOK).enumerate() {
        let first = number * VOXELS_A_LOOK;
        control.checkpoint(Stage::Finish, first as f64 / all as f64)?;
        let blocks = piece.par_chunks_mut(BLOCK).enumerate();
        let blocks: Vec<Found> =
            blocks.map(|(number, block)| divide_block(block, first + number * BLOCK, scale)).collect();
        blocks.iter().for_each(|block| found.add(block));
    }
    Ok(found)
}

/// * `first` – number of the block's first voxel
fn divide_block(block: &mut [f32], first: usize, scale: &DoseScale) -> Found {
    let all_mev = sum_of_block(block);
    let mut clamped_mev = 0.0;
    if block.iter().fold(0, |any, mev| any | u32::from(*mev < 0.0)) != 0 {
        for mev in block.iter_mut().filter(|mev| **mev < 0.0) {
            clamped_mev += f64::from(*mev);
            *mev = 0.0;
        }
    }
    let deposited_mev = if clamped_mev < 0.0 { sum_of_block(block) } else { all_mev };
    let (without_dose_mev, voxels_without_dose) = scale.divide(block, first);
    Found { all_mev, clamped_mev, deposited_mev, without_dose_mev, voxels_without_dose, bad: count_bad(block) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{
        ActivityUnit, DensityMap, DeviceKind, KernelOptions, LocalOptions, TimeIntegratedActivity, Volume, VoxelGrid,
    };
    use crate::physics::nuclide;

    /// Most voxels of a row; there are whole rows.
    const ROW: usize = 1031;

    fn volume(values: &[f32]) -> Volume<f32> {
        let row = values.len().min(ROW);
        let grid = VoxelGrid::new([row as u64, (values.len() / row) as u64, 1], [10.0; 3]).expect("a good grid");
        Volume::from_vec(Arc::new(grid), values.to_vec()).expect("as many values as voxels")
    }

    fn request(decays: &[f32], density: Option<&[f32]>, method: Method) -> DoseRequest {
        let activity = TimeIntegratedActivity::new(volume(decays), ActivityUnit::BqS).expect("an activity");
        let density = density.map(|values| DensityMap::new(volume(values)).expect("a density"));
        let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
        DoseRequest::new(activity, density, nuclide, method).expect("a good request")
    }

    fn water() -> Method {
        Method::Kernel(KernelOptions { density_correction: DensityCorrection::None, ..KernelOptions::default() })
    }

    fn finished(energy: &[f32], expected_mev: f64, request: &DoseRequest) -> Result<DoseResult, DoseError> {
        finish(Deposit { energy: volume(energy), expected_mev, kernel: None }, request, cpu(), &Control::detached())
    }

    fn cpu() -> DeviceInfo {
        DeviceInfo {
            id: "cpu".into(),
            kind: DeviceKind::Cpu,
            name: "CPU".into(),
            backend: "native".into(),
            driver: String::new(),
        }
    }

    #[test]
    fn a_device_that_failed_gives_no_dose() {
        let request = request(&[1e9; 4], None, water());
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        for energy in [[0.0; 4], [1e8, 1e8, 0.0, 0.0], [1e8, 1e8, 1e8, nan], [1e8, 1e8, 1e8, infinity], [1e9; 4]] {
            let error = finished(&energy, 4e8, &request).expect_err("not the energy that must be there");
            assert!(matches!(error, DoseError::EnergyBalance { .. }), "{energy:?}: {error}");
        }
        let error = finished(&[infinity, -infinity, 1e8, 1e8], 2e8, &request).expect_err("not a dose");
        assert!(matches!(error, DoseError::EnergyBalance { .. }), "{error}");
        assert!(finished(&[1e8; 4], 4e8, &request).is_ok());
    }

    #[test]
    fn a_dose_beyond_single_precision_is_refused() {
        // Next to no mass: a thin gas in a small voxel.
        let small = |values: &[f32]| {
            let grid = VoxelGrid::new([2, 1, 1], [0.01; 3]).expect("a good grid");
            Volume::from_vec(Arc::new(grid), values.to_vec()).expect("as many values as voxels")
        };
        let activity = TimeIntegratedActivity::new(small(&[1e20; 2]), ActivityUnit::BqS).expect("an activity");
        let density = DensityMap::new(small(&[1e-5, 1.0])).expect("a density");
        let method = Method::Local(LocalOptions { minimum_density_g_cm3: 0.0 });
        let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
        let request = DoseRequest::new(activity, Some(density), nuclide, method).expect("a good request");
        let deposit = Deposit { energy: small(&[1e35; 2]), expected_mev: 2e35, kernel: None };
        let error = finish(deposit, &request, cpu(), &Control::detached()).expect_err("an infinite dose");
        assert!(matches!(error, DoseError::NotPhysical(_)), "{error}");
    }

    #[test]
    fn negative_rounding_is_clamped_and_reported() {
        let result = finished(&[3e8, -2.0, 0.0], 3e8, &request(&[1e9, 0.0, 0.0], None, water())).expect("a dose");
        let energy = result.provenance.energy;
        assert_eq!((energy.clamped_mev, energy.deposited_mev), (-2.0, f64::from(3e8f32)));
        assert_eq!(result.dose.as_slice()[1..], [0.0, 0.0]);
        // 3e8 MeV in 1 cm³ of water.
        let gray = 3e8 * 1.602_176_634e-10;
        assert!((f64::from(result.dose.as_slice()[0]) / gray - 1.0).abs() < 1e-6);
    }

    #[test]
    fn thin_voxels_get_no_dose_and_their_energy_is_reported() {
        let options = LocalOptions { minimum_density_g_cm3: 0.05 };
        let request = request(&[1e9; 3], Some(&[2.0, 0.0499, 0.0]), Method::Local(options));
        let result = finished(&[1e8; 3], 3e8, &request).expect("a dose");
        let energy = result.provenance.energy;
        assert_eq!((energy.without_dose_mev, energy.voxels_without_dose), (2e8, 2));
        assert_eq!(result.dose.as_slice()[1..], [0.0, 0.0]);
        let gray = 1e8 * 1.602_176_634e-10 / 2.0;
        assert!((f64::from(result.dose.as_slice()[0]) / gray - 1.0).abs() < 1e-6);
        assert!((energy.emitted_mev - energy.deposited_mev - energy.escaped_mev).abs() <= 1e-9 * energy.emitted_mev);
    }

    #[test]
    fn every_block_of_a_large_map_is_counted_once() {
        // Whole numbers, whose sums are exact.
        let voxels = (VOXELS_A_LOOK + 2 * BLOCK) / ROW * ROW;
        assert_ne!(voxels % BLOCK, 0, "the last block is a short one");
        let energy: Vec<f32> = (0..voxels).map(|n| if n % 1000 == 3 { -2.0 } else { (n % 89) as f32 }).collect();
        let density: Vec<f32> = (0..voxels).map(|n| if n % 77 == 5 { 0.01 } else { 0.5 }).collect();
        let sum = |of: &dyn Fn(usize, f32) -> f32| -> f64 {
            energy.iter().enumerate().map(|(n, &mev)| f64::from(of(n, mev))).sum()
        };
        let is_thin = |n: usize| n % 77 == 5;
        let request = request(&vec![1e9; voxels], Some(&density), Method::Local(LocalOptions::default()));
        let result = finished(&energy, sum(&|_, mev| mev), &request).expect("a dose");
        let found = result.provenance.energy;
        assert_eq!(found.clamped_mev, sum(&|_, mev| mev.min(0.0)));
        assert_eq!(found.deposited_mev, sum(&|_, mev| mev.max(0.0)));
        assert_eq!(found.without_dose_mev, sum(&|n, mev| if is_thin(n) { mev.max(0.0) } else { 0.0 }));
        assert_eq!(found.voxels_without_dose, (0..voxels).filter(|n| is_thin(*n)).count() as u64);
        for (n, (&gray, &mev)) in result.dose.as_slice().iter().zip(&energy).enumerate() {
            let expected = if is_thin(n) { 0.0 } else { f64::from(mev.max(0.0)) * 1.602_176_634e-10 / 0.5 };
            assert!((f64::from(gray) - expected).abs() <= 1e-6 * expected, "{n}: {gray} {expected}");
        }
    }

    #[test]
    fn a_map_without_activity_gives_no_dose_and_no_error() {
        let result = finished(&[0.0; 3], 0.0, &request(&[0.0; 3], None, water())).expect("a dose of 0");
        assert_eq!(result.dose.as_slice(), [0.0; 3]);
        assert_eq!(result.provenance.energy.emitted_mev, 0.0);
    }

    #[test]
    fn the_smallest_activity_passes_the_check() {
        let energy = [1e-45, 3e-45, 1e-45];
        assert!(finished(&energy, 4.4e-45, &request(&[1e-44; 3], None, water())).is_ok());
    }
}
