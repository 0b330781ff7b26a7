//! From files to a request. Every file is read even if another is at fault, so that one run names every fault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Args;
use super::options::Options;
use crate::domain::{
    ActivityUnit, Checks, DensityMap, DoseError, DoseRequest, TimeIntegratedActivity, Volume, VoxelGrid,
};
use crate::dosimetry::LabelMap;
use crate::formats::{hu_curve, label_names, nifti};
use crate::physics::tissue::DensityCurve;

/// A CT without a voxel below this has no air in it [HU]: a slope or an intercept may be missing.
const AIR_BELOW_HU: f32 = -200.0;
/// An effective half-life that is longer than the physical one by more than evaluations of the latter differ is no half-life.
const HALF_LIFE_TOLERANCE: f64 = 1.02;

/// All that a computation and its tables are made from.
pub(super) struct Inputs {
    pub(super) request: DoseRequest,
    pub(super) labels: Option<LabelMap>,
    pub(super) names: BTreeMap<u16, String>,
    pub(super) unit: ActivityUnit,
    /// What looks wrong but may be meant.
    pub(super) warnings: Vec<String>,
}

impl Inputs {
    /// Reads all files and records every fault; none if there was one.
    pub(super) fn read(args: &Args, options: &Options, checks: &mut Checks) -> Option<Self> {
        let mut warnings = Vec::new();
        let activity = read_activity(args, options.unit, checks);
        let density = read_density(args, checks, &mut warnings);
        let labels = args.labels.as_deref().and_then(|path| read_volume(path, "labels", checks));
        let names = args.label_names.as_deref().map(|path| checks.at("label-names", label_names::read(path)));
        if let Some(activity) = &activity {
            let grid = activity.decays().grid();
            let density_flag = if args.ct.is_some() { "ct" } else { "density" };
            check_grid(grid, density.as_ref().map(|density| density.g_cm3().grid()), density_flag, checks);
            check_grid(grid, labels.as_ref().map(Volume::grid), "labels", checks);
        }
        let labels = labels.map(|labels| checks.at("labels", LabelMap::new(&labels)));
        check_density_is_there(args, options, checks);
        check_outputs(args, checks);
        warn_of_half_life(options, &mut warnings);
        if !checks.is_empty() {
            return None;
        }
        let request = DoseRequest::new(activity?, density, options.nuclide?, options.method?);
        if let Err(DoseError::Invalid(faults)) = request {
            faults.into_iter().for_each(|fault| checks.fail(fault.field, fault.reason));
            return None;
        }
        let names = names.flatten().unwrap_or_default();
        Some(Self { request: request.ok()?, labels: labels.flatten(), names, unit: options.unit?, warnings })
    }
}

fn read_volume(path: &Path, flag: &str, checks: &mut Checks) -> Option<Volume<f32>> {
    checks.at(flag, nifti::read(path)).map(|file| file.volume)
}

/// Values are checked even where the unit is at fault.
fn read_activity(args: &Args, unit: Option<ActivityUnit>, checks: &mut Checks) -> Option<TimeIntegratedActivity> {
    let Some(path) = &args.activity else {
        checks.fail("activity", "--activity is needed");
        return None;
    };
    let volume = read_volume(path, "activity", checks)?;
    checks.at("activity", TimeIntegratedActivity::new(volume, unit.unwrap_or(ActivityUnit::BqS)))
}

fn read_density(args: &Args, checks: &mut Checks, warnings: &mut Vec<String>) -> Option<DensityMap> {
    let density = args.density.as_deref().and_then(|path| {
        let volume = read_volume(path, "density", checks)?;
        checks.at("density", DensityMap::new(volume))
    });
    let own_curve = args.hu_curve.as_deref().map(|path| checks.at("hu-curve", hu_curve::read(path)));
    let from_ct = args.ct.as_deref().and_then(|path| {
        let ct = read_volume(path, "ct", checks)?;
        let curve = match &own_curve {
            None => DensityCurve::schneider_2000(),
            Some(curve) => curve.as_ref()?,
        };
        let density = checks.at("ct", curve.density_map(&ct))?;
        warn_of_ct(&ct, curve, own_curve.is_some(), warnings);
        Some(density)
    });
    density.or(from_ct)
}

fn warn_of_ct(ct: &Volume<f32>, curve: &DensityCurve, own_curve: bool, warnings: &mut Vec<String>) {
    let lowest = ct.as_slice().iter().copied().fold(f32::INFINITY, f32::min);
    if lowest > AIR_BELOW_HU {
        warnings.push(format!(
            "ct: the lowest value is {lowest} HU, so there is no air in it; are slope and intercept right?"
        ));
    }
    if own_curve {
        let [low, high] = curve.range_hu();
        let below = ct.as_slice().iter().filter(|&&hu| f64::from(hu) < low).count();
        let above = ct.as_slice().iter().filter(|&&hu| f64::from(hu) > high).count();
        if below > 0 {
            warnings.push(format!("hu-curve: {below} voxels below its first point, {low} HU, get the density there"));
        }
        if above > 0 {
            warnings.push(format!("hu-curve: {above} voxels above its last point, {high} HU, get the density there"));
        }
    }
}

fn warn_of_half_life(options: &Options, warnings: &mut Vec<String>) {
    if let (Some(ActivityUnit::Bq { effective_half_life_s }), Some(nuclide)) = (options.unit, options.nuclide)
        && effective_half_life_s > nuclide.half_life_s * HALF_LIFE_TOLERANCE
    {
        let (effective_h, physical_h) = (effective_half_life_s / 3600.0, nuclide.half_life_s / 3600.0);
        warnings.push(format!(
            "effective-half-life: {effective_h:.2} h is longer than the physical half-life of {}, {physical_h:.2} h",
            nuclide.name
        ));
    }
}

fn check_grid(activity: &VoxelGrid, other: Option<&std::sync::Arc<VoxelGrid>>, flag: &str, checks: &mut Checks) {
    if let Some(other) = other {
        checks.at(flag, activity.check_same(other));
    }
}

fn check_density_is_there(args: &Args, options: &Options, checks: &mut Checks) {
    if args.density.is_none() && args.ct.is_none() && options.method.is_some_and(|method| method.needs_density()) {
        checks.fail("density", format!("the method {} needs --density or --ct", args.method));
    }
}

/// Results must have a place to go, and may not replace what they are made from, nor one another.
fn check_outputs(args: &Args, checks: &mut Checks) {
    let outputs = [("output", &args.output), ("organs-output", &args.organs_output), ("json", &args.json)];
    let inputs = [&args.activity, &args.density, &args.ct, &args.hu_curve, &args.labels, &args.label_names];
    let mut taken: Vec<PathBuf> = inputs.into_iter().flatten().filter_map(|path| path.canonicalize().ok()).collect();
    for (flag, path) in outputs {
        let Some(path) = path else { continue };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let Some((folder, name)) = folder.canonicalize().ok().filter(|folder| folder.is_dir()).zip(path.file_name())
        else {
            checks.fail(flag, "lies in a folder that does not exist, or is no file name");
            continue;
        };
        let place = path.canonicalize().unwrap_or_else(|_| folder.join(name));
        if place.is_dir() {
            checks.fail(flag, "is a folder");
        } else if taken.contains(&place) {
            checks.fail(flag, "is also the name of another file of this run");
        }
        taken.push(place);
    }
    match &args.output {
        None => checks.fail("output", "--output is needed"),
        Some(path) if !is_nifti_name(path) => checks.fail("output", "must end in .nii or .nii.gz"),
        Some(_) => {}
    }
}

fn is_nifti_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}
