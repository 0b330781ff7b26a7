//! From flags and files to a request. Every fault is found in one run.

use std::collections::BTreeMap;

use super::Args;
use super::volumes::read_volume;
use crate::cli::flags::recorded;
use crate::cli::outputs::InputAccount;
use crate::domain::{
    ActivityAtMoment, ActivityUnit, Checks, DensityMap, DoseRequest, Extras, LabelMap, LabelMaps, Part, RequestHeader,
    RequestVolumes, TimeIntegratedActivity, Volume, Warning,
};
use crate::request::{RawDaughterMap, RawHeader, RawMedium, RawMethod, RawUnit, RawVolume};

/// An effective half-life may exceed the physical one by this factor before a warning: published half-lives differ a
/// little.
const HALF_LIFE_TOLERANCE: f64 = 1.02;

/// Everything that a computation and its tables need.
pub(super) struct Inputs {
    pub(super) request: DoseRequest,
    pub(super) labels: Option<LabelMap>,
    pub(super) names: BTreeMap<u16, String>,
    /// What looks wrong but may be intended.
    pub(super) warnings: Vec<Warning>,
    unit: ActivityUnit,
}

impl Inputs {
    /// Reads all files and records every fault; none if there was one.
    pub(super) fn read(args: &Args, checks: &mut Checks) -> Option<Self> {
        let density = args.volumes.density_flag();
        let mut warnings = Vec::new();
        let files = Files::read(args, checks, &mut warnings);
        let mut faults = Checks::new();
        let draft = files.raw_header(args, checks).resolve(&mut faults);
        // Values are checked even where the unit is at fault.
        let unit = draft.activity_unit.good().copied().unwrap_or(ActivityUnit::BqS);
        let header = recorded(draft.finish(faults), density, checks);
        let names = files.names.clone();
        let values = files.check(unit, args, checks);
        args.check_outputs(checks);
        if !checks.is_empty() {
            return None;
        }
        let (header, (volumes, labels)) = (header?, values?);
        warn_of_half_life(&header, &mut warnings);
        let request = recorded(DoseRequest::of(&header, volumes), density, checks)?;
        Some(Self { request, labels, names, warnings, unit })
    }

    /// What the tables say of the files.
    pub(super) fn account(&self, args: &Args) -> InputAccount {
        let moment = self.unit.at_moment();
        InputAccount {
            activity_unit: self.unit.name(),
            effective_half_life_s: moment.map(|moment| moment.effective_half_life_s),
            imaged_after_s: moment.and_then(|moment| moment.imaged_after_s),
            density: args.volumes.density_account(),
        }
    }
}

/// The volumes as they are in their files, and the names of their regions.
struct Files {
    activity: Part<Volume<f32>>,
    density: Part<DensityMap>,
    labels: Part<Volume<f32>>,
    names: BTreeMap<u16, String>,
    materials: Part<Volume<f32>>,
    /// Name and map of each daughter.
    daughters: Vec<(Part<String>, Part<Volume<f32>>)>,
}

impl Files {
    fn read(args: &Args, checks: &mut Checks, warnings: &mut Vec<Warning>) -> Self {
        let (labels, names) = args.outputs.read_labels(checks);
        let labels = if args.outputs.labels.is_some() { Part::given(labels) } else { Part::Absent };
        let mut daughters = Vec::new();
        for daughter in args.source.daughter_files(checks) {
            let name = daughter.as_ref().map(|daughter| daughter.nuclide.to_owned());
            let map = daughter.resolve("daughter-activity", checks, |daughter, flag, checks| {
                read_volume(Some(daughter.file), flag, checks).into_good()
            });
            daughters.push((name, map));
        }
        Self {
            activity: args.volumes.read_activity(checks),
            density: args.volumes.read_density(checks, warnings),
            labels,
            names,
            materials: read_volume(args.monte_carlo.material_map.as_deref(), "material-map", checks),
            daughters,
        }
    }

    /// What the flags and files say, as a caller of the service would write it.
    fn raw_header(&self, args: &Args, checks: &mut Checks) -> RawHeader {
        let header = |map: &Part<Volume<f32>>| map.as_ref().map(|map| RawVolume::from(&**map.grid()));
        let extras = Extras {
            uncertainty: args.outputs.uncertainty_output.is_some(),
            tally: args.outputs.tally_output.is_some(),
        };
        let has_labels = args.outputs.labels.is_some();
        let method = args.method.raw(|checks| args.monte_carlo.raw(has_labels, extras, checks), checks);
        let has_table = match &method {
            Part::Good(RawMethod::MonteCarlo(options)) => matches!(options.medium, Some(RawMedium::Table(_))),
            Part::Good(RawMethod::Local(_) | RawMethod::Kernel(_)) | Part::Absent | Part::Faulty => false,
        };
        // Other methods do not look at labels: the organ table is made here.
        let labels = if args.method.is_monte_carlo() {
            header(&self.labels)
        } else {
            self.check_labels(checks);
            Part::Absent
        };
        let activity_unit = args.volumes.unit(checks);
        RawHeader {
            activity: header(&self.activity),
            density: self.density.as_ref().map(|map| RawVolume::from(&**map.g_cm3().grid())),
            labels,
            materials: if has_table { header(&self.materials) } else { Part::Absent },
            source: args.source.raw(checks),
            daughter_maps: self.daughter_maps(&activity_unit, checks),
            activity_unit,
            method,
            weighting: args.weighting.raw(args.outputs.weighted_output.is_some(), checks),
        }
    }

    fn check_labels(&self, checks: &mut Checks) {
        if let (Some(activity), Some(labels)) = (self.activity.good(), self.labels.good()) {
            checks.at("labels", activity.grid().check_same(labels.grid()));
        }
    }

    /// * `unit` – of the activity map, and so of every daughter's
    fn daughter_maps(&self, unit: &Part<RawUnit>, checks: &mut Checks) -> Vec<RawDaughterMap> {
        let activity_unit = match unit {
            Part::Good(RawUnit::AtMoment(_)) if !self.daughters.is_empty() => {
                let reason =
                    "needs a time-integrated unit, such as bq-s or mbq-h: a daughter does not decay with one half-life";
                checks.fail("daughter-activity", reason);
                Part::Faulty
            }
            Part::Good(unit) => Part::Good(*unit),
            // The fault is that of the activity map.
            Part::Absent | Part::Faulty => Part::Faulty,
        };
        let map = |(name, map): &(Part<String>, Part<Volume<f32>>)| RawDaughterMap {
            nuclide: name.clone(),
            activity: map.as_ref().map(|map| RawVolume::from(&**map.grid())),
            activity_unit: activity_unit.clone(),
        };
        self.daughters.iter().map(map).collect()
    }

    /// Checks every value: the volumes of the request, and the regions of the organ table; none if there was a fault.
    fn check(self, unit: ActivityUnit, args: &Args, checks: &mut Checks) -> Option<(RequestVolumes, Option<LabelMap>)> {
        let activity = |map, flag: &str, checks: &mut Checks| checks.at(flag, TimeIntegratedActivity::new(map, unit));
        let label_map = |map: Volume<f32>, flag: &str, checks: &mut Checks| checks.at(flag, LabelMap::new(&map));
        let labels = self.labels.resolve("labels", checks, label_map).into_good();
        let materials = self.materials.resolve("material-map", checks, label_map).into_good();
        let mut daughters = Vec::new();
        for (_, map) in self.daughters {
            daughters.extend(map.resolve("daughter-activity", checks, activity).into_good());
        }
        let activity = self.activity.resolve("activity", checks, activity).into_good();
        let regions = labels.clone().filter(|_| args.method.is_monte_carlo());
        let volumes = RequestVolumes {
            activity: activity?,
            density: self.density.into_good(),
            labels: LabelMaps { regions, materials },
            daughters,
        };
        Some((volumes, labels))
    }
}

fn warn_of_half_life(header: &RequestHeader, warnings: &mut Vec<Warning>) {
    if let (Some(ActivityAtMoment { unit, effective_half_life_s, .. }), Some(nuclide)) =
        (header.activity_unit().at_moment(), header.source().parent())
        && effective_half_life_s > nuclide.half_life_s * HALF_LIFE_TOLERANCE
    {
        let (effective_h, physical_h) = (effective_half_life_s / 3600.0, nuclide.half_life_s / 3600.0);
        let message =
            format!("{effective_h:.2} h is longer than the physical half-life of {}, {physical_h:.2} h", nuclide.name);
        let field = format!("activity_unit.{}.effective_half_life_s", unit.field());
        warnings.push(Warning::new("HALF_LIFE_ABOVE_PHYSICAL", &field, message));
    }
}
