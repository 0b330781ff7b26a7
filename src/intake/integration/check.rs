//! What a caller says of activity maps, checked: every fault by its path on the wire.

use std::sync::Arc;

use super::{By, MAX_SCANS, MapIntegration, RawIntegration};
use crate::clinic::{
    BeforeFirst, Between, CurveOptions, Frames, ModelChoice, Moment, PieceRules, PointDraft, Series, SeriesDraft,
    SharingOptions, ValueRefersTo, VoxelModel, VoxelOptions, Weighting, by_name,
};
use crate::domain::{Checks, DoseError, Invalid, MomentUnit, Part, VolumeRole};
use crate::intake::InputRole;
use crate::intake::choice::{named, point_of};
use crate::physics::nuclide;
use crate::request::{MISSING, RawVolume};

/// Largest σ of an activity over it. Above 1 there is a warning: it may be a percentage.
const LARGEST_RELATIVE_SIGMA: f64 = 1000.0;

impl RawIntegration {
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by its path on the wire.
    pub fn check(self) -> Result<MapIntegration, DoseError> {
        let raw = Self { scans: self.scans.clone(), labels: Part::Absent, ..self.clone() };
        let mut checks = Checks::new();
        let is_one = !self.one_scan.is_empty();
        if is_one && self.scans.len() != 1 {
            checks.fail("one_scan", format!("is for one scan, and there are {}", self.scans.len()));
        } else if !is_one && !(2..=MAX_SCANS).contains(&self.scans.len()) {
            let reason = format!("are {}; 2 to {MAX_SCANS} are integrated, and one with one_scan", self.scans.len());
            checks.fail("scans", reason);
        }
        if is_one && self.is_voxelwise {
            checks.fail("one_scan", "has no effect with voxelwise");
        }
        if is_one && self.reference_time_h.is_some() {
            checks.fail("reference_time_h", "has no effect with one_scan");
        }
        let mut arrivals = Vec::new();
        let mut points = Vec::new();
        for (number, scan) in self.scans.into_iter().enumerate().take(MAX_SCANS) {
            let field = format!("scans[{number}]");
            if !scan.volume.is_given() {
                checks.fail(format!("{field}.volume"), MISSING);
            }
            let volume = scan.volume.resolve(&format!("{field}.volume"), &mut checks, RawVolume::resolve);
            arrivals.extend(volume.into_good().map(|volume| (InputRole::Scan(number), volume)));
            match scan.time_h {
                None => checks.fail(format!("{field}.time_h"), MISSING),
                Some(hours) => points.push(PointDraft {
                    time: Moment::Hours(hours),
                    activity_mbq: 1.0,
                    sigma_mbq: None,
                    duration_h: scan.duration_h,
                }),
            }
        }
        if self.is_voxelwise && self.labels.is_given() {
            checks.fail("labels", "have no effect with voxelwise");
        }
        if self.is_voxelwise && self.reference_time_h.is_some() {
            checks.fail("reference_time_h", "has no effect with voxelwise");
        }
        if self.volumes.kinds && !self.is_voxelwise {
            checks.fail("return_voxel_kinds", "has no effect without voxelwise");
        }
        let relative_sigma = self.activity_relative_sigma;
        if let Some(sigma) = relative_sigma.filter(|sigma| !(*sigma > 0.0 && *sigma <= LARGEST_RELATIVE_SIGMA)) {
            let reason = format!("must be above 0, and at most {LARGEST_RELATIVE_SIGMA}, got {sigma:e}");
            checks.fail("activity_relative_sigma", reason);
        }
        let before_first = named(self.before_first.as_deref(), &BeforeFirst::ALL, BeforeFirst::name);
        let before_first = checks.at("before_first", before_first).flatten().unwrap_or_default();
        let between = named(self.between.as_deref(), &Between::ALL, Between::name);
        let between = checks.at("between", between).flatten().unwrap_or_default();
        let pieces = PieceRules { before_first, between };
        let labels = self.labels.resolve("labels", &mut checks, RawVolume::resolve);
        arrivals.extend(labels.into_good().map(|volume| (VolumeRole::Labels.into(), volume)));
        let grid = arrivals.first().map(|(_, volume)| Arc::new(volume.grid.clone()));
        for (role, volume) in arrivals.iter().skip(1) {
            if let Some(Err(Invalid(reason))) = grid.as_ref().map(|grid| grid.check_same(&volume.grid)) {
                checks.fail(format!("{}.grid", role.field()), format!("is not that of the first scan: {reason}"));
            }
        }
        let nuclide = match self.nuclide.as_deref().filter(|name| !name.is_empty()) {
            None => {
                checks.fail("nuclide", MISSING);
                None
            }
            Some(name) => checks.at("nuclide", nuclide::find(name)),
        };
        let unit = match self.unit.as_deref() {
            None => {
                checks.fail("unit", MISSING);
                None
            }
            Some(name) => checks.at("unit", by_name(name, &MomentUnit::ALL, MomentUnit::name)),
        };
        let refers_to = named(self.value_refers_to.as_deref(), &ValueRefersTo::ALL, ValueRefersTo::name);
        let refers_to = checks.at("value_refers_to", refers_to).flatten().unwrap_or_default();
        let is_named = self.model.is_some();
        let model = named(self.model.as_deref(), &ModelChoice::ALL, ModelChoice::name);
        let model = checks.at("model", model).flatten().unwrap_or_default();
        let weighting = named(self.weighting.as_deref(), &Weighting::ALL, Weighting::name);
        let weighting = checks.at("weighting", weighting).flatten();
        let half_life_h = nuclide.map_or(1.0, |nuclide| nuclide.half_life_s / 3600.0);
        let by = if is_one {
            let known = self.one_scan.into_iter().enumerate();
            let known = known.filter_map(|(at, (label, raw))| {
                raw.check(&format!("one_scan[{at}].method"), half_life_h, &mut checks).map(|known| (label, known))
            });
            Some(By::One(known.collect()))
        } else if self.is_voxelwise {
            let with_sigma = self.volumes.sigma && relative_sigma.is_some();
            let model = checks.at("model", VoxelModel::of(model, is_named));
            model.map(|model| By::Voxel(VoxelOptions { with_sigma, pieces, ..VoxelOptions::of(model, relative_sigma) }))
        } else {
            let curve = CurveOptions { model, weighting, pieces };
            let reference_time_h = self.reference_time_h;
            Some(By::Region(SharingOptions { curve, relative_sigma, reference_time_h }))
        };
        let draft = SeriesDraft {
            points,
            injection: None,
            physical_half_life_h: half_life_h,
            administered_activity_mbq: self.administered_activity_mbq,
            infusion_h: self.infusion_h,
            refers_to,
        };
        let frames = if is_one { Series::new(&draft).map(|_| None) } else { Frames::new(&draft).map(Some) };
        // Faults of points are those of the scans; without scans theirs are known.
        let frames = match frames {
            Ok(frames) => Some(frames),
            Err(DoseError::Invalid(faults)) => {
                let is_clean = checks.is_empty();
                for fault in faults.into_iter().filter(|_| is_clean) {
                    checks.fail(by_scan(&fault.field), fault.reason);
                }
                None
            }
            Err(other) => return Err(other),
        };
        checks.finish()?;
        let whole = grid.zip(unit).zip(nuclide).zip(frames).zip(by);
        let ((((grid, unit), nuclide), frames), by) =
            whole.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
        let volumes = self.volumes;
        Ok(MapIntegration { arrivals, grid, unit, nuclide: &nuclide.name, frames, draft, by, volumes, raw })
    }
}

/// The path of a fault that has a point's.
fn by_scan(field: &str) -> String {
    match point_of(field) {
        Some((number, "time")) => format!("scans[{number}].time_h"),
        Some((number, name)) => format!("scans[{number}].{name}"),
        None if field == "points" => "scans".to_owned(),
        None => field.to_owned(),
    }
}
