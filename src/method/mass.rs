//! From energy to absorbed dose: which voxels have a dose, and by which mass their energy is divided.

use crate::constants::GY_PER_MEV_PER_G;
use crate::domain::density::bears_dose;
use crate::domain::passes::{is_amount, largest, sum_of_block};
use crate::domain::{DensityCorrection, DoseError, DoseRequest, Method, VoxelGrid, words};
use crate::physics::kernel::density_g_cm3;

/// Neighbouring voxels that mostly all have a dose, or none: those of which all have one are done in vector code.
const TOGETHER: usize = 64;

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

    /// Turns energies absorbed in voxels [MeV] into doses [Gy]. Voxels whose density is too low get 0; gives their
    /// energy and their number.
    ///
    /// * `first` – number of the first voxel
    pub(super) fn divide(&self, block: &mut [f32], first: usize) -> (f64, u64) {
        #[expect(clippy::cast_possible_truncation, reason = "the stored precision; the result is checked")]
        let dose = |mev: f32, density_g_cm3: f64| self.dose_by_mass(f64::from(mev), density_g_cm3) as f32;
        match self.mass {
            Mass::Uniform(density_g_cm3) => {
                block.iter_mut().for_each(|value| *value = dose(*value, density_g_cm3));
                (0.0, 0)
            }
            Mass::Own { density_g_cm3, minimum_g_cm3 } => {
                let (mut without_mev, mut voxels) = (0.0, 0);
                let has_dose = |density: f32| bears_dose(f64::from(density), minimum_g_cm3);
                let densities = density_g_cm3[first..][..block.len()].chunks(TOGETHER);
                for (values, densities) in block.chunks_mut(TOGETHER).zip(densities) {
                    let without = densities.iter().fold(0u32, |count, density| count + u32::from(!has_dose(*density)));
                    voxels += u64::from(without);
                    if without == 0 {
                        let pairs = values.iter_mut().zip(densities);
                        pairs.for_each(|(value, density)| *value = dose(*value, f64::from(*density)));
                        continue;
                    }
                    if without as usize == densities.len() {
                        without_mev += sum_of_block(values);
                        values.fill(0.0);
                        continue;
                    }
                    for (value, density) in values.iter_mut().zip(densities) {
                        if has_dose(*density) {
                            *value = dose(*value, f64::from(*density));
                        } else {
                            without_mev += f64::from(*value);
                            *value = 0.0;
                        }
                    }
                }
                (without_mev, voxels)
            }
        }
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
    check_bad(count_bad(dose), dose.len())
}

/// How many doses are not finite or are negative.
pub(super) fn count_bad(dose: &[f32]) -> usize {
    match largest(dose) {
        Some(_) => 0,
        None => dose.iter().filter(|gray| !is_amount(**gray)).count(),
    }
}

/// # Errors
/// [`DoseError::NotPhysical`] if so many of the doses of all voxels are bad, and it is not none.
pub(super) fn check_bad(bad: usize, voxels: usize) -> Result<(), DoseError> {
    if bad == 0 {
        return Ok(());
    }
    let (voxels, are) = (words::voxels(voxels), words::are(bad));
    Err(DoseError::NotPhysical(format!("{bad} of {voxels} {are} not finite or negative")))
}
