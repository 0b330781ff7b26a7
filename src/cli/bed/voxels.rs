//! BED voxel by voxel, from the dose map of each cycle.

use std::path::{Path, PathBuf};

use super::regions::{Region, RegionResult, VoxelFigures};
use crate::clinic::radiation::Radiation;
use crate::clinic::uniform_dose::VoxelDoses;
use crate::constants::WATER_DENSITY_G_CM3;
use crate::domain::density::bears_dose;
use crate::domain::{Checks, DensityMap, DoseError, Organ, Volume, VoxelGrid, words};
use crate::formats::labels::{self, LabelFiles};
use crate::formats::volume_file::{Origin, OutputFormat, read_volume, write_volume};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Voxel by voxel")]
pub(super) struct VoxelArgs {
    /// Dose map of a cycle in Gy, on one grid; one for each cycle, in order
    #[arg(long, value_name = "FILE")]
    dose: Vec<PathBuf>,
    /// Regions: a map of whole numbers, a stack or a folder of masks. A region of the plan is found by its `label`, or
    /// else by its name
    #[arg(long, value_name = "FILE")]
    labels: Vec<PathBuf>,
    /// Density in g/cm³, for masses; without it, that of water
    #[arg(long, value_name = "FILE")]
    density: Option<PathBuf>,
    /// Voxels of a lower density have no dose and do not count
    #[arg(long, value_name = "G_CM3", default_value = "0.05", allow_negative_numbers = true)]
    minimum_density: f64,
    /// BED map in Gy: .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd; 0 outside all regions
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The maps, on one grid.
pub(super) struct Volumes {
    doses: Vec<Volume<f32>>,
    labels: LabelFiles,
    density: Option<DensityMap>,
    origin: Origin,
}

impl VoxelArgs {
    /// Whether doses come from maps.
    pub(super) fn is_used(&self) -> bool {
        !self.dose.is_empty()
    }

    /// Number of dose maps; none if doses do not come from maps.
    pub(super) fn cycles(&self) -> Option<usize> {
        self.is_used().then_some(self.dose.len())
    }

    /// The maps. Faults are recorded; none if no map is wanted.
    pub(super) fn read(&self, checks: &mut Checks) -> Option<Volumes> {
        if !self.is_used() {
            for (flag, given) in [
                ("labels", !self.labels.is_empty()),
                ("density", self.density.is_some()),
                ("output", self.output.is_some()),
            ] {
                if given {
                    checks.fail(flag, "has no effect without --dose");
                }
            }
            return None;
        }
        if !(self.minimum_density >= 0.0 && self.minimum_density.is_finite()) {
            checks.fail("minimum-density", "must be 0 or more and finite");
        }
        if let Some(path) = &self.output {
            checks.at("output", OutputFormat::of_name(path));
        }
        let mut files: Vec<_> = self.dose.iter().filter_map(|path| checks.at("dose", read_volume(path))).collect();
        let origin = files.first()?.header.origin.clone();
        let grid = files.first()?.volume.grid().clone();
        let doses: Vec<Volume<f32>> = files.drain(..).map(|file| file.volume).collect();
        doses.iter().for_each(|dose| check_dose(&grid, dose, checks));
        if self.labels.is_empty() {
            checks.fail("labels", "is needed with --dose: every region has its own tissue and kinetics");
            return None;
        }
        let labels = checks.at("labels", labels::read(&self.labels));
        let density = self.density.as_deref().map(|path| checks.at("density", read_density(path)));
        let grids = labels.iter().map(|files| ("labels", files.organs.grid()));
        let of_density = density.iter().flatten().map(|density| ("density", density.g_cm3().grid()));
        for (flag, other) in grids.chain(of_density) {
            checks.at(flag, grid.check_same(other));
        }
        let density = match density {
            None => None,
            Some(density) => Some(density?),
        };
        Some(Volumes { doses, labels: labels?, density, origin })
    }
}

/// Records a dose map that lies elsewhere, or holds what is no dose.
fn check_dose(grid: &VoxelGrid, dose: &Volume<f32>, checks: &mut Checks) {
    checks.at("dose", grid.check_same(dose.grid()));
    let bad = dose.as_slice().iter().filter(|gy| !(**gy >= 0.0 && gy.is_finite())).count();
    if bad > 0 {
        checks.fail("dose", format!("{} {} below 0 or not finite", words::voxels(bad), words::are(bad)));
    }
}

fn read_density(path: &Path) -> Result<DensityMap, crate::domain::Invalid> {
    DensityMap::new(read_volume(path)?.volume)
}

impl Volumes {
    /// What is said of each region, and the number of voxels that belong to none. Writes the map where one is wanted:
    /// where regions overlap, a voxel has the BED of the smaller one.
    pub(super) fn beds(
        &self,
        regions: &[Region],
        radiation: Radiation,
        args: &VoxelArgs,
    ) -> Result<(Vec<RegionResult>, usize), DoseError> {
        if matches!(radiation, Radiation::Mixed { .. }) {
            let reason =
                "a mixed field has a dose of electrons and photons, and one of alpha particles: give them by region";
            return Err(DoseError::invalid("dose", reason));
        }
        let mut checks = Checks::new();
        let organs: Vec<&Organ> = regions.iter().filter_map(|region| self.organ_of(region, &mut checks)).collect();
        let minimum = args.minimum_density;
        let figures = regions.iter().zip(&organs).filter_map(|(region, organ)| {
            let figures = self.figures(region, organ, radiation, minimum);
            super::recorded(&mut checks, &format!("region.{}", region.name), figures)
        });
        let figures: Vec<RegionResult> = figures.collect();
        checks.finish()?;
        let (map, without) = self.map(regions, &organs, radiation, minimum);
        if let Some(path) = &args.output {
            write_volume(path, &map, "dosegrid: biologically effective dose [Gy]", &self.origin)
                .map_err(|error| DoseError::Io(format!("output: cannot be written: {error}")))?;
        }
        Ok((figures, without))
    }

    /// The organ of a region. A fault is recorded.
    fn organ_of(&self, region: &Region, checks: &mut Checks) -> Option<&Organ> {
        let organs = self.labels.organs.organs();
        let found = match region.label {
            Some(label) => organs.iter().find(|organ| organ.label == label),
            None => organs.iter().find(|organ| organ.name.as_deref() == Some(region.name.as_str())),
        };
        if found.is_none() {
            let reason = "no region of --labels has this label, or without a label this name";
            checks.fail(format!("region.{}", region.name), reason);
        }
        found
    }

    fn density_g_cm3(&self, voxel: usize) -> f64 {
        self.density.as_ref().map_or(WATER_DENSITY_G_CM3, |map| f64::from(map.g_cm3().as_slice()[voxel]))
    }

    /// Doses of a voxel, of each cycle [Gy].
    fn doses_gy(&self, voxel: usize) -> Vec<f64> {
        self.doses.iter().map(|dose| f64::from(dose.as_slice()[voxel])).collect()
    }

    fn figures(
        &self,
        region: &Region,
        organ: &Organ,
        radiation: Radiation,
        minimum_g_cm3: f64,
    ) -> Result<RegionResult, DoseError> {
        let voxel_cm3 = self.doses[0].grid().voxel_volume_cm3();
        let bears = |voxel: usize| bears_dose(self.density_g_cm3(voxel), minimum_g_cm3);
        let (counted, excluded): (Vec<_>, Vec<_>) = organ.shares().partition(|&(voxel, _)| bears(voxel));
        if counted.is_empty() {
            return Err(DoseError::invalid("voxels", "no voxel has a dose"));
        }
        let mass = |&(voxel, share): &(usize, f64)| share * self.density_g_cm3(voxel) * voxel_cm3;
        let masses: Vec<f64> = counted.iter().map(mass).collect();
        let doses: Vec<Vec<f64>> = counted.iter().map(|&(voxel, _)| self.doses_gy(voxel)).collect();
        let of_cycle = |at: usize| VoxelDoses::new(doses.iter().map(|doses| doses[at]).collect(), &masses);
        let means: Vec<f64> =
            (0..self.doses.len()).map(|at| Ok(of_cycle(at)?.mean_gy())).collect::<Result<_, DoseError>>()?;
        let beds: Vec<f64> = doses.iter().map(|doses| region.voxel_bed_gy(radiation, doses)).collect();
        let total = VoxelDoses::new(doses.iter().map(|doses| doses.iter().sum()).collect(), &masses)?;
        let bed_gy = VoxelDoses::new(beds.clone(), &masses)?.mean_gy();
        let uniform = region.alpha_per_gy.map(|alpha| total.equivalent_uniform_bed_gy(&beds, alpha)).transpose()?;
        let one = (self.doses.len() == 1 && radiation == Radiation::LowLet).then(|| region.factors.own()[0]);
        let of_means = region.with_doses(radiation, &means).result(radiation);
        Ok(RegionResult {
            bed_gy,
            eqd2_gy: region.tissue.eqd2_gy(bed_gy),
            voxels: Some(VoxelFigures {
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

    /// The BED of every voxel of a region, 0 elsewhere; and how many voxels are elsewhere.
    fn map(
        &self,
        regions: &[Region],
        organs: &[&Organ],
        radiation: Radiation,
        minimum_g_cm3: f64,
    ) -> (Volume<f32>, usize) {
        let map = self.labels.organs.label_map();
        let found = |label: u16| organs.iter().position(|organ| organ.label == label);
        let mut without = 0;
        let bed = |(voxel, &label): (usize, &u16)| {
            let Some(at) = found(label) else {
                without += 1;
                return 0.0;
            };
            if !bears_dose(self.density_g_cm3(voxel), minimum_g_cm3) {
                return 0.0;
            }
            #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
            let bed_gy = regions[at].voxel_bed_gy(radiation, &self.doses_gy(voxel)) as f32;
            bed_gy
        };
        let values: Vec<f32> = map.labels().as_slice().iter().enumerate().map(bed).collect();
        let volume = Volume::from_vec(self.doses[0].grid().clone(), values).expect("a value for each voxel");
        (volume, without)
    }
}
