//! A volume put on another grid: what is done with its values. The command line and the service share it.

use std::sync::Arc;

use serde::Serialize;

use super::regrid::{Regrid, RegridKind};
use super::{AIR_HU, InputRole};
use crate::domain::{
    Checks, Control, DoseError, Invalid, LabelMap, NanRule, Organ, Organs, RigidTransform, Volume, VoxelGrid,
    repair_density,
};
use crate::resample::{AIR_G_CM3, Resampler};

/// A value as it comes and as it leaves.
const VALUE_BYTES: u64 = size_of::<f32>() as u64;
/// A voxel of an organ while it is resampled: index, part, and the parts as they are summed.
const ORGAN_BYTES: u64 = 36;
/// A voxel while organs become labels: label, largest share, what is left.
const LABEL_BYTES: u64 = 18;

/// From one grid to another, for values of one kind.
#[derive(Clone, Debug)]
pub struct Regridding {
    kind: RegridKind,
    source: Arc<VoxelGrid>,
    target: Arc<VoxelGrid>,
    resampler: Resampler,
}

/// What was made of a volume.
#[derive(Clone, Debug)]
pub struct Regridded {
    /// The values on the target.
    pub values: RegriddedValues,
    /// What was done.
    pub account: RegridAccount,
}

/// The values on the target.
#[derive(Clone, Debug, PartialEq)]
pub enum RegriddedValues {
    /// Of any kind but labels.
    Numbers(Volume<f32>),
    /// One label a voxel.
    Labels(LabelMap),
}

/// What was kept and what was not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RegridAccount {
    /// Whether overlaps are exact; for oblique grids they are sampled.
    pub exact: bool,
    /// Before and after: total of an activity, integral of a density [g] or a concentration.
    pub sums: Option<[f64; 2]>,
    /// Part of the activity that lies outside the output.
    pub share_outside: Option<f64>,
    /// Voxels of the output that do not lie within the input, or not all of them.
    pub outside_voxels: usize,
    /// Voxels of NaN that were taken as 0, in a CT as air.
    pub nan_voxels: usize,
    /// Sizes of the organs, by rising label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<LabelSize>>,
    /// Voxels of the input in which organs overlap.
    #[serde(skip)]
    pub overlapping_voxels: usize,
}

/// The size of an organ before and after, by shares of voxels, and the voxels that have its label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelSize {
    /// Its label.
    pub label: u16,
    /// Its name, where the file says one.
    pub name: Option<String>,
    /// On the input [cm³].
    pub volume_before_cm3: f64,
    /// On the output [cm³].
    pub volume_after_cm3: f64,
    /// Voxels of the output that have its label.
    pub voxels: usize,
}

/// A volume without NaN, if that is allowed, and how many voxels of it there were.
///
/// # Errors
/// If there is NaN and it is to be refused.
pub fn regrid_without_nan(
    kind: RegridKind,
    volume: Volume<f32>,
    nan: NanRule,
) -> Result<(Volume<f32>, usize), Invalid> {
    repair_density(volume, nan, if kind == RegridKind::Ct { AIR_HU } else { 0.0 })
}

impl Regridding {
    /// * `source` – the grid of the volume
    /// * `target` – the grid that it is wanted on
    /// * `transform` – from points of the target to those of the source
    pub fn new(kind: RegridKind, source: &Arc<VoxelGrid>, target: &Arc<VoxelGrid>, transform: &RigidTransform) -> Self {
        let resampler = Resampler::new(source, target, transform);
        Self { kind, source: source.clone(), target: target.clone(), resampler }
    }

    /// The same, which gives up as [`Resampler::until`].
    #[must_use]
    pub fn until(self, control: Control) -> Self {
        Self { resampler: self.resampler.until(control), ..self }
    }

    /// The grid that is wanted.
    pub fn target(&self) -> &Arc<VoxelGrid> {
        &self.target
    }

    /// What the values are.
    pub fn kind(&self) -> RegridKind {
        self.kind
    }

    /// A volume on the target, of any kind but labels.
    ///
    /// # Errors
    /// If the volume is not on the grid of the source.
    pub fn numbers(&self, volume: &Volume<f32>) -> Result<Regridded, Invalid> {
        let mut account = RegridAccount { exact: self.resampler.is_exact(), ..RegridAccount::default() };
        let values = match self.kind {
            RegridKind::Density | RegridKind::Ct | RegridKind::Concentration => {
                let averaged = self.resampler.average(volume, self.outside())?;
                account.outside_voxels = averaged.uncovered_voxels;
                // An integral of CT numbers means nothing.
                if self.kind != RegridKind::Ct {
                    account.sums = Some([averaged.integral_before, averaged.integral_after]);
                }
                averaged.volume
            }
            RegridKind::Dose => {
                let found = self.resampler.interpolate(volume)?;
                account.outside_voxels = found.outside_voxels;
                found.volume
            }
            RegridKind::Activity | RegridKind::Labels => {
                let found = self.resampler.redistribute(volume)?;
                account.sums = Some([found.total_before, found.total_after]);
                account.share_outside = Some(found.share_outside());
                found.volume
            }
        };
        Ok(Regridded { values: RegriddedValues::Numbers(values), account })
    }

    /// What lies outside the source.
    fn outside(&self) -> f32 {
        match self.kind {
            RegridKind::Density => AIR_G_CM3,
            RegridKind::Ct => AIR_HU,
            RegridKind::Concentration | RegridKind::Activity | RegridKind::Labels | RegridKind::Dose => 0.0,
        }
    }

    /// Organs on the target, one label a voxel.
    ///
    /// # Errors
    /// If the organs are not on the grid of the source.
    pub fn organs(&self, organs: &Organs) -> Result<Regridded, Invalid> {
        let moved = self.resampler.organs(organs)?;
        let map = moved.label_map();
        let kept = map.labels().as_slice();
        let size = |(before, after): (&Organ, &Organ)| LabelSize {
            label: after.label,
            name: after.name.clone(),
            volume_before_cm3: before.size_voxels() * self.source.voxel_volume_cm3(),
            volume_after_cm3: after.size_voxels() * self.target.voxel_volume_cm3(),
            voxels: kept.iter().filter(|label| **label == after.label).count(),
        };
        let account = RegridAccount {
            exact: self.resampler.is_exact(),
            labels: Some(organs.organs().iter().zip(moved.organs()).map(size).collect()),
            overlapping_voxels: organs.overlapping_voxels(),
            ..RegridAccount::default()
        };
        Ok(Regridded { values: RegriddedValues::Labels(map), account })
    }
}

impl Regrid {
    /// Most host memory that it takes [bytes]: the volumes as they come, what is made of them, and the work on it.
    pub fn host_bytes(&self) -> u64 {
        let (source, target) = (self.regridding.source.voxels() as u64, self.regridding.target.voxels() as u64);
        let organs = match self.regridding.kind {
            RegridKind::Labels => ORGAN_BYTES * (source + target),
            RegridKind::Density
            | RegridKind::Ct
            | RegridKind::Concentration
            | RegridKind::Activity
            | RegridKind::Dose => 0,
        };
        let arriving = (VALUE_BYTES * source + organs).saturating_mul(self.arrivals().len() as u64);
        let leaving = VALUE_BYTES * target + self.regridding.resampler.workspace_bytes();
        let labels = if organs > 0 { LABEL_BYTES * source.max(target) } else { 0 };
        arriving.saturating_add(leaving).saturating_add(labels)
    }

    /// The same, which gives up as [`Resampler::until`].
    #[must_use]
    pub fn until(mut self, control: Control) -> Self {
        self.regridding = self.regridding.until(control);
        self
    }

    /// The volume on the target. This takes as long as resampling it.
    ///
    /// * `volumes` – all that were announced, in the order of [`Regrid::arrivals`]; or why one is not there
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every volume that is not there or has bad values.
    pub fn run(
        &self,
        volumes: impl IntoIterator<Item = (InputRole, Result<Volume<f32>, Invalid>)>,
    ) -> Result<Regridded, DoseError> {
        let mut checks = Checks::new();
        let (mut numbers, mut organs) = (None, Vec::new());
        for (role, volume) in volumes {
            match role {
                InputRole::Organ(number) => {
                    let organ = volume.and_then(|map| Organ::of_shares(self.organ_labels[number], None, &map));
                    organs.extend(checks.at(role.field(), organ));
                }
                InputRole::Source
                | InputRole::OfRequest(_)
                | InputRole::Ct
                | InputRole::Scan(_)
                | InputRole::Dose(_)
                    if self.regridding.kind == RegridKind::Labels =>
                {
                    let found = volume.and_then(|map| Organs::of_map(&LabelMap::new(&map)?));
                    let found = checks.at(role.field(), found);
                    organs.extend(found.iter().flat_map(|organs| organs.organs().to_vec()));
                }
                InputRole::Source
                | InputRole::OfRequest(_)
                | InputRole::Ct
                | InputRole::Scan(_)
                | InputRole::Dose(_) => {
                    let kept = volume.and_then(|map| regrid_without_nan(self.regridding.kind, map, self.nan));
                    numbers = checks.at(role.field(), kept);
                }
            }
        }
        let organs = checks.at("organ_volumes", Organs::new(self.regridding.source.clone(), organs));
        checks.finish()?;
        let made = match (numbers, organs) {
            (Some((volume, nan_voxels)), _) => self.regridding.numbers(&volume).map(|mut made| {
                made.account.nan_voxels = nan_voxels;
                made
            }),
            (None, Some(organs)) => self.regridding.organs(&organs),
            (None, None) => Err(Invalid::new("holds nothing")),
        };
        made.map_err(|Invalid(reason)| DoseError::invalid("source", reason))
    }
}
