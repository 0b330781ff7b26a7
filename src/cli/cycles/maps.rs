//! The sum of the dose maps of cycles, voxel by voxel.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::dicom::{DicomArgs, is_dicom_name};
use crate::domain::{Checks, DoseError, Invalid, RigidTransform, Volume, VoxelGrid, words};
use crate::formats::dicom::write::DoseKind;
use crate::formats::dicom::{Belonging, check_pair};
use crate::formats::volume_file::{Origin, OutputFormat, read_dose, write_volume};
use crate::intake::{RegridKind, Regridded, RegriddedValues, Regridding};
use crate::resample::reorder;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Maps")]
pub(super) struct MapArgs {
    /// Dose map of each cycle in Gy, registered to the first; once for each
    #[arg(long, value_name = "FILE")]
    dose: Vec<PathBuf>,
    /// 1σ map of each cycle in Gy, in the same order: they add in squares
    #[arg(long, value_name = "FILE")]
    uncertainty: Vec<PathBuf>,
    /// Sum of the dose maps, on the grid of the first
    #[arg(long, value_name = "FILE")]
    dose_output: Option<PathBuf>,
    /// 1σ of that sum
    #[arg(long, value_name = "FILE")]
    uncertainty_output: Option<PathBuf>,
    /// Put maps on other grids on that of the first, by interpolation; without it they are refused
    #[arg(long)]
    resample: bool,
    #[command(flatten)]
    dicom: DicomArgs,
}

/// A map of each cycle, on one grid.
struct Maps {
    grid: Arc<VoxelGrid>,
    origin: Origin,
    values: Vec<Volume<f32>>,
    /// Whose they are, and where they lie, as far as they are DICOM.
    belonging: Belonging,
    /// What looks wrong but may be meant, each with the name of its file.
    warnings: Vec<String>,
}

impl MapArgs {
    /// Whether any map is named.
    pub(super) fn is_given(&self) -> bool {
        !self.dose.is_empty() || !self.uncertainty.is_empty() || self.outputs().next().is_some()
    }

    fn outputs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let outputs = [("dose-output", &self.dose_output), ("uncertainty-output", &self.uncertainty_output)];
        outputs.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?)))
    }

    /// Files that are read.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.dose.iter().chain(&self.uncertainty).map(PathBuf::as_path).chain(self.dicom.inputs())
    }

    /// All files that are written, by their flags.
    pub(super) fn all_outputs(&self) -> impl Iterator<Item = (&'static str, Option<&Path>)> {
        let plan = ("plan-output", self.dicom.plan_output.as_deref());
        self.outputs().map(|(flag, path)| (flag, Some(path))).chain([plan])
    }

    /// Adds the maps and writes their sums.
    pub(super) fn run(&self, mut checks: Checks) -> Result<(), DoseError> {
        self.check(&mut checks);
        let doses = self.read("dose", &self.dose, None, &mut checks);
        let sigmas = self.read("uncertainty", &self.uncertainty, doses.as_ref(), &mut checks);
        let wanted = self.outputs().find(|(_, path)| is_dicom_name(path)).map(|(flag, _)| flag);
        let dicom = self.dicom.read(wanted, None, &mut checks);
        if let (Some(dicom), Some(doses)) = (&dicom, &doses) {
            let is_of_it = checks.at("reference", dicom.check_belonging("the dose maps", &doses.belonging)).is_some();
            if is_of_it {
                dicom.check_place(&doses.grid, &mut checks);
            }
        }
        checks.finish()?;
        for maps in doses.iter().chain(&sigmas) {
            maps.warnings.iter().for_each(|words| tell!("warning: {words}"));
        }
        let sums = [
            ("dose-output", &self.dose_output, doses.map(|maps| maps.sum(|gy| gy, |sum| sum)), DoseKind::Physical),
            (
                "uncertainty-output",
                &self.uncertainty_output,
                sigmas.map(|maps| maps.sum(|gy| gy * gy, f64::sqrt)),
                DoseKind::Uncertainty,
            ),
        ];
        for (flag, path, sum, kind) in sums {
            let (Some(path), Some((sum, origin))) = (path, sum) else { continue };
            match &dicom {
                Some(dicom) if is_dicom_name(path) => {
                    let comment = format!("sum of {} cycles", self.dose.len());
                    dicom.write_dose(flag, path, (kind, &sum), &comment)?;
                }
                _ => write_volume(path, &sum, "dosegrid: sum of cycles [Gy]", &origin)
                    .map_err(|error| DoseError::Io(format!("{flag}: cannot be written: {error}")))?,
            }
        }
        Ok(())
    }

    fn check(&self, checks: &mut Checks) {
        if self.dose.len() < 2 {
            checks.fail("dose", "is needed once for each of two or more cycles");
        }
        if self.dose_output.is_none() {
            checks.fail("dose-output", "is needed with --dose: where the sum goes");
        }
        match (self.uncertainty.len(), self.uncertainty_output.is_some()) {
            (0, true) => checks.fail("uncertainty-output", "needs --uncertainty once for each cycle"),
            (1.., false) => checks.fail("uncertainty", "has no effect without --uncertainty-output"),
            (0, false) => {}
            (count, true) if count == self.dose.len() => {}
            (count, true) => {
                let reason = format!("is needed once for each of {} cycles, got {count}", self.dose.len());
                checks.fail("uncertainty", reason);
            }
        }
        for (flag, path) in self.outputs() {
            if !is_dicom_name(path) {
                checks.at(flag, OutputFormat::of_name(path));
            }
        }
    }

    /// Reads a map of each cycle and puts it on one grid. Every bad file is recorded by name.
    ///
    /// * `first` – whose grid they are put on, and whose patient they are of; none: those of the first map
    fn read(&self, flag: &str, paths: &[PathBuf], first: Option<&Maps>, checks: &mut Checks) -> Option<Maps> {
        let kind = if flag == "dose" { DoseKind::Physical } else { DoseKind::Uncertainty };
        let mut maps: Option<Maps> = None;
        for path in paths {
            let name = format!("{flag} {}", path.display());
            let Some(file) = checks.at(&name, read_dose(path, Some(kind))) else { continue };
            let origin = file.header.origin;
            let own = file.header.dicom.map(|account| account.belonging());
            let maps = maps.get_or_insert_with(|| Maps {
                grid: first.map_or_else(|| file.volume.grid().clone(), |first| first.grid.clone()),
                origin,
                values: Vec::new(),
                belonging: first.map(|first| first.belonging.clone()).unwrap_or_default(),
                warnings: Vec::new(),
            });
            maps.warnings.extend(file.warnings.into_iter().map(|words| format!("{name}: {words}")));
            if let Some(own) = own {
                checks.at(&name, maps.take_belonging(&own));
            }
            maps.values.extend(checks.at(&name, on_grid(file.volume, &maps.grid, self.resample)));
        }
        maps.filter(|maps| maps.values.len() == paths.len())
    }
}

impl Maps {
    /// Keeps whose a map is and where it lies, as far as nothing is known yet.
    ///
    /// # Errors
    /// If it is of another patient, or lies in another frame of reference, than those before.
    fn take_belonging(&mut self, own: &Belonging) -> Result<(), Invalid> {
        let hint =
            |Invalid(reason)| Invalid(reason + "; dosegrid resample --transform puts one on the grid of another");
        check_pair("it", &own.of_patient(), "the maps before it", &self.belonging)?;
        check_pair("it", own, "the maps before it", &self.belonging).map_err(hint)?;
        let known = &mut self.belonging;
        known.patient = known.patient.take().or_else(|| own.patient.clone());
        known.frame_of_reference = known.frame_of_reference.take().or_else(|| own.frame_of_reference.clone());
        Ok(())
    }

    /// The sum over cycles.
    ///
    /// * `of` – what of a value is added
    /// * `back` – what of the sum is the result
    fn sum(self, of: fn(f64) -> f64, back: fn(f64) -> f64) -> (Volume<f32>, Origin) {
        let at = |voxel: usize| self.values.iter().map(|map| of(f64::from(map.as_slice()[voxel]))).sum::<f64>();
        #[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
        let sums = (0..self.grid.voxels()).map(|voxel| back(at(voxel)) as f32).collect();
        (Volume::from_vec(self.grid, sums).expect("a value for each voxel"), self.origin)
    }
}

/// A map on the grid of the sum.
fn on_grid(map: Volume<f32>, grid: &Arc<VoxelGrid>, resample: bool) -> Result<Volume<f32>, Invalid> {
    let bad = map.as_slice().iter().filter(|gy| !(gy.is_finite() && **gy >= 0.0)).count();
    if bad > 0 {
        return Err(Invalid::new(format!(
            "{} {} no dose: it is a number from 0 on",
            words::voxels(bad),
            words::are(bad)
        )));
    }
    if let Some(map) = reorder(&map, grid) {
        return Ok(map);
    }
    if !resample {
        return Err(Invalid::new(
            "lies on another grid than the first dose map; register it to that, or interpolate with --resample if the \
             two are registered",
        ));
    }
    let made = Regridding::new(RegridKind::Dose, map.grid(), grid, &RigidTransform::IDENTITY).numbers(&map)?;
    match made {
        Regridded { values: RegriddedValues::Numbers(map), .. } => Ok(map),
        Regridded { values: RegriddedValues::Labels(_), .. } => unreachable!("a dose has numbers"),
    }
}
