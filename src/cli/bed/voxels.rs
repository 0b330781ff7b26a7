//! BED voxel by voxel, from the dose map of each cycle.

use std::path::{Path, PathBuf};

use crate::cli::organ_volumes::{OrganVolumes, sent};
use crate::cli::remote::Remote;
use crate::domain::{Checks, DensityMap, DoseError, Invalid, Part, Volume, VolumeRole};
use crate::formats::dicom::{Belonging, LabelGrid, Quantity, check_pair};
use crate::formats::labels;
use crate::formats::volume_file::{Origin, OutputFormat, read_volume_beside_dicom, read_volume_of, write_volume};
use crate::intake::InputRole;
use crate::intake::bed::{BedAnswer, BedMaps, BedOfMaps, BedPlan, BedRegions, BedVolumes, RawBed};
use crate::math::watch::Unwatched;
use crate::request::RawVolume;

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
    /// EQD2 map in Gy, likewise
    #[arg(long, value_name = "FILE")]
    eqd2_output: Option<PathBuf>,
}

/// The maps, on one grid.
pub(super) struct Volumes {
    maps: BedMaps,
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
                ("eqd2-output", self.eqd2_output.is_some()),
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
        for (flag, path) in self.outputs() {
            checks.at(flag, OutputFormat::of_name(path));
        }
        let mut files: Vec<_> =
            self.dose.iter().filter_map(|path| checks.at("dose", read_volume_of(path, Quantity::Gy))).collect();
        let origin = files.first()?.header.origin.clone();
        let grid = files.first()?.volume.grid().clone();
        let of_doses: Vec<Option<Belonging>> =
            files.iter().map(|file| file.header.dicom.as_ref().map(|account| account.belonging())).collect();
        let doses: Vec<Volume<f32>> = files.drain(..).map(|file| file.volume).collect();
        for dose in &doses {
            checks.at("dose", grid.check_same(dose.grid()));
            checks.at("dose", BedMaps::check_dose(dose));
        }
        if self.labels.is_empty() {
            checks.fail("labels", "is needed with --dose: every region has its own tissue and kinetics");
            return None;
        }
        let labels = checks.at("labels", labels::read(&self.labels));
        let of_labels = labels.as_ref().and_then(|files| files.dicom.as_ref()).map(LabelGrid::belonging);
        check_belonging(&of_doses, of_labels.as_ref(), checks);
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
        Some(Volumes { maps: BedMaps::new(doses, labels?.organs, density, self.minimum_density), origin })
    }

    /// The maps that are read.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.dose.iter().chain(&self.labels).chain(&self.density).map(PathBuf::as_path)
    }

    pub(super) fn outputs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let outputs = [("output", &self.output), ("eqd2-output", &self.eqd2_output)];
        outputs.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?)))
    }

    fn wanted(&self) -> BedVolumes {
        BedVolumes { bed: self.output.is_some(), eqd2: self.eqd2_output.is_some() }
    }
}

/// Records maps of several patients or frames of reference.
fn check_belonging(doses: &[Option<Belonging>], labels: Option<&Belonging>, checks: &mut Checks) {
    let mut known = doses.iter().flatten();
    let Some(first) = known.next() else { return };
    for other in known {
        checks.at("dose", check_pair("a dose map", other, "the first", first));
    }
    if let Some(labels) = labels {
        checks.at("labels", check_pair("the labels", labels, "the dose map", first));
    }
}

fn read_density(path: &Path) -> Result<DensityMap, Invalid> {
    DensityMap::new(read_volume_beside_dicom(path)?.volume)
}

impl Volumes {
    /// Computes in this process.
    pub(super) fn here(&self, regions: &BedRegions, args: &VoxelArgs) -> Result<BedAnswer, DoseError> {
        let found = regions.of_maps(&self.maps, args.wanted(), &Unwatched)?;
        Ok(BedAnswer::Maps(Box::new(found)))
    }

    /// Computes on a server, which knows regions by their labels.
    pub(super) fn there(&self, remote: &Remote, plan: BedPlan, args: &VoxelArgs) -> Result<BedAnswer, DoseError> {
        let maps = &self.maps;
        let organs = OrganVolumes::of(maps.organs());
        let mut plan = plan;
        let mut checks = Checks::new();
        for region in plan.region.iter_mut().filter(|region| region.label.is_none()) {
            let named = checks.at(format!("region.{}", region.name), maps.organs().named(&region.name));
            region.label = named.map(|organ| organ.label);
        }
        checks.finish()?;
        let float = || Part::Good(RawVolume::from(maps.grid()));
        let raw = RawBed {
            plan,
            doses: maps.doses().iter().map(|_| float()).collect(),
            labels: organs.labels(),
            organ_volumes: organs.own(),
            density: Part::from(maps.density().map(|_| RawVolume::from(maps.grid()))),
            minimum_density_g_cm3: Some(args.minimum_density),
            volumes: args.wanted(),
        };
        let work = raw.check()?;
        let doses = maps.doses().iter().enumerate().map(|(number, dose)| sent(InputRole::Dose(number), dose));
        let density = maps.density().map(|density| sent(VolumeRole::Density, density.g_cm3()));
        let volumes = doses.chain(density).chain(organs.sent(VolumeRole::Labels.into()));
        remote.call(async |client| client.compute_bed(&work, volumes).await)
    }

    /// Writes the maps that are wanted.
    pub(super) fn write(&self, made: &BedOfMaps, args: &VoxelArgs) -> Result<(), DoseError> {
        let maps = [
            (&args.output, &made.bed, "output", "dosegrid: biologically effective dose [Gy]"),
            (&args.eqd2_output, &made.eqd2, "eqd2-output", "dosegrid: EQD2 [Gy]"),
        ];
        for (path, map, flag, text) in maps {
            let (Some(path), Some(map)) = (path, map) else { continue };
            write_volume(path, map, text, &self.origin)
                .map_err(|error| DoseError::Io(format!("{flag}: cannot be written: {error}")))?;
        }
        Ok(())
    }
}
