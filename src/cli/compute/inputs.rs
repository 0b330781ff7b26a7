//! From flags and files to a request. Every fault is found in one run.

use std::collections::BTreeMap;
use std::path::Path;

use super::Args;
use super::volumes::read_volume;
use crate::cli::flags::recorded;
use crate::cli::outputs::InputAccount;
use crate::domain::{
    ActivityUnit, Checks, DensityMap, DoseError, DoseRequest, DoseResult, Extras, LabelMap, LabelMaps, Organs, Part,
    Repair, RequestVolumes, TimeIntegratedActivity, Volume, Warning, repair_activity, warning,
};
use crate::formats::volume_file::{Origin, write_volume};
use crate::intake::{Maps, Placed};
use crate::request::{RawDaughterMap, RawHeader, RawMedium, RawMethod, RawUnit, RawVolume};
use crate::resample::Space;

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
}

impl Inputs {
    /// Reads all files and records every fault; none if there was one.
    pub(super) fn read(args: &Args, checks: &mut Checks) -> Option<Self> {
        let density = args.volumes.density_flag();
        let mut warnings = Vec::new();
        let mut files = Files::read(args, checks, &mut warnings);
        let voxel_ml = files.activity.good().map(|map| map.grid().voxel_volume_cm3());
        let placed = files.place(args, checks);
        let mut faults = Checks::new();
        let draft = files.raw_header(args, checks).resolve(&mut faults);
        // Values are checked even where the unit is at fault.
        let unit = draft.activity_unit.good().copied().unwrap_or(ActivityUnit::BqS);
        let header = recorded(draft.finish(faults), density, checks);
        let repaired = files.repair.and_then(|repair| repair.words(unit.to_bq_s(voxel_ml?).ok()?));
        warnings.extend(repaired.map(|words| Warning::new(warning::VALUES_REPLACED, "activity", words)));
        let names = std::mem::take(&mut files.names);
        let (origin, ct_origin) = (files.origin(placed.as_ref()), files.ct_origin.clone());
        let values = files.check(unit, args, checks);
        args.check_outputs(checks);
        if !checks.is_empty() {
            return None;
        }
        let (header, (volumes, organs)) = (header?, values?);
        let request = recorded(DoseRequest::of(&header, volumes), density, checks)?;
        Some(Self { request, organs, names, warnings, origin, unit, placed, ct_origin })
    }

    /// Writes the dose on the grid of the CT or density.
    pub(super) fn write_dose_on_ct(&self, path: &Path, result: &DoseResult) -> Result<(), DoseError> {
        let placed = self.placed.as_ref().expect("inputs without a fault are placed");
        let invalid = |reason: String| DoseError::invalid("dose-on-ct", reason);
        let ct = placed.ct.as_ref().ok_or_else(|| invalid("needs --ct or --density".into()))?;
        let dose = placed.placing.dose_on(&result.dose, ct, Space::Ct).map_err(|fault| invalid(fault.to_string()))?;
        let written = write_volume(path, &dose, "dosegrid: absorbed dose [Gy]", &self.ct_origin);
        written.map_err(|error| DoseError::Io(format!("dose-on-ct: cannot be written: {error}")))
    }

    /// What the tables say of the files.
    pub(super) fn account(&self, args: &Args) -> InputAccount {
        let moment = self.unit.at_moment();
        InputAccount {
            activity_unit: self.unit.name(),
            effective_half_life_s: moment.map(|moment| moment.times.half_life_s),
            imaged_after_s: moment.and_then(|moment| moment.times.imaged_after_s),
            density: args.volumes.density_account(),
            grids: self.placed.as_ref().and_then(|placed| placed.account.clone()),
        }
    }
}

/// The volumes as they are in their files, and the names of their regions.
struct Files {
    activity: Part<Volume<f32>>,
    density: Part<DensityMap>,
    organs: Part<Organs>,
    names: BTreeMap<u16, String>,
    materials: Part<Volume<f32>>,
    /// Name and map of each daughter.
    daughters: Vec<(Part<String>, Part<Volume<f32>>)>,
    /// What was done to values of the activity that are none.
    repair: Option<Repair>,
    activity_origin: Origin,
    ct_origin: Origin,
}

impl Files {
    fn read(args: &Args, checks: &mut Checks, warnings: &mut Vec<Warning>) -> Self {
        let (nan, negative) = args.grids.rules(checks);
        let (organs, names) = args.outputs.read_labels(checks, warnings);
        let organs =
            if args.outputs.labels.is_empty() { Part::Absent } else { Part::given(organs.map(|files| files.organs)) };
        let mut daughters = Vec::new();
        for daughter in args.source.daughter_files(checks) {
            let name = daughter.as_ref().map(|daughter| daughter.nuclide.to_owned());
            let map = daughter.resolve("daughter-activity", checks, |daughter, flag, checks| {
                let file = read_volume(Some(daughter.file), flag, checks, warnings).into_good()?;
                checks.at(flag, repair_activity(file.volume, nan, negative)).map(|(map, _)| map)
            });
            daughters.push((name, map));
        }
        let (mut repair, mut activity_origin, mut ct_origin) = (None, Origin::default(), Origin::default());
        let activity =
            args.volumes.read_activity(checks, warnings).resolve("activity", checks, |file, flag, checks| {
                activity_origin = file.header.origin;
                let (map, done) = checks.at(flag, repair_activity(file.volume, nan, negative))?;
                repair = Some(done);
                Some(map)
            });
        let density = args.volumes.read_density(nan, checks, warnings).map(|(map, origin)| {
            ct_origin = origin;
            map
        });
        let materials = args.monte_carlo.material_map.as_deref();
        let materials = read_volume(materials, "material-map", checks, warnings).map(|file| file.volume);
        Self { activity, density, organs, names, materials, daughters, repair, activity_origin, ct_origin }
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

    /// How an output on the grid of the dose says where it lies.
    fn origin(&self, placed: Option<&Placed>) -> Origin {
        match placed {
            Some(placed) if placed.on_ct => self.ct_origin.clone(),
            Some(placed) if !placed.of_a_map => self.activity_origin.on_another_grid(),
            Some(_) | None => self.activity_origin.clone(),
        }
    }

    /// What the flags and files say, as a caller of the service would write it.
    fn raw_header(&self, args: &Args, checks: &mut Checks) -> RawHeader {
        let header = |map: &Part<Volume<f32>>| map.as_ref().map(|map| RawVolume::from(&**map.grid()));
        let extras = Extras {
            // The organ table says how far noise has moved its figures.
            uncertainty: args.outputs.uncertainty_output.is_some() || !args.outputs.labels.is_empty(),
            tally: args.outputs.tally_output.is_some(),
        };
        let has_labels = !args.outputs.labels.is_empty();
        let method = args.method.raw(|checks| args.monte_carlo.raw(has_labels, extras, checks), checks);
        let has_table = match &method {
            Part::Good(RawMethod::MonteCarlo(options)) => matches!(options.medium, Some(RawMedium::Table(_))),
            Part::Good(RawMethod::Local(_) | RawMethod::Kernel(_) | RawMethod::Unknown)
            | Part::Absent
            | Part::Faulty => false,
        };
        // Other methods do not look at labels: the organ table is made here.
        let labels = if args.method.is_monte_carlo() {
            self.organs.as_ref().map(|organs| RawVolume::from(&**organs.grid()))
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
            injected_activity_bq: args.volumes.injected_bq(checks),
            integrated_from: None,
            strict: args.strict,
        }
    }

    fn check_labels(&self, checks: &mut Checks) {
        if let (Some(activity), Some(organs)) = (self.activity.good(), self.organs.good()) {
            checks.at("labels", activity.grid().check_same(organs.grid()));
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
