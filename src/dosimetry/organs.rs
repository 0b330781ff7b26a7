//! The organ table.

use std::collections::BTreeMap;

use serde::Serialize;

use super::dvh::{D2, D50, D95, D98};
use super::noise::MARKED_SHARE;
use super::{CumulativeHistogram, DoseDistribution, NoiseShift, NoisyVoxel};
use crate::constants::WATER_DENSITY_G_CM3;
use crate::domain::density::bears_dose;
use crate::domain::{DensityMap, Organ, Organs, RegionDose, TimeIntegratedActivity, Volume};

/// Dose of one organ, with its volume, mass and decays. The dose figures cover the voxels that have a dose; they are
/// none if no voxel has one.
///
/// `mean_by_mass_gy` is the absorbed dose of the organ: the energy absorbed over the mass. `mean_gy`, minimum, maximum
/// and D_V are by volume, as from averaging the dose map over the organ. The two means differ where density and dose
/// vary together, such as in a hollow organ with gas.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
    /// D98, the least dose to the 98 % of the volume with the highest dose: a minimum without outliers [Gy].
    pub d98_gy: Option<f64>,
    /// By how much noise has moved `min_gy`, as [`NoiseShift`] estimates it [Gy]; for doses with an uncertainty only.
    pub min_noise_gy: Option<f64>,
    /// By how much noise has moved `d98_gy` [Gy].
    pub d98_noise_gy: Option<f64>,
    /// By how much noise has moved `d95_gy` [Gy].
    pub d95_noise_gy: Option<f64>,
    /// By how much noise has moved `d2_gy` [Gy].
    pub d2_noise_gy: Option<f64>,
    /// By how much noise has moved `max_gy` [Gy].
    pub max_noise_gy: Option<f64>,
    /// The figures of `min_gy`, `d98_gy`, `d95_gy`, `d2_gy` and `max_gy` that noise has moved by more than
    /// [`MARKED_SHARE`] of themselves, with blanks between.
    pub moved_by_noise: String,
}

/// The inputs of an organ table, all on one grid.
#[derive(Clone, Copy, Debug)]
pub struct OrganInputs<'a> {
    /// Absorbed dose [Gy].
    pub dose: &'a Volume<f32>,
    /// 1σ of the dose [Gy]; none if it has no statistical uncertainty, or it is not known.
    pub uncertainty: Option<&'a Volume<f32>>,
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

/// The cumulative dose-volume histograms of all organs, by rising label; none of one without a dose.
///
/// * `points` – number of doses, at least 2
pub fn organ_histograms(inputs: &OrganInputs, points: usize) -> Vec<Option<CumulativeHistogram>> {
    let dose = inputs.dose.as_slice();
    let histogram = |organ: &Organ| {
        let doses =
            organ.shares().filter(|&(index, _)| inputs.has_dose(index)).map(|(index, share)| (dose[index], share));
        Some(DoseDistribution::weighted(doses.collect())?.cumulative_histogram(points))
    };
    inputs.organs.organs().iter().map(histogram).collect()
}

/// The regions of transport that hold all of their organ. Where organs overlap, transport gives a voxel to one of them:
/// what it says of the other is not said of all of it.
pub fn whole_regions(organs: &Organs, regions: &[RegionDose]) -> Vec<RegionDose> {
    let map = organs.label_map();
    let mut voxels: BTreeMap<u16, usize> = BTreeMap::new();
    map.labels().as_slice().iter().for_each(|&label| *voxels.entry(label).or_default() += 1);
    let is_whole = |region: &&RegionDose| {
        let organ = organs.organs().iter().find(|organ| organ.label == region.label);
        organ.is_some_and(|organ| organ.is_whole() && voxels.get(&organ.label) == Some(&organ.voxels().len()))
    };
    regions.iter().filter(is_whole).cloned().collect()
}

impl OrganInputs<'_> {
    fn density_g_cm3(&self, index: usize) -> f64 {
        self.density.map_or(WATER_DENSITY_G_CM3, |map| f64::from(map.g_cm3().as_slice()[index]))
    }

    fn has_dose(&self, index: usize) -> bool {
        self.minimum_density_g_cm3.is_none_or(|minimum| bears_dose(self.density_g_cm3(index), minimum))
    }
}

fn organ_dose(inputs: &OrganInputs, organ: &Organ) -> OrganDose {
    let label = organ.label;
    let voxel_cm3 = inputs.dose.grid().voxel_volume_cm3();
    let dose = inputs.dose.as_slice();
    let density = |index: usize| inputs.density_g_cm3(index);
    let shares: Vec<(usize, f64)> = organ.shares().collect();
    let dosed: Vec<(usize, f64)> = shares.iter().copied().filter(|&(index, _)| inputs.has_dose(index)).collect();
    let distribution = DoseDistribution::weighted(dosed.iter().map(|&(index, share)| (dose[index], share)).collect());
    let density_sum = |of: &[(usize, f64)]| of.iter().map(|&(index, share)| share * density(index)).sum::<f64>();
    let weighted: f64 = dosed.iter().map(|&(index, share)| share * f64::from(dose[index]) * density(index)).sum();
    let name = inputs.names.get(&label).or(organ.name.as_ref());
    let figure = |of: fn(&DoseDistribution) -> f64| distribution.as_ref().map(of);
    let decays = inputs.activity.decays().as_slice();
    let region = inputs.regions.iter().find(|region| region.label == label);
    let noise = inputs.uncertainty.and_then(|sigma| noise(&dosed, dose, sigma.as_slice()));
    let organ = OrganDose {
        label,
        name: name.cloned().unwrap_or_else(|| format!("label_{label}")),
        voxels: shares.len(),
        mass_g: density_sum(&shares) * voxel_cm3,
        mean_by_mass_gy: Some(weighted / density_sum(&dosed)).filter(|mean| mean.is_finite()),
        mean_gy: figure(DoseDistribution::mean_gy),
        min_gy: figure(DoseDistribution::min_gy),
        max_gy: figure(DoseDistribution::max_gy),
        d98_gy: figure(|d| d.dose_to_volume_gy(D98)),
        d95_gy: figure(|d| d.dose_to_volume_gy(D95)),
        d50_gy: figure(|d| d.dose_to_volume_gy(D50)),
        d2_gy: figure(|d| d.dose_to_volume_gy(D2)),
        volume_cm3: organ.size_voxels() * voxel_cm3,
        decays: shares.iter().map(|&(index, share)| share * f64::from(decays[index])).sum(),
        voxels_without_dose: shares.len() - dosed.len(),
        mean_sigma_gy: region.map(|region| region.sigma_gy),
        mean_by_mass_sigma_gy: region.map(|region| region.sigma_by_mass_gy),
        ..OrganDose::default()
    };
    organ.with_noise(noise)
}

impl OrganDose {
    /// * `noise` – none if the dose has no known uncertainty
    fn with_noise(mut self, noise: Option<NoiseShift>) -> Self {
        let Some(NoiseShift { min_gy, d98_gy, d95_gy, d2_gy, max_gy }) = noise else { return self };
        (self.min_noise_gy, self.max_noise_gy) = (Some(min_gy), Some(max_gy));
        (self.d98_noise_gy, self.d95_noise_gy, self.d2_noise_gy) = (Some(d98_gy), Some(d95_gy), Some(d2_gy));
        self.moved_by_noise = self.moved().join(" ");
        self
    }

    /// D95 as it would be without noise [Gy]; none if it cannot be told: noise alone reaches as far from the median.
    pub fn d95_without_noise_gy(&self) -> Option<f64> {
        let (d95, noise) = self.d95_gy.zip(self.d95_noise_gy)?;
        let distance = self.d50_gy? - d95;
        (noise.abs() < distance.abs() || noise == 0.0).then_some(d95 - noise)
    }

    /// Whether noise has moved a figure by more than [`MARKED_SHARE`] of itself.
    ///
    /// * `figure` – the name of its field
    pub fn is_moved(&self, figure: &str) -> bool {
        self.moved_by_noise.split(' ').any(|moved| moved == figure)
    }

    /// The figures that noise has moved by more than [`MARKED_SHARE`] of themselves, by the names of their fields.
    fn moved(&self) -> Vec<&'static str> {
        let figures = [
            ("min_gy", self.min_gy, self.min_noise_gy),
            ("d98_gy", self.d98_gy, self.d98_noise_gy),
            ("d95_gy", self.d95_gy, self.d95_noise_gy),
            ("d2_gy", self.d2_gy, self.d2_noise_gy),
            ("max_gy", self.max_gy, self.max_noise_gy),
        ];
        let is_moved = |(name, figure, noise): (&'static str, Option<f64>, Option<f64>)| {
            let (figure, noise) = figure.zip(noise)?;
            (noise.abs() > MARKED_SHARE * figure.abs()).then_some(name)
        };
        figures.into_iter().filter_map(is_moved).collect()
    }
}

/// What noise did to the figures of an organ.
///
/// * `shares` – its voxels that have a dose, each with the part that belongs to it
fn noise(shares: &[(usize, f64)], dose: &[f32], sigma: &[f32]) -> Option<NoiseShift> {
    let voxel = |&(index, share): &(usize, f64)| NoisyVoxel {
        dose_gy: dose[index].into(),
        sigma_gy: sigma[index].into(),
        share,
    };
    NoiseShift::of(shares.iter().map(voxel).collect())
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
            uncertainty: Some(&volume([0.3, 0.3, 0.0, 0.0, 0.0, 1.0])),
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
                voxel_relative_sigma: None,
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
    fn what_noise_has_moved_is_named() {
        let organs = table(Some(0.05));
        let liver = &organs[0];
        // One voxel on each side of the mean, with a fifth of the distance as noise.
        assert!(liver.min_noise_gy.expect("has a σ") < 0.0 && liver.max_noise_gy.expect("has a σ") > 0.0, "{liver:?}");
        let d95 = liver.d95_without_noise_gy().expect("noise is small");
        assert!(d95 > liver.d95_gy.expect("has a dose") && d95 < 3.5, "{d95}");
        for figure in ["min_gy", "d98_gy", "d95_gy", "d2_gy", "max_gy"] {
            let noise = liver.moved().contains(&figure);
            assert_eq!(liver.is_moved(figure), noise, "{figure}");
        }
        // The dose of organ 2 has no noise, organ 3 no dose.
        assert_eq!((organs[1].d95_noise_gy, organs[1].moved_by_noise.as_str()), (Some(0.0), ""));
        assert_eq!((organs[2].d95_noise_gy, organs[2].d95_without_noise_gy()), (None, None));
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
