//! From what a caller says of its volumes to a header on the grid of the dose.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::options::{self, Has};
use super::raw::RawIntake;
use super::{GridChoice, InputRole};
use crate::domain::{
    Checks, DaughterHeader, DoseError, HeaderDraft, Method, NanRule, NegativeRule, Part, RequestHeader, VolumeHeader,
    VolumeRole, VoxelGrid,
};
use crate::physics::tissue::DensityCurve;
use crate::request::RawVolume;
use crate::resample::{DoseGrid, Placing, has_same_voxels};

/// Most organs with volumes of their own.
pub const MAX_ORGAN_VOLUMES: usize = 256;
/// Most organs of one request.
pub const MAX_ORGANS: usize = 4096;
/// Most points of a dose-volume histogram.
pub const MAX_DOSE_VOLUME_POINTS: usize = 1000;
/// Most points of all dose-volume histograms of a request.
pub const MAX_DOSE_VOLUME_VALUES: usize = 1 << 17;

/// A header on the grid of the dose, what volumes will come, and what will be done to them.
#[derive(Clone, Debug)]
pub struct Intake {
    pub(super) header: RequestHeader,
    pub(super) arrivals: Vec<(InputRole, VolumeHeader)>,
    pub(super) choice: GridChoice,
    pub(super) placing: Placing,
    /// The caller's own calibration.
    pub(super) curve: Option<DensityCurve>,
    pub(super) nan: NanRule,
    pub(super) negative: NegativeRule,
    /// Labels of the organs with volumes of their own.
    pub(super) organ_labels: Vec<u16>,
    names: BTreeMap<u16, String>,
    return_dose_on_ct: bool,
    return_uncertainty: bool,
    dose_volume_points: Option<usize>,
}

impl Intake {
    /// The request as it will be: every volume on the grid of the dose, and one density.
    pub fn header(&self) -> &RequestHeader {
        &self.header
    }

    /// The volumes that the caller will send, as it will.
    pub fn arrivals(&self) -> &[(InputRole, VolumeHeader)] {
        &self.arrivals
    }

    /// Names of labels.
    pub fn names(&self) -> &BTreeMap<u16, String> {
        &self.names
    }

    /// Whether the dose is wanted on the grid of the CT or density too.
    pub fn return_dose_on_ct(&self) -> bool {
        self.return_dose_on_ct
    }

    /// Whether the uncertainty of the dose is wanted as a volume. The request also asks for it where there are organs:
    /// their table says how far noise has moved its figures.
    pub fn return_uncertainty(&self) -> bool {
        self.return_uncertainty
    }

    /// Points of a dose-volume histogram for each organ.
    pub fn dose_volume_points(&self) -> Option<usize> {
        self.dose_volume_points
    }

    /// Whether there are organs.
    pub fn has_organs(&self) -> bool {
        self.arrivals.iter().any(|(role, _)| is_of_organs(*role))
    }

    /// Path of what the density comes from.
    pub(super) fn density_field(&self) -> &'static str {
        if self.arrivals.iter().any(|(role, _)| *role == InputRole::Ct) { "ct" } else { "density" }
    }

    /// Grid of the CT or density as it will come.
    pub(super) fn ct_grid(&self) -> Option<&VoxelGrid> {
        ct_grid(&self.arrivals)
    }
}

pub(super) fn is_of_organs(role: InputRole) -> bool {
    matches!(role, InputRole::OfRequest(VolumeRole::Labels) | InputRole::Organ(_))
}

fn ct_grid(arrivals: &[(InputRole, VolumeHeader)]) -> Option<&VoxelGrid> {
    let is_ct = |role| matches!(role, InputRole::Ct | InputRole::OfRequest(VolumeRole::Density));
    arrivals.iter().find(|(role, _)| is_ct(*role)).map(|(_, volume)| &volume.grid)
}

impl RawIntake {
    /// The intake.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by its path on the wire.
    pub fn check(self) -> Result<Intake, DoseError> {
        let mut checks = Checks::new();
        let mut draft = self.header.resolve(&mut checks);
        let ct = self.ct.resolve("ct", &mut checks, RawVolume::resolve);
        let (organ_labels, organs) = options::resolve_organs(self.organ_volumes, &mut checks);
        let has = Has {
            density: ct.is_given() || draft.density.is_given(),
            organs: draft.labels.is_given() || !organs.is_empty(),
        };
        if ct.is_given() && draft.density.is_given() {
            checks.fail("ct", "is given beside the density; only one of the two can hold");
        }
        if self.return_dose_on_ct && !has.density {
            checks.fail("return_dose_on_ct", "needs a CT or a density, whose grid it is");
        }
        let curve = options::calibration(&self.ct_calibration, ct.is_given(), &mut checks);
        let nan = self.nan.and_then(|word| checks.at("value_repair.nan", NanRule::parse(&word)));
        let negative = self.negative.and_then(|word| checks.at("value_repair.negative", NegativeRule::parse(&word)));
        let (grid, matrix) = (self.dose_grid, &self.activity_to_ct_mm);
        let choice = options::choice(grid, matrix, self.max_activity_outside, &has, &mut checks);
        let names = options::names(self.label_names, &has, &mut checks);
        let dose_volume_points = options::points(self.dose_volume_points, &has, &mut checks);
        let arrivals = arrivals(&draft, &ct, &organs);
        let return_uncertainty = ask_for_uncertainty(&mut draft, &has);
        let placing = put_on_dose_grid(&mut draft, &choice, &arrivals, &has, &mut checks);
        let header = draft.finish(checks)?;
        let placing = placing.ok_or_else(|| DoseError::Invalid(Vec::new()))?;
        let (nan, negative) = (nan.unwrap_or_default(), negative.unwrap_or_default());
        let return_dose_on_ct = self.return_dose_on_ct;
        Ok(Intake {
            header,
            arrivals,
            choice,
            placing,
            curve,
            nan,
            negative,
            organ_labels,
            names,
            return_dose_on_ct,
            return_uncertainty,
            dose_volume_points,
        })
    }
}

/// Asks transport for the uncertainty if there are organs, and says whether the caller asked for it.
fn ask_for_uncertainty(draft: &mut HeaderDraft, has: &Has) -> bool {
    let Part::Good(Method::MonteCarlo(options)) = &mut draft.method else { return false };
    let asked = options.extras.uncertainty;
    options.extras.uncertainty |= has.organs;
    asked
}

/// The volumes that will come, in the order of the header; those at fault are left out.
fn arrivals(
    draft: &HeaderDraft,
    ct: &Part<VolumeHeader>,
    organs: &[Part<VolumeHeader>],
) -> Vec<(InputRole, VolumeHeader)> {
    let of = |role: VolumeRole, part: &Part<VolumeHeader>| part.good().map(|volume| (role.into(), volume.clone()));
    let organs = organs.iter().enumerate();
    let daughters = draft.daughters.iter().enumerate();
    let head = [of(VolumeRole::Activity, &draft.activity), of(VolumeRole::Density, &draft.density)];
    head.into_iter()
        .chain([ct.good().map(|volume| (InputRole::Ct, volume.clone()))])
        .chain([of(VolumeRole::Labels, &draft.labels)])
        .chain(organs.map(|(number, part)| Some((InputRole::Organ(number), part.good()?.clone()))))
        .chain([of(VolumeRole::Materials, &draft.materials)])
        .chain(
            daughters.map(|(number, part)| {
                Some((VolumeRole::DaughterActivity(number).into(), part.good()?.activity.clone()))
            }),
        )
        .flatten()
        .collect()
}

/// Gives every volume of the header the grid that it will have; none if a fault was recorded.
fn put_on_dose_grid(
    draft: &mut HeaderDraft,
    choice: &GridChoice,
    arrivals: &[(InputRole, VolumeHeader)],
    has: &Has,
    checks: &mut Checks,
) -> Option<Placing> {
    let is_transport = matches!(draft.method, Part::Good(Method::MonteCarlo(_)));
    let Some(activity) = draft.activity.good().map(|volume| Arc::new(volume.grid.clone())) else {
        // Nothing can be compared with it, and the fault is its own.
        (draft.labels, draft.density) = (Part::Absent, if has.density { Part::Faulty } else { Part::Absent });
        return None;
    };
    let ct = ct_grid(arrivals);
    // A density at fault has no grid, and its own fault.
    let is_unknown = choice.dose_grid == Some(DoseGrid::Ct) && has.density && ct.is_none();
    let placing = if is_unknown { None } else { choice.placing(&activity, ct, checks) };
    let target = placing.as_ref().map_or(&activity, Placing::grid).clone();
    let grid_of = |own: &VoxelGrid| match choice.resamples() {
        true => Some((*target).clone()),
        false => in_place(&activity, own),
    };
    let is_in_header = |role| matches!(role, InputRole::OfRequest(role) if role != VolumeRole::Labels);
    for (role, volume) in arrivals.iter().filter(|(role, _)| !is_in_header(*role)) {
        if grid_of(&volume.grid).is_none() {
            checks.at(format!("{}.grid", role.field()), activity.check_same(&volume.grid));
        }
    }
    put_all(draft, |volume| grid_of(&volume.grid).map_or(volume.clone(), |grid| VolumeHeader { grid, ..volume }));
    let on_target = || Part::Good(VolumeHeader::float32(&target));
    if !draft.density.is_given() && has.density {
        draft.density = if ct.is_some() { on_target() } else { Part::Faulty };
    }
    draft.labels = if has.organs && is_transport { on_target() } else { Part::Absent };
    placing
}

/// Gives every volume of the header its place.
fn put_all(draft: &mut HeaderDraft, put: impl Fn(VolumeHeader) -> VolumeHeader) {
    for part in [&mut draft.activity, &mut draft.density, &mut draft.materials] {
        *part = std::mem::take(part).map(&put);
    }
    for part in &mut draft.daughters {
        *part = std::mem::take(part).map(|map| DaughterHeader { activity: put(map.activity.clone()), ..map });
    }
}

/// The grid of a volume that is not resampled: its own, or that of the activity if only the order of voxels differs;
/// none if it lies elsewhere.
fn in_place(activity: &Arc<VoxelGrid>, own: &VoxelGrid) -> Option<VoxelGrid> {
    if activity.check_same(own).is_ok() {
        return Some(own.clone());
    }
    has_same_voxels(&Arc::new(own.clone()), activity).then(|| (**activity).clone())
}
