//! A header that is being put together: parts may be missing or bad, and every fault is found at once.

use serde::{Deserialize, Serialize};

use super::{DaughterHeader, MAX_DAUGHTER_MAPS, RequestHeader, VolumeHeader};
use crate::domain::{
    ActivityTimes, ActivityUnit, BiologicalWeighting, Checks, DoseError, Medium, Method, Region, Source,
    TargetUncertainty,
};

/// Reason for a required part that is missing.
pub const MISSING: &str = "is missing";

/// A part of a header that is being put together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Option<T>")]
pub enum Part<T> {
    /// Not given.
    #[default]
    Absent,
    /// Given, but bad. The fault is already recorded.
    Faulty,
    /// Given and good.
    Good(T),
}

impl<T> Part<T> {
    /// The part, if it is good.
    pub fn good(&self) -> Option<&T> {
        match self {
            Self::Good(part) => Some(part),
            Self::Absent | Self::Faulty => None,
        }
    }

    /// The same part, borrowed.
    pub fn as_ref(&self) -> Part<&T> {
        match self {
            Self::Absent => Part::Absent,
            Self::Faulty => Part::Faulty,
            Self::Good(part) => Part::Good(part),
        }
    }

    /// A part made of this one, where it is good.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Part<U> {
        match self {
            Self::Absent => Part::Absent,
            Self::Faulty => Part::Faulty,
            Self::Good(part) => Part::Good(make(part)),
        }
    }

    /// A part that the caller gave. None means that it was bad and its fault is recorded.
    pub fn given(part: Option<T>) -> Self {
        part.map_or(Self::Faulty, Self::Good)
    }

    /// Whether there is one, good or not.
    pub fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// As [`Part::map`], for what may be at fault.
    ///
    /// * `make` – makes it, or records a fault under `field` and gives none
    pub fn resolve<U>(
        self,
        field: &str,
        checks: &mut Checks,
        make: impl FnOnce(T, &str, &mut Checks) -> Option<U>,
    ) -> Part<U> {
        match self {
            Self::Absent => Part::Absent,
            Self::Faulty => Part::Faulty,
            Self::Good(part) => Part::given(make(part, field, checks)),
        }
    }

    /// Records a needed part that is absent.
    fn need(&self, field: &str, checks: &mut Checks) {
        if !self.is_given() {
            checks.fail(field, MISSING);
        }
    }

    /// The part, if it is good.
    pub fn into_good(self) -> Option<T> {
        match self {
            Self::Good(part) => Some(part),
            Self::Absent | Self::Faulty => None,
        }
    }
}

impl<T> From<Option<T>> for Part<T> {
    fn from(part: Option<T>) -> Self {
        part.map_or(Self::Absent, Self::Good)
    }
}

/// A header that is being put together. [`HeaderDraft::finish`] checks it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderDraft {
    /// See [`RequestHeader::activity`].
    pub activity: Part<VolumeHeader>,
    /// See [`RequestHeader::activity_unit`].
    pub activity_unit: Part<ActivityUnit>,
    /// See [`RequestHeader::density`].
    pub density: Part<VolumeHeader>,
    /// See [`RequestHeader::labels`].
    pub labels: Part<VolumeHeader>,
    /// See [`RequestHeader::materials`].
    pub materials: Part<VolumeHeader>,
    /// See [`RequestHeader::source`].
    pub source: Part<Source>,
    /// See [`RequestHeader::daughters`].
    pub daughters: Vec<Part<DaughterHeader>>,
    /// See [`RequestHeader::method`].
    pub method: Part<Method>,
    /// See [`RequestHeader::weighting`].
    pub weighting: Option<BiologicalWeighting>,
    /// See [`RequestHeader::injected_activity_bq`].
    pub injected_activity_bq: Option<f64>,
    /// What a time-integrated map was made from, see [`RequestHeader::times`].
    pub integrated_from: Option<ActivityTimes>,
    /// See [`RequestHeader::strict`].
    pub strict: bool,
}

impl HeaderDraft {
    /// The header, if nothing is at fault.
    ///
    /// * `checks` – faults found so far; those of the header are added after them
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault; an empty list if a bad part had its fault recorded elsewhere.
    pub fn finish(self, mut checks: Checks) -> Result<RequestHeader, DoseError> {
        self.check_each(&mut checks);
        if let Some(method) = self.method.good() {
            self.check_volumes(method, &mut checks);
        }
        self.check_grids(&mut checks);
        self.check_sources(&mut checks);
        checks.finish()?;
        self.into_header().ok_or_else(|| DoseError::Invalid(Vec::new()))
    }

    /// The header, if all its parts are there and good.
    fn into_header(self) -> Option<RequestHeader> {
        let optional = |part: Part<VolumeHeader>| match part {
            Part::Absent => Some(None),
            Part::Faulty => None,
            Part::Good(volume) => Some(Some(volume)),
        };
        Some(RequestHeader {
            activity: self.activity.into_good()?,
            activity_unit: self.activity_unit.into_good()?,
            density: optional(self.density)?,
            labels: optional(self.labels)?,
            materials: optional(self.materials)?,
            source: self.source.into_good()?,
            daughters: self.daughters.into_iter().map(Part::into_good).collect::<Option<_>>()?,
            method: self.method.into_good()?,
            weighting: self.weighting,
            injected_activity_bq: self.injected_activity_bq,
            integrated_from: self.integrated_from,
            strict: self.strict,
        })
    }

    /// Checks each part on its own.
    fn check_each(&self, checks: &mut Checks) {
        self.activity.need("activity", checks);
        self.source.need("nuclide", checks);
        self.activity_unit.need("activity_unit", checks);
        self.method.need("method", checks);
        let maps = [
            ("activity", &self.activity),
            ("density", &self.density),
            ("labels", &self.labels),
            ("materials", &self.materials),
        ];
        for (field, volume) in maps {
            check_volume(field, volume.good(), checks);
        }
        check_unit("activity_unit", self.activity_unit.good(), checks);
        check_source("nuclide", self.source.good(), checks);
        for (number, daughter) in self.daughters.iter().enumerate() {
            let (field, daughter) = (format!("daughter_maps[{number}]"), daughter.good());
            check_volume(&format!("{field}.activity"), daughter.map(|map| &map.activity), checks);
            check_unit(&format!("{field}.activity_unit"), daughter.map(|map| &map.activity_unit), checks);
            check_source(&format!("{field}.nuclide"), daughter.map(|map| &map.source), checks);
        }
        if let Some(weighting) = &self.weighting {
            weighting.check("biological_weighting", checks);
        }
        super::check_told(self, checks);
        if let Some(Err(faults)) = self.method.good().map(Method::check) {
            checks.extend("method", faults.into_violations());
        }
    }

    /// Records volumes that the method needs and lacks, and those that it would not use.
    fn check_volumes(&self, method: &Method, checks: &mut Checks) {
        if method.needs_density() && !self.density.is_given() {
            checks.fail("density", format!("the method {} needs a density volume", method.name()));
        }
        let maps = self.daughters.len();
        if maps > MAX_DAUGHTER_MAPS {
            checks.fail("daughter_maps", format!("are {maps}, at most {MAX_DAUGHTER_MAPS} are taken"));
        }
        let options = match method {
            Method::MonteCarlo(options) => options,
            Method::Local(_) | Method::Kernel(_) => {
                let unused = "has an effect only with the method monte-carlo";
                for (field, map) in [("labels", &self.labels), ("materials", &self.materials)] {
                    if map.is_given() {
                        checks.fail(field, unused);
                    }
                }
                return;
            }
        };
        if options.extras.tally && maps > 0 {
            let reason = "has no meaning with daughter maps: a tally is of one map";
            checks.fail("method.monte_carlo.return_tally", reason);
        }
        match (&options.medium, self.materials.is_given()) {
            (Medium::Map(_), false) => checks.fail("materials", "is missing: the table of materials needs a map"),
            (Medium::ByDensity | Medium::Uniform(_), true) => {
                checks.fail("materials", "has an effect only with a table of materials");
            }
            (Medium::Map(_), true) | (Medium::ByDensity | Medium::Uniform(_), false) => {}
        }
        let by_label = matches!(options.stop.target, Some(TargetUncertainty { region: Region::Label(_), .. }));
        if by_label && !self.labels.is_given() {
            checks.fail("labels", "is missing: the target is the uncertainty in a label");
        }
    }

    /// Records volumes that are not on the grid of the activity.
    fn check_grids(&self, checks: &mut Checks) {
        let Some(activity) = self.activity.good() else { return };
        let maps = [("density", &self.density), ("labels", &self.labels), ("materials", &self.materials)];
        for (field, volume) in maps {
            if let Some(volume) = volume.good() {
                checks.at(format!("{field}.grid"), activity.grid.check_same(&volume.grid));
            }
        }
        for (number, daughter) in self.daughters.iter().enumerate() {
            if let Some(daughter) = daughter.good() {
                let same = activity.grid.check_same(&daughter.activity.grid);
                checks.at(format!("daughter_maps[{number}].activity.grid"), same);
            }
        }
    }

    /// Records daughters that cannot have a map, and those whose decays would be counted twice.
    fn check_sources(&self, checks: &mut Checks) {
        let Some(source) = self.source.good() else { return };
        let good = || self.daughters.iter().enumerate().filter_map(|(number, map)| Some((number, map.good()?)));
        if source.own_emissions().is_some() && good().next().is_some() {
            checks.fail("daughter_maps", "have no meaning with a spectrum of the caller's own");
        }
        for (number, daughter) in good() {
            if let Some(name) = daughter.source.parent().map(|member| &member.name)
                && source.counts(name)
            {
                let reason = format!("{name} decays in the map of its parent as well");
                checks.fail(format!("daughter_maps[{number}].nuclide"), reason);
            }
        }
    }
}

fn check_volume(field: &str, volume: Option<&VolumeHeader>, checks: &mut Checks) {
    if let Some(volume) = volume {
        checks.at(format!("{field}.slope"), VolumeHeader::check_slope(volume.slope));
        checks.at(format!("{field}.intercept"), VolumeHeader::check_intercept(volume.intercept));
    }
}

fn check_unit(field: &str, unit: Option<&ActivityUnit>, checks: &mut Checks) {
    if let Some(unit) = unit {
        unit.check(field, checks);
    }
}

fn check_source(field: &str, source: Option<&Source>, checks: &mut Checks) {
    if let Some(source) = source {
        checks.at(field, source.check());
    }
}
