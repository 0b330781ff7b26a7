//! From flags and files to a request, in this process. Every fault is found in one run.

use std::collections::BTreeMap;
use std::path::Path;

use super::Args;
use super::files::{Described, Files, described, raw_header};
use crate::cli::flags::recorded;
use crate::cli::outputs::{InputAccount, Ready};
use crate::domain::{
    ActivityUnit, Checks, DensityMap, DoseError, DoseRequest, DoseResult, LabelMap, LabelMaps, Organs, Part, Repair,
    RequestVolumes, TimeIntegratedActivity, Volume, Warning, repair_activity, warning,
};
use crate::formats::volume_file::{Origin, write_volume};
use crate::intake::{Maps, Placed};
use crate::request::{RawHeader, RawVolume};
use crate::resample::{PlacingAccount, Space};

/// Everything that a computation and its tables need.
pub(super) struct Inputs {
    pub(super) request: DoseRequest,
    /// The organs of the table; they may overlap.
    pub(super) organs: Option<Organs>,
    pub(super) names: BTreeMap<u16, String>,
    /// What looks wrong but may be intended, as the files say.
    pub(super) warnings: Vec<Warning>,
    /// How the file whose grid the dose has says where it lies.
    pub(super) origin: Origin,
    unit: ActivityUnit,
    placed: Option<Placed>,
    ct_origin: Origin,
    /// What was read for outputs.
    pub(super) ready: Ready,
}

impl Inputs {
    /// Reads all files and records every fault; none if there was one.
    pub(super) fn read(args: &Args, checks: &mut Checks) -> Option<Self> {
        let density = args.volumes.density_flag();
        let mut files = Files::read(args, checks);
        let args = &files.complete(args, checks);
        // Its faults are recorded where maps are placed.
        let [activity, ct] = files.grids();
        let choice = args.grids.choice(activity.as_deref(), ct.as_deref(), &mut Checks::new());
        files.place_labels(choice.as_ref(), checks);
        let belongings = std::mem::take(&mut files.belongings);
        let mut warnings = std::mem::take(&mut files.warnings);
        let (ct_origin, names) = (files.ct_origin.clone(), std::mem::take(&mut files.names));
        let origin = files.origin(args.grids.dose_grid());
        let mut prepared = Prepared::of(files, args, checks);
        let placed = prepared.place(args, checks);
        let mut faults = Checks::new();
        let draft = prepared.raw_header(args, checks).resolve(&mut faults);
        // Values are checked even where the unit is at fault.
        let unit = draft.activity_unit.good().copied().unwrap_or(ActivityUnit::BqS);
        let header = recorded(draft.finish(faults), density, checks);
        warnings.extend(prepared.repair_warnings(unit));
        warnings.extend(placed.iter().flat_map(|placed| placed.warnings.clone()));
        let values = prepared.check(unit, args, checks);
        let mut ready = args.check_outputs(checks);
        if let (Some(dicom), Some(choice)) = (&mut ready.dicom, &choice) {
            let is_of_it = belongings.check_reference(dicom, choice, checks);
            if let (Some(header), true) = (&header, is_of_it) {
                dicom.check_place(header.grid(), checks);
            }
        }
        if !checks.is_empty() {
            return None;
        }
        let (header, (volumes, organs)) = (header?, values?);
        let request = recorded(DoseRequest::of(&header, volumes), density, checks)?;
        Some(Self { request, organs, names, warnings, origin, unit, placed, ct_origin, ready })
    }

    /// Writes the dose on the grid of the CT or density.
    pub(super) fn write_dose_on_ct(&self, path: &Path, result: &DoseResult) -> Result<(), DoseError> {
        let placed = self.placed.as_ref().expect("inputs without a fault are placed");
        let invalid = |reason: String| DoseError::invalid("dose-on-ct", reason);
        let ct = placed.ct.as_ref().ok_or_else(|| invalid("needs --ct or --density".into()))?;
        let dose = placed.placing.dose_on(&result.dose, ct, Space::Ct).map_err(|fault| invalid(fault.to_string()))?;
        write_dose_on_ct(path, &dose, &self.ct_origin)
    }

    /// What the tables say of the files.
    pub(super) fn account(&self, args: &Args) -> InputAccount {
        let moved = self.placed.as_ref().and_then(|placed| placed.account.clone());
        input_account(args, self.unit, moved)
    }
}

/// What the tables say of the files.
///
/// * `grids` – what resampling did, if there was any
pub(super) fn input_account(args: &Args, unit: ActivityUnit, grids: Option<PlacingAccount>) -> InputAccount {
    let moment = unit.at_moment();
    InputAccount {
        activity_unit: unit.name(),
        effective_half_life_s: moment.map(|moment| moment.times.half_life_s),
        imaged_after_s: moment.and_then(|moment| moment.times.imaged_after_s),
        density: args.volumes.density_account(),
        grids,
    }
}

pub(super) fn write_dose_on_ct(path: &Path, dose: &Volume<f32>, origin: &Origin) -> Result<(), DoseError> {
    let written = write_volume(path, dose, "dosegrid: absorbed dose [Gy]", origin);
    written.map_err(|error| DoseError::Io(format!("dose-on-ct: cannot be written: {error}")))
}

/// The volumes with their values repaired as asked, and one density.
struct Prepared {
    activity: Part<Volume<f32>>,
    density: Part<DensityMap>,
    organs: Part<Organs>,
    materials: Part<Volume<f32>>,
    /// Name and map of each daughter.
    daughters: Vec<(Part<String>, Part<Volume<f32>>)>,
    /// What was done to values of activity maps: field, volume of a voxel [mL] and repair.
    repairs: Vec<(String, f64, Repair)>,
    /// What was done to the density.
    density_warnings: Vec<Warning>,
}

impl Prepared {
    fn of(files: Files, args: &Args, checks: &mut Checks) -> Self {
        let (nan, negative) = args.grids.rules(checks);
        let mut repairs = Vec::new();
        let mut repaired = |map: Volume<f32>, field: String, flag: &str, checks: &mut Checks| {
            let (map, repair) = checks.at(flag, repair_activity(map, nan, negative))?;
            repairs.push((field, map.grid().voxel_volume_cm3(), repair));
            Some(map)
        };
        let activity = files
            .activity
            .resolve("activity", checks, |map, flag, checks| repaired(map, flag.to_owned(), flag, checks));
        let mut density_warnings = Vec::new();
        let density = args.volumes.density(files.density, files.ct, nan, checks, &mut density_warnings);
        let mut daughters = Vec::new();
        for (number, (name, map)) in files.daughters.into_iter().enumerate() {
            let map = map.resolve("daughter-activity", checks, |map, flag, checks| {
                repaired(map, format!("daughter_maps[{number}].activity"), flag, checks)
            });
            daughters.push((name, map));
        }
        let (organs, materials) = (files.organs, files.materials);
        Self { activity, density, organs, materials, daughters, repairs, density_warnings }
    }

    /// What was done to values, as warnings.
    ///
    /// * `unit` – of all activity maps
    fn repair_warnings(&mut self, unit: ActivityUnit) -> Vec<Warning> {
        let words = |(field, voxel_ml, repair): &(String, f64, Repair)| {
            let words = repair.words(unit.to_bq_s(*voxel_ml).ok()?)?;
            Some((field == "activity", Warning::new(warning::VALUES_REPLACED, field.as_str(), words)))
        };
        let repairs: Vec<(bool, Warning)> = self.repairs.iter().filter_map(words).collect();
        let (first, daughters): (Vec<_>, Vec<_>) = repairs.into_iter().partition(|(is_first, _)| *is_first);
        let told = |list: Vec<(bool, Warning)>| list.into_iter().map(|(_, warning)| warning);
        told(first).chain(std::mem::take(&mut self.density_warnings)).chain(told(daughters)).collect()
    }

    /// Puts all maps on the grid of the dose.
    fn place(&mut self, args: &Args, checks: &mut Checks) -> Option<Placed> {
        let is_good = self.activity.good().is_some();
        let given = (self.density.is_given(), self.organs.is_given(), self.materials.is_given());
        let mut maps = Maps {
            activity: std::mem::take(&mut self.activity).into_good(),
            density: std::mem::take(&mut self.density).into_good(),
            organs: std::mem::take(&mut self.organs).into_good().into_iter().collect(),
            materials: std::mem::take(&mut self.materials).into_good(),
            daughters: self.daughters.iter_mut().map(|(_, map)| std::mem::take(map).into_good()).collect(),
        };
        let placed = args.grids.place(&mut maps, args.volumes.amount(), args.volumes.density_flag(), checks);
        if is_good && placed.is_none() {
            // What is on no grid cannot be compared with others: the fault is that of a grid.
            maps = Maps { daughters: vec![None; maps.daughters.len()], ..Maps::default() };
        }
        fn part<T>(is_given: bool, map: Option<T>) -> Part<T> {
            if is_given { Part::given(map) } else { Part::Absent }
        }
        self.activity = part(args.volumes.has_activity(), maps.activity);
        self.density = part(given.0, maps.density);
        self.organs = part(given.1, maps.organs.pop());
        self.materials = part(given.2, maps.materials);
        self.daughters.iter_mut().zip(maps.daughters).for_each(|((_, part), map)| *part = Part::given(map));
        placed
    }

    /// What the flags and volumes say, as a caller of the service would write it.
    fn raw_header(&self, args: &Args, checks: &mut Checks) -> RawHeader {
        // Other methods do not look at labels: the organ table is made here.
        let labels = if args.method.is_monte_carlo() {
            self.organs.as_ref().map(|organs| RawVolume::from(&**organs.grid()))
        } else {
            self.check_labels(checks);
            Part::Absent
        };
        let volumes = Described {
            activity: described(&self.activity),
            density: self.density.as_ref().map(|map| RawVolume::from(&**map.g_cm3().grid())),
            labels,
            materials: described(&self.materials),
            daughters: self.daughters.iter().map(|(name, map)| (name.clone(), described(map))).collect(),
        };
        // The organ table says how far noise has moved its figures.
        let uncertainty = args.outputs.uncertainty_output.is_some() || !args.outputs.labels.is_empty();
        raw_header(args, volumes, uncertainty, checks)
    }

    fn check_labels(&self, checks: &mut Checks) {
        if let (Some(activity), Some(organs)) = (self.activity.good(), self.organs.good()) {
            checks.at("labels", activity.grid().check_same(organs.grid()));
        }
    }

    /// Checks every value: the volumes of the request, and the regions of the organ table; none if there was a fault.
    fn check(self, unit: ActivityUnit, args: &Args, checks: &mut Checks) -> Option<(RequestVolumes, Option<Organs>)> {
        let activity = |map, flag: &str, checks: &mut Checks| checks.at(flag, TimeIntegratedActivity::new(map, unit));
        let label_map = |map: Volume<f32>, flag: &str, checks: &mut Checks| checks.at(flag, LabelMap::new(&map));
        let organs = self.organs.into_good();
        let materials = self.materials.resolve("material-map", checks, label_map).into_good();
        let mut daughters = Vec::new();
        for (_, map) in self.daughters {
            daughters.extend(map.resolve("daughter-activity", checks, activity).into_good());
        }
        let activity = self.activity.resolve("activity", checks, activity).into_good();
        // Transport has one region a voxel.
        let regions = organs.as_ref().filter(|_| args.method.is_monte_carlo()).map(Organs::label_map);
        let volumes = RequestVolumes {
            activity: activity?,
            density: self.density.into_good(),
            labels: LabelMaps { regions, materials },
            daughters,
        };
        Some((volumes, organs))
    }
}
