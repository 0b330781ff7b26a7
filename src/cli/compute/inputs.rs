//! From files to a request. Every file is read even if another is at fault, so that one run names every fault.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Args;
use super::options::{Options, flag_of};
use crate::cli::outputs::InputAccount;
use crate::domain::{
    ActivityUnit, Checks, DensityMap, DoseError, DoseRequest, LabelMap, LabelMaps, Method, Source,
    TimeIntegratedActivity, Volume, VoxelGrid,
};
use crate::formats::{hu_curve, nifti};
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
    unit: ActivityUnit,
    /// What looks wrong but may be meant.
    pub(super) warnings: Vec<String>,
}

impl Inputs {
    /// Reads all files and records every fault; none if there was one.
    pub(super) fn read(args: &Args, options: &Options, checks: &mut Checks) -> Option<Self> {
        let mut warnings = Vec::new();
        let activity = read_activity(args, options.unit, checks);
        let density = read_density(args, checks, &mut warnings);
        let daughters = read_daughters(options, checks);
        let (labels, names) = args.outputs.read_labels(checks);
        let material_map = args.monte_carlo.material_map.as_deref();
        let materials = material_map.and_then(|path| read_volume(path, "material-map", checks));
        if let Some(activity) = &activity {
            let grid = activity.decays().grid();
            let density_flag = if args.ct.is_some() { "ct" } else { "density" };
            check_grid(grid, density.as_ref().map(|density| density.g_cm3().grid()), density_flag, checks);
            check_grid(grid, labels.as_ref().map(Volume::grid), "labels", checks);
            check_grid(grid, materials.as_ref().map(Volume::grid), "material-map", checks);
            for (_, activity) in &daughters {
                check_grid(grid, Some(activity.decays().grid()), "daughter-activity", checks);
            }
        }
        let labels = labels.and_then(|labels| checks.at("labels", LabelMap::new(&labels)));
        let materials = materials.and_then(|map| checks.at("material-map", LabelMap::new(&map)));
        check_density_is_there(args, options, checks);
        let own = [&args.activity, &args.density, &args.ct, &args.hu_curve].map(Option::as_deref);
        let material = args.monte_carlo.material.as_deref().map(Path::new);
        let others = args.monte_carlo.files().into_iter().chain(args.daughters.files());
        args.outputs.check(own.into_iter().chain(others).chain([material]), checks);
        warn_of_half_life(options, &mut warnings);
        if !checks.is_empty() {
            return None;
        }
        let method = options.method.clone()?;
        // Other methods do not look at labels: the tables are made here.
        let regions = labels.clone().filter(|_| matches!(method, Method::MonteCarlo(_)));
        let maps = LabelMaps { regions, materials };
        let source = options.sources.as_ref()?.first.clone();
        let mut builder = DoseRequest::builder(activity?, source, method).labels(maps);
        for (source, activity) in daughters {
            builder = builder.daughter(source, activity);
        }
        if let Some(density) = density {
            builder = builder.density(density);
        }
        if let Some(weighting) = options.weighting {
            builder = builder.weighting(weighting);
        }
        match builder.build() {
            Ok(request) => Some(Self { request, labels, names, unit: options.unit?, warnings }),
            Err(DoseError::Invalid(faults)) => {
                faults.into_iter().for_each(|fault| checks.fail(flag_of(&fault.field), fault.reason));
                None
            }
            Err(other) => {
                checks.fail("activity", other.to_string());
                None
            }
        }
    }

    /// How the files were understood.
    pub(super) fn account(&self, args: &Args) -> InputAccount {
        let (activity_unit, effective_half_life_s) = match self.unit {
            ActivityUnit::BqS => ("bq-s", None),
            ActivityUnit::MbqH => ("mbq-h", None),
            ActivityUnit::Bq { effective_half_life_s } => ("bq", Some(effective_half_life_s)),
        };
        let density = match (&args.density, &args.ct, &args.hu_curve) {
            (Some(_), _, _) => "density",
            (None, Some(_), Some(_)) => "ct, own calibration",
            (None, Some(_), None) => "ct, Schneider 2000",
            (None, None, _) => "none",
        };
        InputAccount { activity_unit, effective_half_life_s, density }
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

/// Maps of the daughters that have one.
fn read_daughters(options: &Options, checks: &mut Checks) -> Vec<(Source, TimeIntegratedActivity)> {
    let unit = options.unit.unwrap_or(ActivityUnit::BqS);
    let read = |(source, path): &(Source, PathBuf)| {
        let volume = read_volume(path, "daughter-activity", checks)?;
        let activity = checks.at("daughter-activity", TimeIntegratedActivity::new(volume, unit))?;
        Some((source.clone(), activity))
    };
    options.sources.iter().flat_map(|sources| &sources.daughters).filter_map(read).collect()
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
    if let (Some(ActivityUnit::Bq { effective_half_life_s }), Some(nuclide)) =
        (options.unit, options.sources.as_ref().and_then(|sources| sources.first.parent()))
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
    if args.density.is_none() && args.ct.is_none() && options.method.as_ref().is_some_and(Method::needs_density) {
        checks.fail("density", format!("the method {} needs --density or --ct", args.method));
    }
}
