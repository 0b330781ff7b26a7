//! The dose of several maps is the sum of their doses.

use super::mass::check_dose;
use crate::domain::{DoseError, DoseResult, EnergyAccount, MonteCarloAccount, Volume};

/// Adds the dose of a daughter's map.
///
/// # Errors
/// [`DoseError::NotPhysical`] if a sum is not finite.
pub(super) fn add(sum: &mut DoseResult, daughter: DoseResult) -> Result<(), DoseError> {
    add_volume(&mut sum.dose, &daughter.dose, |a, b| a + b)?;
    if let (Some(all), Some(own)) = (&mut sum.uncertainty, &daughter.uncertainty) {
        // The histories of two maps are independent.
        add_volume(all, own, f32::hypot)?;
    }
    add_energy(&mut sum.provenance.energy, &daughter.provenance.energy);
    if let (Some(all), Some(own)) = (&mut sum.provenance.monte_carlo, &daughter.provenance.monte_carlo) {
        add_regions(all, own);
    }
    sum.provenance.wall_time.extend(daughter.provenance.wall_time.iter().cloned());
    sum.provenance.daughter_maps.push(daughter.provenance);
    Ok(())
}

fn add_volume(sum: &mut Volume<f32>, other: &Volume<f32>, add: impl Fn(f32, f32) -> f32) -> Result<(), DoseError> {
    sum.as_mut_slice().iter_mut().zip(other.as_slice()).for_each(|(sum, other)| *sum = add(*sum, *other));
    check_dose(sum.as_slice())
}

/// Adds the energies of another map. The voxels without a dose are the same in all maps.
fn add_energy(sum: &mut EnergyAccount, other: &EnergyAccount) {
    sum.emitted_mev += other.emitted_mev;
    sum.deposited_mev += other.deposited_mev;
    sum.escaped_mev += other.escaped_mev;
    sum.without_dose_mev += other.without_dose_mev;
    sum.clamped_mev += other.clamped_mev;
}

fn add_regions(sum: &mut MonteCarloAccount, other: &MonteCarloAccount) {
    for (sum, own) in sum.regions.iter_mut().zip(&other.regions) {
        sum.mean_gy += own.mean_gy;
        sum.sigma_gy = sum.sigma_gy.hypot(own.sigma_gy);
        sum.mean_by_mass_gy += own.mean_by_mass_gy;
        sum.sigma_by_mass_gy = sum.sigma_by_mass_gy.hypot(own.sigma_by_mass_gy);
        // That of one map is not that of the sum.
        (sum.voxel_relative_sigma, sum.held_to) = (None, None);
    }
}
