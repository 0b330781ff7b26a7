//! From energy to dose: clamp, divide by mass, and check before a dose leaves.

use super::Deposit;
use crate::domain::density::bears_dose;
use crate::domain::{
    DensityCorrection, DeviceInfo, DoseError, DoseRequest, DoseResult, EnergyAccount, Method, Provenance,
};
use crate::physics::constants::{GY_PER_MEV_PER_G, WATER_DENSITY_G_CM3};
use crate::physics::nuclide::data_sha256;

/// Largest difference between the energy in a result and the energy that must be there, relative to the latter.
/// Rounding in single precision leaves 1e-7; a device that failed leaves much more.
const ENERGY_BALANCE_TOLERANCE: f64 = 1e-5;

/// What becomes of mass in a method.
enum Mass {
    /// Every voxel is water.
    Water,
    /// Every voxel has its own; those below this density [g/cm³] get no dose.
    Own(f64),
}

pub(super) fn finish(deposit: Deposit, request: &DoseRequest, device: DeviceInfo) -> Result<DoseResult, DoseError> {
    let Deposit { energy: mut dose, expected_mev, kernel } = deposit;
    check_energy(dose.as_slice(), expected_mev)?;
    let clamped_mev = clamp(dose.as_mut_slice());
    let deposited_mev = sum(dose.as_slice());
    let (mass, density_correction) = match request.method() {
        Method::Local(options) => (Mass::Own(options.minimum_density_g_cm3), None),
        Method::Kernel(options) => (
            match options.density_correction {
                DensityCorrection::Water => Mass::Water,
                DensityCorrection::DensityScaled => Mass::Own(options.minimum_density_g_cm3),
            },
            Some(options.density_correction.name().to_owned()),
        ),
    };
    let (without_dose_mev, voxels_without_dose) = divide_by_mass(&mut dose, request, &mass);
    check_dose(dose.as_slice())?;
    let nuclide = request.nuclide();
    let emitted_mev = request.activity().total() * nuclide.mean_energy_mev.total();
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("DOSEGRID_COMMIT").to_owned(),
        device,
        method: request.method().name().to_owned(),
        density_correction,
        minimum_density_g_cm3: match mass {
            Mass::Water => None,
            Mass::Own(minimum) => Some(minimum),
        },
        nuclide: nuclide.name.clone(),
        nuclide_data_sha256: data_sha256(nuclide).to_owned(),
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
        wall_time: Vec::new(),
    };
    Ok(DoseResult { dose, provenance })
}

fn sum(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v)).sum()
}

/// # Errors
/// [`DoseError::EnergyBalance`] unless the energy is there; also if it is not a number.
fn check_energy(energy: &[f32], expected_mev: f64) -> Result<(), DoseError> {
    let found_mev = sum(energy);
    if (found_mev - expected_mev).abs() <= ENERGY_BALANCE_TOLERANCE * expected_mev {
        Ok(())
    } else {
        Err(DoseError::EnergyBalance { expected_mev, found_mev })
    }
}

/// Sets negative energies to 0; their sum.
fn clamp(energy: &mut [f32]) -> f64 {
    let mut clamped = 0.0;
    for value in energy.iter_mut().filter(|v| **v < 0.0) {
        clamped += f64::from(*value);
        *value = 0.0;
    }
    clamped
}

/// Turns energy [MeV] into dose [Gy] in place. Energy and number of the voxels that are too thin to get one.
fn divide_by_mass(dose: &mut crate::domain::Volume<f32>, request: &DoseRequest, mass: &Mass) -> (f64, u64) {
    let gy_per_mev_at_unit_density = GY_PER_MEV_PER_G / dose.grid().voxel_volume_cm3();
    #[expect(clippy::cast_possible_truncation, reason = "the stored precision; the result is checked to be finite")]
    let absorbed_dose = |mev: f32, density: f64| (f64::from(mev) * gy_per_mev_at_unit_density / density) as f32;
    match mass {
        Mass::Water => {
            dose.as_mut_slice().iter_mut().for_each(|v| *v = absorbed_dose(*v, WATER_DENSITY_G_CM3));
            (0.0, 0)
        }
        Mass::Own(minimum) => {
            let density = request.density().expect("a request whose method needs a density has one");
            let (mut energy, mut voxels) = (0.0, 0);
            for (value, &density) in dose.as_mut_slice().iter_mut().zip(density.g_cm3().as_slice()) {
                let density = f64::from(density);
                if bears_dose(density, *minimum) {
                    *value = absorbed_dose(*value, density);
                } else {
                    energy += f64::from(*value);
                    voxels += 1;
                    *value = 0.0;
                }
            }
            (energy, voxels)
        }
    }
}

/// # Errors
/// [`DoseError::NotPhysical`] if a dose is not finite or is negative.
fn check_dose(dose: &[f32]) -> Result<(), DoseError> {
    let bad = dose.iter().filter(|v| !(v.is_finite() && **v >= 0.0)).count();
    if bad == 0 {
        Ok(())
    } else {
        Err(DoseError::NotPhysical(format!("{bad} of {} voxels are not finite or negative", dose.len())))
    }
}
