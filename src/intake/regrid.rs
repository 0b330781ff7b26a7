//! A volume put on another grid: what a caller says of it, checked before a voxel comes.

use std::sync::Arc;

use super::options::{resolve_organs, transform};
use super::{InputRole, RawOrganVolume, Regridding};
use crate::domain::{Checks, DoseError, Invalid, NanRule, Part, RigidTransform, VolumeHeader, VoxelGrid};
use crate::request::{MISSING, RawGrid, RawVolume};
use crate::resample::with_spacing;

/// What the values of a volume are, which decides what is kept when it is put on another grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegridKind {
    /// Mass density: the mean, so that mass is kept.
    Density,
    /// CT numbers: the mean.
    Ct,
    /// A concentration: the mean.
    Concentration,
    /// Activity or decays per voxel: the total is kept.
    Activity,
    /// Labels of organs.
    Labels,
    /// A dose: by interpolation.
    Dose,
}

impl RegridKind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Density, Self::Ct, Self::Concentration, Self::Activity, Self::Labels, Self::Dose];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Density => "density",
            Self::Ct => "ct",
            Self::Concentration => "concentration",
            Self::Activity => "activity",
            Self::Labels => "labels",
            Self::Dose => "dose",
        }
    }

    /// # Errors
    /// The words there are.
    pub fn parse(word: &str) -> Result<Self, Invalid> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == word);
        known.ok_or_else(|| Invalid::new(format!("must be one of {}", Self::ALL.map(Self::name).join(", "))))
    }
}

/// What a caller says, not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawRegrid {
    /// The word of a [`RegridKind`].
    pub kind: Option<String>,
    /// The volume.
    pub source: Part<RawVolume>,
    /// Organs in volumes of their own.
    pub organ_volumes: Vec<RawOrganVolume>,
    /// The grid that is wanted.
    pub target: Part<RawTarget>,
    /// From points of the target to those of the source [mm], row by row; empty: none.
    pub target_to_source_mm: Vec<f64>,
    /// What to do with NaN, by the words of [`NanRule`].
    pub nan: Option<String>,
}

/// The grid that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum RawTarget {
    /// This one.
    Grid(RawGrid),
    /// Cubes of this edge [mm].
    Spacing(f64),
}

/// What will be done, and what volumes will come.
#[derive(Clone, Debug)]
pub struct Regrid {
    /// What will be done.
    pub(super) regridding: Regridding,
    pub(super) nan: NanRule,
    pub(super) organ_labels: Vec<u16>,
    arrivals: Vec<(InputRole, VolumeHeader)>,
    transform: Option<RigidTransform>,
}

impl Regrid {
    /// The volumes that the caller will send, as it will.
    pub fn arrivals(&self) -> &[(InputRole, VolumeHeader)] {
        &self.arrivals
    }

    /// From points of the target to those of the source; none: they have the same coordinates.
    pub fn transform(&self) -> Option<&RigidTransform> {
        self.transform.as_ref()
    }

    /// What to do with NaN.
    pub fn nan(&self) -> NanRule {
        self.nan
    }

    /// Labels of the organs with volumes of their own, in the order of the volumes.
    pub fn organ_labels(&self) -> &[u16] {
        &self.organ_labels
    }

    /// What will be done.
    pub fn regridding(&self) -> &Regridding {
        &self.regridding
    }
}

impl RawRegrid {
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by its path on the wire.
    pub fn check(self) -> Result<Regrid, DoseError> {
        let mut checks = Checks::new();
        let kind = match self.kind.as_deref() {
            None => checks.at("kind", Err(Invalid::new(MISSING))),
            Some(word) => checks.at("kind", RegridKind::parse(word)),
        };
        let is_labels = kind == Some(RegridKind::Labels);
        let nan = self.nan.and_then(|word| checks.at("nan", NanRule::parse(&word))).unwrap_or_default();
        if kind.is_some() && !is_labels && !self.organ_volumes.is_empty() {
            checks.fail("organ_volumes", "have no effect unless the kind is labels");
        }
        if is_labels && nan != NanRule::Refuse {
            checks.fail("nan", "has no effect with labels");
        }
        if !self.source.is_given() && (self.organ_volumes.is_empty() || !is_labels) {
            checks.fail("source", MISSING);
        }
        let source = self.source.resolve("source", &mut checks, RawVolume::resolve);
        let (organ_labels, organs) = resolve_organs(self.organ_volumes, &mut checks);
        let organs = organs.into_iter().enumerate();
        let organs = organs.filter_map(|(number, part)| Some((InputRole::Organ(number), part.into_good()?)));
        let arrivals: Vec<_> =
            source.into_good().map(|volume| (InputRole::Source, volume)).into_iter().chain(organs).collect();
        let own = arrivals.first().map(|(_, volume)| Arc::new(volume.grid.clone()));
        for (role, volume) in arrivals.iter().skip(1).filter(|(_, volume)| own.as_deref() != Some(&volume.grid)) {
            let reason = format!("is not that of the source; the shape is {:?}", volume.grid.shape());
            checks.fail(format!("{}.grid", role.field()), reason);
        }
        let has_grid = matches!(self.target, Part::Good(RawTarget::Grid(_)));
        let target = target(self.target, own.as_deref(), &mut checks);
        let moved = transform_of(&self.target_to_source_mm, has_grid, &mut checks);
        checks.finish()?;
        let whole = "without a fault all is there";
        let (kind, own, target) = (kind.expect(whole), own.expect(whole), Arc::new(target.expect(whole)));
        let regridding = Regridding::new(kind, &own, &target, moved.as_ref().unwrap_or(&RigidTransform::IDENTITY));
        Ok(Regrid { regridding, nan, organ_labels, arrivals, transform: moved })
    }
}

fn target(target: Part<RawTarget>, source: Option<&VoxelGrid>, checks: &mut Checks) -> Option<VoxelGrid> {
    match target {
        Part::Absent => {
            checks.fail("target", MISSING);
            None
        }
        Part::Faulty => None,
        Part::Good(RawTarget::Grid(grid)) => RawGrid::resolve(Some(grid), "grid", checks),
        Part::Good(RawTarget::Spacing(edge_mm)) => checks.at("spacing_mm", with_spacing(source?, [edge_mm; 3])),
    }
}

fn transform_of(numbers: &[f64], has_grid: bool, checks: &mut Checks) -> Option<RigidTransform> {
    if !numbers.is_empty() && !has_grid {
        checks.fail("target_to_source_mm", "has no effect without a grid to put the volume on");
    }
    transform(numbers, "target_to_source_mm", checks)
}
