//! Flags of the input volumes, and their files. Every file is read even if another is bad, so that one run names every
//! fault.

use std::path::{Path, PathBuf};

use super::unit::UnitArgs;
use crate::domain::{Checks, DensityMap, Part, Volume, Warning};
use crate::formats::{hu_curve, nifti};
use crate::physics::tissue::DensityCurve;
use crate::request::RawUnit;

/// A CT without a voxel below this has no air in it [HU]: a slope or an intercept may be missing.
const AIR_BELOW_HU: f32 = -200.0;

// Every flag is optional to the parser and a string where it is a number, so that one run names every fault.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Inputs")]
pub(super) struct VolumeArgs {
    /// Activity map, NIfTI-1 (required)
    #[arg(long, value_name = "FILE")]
    activity: Option<PathBuf>,
    #[command(flatten)]
    unit: UnitArgs,
    /// Mass density in g/cm³, NIfTI-1 on the grid of the activity
    #[arg(long, value_name = "FILE")]
    density: Option<PathBuf>,
    /// CT in HU instead of the density, NIfTI-1 on the grid of the activity
    #[arg(long, value_name = "FILE")]
    ct: Option<PathBuf>,
    /// Calibration of the CT, CSV of hu,density_g_cm3 [default: Schneider 2000]
    #[arg(long, value_name = "FILE")]
    hu_curve: Option<PathBuf>,
}

impl VolumeArgs {
    /// The activity map as it is in its file.
    pub(super) fn read_activity(&self, checks: &mut Checks) -> Part<Volume<f32>> {
        read_volume(self.activity.as_deref(), "activity", checks)
    }

    /// What the numbers of the activity map mean.
    pub(super) fn unit(&self, checks: &mut Checks) -> Part<RawUnit> {
        self.unit.raw(checks)
    }

    /// The density, from its own file or from a CT.
    pub(super) fn read_density(&self, checks: &mut Checks, warnings: &mut Vec<Warning>) -> Part<DensityMap> {
        if self.density.is_some() && self.ct.is_some() {
            checks.fail("ct", "is given beside --density; only one of the two can hold");
        }
        if self.hu_curve.is_some() && self.ct.is_none() {
            checks.fail("hu-curve", "has no effect without --ct");
        }
        let density = read_volume(self.density.as_deref(), "density", checks);
        let density = density.resolve("density", checks, |map, flag, checks| checks.at(flag, DensityMap::new(map)));
        let own_curve = self.hu_curve.as_deref().map(|path| checks.at("hu-curve", hu_curve::read(path)));
        let ct = read_volume(self.ct.as_deref(), "ct", checks);
        let from_ct = ct.resolve("ct", checks, |ct, flag, checks| {
            let curve = match &own_curve {
                None => DensityCurve::schneider_2000(),
                Some(curve) => curve.as_ref()?,
            };
            let density = checks.at(flag, curve.density_map(&ct))?;
            warn_of_ct(&ct, curve, own_curve.is_some(), warnings);
            Some(density)
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
pub(super) fn read_volume(path: Option<&Path>, flag: &str, checks: &mut Checks) -> Part<Volume<f32>> {
    match path {
        None => Part::Absent,
        Some(path) => Part::given(checks.at(flag, nifti::read(path)).map(|file| file.volume)),
    }
}

fn warn_of_ct(ct: &Volume<f32>, curve: &DensityCurve, own_curve: bool, warnings: &mut Vec<Warning>) {
    let lowest = ct.as_slice().iter().copied().fold(f32::INFINITY, f32::min);
    if lowest > AIR_BELOW_HU {
        let message =
            format!("the lowest value is {lowest} HU, so there is no air in it; are slope and intercept right?");
        warnings.push(Warning::new("CT_WITHOUT_AIR", "density", message));
    }
    if own_curve {
        let [low, high] = curve.range_hu();
        let below = ct.as_slice().iter().filter(|&&hu| f64::from(hu) < low).count();
        let above = ct.as_slice().iter().filter(|&&hu| f64::from(hu) > high).count();
        if below > 0 {
            let message =
                format!("the calibration: {below} voxels below its first point, {low} HU, get the density there");
            warnings.push(Warning::new("CT_OUTSIDE_CALIBRATION", "density", message));
        }
        if above > 0 {
            let message =
                format!("the calibration: {above} voxels above its last point, {high} HU, get the density there");
            warnings.push(Warning::new("CT_OUTSIDE_CALIBRATION", "density", message));
        }
    }
}
