//! From energy to dose: clamp, divide by mass, and check before a dose is returned.

use super::mass::{DoseScale, check_dose, mass};
use super::{Deposit, VOXELS_A_LOOK};
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
    check_energy(dose.as_slice(), expected_mev)?;
    let clamped_mev = clamp(dose.as_mut_slice());
    let deposited_mev = sum(dose.as_slice());
    let grid = dose.grid().clone();
    let scale = DoseScale::new(&grid, mass(request));
    let (without_dose_mev, voxels_without_dose) = divide_by_mass(dose.as_mut_slice(), &scale, control)?;
    check_dose(dose.as_slice())?;
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

fn sum(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v)).sum()
}

/// # Errors
/// [`DoseError::EnergyBalance`] if the energy differs from the expected one or is not a number.
pub(super) fn check_energy(energy: &[f32], expected_mev: f64) -> Result<(), DoseError> {
    let found_mev = sum(energy);
    let tolerance_mev = ENERGY_BALANCE_TOLERANCE * expected_mev + SMALLEST_MEV * energy.len() as f64;
    if (found_mev - expected_mev).abs() <= tolerance_mev {
        Ok(())
    } else {
        Err(DoseError::EnergyBalance { expected_mev, found_mev })
    }
}

/// Sets negative energies to 0 and returns their sum.
fn clamp(energy: &mut [f32]) -> f64 {
    let mut clamped = 0.0;
    for value in energy.iter_mut().filter(|v| **v < 0.0) {
        clamped += f64::from(*value);
        *value = 0.0;
    }
    clamped
}

/// Turns energy [MeV] into dose [Gy] in place. Returns the energy and the number of voxels whose density is too low for
/// a dose.
///
/// # Errors
/// [`DoseError::Cancelled`], within some milliseconds.
fn divide_by_mass(dose: &mut [f32], scale: &DoseScale, control: &Control) -> Result<(f64, u64), DoseError> {
    let (mut energy, mut voxels) = (0.0, 0);
    let all = dose.len();
    for (number, piece) in dose.chunks_mut(VOXELS_A_LOOK).enumerate() {
        let first = number * VOXELS_A_LOOK;
        control.checkpoint(Stage::Finish, first as f64 / all as f64)?;
        for (offset, value) in piece.iter_mut().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "the stored precision; the result is checked")]
            if let Some(gy) = scale.absorbed_dose(f64::from(*value), first + offset) {
                *value = gy as f32;
            } else {
                energy += f64::from(*value);
                voxels += 1;
                *value = 0.0;
            }
        }
    }
    Ok((energy, voxels))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{
        ActivityUnit, DensityMap, DeviceKind, KernelOptions, LocalOptions, TimeIntegratedActivity, Volume, VoxelGrid,
    };
    use crate::physics::nuclide;

    fn volume(values: &[f32]) -> Volume<f32> {
        let grid = VoxelGrid::new([values.len() as u64, 1, 1], [10.0; 3]).expect("a good grid");
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
