//! From energy to absorbed dose: which voxels have a dose, and by which mass their energy is divided.

use crate::constants::GY_PER_MEV_PER_G;
use crate::domain::density::bears_dose;
use crate::domain::{DensityCorrection, DoseError, DoseRequest, Method, VoxelGrid, words};
use crate::physics::kernel::density_g_cm3;

/// The mass of voxels in a method.
#[derive(Clone, Copy)]
pub(super) enum Mass<'a> {
    /// All voxels have one density [g/cm³].
    Uniform(f64),
    /// Every voxel has its own density.
    Own {
        /// Density of each voxel [g/cm³].
        density_g_cm3: &'a [f32],
        /// Voxels of a lower density get no dose [g/cm³].
        minimum_g_cm3: f64,
    },
}

/// Absorbed dose for energy, voxel by voxel.
#[derive(Clone, Copy)]
pub(super) struct DoseScale<'a> {
    gy_per_mev_at_unit_density: f64,
    mass: Mass<'a>,
}

impl<'a> DoseScale<'a> {
    pub(super) fn new(grid: &VoxelGrid, mass: Mass<'a>) -> Self {
        Self { gy_per_mev_at_unit_density: GY_PER_MEV_PER_G / grid.voxel_volume_cm3(), mass }
    }

    /// Dose for the energy absorbed in a voxel [Gy]; none if its density is too low for a dose.
    pub(super) fn absorbed_dose(&self, mev: f64, voxel: usize) -> Option<f64> {
        Some(self.dose_by_mass(mev, self.density(voxel)?))
    }

    /// Dose for the energy absorbed in several voxels together [Gy].
    ///
    /// * `density_g_cm3` – the sum of their densities
    pub(super) fn dose_by_mass(&self, mev: f64, density_g_cm3: f64) -> f64 {
        mev * self.gy_per_mev_at_unit_density / density_g_cm3
    }

    /// Whether a voxel has a dose.
    pub(super) fn has_dose(&self, voxel: usize) -> bool {
        self.density(voxel).is_some()
    }

    /// Density by which the energy of a voxel is divided [g/cm³]; none if it is too low for a dose.
    pub(super) fn density(&self, voxel: usize) -> Option<f64> {
        match self.mass {
            Mass::Uniform(density_g_cm3) => Some(density_g_cm3),
            Mass::Own { density_g_cm3, minimum_g_cm3 } => {
                Some(f64::from(density_g_cm3[voxel])).filter(|&density| bears_dose(density, minimum_g_cm3))
            }
        }
    }

    /// Voxels of a lower density get no dose [g/cm³]; none where all voxels have one density.
    pub(super) fn minimum_g_cm3(&self) -> Option<f64> {
        match self.mass {
            Mass::Uniform(_) => None,
            Mass::Own { minimum_g_cm3, .. } => Some(minimum_g_cm3),
        }
    }
}

/// The masses by which the energy of a request is divided.
pub(super) fn mass(request: &DoseRequest) -> Mass<'_> {
    let minimum_g_cm3 = match request.method() {
        Method::Kernel(options) if options.density_correction == DensityCorrection::None => {
            return Mass::Uniform(density_g_cm3(options.medium));
        }
        Method::Kernel(options) => options.minimum_density_g_cm3,
        Method::Local(options) => options.minimum_density_g_cm3,
        Method::MonteCarlo(options) => options.minimum_density_g_cm3,
    };
    let density = request.density().expect("a request whose method needs a density has one");
    Mass::Own { density_g_cm3: density.g_cm3().as_slice(), minimum_g_cm3 }
}

/// # Errors
/// [`DoseError::NotPhysical`] if a dose is not finite or is negative.
pub(super) fn check_dose(dose: &[f32]) -> Result<(), DoseError> {
    let bad = dose.iter().filter(|v| !(v.is_finite() && **v >= 0.0)).count();
    if bad == 0 {
        Ok(())
    } else {
        Err(DoseError::NotPhysical(format!(
            "{bad} of {} {} not finite or negative",
            words::voxels(dose.len()),
            words::are(bad)
        )))
    }
}
