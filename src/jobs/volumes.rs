//! The volumes of jobs, by name: the interface of a store, and the way from there to a request.

use std::{any::Any, fmt};

use serde::{Deserialize, Serialize};

use super::VolumeName;
use crate::domain::{
    DensityMap, DoseError, DoseRequest, LabelMap, LabelMaps, RequestHeader, RequestVolumes, TimeIntegratedActivity,
    VolumeRole,
};

/// A volume of a job: what it is, and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobVolume {
    /// What it is.
    pub role: VolumeRole,
    /// Its name.
    pub name: VolumeName,
}

/// A volume with checked values. Copies share the values.
#[derive(Clone, Debug, PartialEq)]
pub enum InputVolume {
    /// Decays per voxel [Bq·s].
    Activity(TimeIntegratedActivity),
    /// Mass density per voxel [g/cm³].
    Density(DensityMap),
    /// Regions or materials.
    Labels(LabelMap),
}

impl InputVolume {
    /// The volumes of a request, in the order of the header.
    pub(super) fn all_of(volumes: &RequestVolumes) -> impl Iterator<Item = (VolumeRole, Self)> {
        let RequestVolumes { activity, density, labels, daughters } = volumes;
        let labels_of = |role, map: &Option<LabelMap>| map.clone().map(|map| (role, Self::Labels(map)));
        let density = density.clone().map(|map| (VolumeRole::Density, Self::Density(map)));
        let daughter = |(number, map): (usize, &TimeIntegratedActivity)| {
            (VolumeRole::DaughterActivity(number), Self::Activity(map.clone()))
        };
        std::iter::once((VolumeRole::Activity, Self::Activity(activity.clone())))
            .chain(density)
            .chain(labels_of(VolumeRole::Labels, &labels.regions))
            .chain(labels_of(VolumeRole::Materials, &labels.materials))
            .chain(daughters.iter().enumerate().map(daughter))
    }

    /// Its name by its content, as the canonical header of a request describes it: in single precision.
    pub(super) fn content_name(&self) -> VolumeName {
        match self {
            Self::Activity(map) => VolumeName::of_content(map.decays().as_slice().iter().copied()),
            Self::Density(map) => VolumeName::of_content(map.g_cm3().as_slice().iter().copied()),
            Self::Labels(map) => VolumeName::of_content(map.labels().as_slice().iter().map(|&label| label.into())),
        }
    }
}

/// Where the volumes of jobs are.
pub trait VolumeStore: Send + Sync + fmt::Debug {
    /// Keeps volumes until the hold is dropped.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with each volume that is not there.
    fn hold(&self, volumes: &[JobVolume]) -> Result<Hold, DoseError>;

    /// A volume, as what its role says; none if it is not there.
    fn get(&self, volume: &JobVolume) -> Option<InputVolume>;
}

/// Keeps volumes in their store until it is dropped.
#[derive(Debug)]
pub struct Hold {
    _keep: Box<dyn Any + Send + Sync>,
}

impl Hold {
    /// * `keep` – what lets go of the volumes when it is dropped
    pub fn new(keep: impl Any + Send + Sync) -> Self {
        Self { _keep: Box::new(keep) }
    }
}

/// Puts a request together from a header and the volumes of a store.
///
/// # Errors
/// [`DoseError::Invalid`] if a volume is not there or is not what the header says.
pub(super) fn request(
    header: &RequestHeader,
    volumes: &[JobVolume],
    store: &dyn VolumeStore,
) -> Result<DoseRequest, DoseError> {
    let (mut activity, mut density, mut daughters) = (None, None, Vec::new());
    let mut labels = LabelMaps::default();
    for volume in volumes {
        let values = store.get(volume).ok_or_else(|| missing(volume.role))?;
        match (volume.role, values) {
            (VolumeRole::Activity, InputVolume::Activity(map)) => activity = Some(map),
            (VolumeRole::Density, InputVolume::Density(map)) => density = Some(map),
            (VolumeRole::Labels, InputVolume::Labels(map)) => labels.regions = Some(map),
            (VolumeRole::Materials, InputVolume::Labels(map)) => labels.materials = Some(map),
            (VolumeRole::DaughterActivity(_), InputVolume::Activity(map)) => daughters.push(map),
            (role, InputVolume::Activity(_) | InputVolume::Density(_) | InputVolume::Labels(_)) => {
                return Err(DoseError::invalid(role.field(), "names a volume of another kind"));
            }
        }
    }
    let activity = activity.ok_or_else(|| missing(VolumeRole::Activity))?;
    DoseRequest::of(header, RequestVolumes { activity, density, labels, daughters })
}

pub(super) fn missing(role: VolumeRole) -> DoseError {
    DoseError::invalid(role.field(), "names a volume that is not there")
}
