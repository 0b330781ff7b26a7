//! What a request says apart from its voxels.

mod draft;
mod volume;

use serde::{Deserialize, Serialize};

use super::{ActivityTimes, ActivityUnit, BiologicalWeighting, Checks, DoseError, Method, Source, VoxelGrid};

pub use draft::{HeaderDraft, MISSING, Part};
pub use volume::{ElementType, VolumeHeader, VolumeRole};

/// Most daughters that may have their own maps.
pub const MAX_DAUGHTER_MAPS: usize = 16;

/// Everything a request says apart from its voxels. It is always valid: [`HeaderDraft::finish`] checks it when it is
/// made, and so does reading it with serde.
///
/// Written as JSON and read back, it is the same to the last bit. It carries what its sources emit, so it gives the
/// same dose even after the nuclide data change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "HeaderDraft")]
pub struct RequestHeader {
    activity: VolumeHeader,
    activity_unit: ActivityUnit,
    density: Option<VolumeHeader>,
    labels: Option<VolumeHeader>,
    materials: Option<VolumeHeader>,
    source: Source,
    daughters: Vec<DaughterHeader>,
    method: Method,
    weighting: Option<BiologicalWeighting>,
    injected_activity_bq: Option<f64>,
    integrated_from: Option<ActivityTimes>,
    strict: bool,
}

/// Records what is told of the activity, beside the map, and is bad.
fn check_told(draft: &HeaderDraft, checks: &mut Checks) {
    if let Some(bq) = draft.injected_activity_bq.filter(|bq| !(bq.is_finite() && *bq > 0.0)) {
        checks.fail("injected_activity_bq", format!("must be a finite activity above 0, got {bq} Bq"));
    }
    if let Some(times) = draft.integrated_from {
        times.check("integrated_from", checks);
        if draft.activity_unit.good().is_some_and(|unit| unit.at_moment().is_some()) {
            checks.fail("integrated_from", "has no meaning with an activity at one moment");
        }
    }
}

/// A daughter with its own map: it does not decay where its parent did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaughterHeader {
    /// What decays in this map: the daughter, and those of its own daughters that stay with it.
    pub source: Source,
    /// Activity, on the grid of the parent's.
    pub activity: VolumeHeader,
    /// What the numbers of this map mean.
    pub activity_unit: ActivityUnit,
}

impl AsRef<Self> for RequestHeader {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl TryFrom<HeaderDraft> for RequestHeader {
    type Error = DoseError;

    fn try_from(draft: HeaderDraft) -> Result<Self, DoseError> {
        draft.finish(Checks::new())
    }
}

impl RequestHeader {
    /// Activity of the first nuclide.
    pub fn activity(&self) -> &VolumeHeader {
        &self.activity
    }

    /// What the numbers of the activity map mean.
    pub fn activity_unit(&self) -> ActivityUnit {
        self.activity_unit
    }

    /// Mass density [g/cm³]; there for every method that divides by a voxel's own mass.
    pub fn density(&self) -> Option<&VolumeHeader> {
        self.density.as_ref()
    }

    /// Region of each voxel.
    pub fn labels(&self) -> Option<&VolumeHeader> {
        self.labels.as_ref()
    }

    /// Material of each voxel, by label.
    pub fn materials(&self) -> Option<&VolumeHeader> {
        self.materials.as_ref()
    }

    /// What decays in the first map.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Daughters with maps of their own.
    pub fn daughters(&self) -> &[DaughterHeader] {
        &self.daughters
    }

    /// How the dose is computed.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Weights of a biologically weighted dose, if one is asked for.
    pub fn weighting(&self) -> Option<BiologicalWeighting> {
        self.weighting
    }

    /// Activity that was injected [Bq], if it is known. The dose does not depend on it.
    pub fn injected_activity_bq(&self) -> Option<f64> {
        self.injected_activity_bq
    }

    /// How the activity of the first map falls, and when it was imaged; none if the caller gave it time-integrated.
    pub fn times(&self) -> Option<ActivityTimes> {
        self.activity_unit.at_moment().map(|activity| activity.times).or(self.integrated_from)
    }

    /// What a time-integrated map was made from, where that was an activity at one moment.
    pub fn integrated_from(&self) -> Option<ActivityTimes> {
        self.integrated_from
    }

    /// Whether warnings are errors.
    pub fn strict(&self) -> bool {
        self.strict
    }

    /// The grid of the dose, which is that of the activity.
    pub fn grid(&self) -> &VoxelGrid {
        &self.activity.grid
    }

    /// What decays in each map, in their order.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.source).chain(self.daughters.iter().map(|daughter| &daughter.source))
    }

    /// Every volume and what it is, in the order of [`VolumeRole`].
    pub fn volumes(&self) -> impl Iterator<Item = (VolumeRole, &VolumeHeader)> {
        let maps = [
            (VolumeRole::Density, &self.density),
            (VolumeRole::Labels, &self.labels),
            (VolumeRole::Materials, &self.materials),
        ];
        let daughters = self.daughters.iter().enumerate();
        std::iter::once((VolumeRole::Activity, &self.activity))
            .chain(maps.into_iter().filter_map(|(role, volume)| Some((role, volume.as_ref()?))))
            .chain(daughters.map(|(number, daughter)| (VolumeRole::DaughterActivity(number), &daughter.activity)))
    }

    /// The same header for volumes as they are held in memory: in single precision, activities as decays [Bq·s].
    #[must_use]
    pub fn canonical(&self) -> Self {
        let float32 = |volume: &VolumeHeader| VolumeHeader::float32(&volume.grid);
        let daughter = |daughter: &DaughterHeader| DaughterHeader {
            source: daughter.source.clone(),
            activity: float32(&daughter.activity),
            activity_unit: ActivityUnit::BqS,
        };
        Self {
            activity: float32(&self.activity),
            activity_unit: ActivityUnit::BqS,
            density: self.density.as_ref().map(float32),
            labels: self.labels.as_ref().map(float32),
            materials: self.materials.as_ref().map(float32),
            daughters: self.daughters.iter().map(daughter).collect(),
            integrated_from: self.times(),
            ..self.clone()
        }
    }

    /// The header of one map alone, with its own seed and share of the time limit where the method has them.
    ///
    /// * `map` – 0 for the first, 1 for that of the first daughter
    pub(super) fn of_map(&self, map: usize) -> Self {
        let maps = self.daughters.len() + 1;
        let source = map.checked_sub(1).map_or(&self.source, |daughter| &self.daughters[daughter].source);
        Self {
            activity: self.activity.clone(),
            activity_unit: self.activity_unit,
            density: self.density.clone(),
            labels: self.labels.clone(),
            materials: self.materials.clone(),
            source: source.clone(),
            daughters: Vec::new(),
            method: self.method.of_map(map, maps),
            weighting: self.weighting,
            injected_activity_bq: None,
            integrated_from: None,
            strict: self.strict,
        }
    }
}
