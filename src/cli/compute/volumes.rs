//! Flags of the input volumes, and their files. Every file is read even if another is bad, so that one run names every
//! fault.

use std::path::{Path, PathBuf};

use super::unit::UnitArgs;
use crate::domain::{Amount, Checks, DensityMap, NanRule, Part, Volume, Warning, warning};
use crate::formats::dicom::{ActivityAccount, Quantity};
use crate::formats::hu_curve;
use crate::formats::volume_file::{VolumeFile, read_volume_beside_dicom, read_volume_of};
use crate::intake::{AIR_HU, density_of_ct, without_nan};
use crate::physics::tissue::DensityCurve;
use crate::request::RawUnit;

// Every flag is optional to the parser and a string where it is a number, so that one run names every fault.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Inputs")]
pub(super) struct VolumeArgs {
    /// Activity map: NIfTI, NRRD, MetaImage, or DICOM: a file, a folder, or a series in it as FOLDER#UID (required)
    #[arg(long, value_name = "FILE")]
    activity: Option<PathBuf>,
    #[command(flatten)]
    unit: UnitArgs,
    /// Mass density in g/cm³, on the grid of the activity, or on its own with --dose-grid
    #[arg(long, value_name = "FILE")]
    density: Option<PathBuf>,
    /// CT in HU instead of the density, on the grid of the activity, or on its own with --dose-grid
    #[arg(long, value_name = "FILE")]
    ct: Option<PathBuf>,
    /// Calibration of the CT, CSV of hu,density_g_cm3 [default: Schneider 2000]
    #[arg(long, value_name = "FILE")]
    hu_curve: Option<PathBuf>,
}

impl VolumeArgs {
    /// The activity map as it is in its file.
    pub(super) fn read_activity(&self, checks: &mut Checks, warnings: &mut Vec<Warning>) -> Part<VolumeFile> {
        read_volume(self.activity.as_deref(), "activity", Some(Quantity::BqPerMl), checks, warnings)
    }

    /// The same flags, with what the file of the activity says where they say nothing.
    pub(super) fn completed(&self, account: &ActivityAccount, checks: &mut Checks) -> Self {
        Self { unit: self.unit.completed(account, checks), ..self.clone() }
    }

    /// What the flags of the unit say.
    pub(super) fn unit_words(&self) -> String {
        self.unit.words()
    }

    /// Whether there is an activity map, good or not.
    pub(super) fn has_activity(&self) -> bool {
        self.activity.is_some()
    }

    /// What the numbers of the activity map mean.
    pub(super) fn unit(&self, checks: &mut Checks) -> Part<RawUnit> {
        self.unit.raw(checks)
    }

    /// What the numbers of the activity map belong to.
    pub(super) fn amount(&self) -> Amount {
        self.unit.amount()
    }

    /// Activity that was injected [Bq]. A fault is recorded.
    pub(super) fn injected_bq(&self, checks: &mut Checks) -> Option<f64> {
        self.unit.injected_bq(checks)
    }

    /// The density and the CT as they are in their files; one of them may be given.
    pub(super) fn read_densities(&self, checks: &mut Checks, warnings: &mut Vec<Warning>) -> [Part<VolumeFile>; 2] {
        if self.density.is_some() && self.ct.is_some() {
            checks.fail("ct", "is given beside --density; only one of the two can hold");
        }
        if self.hu_curve.is_some() && self.ct.is_none() {
            checks.fail("hu-curve", "has no effect without --ct");
        }
        let files = [(self.density.as_deref(), "density", None), (self.ct.as_deref(), "ct", Some(Quantity::Hu))];
        files.map(|(path, flag, quantity)| read_volume(path, flag, quantity, checks, warnings))
    }

    /// Points of the caller's own calibration, CT number [HU] and density [g/cm³]; absent: Schneider 2000.
    pub(super) fn calibration(&self, checks: &mut Checks) -> Part<Vec<[f64; 2]>> {
        let Some(path) = self.hu_curve.as_deref() else { return Part::Absent };
        Part::given(checks.at("hu-curve", hu_curve::read_points(path)))
    }

    /// The density, from its own map or from a CT.
    ///
    /// * `nan` – what to do with NaN
    pub(super) fn density(
        &self,
        density: Part<Volume<f32>>,
        ct: Part<Volume<f32>>,
        nan: NanRule,
        checks: &mut Checks,
        warnings: &mut Vec<Warning>,
    ) -> Part<DensityMap> {
        let density = density.resolve("density", checks, |map, flag, checks| {
            let (map, _, replaced) = checks.at(flag, without_nan(map, nan, 0.0))?;
            warnings.extend(replaced.map(|words| Warning::new(warning::VALUES_REPLACED, flag, words)));
            checks.at(flag, DensityMap::new(map))
        });
        let curve = self.calibration(checks).map(|points| DensityCurve::from_points(&points).expect("checked as read"));
        let from_ct = ct.resolve("ct", checks, |map, flag, checks| {
            let (ct, _, replaced) = checks.at(flag, without_nan(map, nan, AIR_HU))?;
            if curve.is_given() && curve.good().is_none() {
                return None;
            }
            let made = checks.at(flag, density_of_ct(&ct, curve.good()))?;
            warnings.extend(replaced.map(|words| Warning::new(warning::VALUES_REPLACED, flag, words)));
            warnings.extend(made.warnings);
            Some(made.density)
        });
        if density.is_given() { density } else { from_ct }
    }

    /// Where the CT is.
    pub(super) fn ct_path(&self) -> Option<&Path> {
        self.ct.as_deref()
    }

    /// The flag that gives the density.
    pub(super) fn density_flag(&self) -> &'static str {
        if self.ct.is_some() { "ct" } else { "density" }
    }

    /// Where the density came from, in words.
    pub(super) fn density_account(&self) -> &'static str {
        match (&self.density, &self.ct, &self.hu_curve) {
            (Some(_), _, _) => "density",
            (None, Some(_), Some(_)) => "ct, own calibration",
            (None, Some(_), None) => "ct, Schneider 2000",
            (None, None, _) => "none",
        }
    }

    /// Input files that these flags name.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.named_files().map(|(_, path)| path)
    }

    /// Input files by their flags.
    pub(super) fn named_files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let files =
            [("activity", &self.activity), ("density", &self.density), ("ct", &self.ct), ("hu-curve", &self.hu_curve)];
        files.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?)))
    }
}

/// A volume as it is in its file, if there is one.
///
/// * `quantity` – what is wanted, where the format says what values are; none: a quantity that DICOM files do not hold
pub(super) fn read_volume(
    path: Option<&Path>,
    flag: &str,
    quantity: Option<Quantity>,
    checks: &mut Checks,
    warnings: &mut Vec<Warning>,
) -> Part<VolumeFile> {
    let Some(path) = path else { return Part::Absent };
    let read = match quantity {
        Some(quantity) => read_volume_of(path, quantity),
        None => read_volume_beside_dicom(path),
    };
    let file = checks.at(flag, read);
    let words = file.iter().flat_map(|file| &file.warnings);
    warnings.extend(words.map(|words| Warning::new(warning::INPUT_FILE, flag, words)));
    Part::given(file)
}
