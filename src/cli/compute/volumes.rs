//! Flags of the input volumes, and their files. Every file is read even if another is bad, so that one run names every
//! fault.

use std::path::{Path, PathBuf};

use super::unit::UnitArgs;
use crate::domain::{Amount, Checks, DensityMap, NanRule, Part, Volume, Warning, repair_density, warning};
use crate::formats::hu_curve;
use crate::formats::volume_file::{Origin, VolumeFile, read_volume as read_file};
use crate::physics::tissue::DensityCurve;
use crate::request::RawUnit;

/// A CT without a voxel below this has no air in it [HU]: a slope or an intercept may be missing.
const AIR_BELOW_HU: f32 = -200.0;
/// CT number of air [HU].
const AIR_HU: f32 = -1000.0;

// Every flag is optional to the parser and a string where it is a number, so that one run names every fault.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Inputs")]
pub(super) struct VolumeArgs {
    /// Activity map, NIfTI, NRRD or MetaImage (required)
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
        read_volume(self.activity.as_deref(), "activity", checks, warnings)
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

    /// The density, from its own file or from a CT, and how that file says where it lies.
    ///
    /// * `nan` – what to do with NaN
    pub(super) fn read_density(
        &self,
        nan: NanRule,
        checks: &mut Checks,
        warnings: &mut Vec<Warning>,
    ) -> Part<(DensityMap, Origin)> {
        if self.density.is_some() && self.ct.is_some() {
            checks.fail("ct", "is given beside --density; only one of the two can hold");
        }
        if self.hu_curve.is_some() && self.ct.is_none() {
            checks.fail("hu-curve", "has no effect without --ct");
        }
        let density = read_volume(self.density.as_deref(), "density", checks, warnings);
        let density = density.resolve("density", checks, |file, flag, checks| {
            let map = without_nan(file.volume, nan, 0.0, flag, checks, warnings)?;
            Some((checks.at(flag, DensityMap::new(map))?, file.header.origin))
        });
        let own_curve = self.hu_curve.as_deref().map(|path| checks.at("hu-curve", hu_curve::read(path)));
        let ct = read_volume(self.ct.as_deref(), "ct", checks, warnings);
        let from_ct = ct.resolve("ct", checks, |file, flag, checks| {
            let ct = without_nan(file.volume, nan, AIR_HU, flag, checks, warnings)?;
            let curve = match &own_curve {
                None => DensityCurve::schneider_2000(),
                Some(curve) => curve.as_ref()?,
            };
            let density = checks.at(flag, curve.density_map(&ct))?;
            warn_of_ct(&ct, curve, own_curve.is_some(), warnings);
            Some((density, file.header.origin))
        });
        if density.is_given() { density } else { from_ct }
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
        [&self.activity, &self.density, &self.ct, &self.hu_curve].into_iter().filter_map(|path| path.as_deref())
    }
}

/// A volume as it is in its file, if there is one.
pub(super) fn read_volume(
    path: Option<&Path>,
    flag: &str,
    checks: &mut Checks,
    warnings: &mut Vec<Warning>,
) -> Part<VolumeFile> {
    let Some(path) = path else { return Part::Absent };
    let file = checks.at(flag, read_file(path));
    let words = file.iter().flat_map(|file| &file.warnings);
    warnings.extend(words.map(|words| Warning::new(warning::INPUT_FILE, flag, words)));
    Part::given(file)
}

/// The volume with its NaN filled, if that is allowed.
fn without_nan(
    volume: Volume<f32>,
    nan: NanRule,
    fill: f32,
    flag: &str,
    checks: &mut Checks,
    warnings: &mut Vec<Warning>,
) -> Option<Volume<f32>> {
    let (volume, count) = checks.at(flag, repair_density(volume, nan, fill))?;
    if count > 0 {
        let words = format!("{count} voxels of NaN were taken as {fill}");
        warnings.push(Warning::new(warning::VALUES_REPLACED, flag, words));
    }
    Some(volume)
}

fn warn_of_ct(ct: &Volume<f32>, curve: &DensityCurve, own_curve: bool, warnings: &mut Vec<Warning>) {
    let lowest = ct.as_slice().iter().copied().fold(f32::INFINITY, f32::min);
    if lowest > AIR_BELOW_HU {
        let words =
            format!("the lowest value is {lowest} HU, so there is no air in it; are slope and intercept right?");
        warnings.push(Warning::new(warning::CT_WITHOUT_AIR, "density", words));
    }
    let told = |field: &str, words: String| Warning::new(warning::CT_OUTSIDE_CALIBRATION, field, words);
    let beyond = |end: f64| ct.as_slice().iter().filter(|&&hu| f64::from(hu) > end).count();
    let (end, metal) = (curve.calibrated_to_hu(), beyond(curve.calibrated_to_hu()));
    if !own_curve && metal > 0 {
        let words = format!(
            "{metal} voxels above the last point of the calibration, {end} HU, get the density of bone extended to them, \
             at most that of an implant; if they are metal, give --hu-curve"
        );
        warnings.push(told("density", words));
    }
    if own_curve {
        let [low, high] = curve.range_hu();
        let below = ct.as_slice().iter().filter(|&&hu| f64::from(hu) < low).count();
        let above = beyond(high);
        if below > 0 {
            let words = format!("{below} voxels below its first point, {low} HU, get the density there");
            warnings.push(told("hu-curve", words));
        }
        if above > 0 {
            let words = format!("{above} voxels above its last point, {high} HU, get the density there");
            warnings.push(told("hu-curve", words));
        }
    }
}
