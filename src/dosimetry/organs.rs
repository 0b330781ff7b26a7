//! The organ table.

use std::collections::BTreeMap;

use serde::Serialize;

use super::DoseDistribution;
use crate::constants::WATER_DENSITY_G_CM3;
use crate::domain::density::bears_dose;
use crate::domain::{DensityMap, Organ, Organs, RegionDose, TimeIntegratedActivity, Volume};

/// Dose of one organ, with its volume, mass and decays. The dose figures cover the voxels that have a dose; they are
/// none if no voxel has one.
///
/// `mean_by_mass_gy` is the absorbed dose of the organ: the energy absorbed over the mass. `mean_gy`, minimum, maximum
/// and D_V are by volume, as from averaging the dose map over the organ. The two means differ where density and dose
/// vary together, such as in a hollow organ with gas.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrganDose {
    /// Number in the label map.
    pub label: u16,
    /// Name, or `label_N`.
    pub name: String,
    /// Number of voxels of the organ, with or without a dose.
    pub voxels: usize,
    /// Mass of all its voxels [g].
    pub mass_g: f64,
    /// Absorbed dose of the organ: energy absorbed over mass [Gy].
    pub mean_by_mass_gy: Option<f64>,
    /// Mean over the volume [Gy].
    pub mean_gy: Option<f64>,
    /// Smallest dose of a voxel [Gy].
    pub min_gy: Option<f64>,
    /// Largest dose of a voxel [Gy].
    pub max_gy: Option<f64>,
    /// D95, the least dose to the 95 % of the volume with the highest dose; see [`DoseDistribution::dose_to_volume_gy`]
    /// [Gy].
    pub d95_gy: Option<f64>,
    /// D50, the median dose [Gy].
    pub d50_gy: Option<f64>,
    /// D2, the least dose to the 2 % of the volume with the highest dose: a maximum without outliers [Gy].
    pub d2_gy: Option<f64>,
    /// Volume of all its voxels [cm³].
    pub volume_cm3: f64,
    /// Decays in the organ [Bq·s].
    pub decays: f64,
    /// Voxels with too low a density for a dose; all dose figures leave them out.
    pub voxels_without_dose: usize,
    /// Statistical uncertainty of `mean_gy`, 1σ [Gy]; Monte Carlo only.
    pub mean_sigma_gy: Option<f64>,
    /// Statistical uncertainty of `mean_by_mass_gy`, 1σ [Gy]; Monte Carlo only.
    pub mean_by_mass_sigma_gy: Option<f64>,
}

/// The inputs of an organ table, all on one grid.
#[derive(Clone, Copy, Debug)]
pub struct OrganInputs<'a> {
    /// Absorbed dose [Gy].
    pub dose: &'a Volume<f32>,
    /// Decays per voxel.
    pub activity: &'a TimeIntegratedActivity,
    /// Mass density; none for water.
    pub density: Option<&'a DensityMap>,
    /// Voxels of a lower density have no dose [g/cm³]; none if every voxel has one.
    pub minimum_density_g_cm3: Option<f64>,
    /// The organs; they may overlap, and hold parts of voxels.
    pub organs: &'a Organs,
    /// Names of labels; they come before those that the organs have.
    pub names: &'a BTreeMap<u16, String>,
    /// Mean dose of each region with its uncertainty, by rising label; empty except for Monte Carlo.
    pub regions: &'a [RegionDose],
}

/// The doses of all organs, by rising label.
pub fn organ_doses(inputs: &OrganInputs) -> Vec<OrganDose> {
    inputs.organs.organs().iter().map(|organ| organ_dose(inputs, organ)).collect()
}

fn organ_dose(inputs: &OrganInputs, organ: &Organ) -> OrganDose {
    let label = organ.label;
    let voxel_cm3 = inputs.dose.grid().voxel_volume_cm3();
    let dose = inputs.dose.as_slice();
    let density =
        |index: usize| inputs.density.map_or(WATER_DENSITY_G_CM3, |map| f64::from(map.g_cm3().as_slice()[index]));
    let has_dose =
        |index: usize| inputs.minimum_density_g_cm3.is_none_or(|minimum| bears_dose(density(index), minimum));
    let shares: Vec<(usize, f64)> = organ.shares().collect();
    let dosed: Vec<(usize, f64)> = shares.iter().copied().filter(|&(index, _)| has_dose(index)).collect();
    let distribution = DoseDistribution::weighted(dosed.iter().map(|&(index, share)| (dose[index], share)).collect());
    let density_sum =
        |shares: &[(usize, f64)]| shares.iter().map(|&(index, share)| share * density(index)).sum::<f64>();
    let weighted: f64 = dosed.iter().map(|&(index, share)| share * f64::from(dose[index]) * density(index)).sum();
    let name = inputs.names.get(&label).or(organ.name.as_ref());
    let figure = |of: fn(&DoseDistribution) -> f64| distribution.as_ref().map(of);
    let decays = inputs.activity.decays().as_slice();
    let region = inputs.regions.iter().find(|region| region.label == label);
    OrganDose {
        label,
        name: name.cloned().unwrap_or_else(|| format!("label_{label}")),
        voxels: shares.len(),
        mass_g: density_sum(&shares) * voxel_cm3,
        mean_by_mass_gy: Some(weighted / density_sum(&dosed)).filter(|mean| mean.is_finite()),
        mean_gy: figure(DoseDistribution::mean_gy),
        min_gy: figure(DoseDistribution::min_gy),
        max_gy: figure(DoseDistribution::max_gy),
        d95_gy: figure(|d| d.dose_to_volume_gy(0.95)),
        d50_gy: figure(|d| d.dose_to_volume_gy(0.50)),
        d2_gy: figure(|d| d.dose_to_volume_gy(0.02)),
        volume_cm3: organ.size_voxels() * voxel_cm3,
        decays: shares.iter().map(|&(index, share)| share * f64::from(decays[index])).sum(),
        voxels_without_dose: shares.len() - dosed.len(),
        mean_sigma_gy: region.map(|region| region.sigma_gy),
        mean_by_mass_sigma_gy: region.map(|region| region.sigma_by_mass_gy),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{ActivityUnit, LabelMap, VoxelGrid};

    /// Six voxels of 1 cm³: 1 and 2 g/cm³ in organ 1, air and water in organ 2, air alone in organ 3, and the
    /// background.
    fn table(minimum_density_g_cm3: Option<f64>) -> Vec<OrganDose> {
        let grid = Arc::new(VoxelGrid::new([6, 1, 1], [10.0; 3]).expect("a good grid"));
        let volume = |values: [f32; 6]| Volume::from_vec(grid.clone(), values.to_vec()).expect("six values");
        let activity = TimeIntegratedActivity::new(volume([5.0, 7.0, 1.0, 1.0, 0.0, 9.0]), ActivityUnit::BqS);
        let labels = LabelMap::new(&volume([1.0, 1.0, 2.0, 2.0, 3.0, 0.0])).expect("good labels");
        let density = DensityMap::new(volume([1.0, 2.0, 0.01, 1.0, 0.01, 1.0])).expect("a good map");
        organ_doses(&OrganInputs {
            dose: &volume([3.0, 6.0, 0.0, 4.0, 0.0, 100.0]),
            activity: &activity.expect("a good map"),
            density: Some(&density),
            minimum_density_g_cm3,
            organs: &Organs::of_map(&labels).expect("a small grid"),
            names: &BTreeMap::from([(1, "liver".to_owned())]),
            regions: &[RegionDose {
                label: 1,
                mean_gy: 4.5,
                sigma_gy: 0.25,
                mean_by_mass_gy: 5.0,
                sigma_by_mass_gy: 0.5,
            }],
        })
    }

    #[test]
    fn figures_are_by_volume_and_by_mass() {
        let liver = &table(Some(0.05))[0];
        assert_eq!((liver.label, liver.name.as_str(), liver.voxels), (1, "liver", 2));
        assert!((liver.mass_g - 3.0).abs() < 1e-12 && (liver.volume_cm3 - 2.0).abs() < 1e-12);
        assert_eq!((liver.mean_gy, liver.min_gy, liver.max_gy), (Some(4.5), Some(3.0), Some(6.0)));
        assert!((liver.mean_by_mass_gy.expect("has a dose") - 5.0).abs() < 1e-12);
        assert!((liver.d95_gy.expect("has a dose") - 3.15).abs() < 1e-12);
        assert_eq!(liver.decays, 12.0);
        assert_eq!((liver.mean_sigma_gy, liver.mean_by_mass_sigma_gy), (Some(0.25), Some(0.5)));
        assert_eq!(table(Some(0.05))[1].mean_sigma_gy, None);
    }

    #[test]
    fn voxels_without_a_dose_count_in_no_dose_figure() {
        let organs = table(Some(0.05));
        assert_eq!(organs.len(), 3);
        assert_eq!((organs[1].voxels, organs[1].voxels_without_dose, organs[1].mean_gy), (2, 1, Some(4.0)));
        assert_eq!((organs[2].voxels_without_dose, organs[2].mean_gy, organs[2].mean_by_mass_gy), (1, None, None));
        assert_eq!(table(None)[1].mean_gy, Some(2.0));
    }
}
