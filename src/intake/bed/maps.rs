//! BED voxel by voxel, from the dose map of each cycle.

use super::regions::{BedRegion, BedVoxels, Region};
use super::{BedRegions, recorded};
use crate::clinic::radiation::Radiation;
use crate::clinic::uniform_dose::VoxelDoses;
use crate::constants::WATER_DENSITY_G_CM3;
use crate::domain::density::bears_dose;
use crate::domain::{Checks, DensityMap, DoseError, Invalid, Organ, Organs, Volume, VoxelGrid, words};
use crate::math::watch::Watch;

/// Voxels between two looks whether to go on.
const STRIDE: usize = 1 << 16;

/// BED and EQD2 of each voxel, those that are wanted, and how many voxels belong to no region.
type VoxelMaps = (Option<Volume<f32>>, Option<Volume<f32>>, usize);

/// The maps, on one grid.
#[derive(Clone, Debug)]
pub struct BedMaps {
    doses: Vec<Volume<f32>>,
    organs: Organs,
    density: Option<DensityMap>,
    minimum_density_g_cm3: f64,
}

/// Which maps are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BedVolumes {
    /// Of BED.
    pub bed: bool,
    /// Of EQD2.
    pub eqd2: bool,
}

/// What comes of the maps.
#[derive(Clone, Debug)]
pub struct BedOfMaps {
    /// Each region.
    pub regions: Vec<BedRegion>,
    /// Voxels that belong to no region, and hold 0.
    pub voxels_without_bed: usize,
    /// BED of each voxel [Gy], if it was wanted.
    pub bed: Option<Volume<f32>>,
    /// EQD2 of each voxel [Gy], if it was wanted.
    pub eqd2: Option<Volume<f32>>,
}

impl BedMaps {
    /// * `doses` – of each cycle [Gy], that [`BedMaps::check_dose`] has seen; at least one
    /// * `organs` – the regions, on the same grid
    /// * `density` – on the same grid; none: that of water
    /// * `minimum_density_g_cm3` – voxels of a lower density have no dose
    pub fn new(
        doses: Vec<Volume<f32>>,
        organs: Organs,
        density: Option<DensityMap>,
        minimum_density_g_cm3: f64,
    ) -> Self {
        Self { doses, organs, density, minimum_density_g_cm3 }
    }

    /// # Errors
    /// If a map holds what is no dose.
    pub fn check_dose(dose: &Volume<f32>) -> Result<(), Invalid> {
        let bad = dose.as_slice().iter().filter(|gy| !(**gy >= 0.0 && gy.is_finite())).count();
        match bad {
            0 => Ok(()),
            _ => Err(Invalid::new(format!("{} {} below 0 or not finite", words::voxels(bad), words::are(bad)))),
        }
    }

    /// Where the voxels are.
    pub fn grid(&self) -> &VoxelGrid {
        self.doses[0].grid()
    }

    /// The dose maps [Gy].
    pub fn doses(&self) -> &[Volume<f32>] {
        &self.doses
    }

    /// The regions.
    pub fn organs(&self) -> &Organs {
        &self.organs
    }

    /// The density.
    pub fn density(&self) -> Option<&DensityMap> {
        self.density.as_ref()
    }

    /// The organ of a region. A fault is recorded.
    fn organ_of(&self, region: &Region, checks: &mut Checks) -> Option<&Organ> {
        let organs = self.organs.organs();
        let found = match region.label {
            Some(label) => organs
                .iter()
                .find(|organ| organ.label == label)
                .ok_or_else(|| Invalid::new(format!("no organ of the labels has the label {label}"))),
            None => self.organs.named(&region.name),
        };
        checks.at(format!("region.{}", region.name), found)
    }

    fn density_g_cm3(&self, voxel: usize) -> f64 {
        self.density.as_ref().map_or(WATER_DENSITY_G_CM3, |map| f64::from(map.g_cm3().as_slice()[voxel]))
    }

    fn bears(&self, voxel: usize) -> bool {
        bears_dose(self.density_g_cm3(voxel), self.minimum_density_g_cm3)
    }

    /// Doses of a voxel, of each cycle [Gy].
    fn doses_gy(&self, voxel: usize) -> impl Iterator<Item = f64> + '_ {
        self.doses.iter().map(move |dose| f64::from(dose.as_slice()[voxel]))
    }

    fn figures(&self, region: &Region, organ: &Organ, radiation: Radiation) -> Result<BedRegion, DoseError> {
        let voxel_cm3 = self.grid().voxel_volume_cm3();
        let (counted, excluded): (Vec<_>, Vec<_>) = organ.shares().partition(|&(voxel, _)| self.bears(voxel));
        if counted.is_empty() {
            return Err(DoseError::invalid("voxels", "no voxel has a dose"));
        }
        let mass = |&(voxel, share): &(usize, f64)| share * self.density_g_cm3(voxel) * voxel_cm3;
        let masses: Vec<f64> = counted.iter().map(mass).collect();
        let doses: Vec<Vec<f64>> = counted.iter().map(|&(voxel, _)| self.doses_gy(voxel).collect()).collect();
        let of_cycle = |at: usize| VoxelDoses::new(doses.iter().map(|doses| doses[at]).collect(), &masses);
        let means: Vec<f64> =
            (0..self.doses.len()).map(|at| Ok(of_cycle(at)?.mean_gy())).collect::<Result<_, DoseError>>()?;
        let beds: Vec<f64> = doses.iter().map(|doses| region.voxel_bed_gy(radiation, doses)).collect();
        let total = VoxelDoses::new(doses.iter().map(|doses| doses.iter().sum()).collect(), &masses)?;
        let bed_gy = VoxelDoses::new(beds.clone(), &masses)?.mean_gy();
        let uniform = region.alpha_per_gy.map(|alpha| total.equivalent_uniform_bed_gy(&beds, alpha)).transpose()?;
        let one = (self.doses.len() == 1 && radiation == Radiation::LowLet).then(|| region.factors.own()[0]);
        let of_means = region.with_doses(radiation, &means).result(radiation);
        Ok(BedRegion {
            bed_gy,
            eqd2_gy: region.tissue.eqd2_gy(bed_gy),
            voxels: Some(BedVoxels {
                mass_g: masses.iter().sum(),
                excluded_volume_cm3: excluded.iter().map(|(_, share)| share).sum::<f64>() * voxel_cm3,
                bed_of_mean_dose_gy: of_means.bed_gy,
                equivalent_uniform_bed_gy: uniform,
                equivalent_uniform_dose_gy: uniform
                    .zip(one)
                    .map(|(bed_gy, factor)| region.tissue.dose_with_bed_gy(bed_gy, factor)),
                generalised_eud_gy: region.geud_exponent.map(|a| total.generalised_eud_gy(a)).transpose()?,
            }),
            ..of_means
        })
    }
}

impl BedRegions {
    /// What is said of each region of the maps, and the maps that are wanted: where regions overlap, a voxel has the
    /// BED of the smaller one.
    ///
    /// * `watch` – is told what part of the voxels is done, and may stop it
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every region that the labels do not have, or that has no voxel with a dose;
    /// [`DoseError::Cancelled`] if it was stopped.
    pub fn of_maps(&self, maps: &BedMaps, wanted: BedVolumes, watch: &dyn Watch) -> Result<BedOfMaps, DoseError> {
        let mut checks = Checks::new();
        let organs: Vec<&Organ> = self.regions.iter().filter_map(|region| maps.organ_of(region, &mut checks)).collect();
        checks.finish()?;
        let mut checks = Checks::new();
        let mut figures = Vec::new();
        for (region, organ) in self.regions.iter().zip(&organs) {
            watch.check()?;
            let found = maps.figures(region, organ, self.radiation);
            figures.extend(recorded(&mut checks, &format!("region.{}", region.name), found));
        }
        checks.finish()?;
        let (bed, eqd2, voxels_without_bed) = self.map(maps, &organs, wanted, watch)?;
        Ok(BedOfMaps { regions: figures, voxels_without_bed, bed, eqd2 })
    }

    /// BED and EQD2 of every voxel of a region, 0 elsewhere; and how many voxels are elsewhere.
    #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
    fn map(
        &self,
        maps: &BedMaps,
        organs: &[&Organ],
        wanted: BedVolumes,
        watch: &dyn Watch,
    ) -> Result<VoxelMaps, DoseError> {
        let labels = maps.organs.label_map();
        let mut region_of = vec![None; usize::from(u16::MAX) + 1];
        for (organ, region) in organs.iter().zip(&self.regions) {
            region_of[usize::from(organ.label)].get_or_insert(region);
        }
        let voxels = maps.grid().voxels();
        let (mut bed, mut eqd2) = (wanted.bed.then(|| vec![0f32; voxels]), wanted.eqd2.then(|| vec![0f32; voxels]));
        let (mut without, mut doses) = (0, Vec::new());
        for (voxel, &label) in labels.labels().as_slice().iter().enumerate() {
            if voxel.is_multiple_of(STRIDE) {
                watch.report(voxel as f64 / voxels as f64)?;
            }
            let Some(region) = region_of[usize::from(label)] else {
                without += 1;
                continue;
            };
            if !maps.bears(voxel) || !(wanted.bed || wanted.eqd2) {
                continue;
            }
            doses.clear();
            doses.extend(maps.doses_gy(voxel));
            let gy = region.voxel_bed_gy(self.radiation, &doses);
            bed.iter_mut().for_each(|map| map[voxel] = gy as f32);
            eqd2.iter_mut().for_each(|map| map[voxel] = region.tissue.eqd2_gy(gy) as f32);
        }
        watch.report(1.0)?;
        let volume = |values: Vec<f32>| Volume::from_vec(maps.doses[0].grid().clone(), values).expect("one a voxel");
        Ok((bed.map(volume), eqd2.map(volume), without))
    }
}
