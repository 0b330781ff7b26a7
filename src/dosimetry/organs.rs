//! The organ table.

use std::collections::BTreeMap;

use super::dvh::{D2, D50, D70, D90, D95, D98};
use super::{CumulativeHistogram, DoseDistribution, NoiseShift, NoisyVoxel, OrganDose};
use crate::domain::density::bears_dose;
use crate::domain::{DensityMap, Organ, Organs, RegionDose, TimeIntegratedActivity, Volume};

/// The inputs of an organ table, all on one grid.
#[derive(Clone, Copy, Debug)]
pub struct OrganInputs<'a> {
    /// Absorbed dose [Gy].
    pub dose: &'a Volume<f32>,
    /// 1σ of the dose [Gy]; none if it has no statistical uncertainty, or it is not known.
    pub uncertainty: Option<&'a Volume<f32>>,
    /// Decays per voxel.
    pub activity: &'a TimeIntegratedActivity,
    /// Mass density; none where every voxel has one.
    pub density: Option<&'a DensityMap>,
    /// Mass density of every voxel where there is no map of it [g/cm³].
    pub uniform_density_g_cm3: f64,
    /// Voxels of a lower density have no dose [g/cm³]; none if every voxel has one.
    pub minimum_density_g_cm3: Option<f64>,
    /// The organs; they may overlap, and hold parts of voxels.
    pub organs: &'a Organs,
    /// Names of labels; they come before those that the organs have.
    pub names: &'a BTreeMap<u16, String>,
    /// Mean dose of each region with its uncertainty, by rising label; empty except for Monte Carlo.
    pub regions: &'a [RegionDose],
    /// The activity that was injected [Bq]; none if it is not known.
    pub injected_bq: Option<f64>,
}

/// The doses of all organs, by rising label.
pub fn organ_doses(inputs: &OrganInputs) -> Vec<OrganDose> {
    inputs.organs.organs().iter().map(|organ| organ_dose(inputs, organ)).collect()
}

/// The distribution of dose in each organ, by rising label; none of one without a dose.
pub fn organ_distributions(inputs: &OrganInputs) -> Vec<Option<DoseDistribution>> {
    inputs.organs.organs().iter().map(|organ| Counted::new(inputs, organ).distribution()).collect()
}

/// The cumulative dose-volume histograms of all organs, by rising label; none of one without a dose.
///
/// * `points` – number of doses, at least 2
pub fn organ_histograms(inputs: &OrganInputs, points: usize) -> Vec<Option<CumulativeHistogram>> {
    let distributions = organ_distributions(inputs).into_iter();
    distributions.map(|distribution| Some(distribution?.cumulative_histogram(points))).collect()
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
        self.density.map_or(self.uniform_density_g_cm3, |map| f64::from(map.g_cm3().as_slice()[index]))
    }

    fn voxel_cm3(&self) -> f64 {
        self.dose.grid().voxel_volume_cm3()
    }

    fn has_dose(&self, index: usize) -> bool {
        self.minimum_density_g_cm3.is_none_or(|minimum| bears_dose(self.density_g_cm3(index), minimum))
    }
}

/// The sum from 0: that of nothing would be -0.0.
fn total(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |sum, value| sum + value)
}

/// The voxels of an organ.
struct Counted<'a> {
    inputs: &'a OrganInputs<'a>,
    /// Those that have a dose, each with the part that belongs to the organ.
    dosed: Vec<(usize, f64)>,
    /// All of them.
    shares: Vec<(usize, f64)>,
}

impl<'a> Counted<'a> {
    fn new(inputs: &'a OrganInputs, organ: &Organ) -> Self {
        let shares: Vec<(usize, f64)> = organ.shares().collect();
        let dosed = shares.iter().copied().filter(|&(index, _)| inputs.has_dose(index)).collect();
        Self { inputs, dosed, shares }
    }

    /// Voxels with too low a density for a dose.
    fn excluded(&self) -> Vec<(usize, f64)> {
        self.shares.iter().copied().filter(|&(index, _)| !self.inputs.has_dose(index)).collect()
    }

    fn distribution(&self) -> Option<DoseDistribution> {
        let dose = self.inputs.dose.as_slice();
        DoseDistribution::weighted(self.dosed.iter().map(|&(index, share)| (dose[index], share)).collect())
    }

    /// Mass of some voxels [g].
    fn mass_g(&self, of: &[(usize, f64)]) -> f64 {
        let densities = of.iter().map(|&(index, share)| share * self.inputs.density_g_cm3(index));
        total(densities) * self.inputs.voxel_cm3()
    }

    /// Energy absorbed over mass [Gy].
    fn mean_by_mass_gy(&self) -> Option<f64> {
        let dose = self.inputs.dose.as_slice();
        let of_voxel =
            |&(index, share): &(usize, f64)| share * f64::from(dose[index]) * self.inputs.density_g_cm3(index);
        let energy = self.dosed.iter().map(of_voxel).sum::<f64>() * self.inputs.voxel_cm3();
        Some(energy / self.mass_g(&self.dosed)).filter(|mean| mean.is_finite())
    }

    fn decays(&self) -> f64 {
        let decays = self.inputs.activity.decays().as_slice();
        total(self.shares.iter().map(|&(index, share)| share * f64::from(decays[index])))
    }
}

fn organ_dose(inputs: &OrganInputs, organ: &Organ) -> OrganDose {
    let counted = Counted::new(inputs, organ);
    let Counted { dosed, shares, .. } = &counted;
    let distribution = counted.distribution();
    let figure = |of: fn(&DoseDistribution) -> f64| distribution.as_ref().map(of);
    let volume_cm3 = |of: &[(usize, f64)]| total(of.iter().map(|(_, share)| *share)) * inputs.voxel_cm3();
    let name = inputs.names.get(&organ.label).or(organ.name.as_ref());
    let region = inputs.regions.iter().find(|region| region.label == organ.label);
    let noise = inputs.uncertainty.and_then(|sigma| noise(dosed, inputs.dose.as_slice(), sigma.as_slice()));
    let (mean_by_mass_gy, decays) = (counted.mean_by_mass_gy(), counted.decays());
    let dose = OrganDose {
        label: organ.label,
        name: name.cloned().unwrap_or_else(|| format!("label_{}", organ.label)),
        voxels: shares.len(),
        mass_g: counted.mass_g(shares),
        mean_by_mass_gy,
        mean_gy: figure(DoseDistribution::mean_gy),
        min_gy: figure(DoseDistribution::min_gy),
        max_gy: figure(DoseDistribution::max_gy),
        d98_gy: figure(|d| d.dose_to_volume_gy(D98)),
        d95_gy: figure(|d| d.dose_to_volume_gy(D95)),
        d90_gy: figure(|d| d.dose_to_volume_gy(D90)),
        d70_gy: figure(|d| d.dose_to_volume_gy(D70)),
        d50_gy: figure(|d| d.dose_to_volume_gy(D50)),
        d2_gy: figure(|d| d.dose_to_volume_gy(D2)),
        d1cc_gy: distribution.as_ref().and_then(|d| d.dose_to_voxels_gy(1.0 / inputs.voxel_cm3())),
        volume_cm3: organ.size_voxels() * inputs.voxel_cm3(),
        counted_volume_cm3: volume_cm3(dosed),
        counted_mass_g: counted.mass_g(dosed),
        excluded_volume_cm3: volume_cm3(&counted.excluded()),
        decays,
        voxels_without_dose: shares.len() - dosed.len(),
        mean_sigma_gy: region.map(|region| region.sigma_gy),
        mean_by_mass_sigma_gy: region.map(|region| region.sigma_by_mass_gy),
        ..OrganDose::default()
    };
    dose.per_injected(inputs.injected_bq).with_noise(noise)
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
            uniform_density_g_cm3: 1.0,
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
                held_to: None,
            }],
            injected_bq: Some(2e9),
        })
    }

    #[test]
    fn figures_are_by_volume_and_by_mass() {
        let liver = &table(Some(0.05))[0];
        assert_eq!((liver.label, liver.name.as_str(), liver.voxels), (1, "liver", 2));
        assert!((liver.mass_g - 3.0).abs() < 1e-12 && (liver.volume_cm3 - 2.0).abs() < 1e-12);
        assert_eq!((liver.mean_gy, liver.min_gy, liver.max_gy), (Some(4.5), Some(3.0), Some(6.0)));
        assert!((liver.mean_by_mass_gy.expect("has a dose") - 5.0).abs() < 1e-12);
        // Half of the volume has 6 Gy, all of it 3 Gy at least.
        assert_eq!(
            (liver.d98_gy, liver.d90_gy, liver.d70_gy, liver.d50_gy),
            (Some(3.0), Some(3.0), Some(3.0), Some(6.0))
        );
        assert_eq!((liver.d95_gy, liver.d2_gy, liver.d1cc_gy), (Some(3.0), Some(6.0), Some(6.0)));
        assert_eq!(liver.decays, 12.0);
        assert!((liver.time_integrated_activity_mbq_h * 3.6e9 - 12.0).abs() < 1e-12);
        assert!(
            (liver.time_integrated_activity_coefficient_h.expect("an activity") * 3600.0 * 2e9 - 12.0).abs() < 1e-9
        );
        assert!((liver.mean_by_mass_gy_per_injected_gbq.expect("an activity") - 2.5).abs() < 1e-12);
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
        let shift = liver.d2_noise_gy.expect("has a σ");
        assert!((liver.d95_noise_gy.expect("has a σ") + shift).abs() < 1e-6, "both ends alike: {liver:?}");
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
        let volumes =
            organs.iter().map(|o| [o.volume_cm3, o.counted_volume_cm3, o.excluded_volume_cm3, o.counted_mass_g]);
        let expected = [[2.0, 2.0, 0.0, 3.0], [2.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0]];
        for (found, right) in volumes.zip(expected) {
            assert!(found.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {right:?}");
            assert!(found.iter().all(|figure| figure.is_sign_positive()), "{found:?}");
        }
        let OrganDose { d90_gy, d70_gy, d1cc_gy, mean_by_mass_gy_per_injected_gbq, .. } = organs[2];
        assert_eq!([d90_gy, d70_gy, d1cc_gy, mean_by_mass_gy_per_injected_gbq], [None; 4]);
    }
}
