//! The volumes of one `Compute` call while they arrive, and the request that they make once they are there.

use super::chunks::Arriving;
use super::pb;
use super::wire::volume::decode_role;
use crate::domain::{
    Checks, DensityMap, DoseError, DoseRequest, LabelMap, LabelMaps, RequestHeader, RequestVolumes,
    TimeIntegratedActivity, VolumeHeader, VolumeRole,
};

/// The volumes that a header announces, while they arrive.
pub(super) struct Upload {
    header: RequestHeader,
    /// In the order of the header.
    volumes: Vec<(VolumeRole, Arriving)>,
}

impl Upload {
    /// Makes room for all volumes.
    ///
    /// # Errors
    /// [`DoseError::Internal`] if the system does not give the memory.
    pub(super) fn new(header: RequestHeader) -> Result<Self, DoseError> {
        let arriving = |(role, volume): (VolumeRole, &VolumeHeader)| Ok((role, Arriving::new(volume.clone())?));
        let volumes = header.volumes().map(arriving).collect::<Result<_, DoseError>>()?;
        Ok(Self { header, volumes })
    }

    /// Adds one chunk.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] for a chunk of a volume that the header does not announce, or that leaves a gap.
    pub(super) fn accept(&mut self, chunk: pb::VolumeChunk) -> Result<(), DoseError> {
        let role = decode_role(&chunk)?;
        let volume = self.volumes.iter_mut().find(|(known, _)| *known == role);
        let (_, volume) = volume.ok_or_else(|| {
            let reason = format!("is {}, which the header does not announce", name(role));
            DoseError::invalid("chunk.volume", reason)
        })?;
        volume.append(chunk.offset_bytes, &chunk.data)
    }

    /// The request, once every value is checked. This takes as long as reading the volumes.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every volume that is incomplete or has bad values.
    pub(super) fn into_request(self) -> Result<DoseRequest, DoseError> {
        let Self { header, volumes } = self;
        let mut checks = Checks::new();
        let (mut activity, mut density, mut daughters) = (None, None, Vec::new());
        let mut labels = LabelMaps::default();
        for (role, volume) in volumes {
            let volume = volume.finish();
            let field = role.field();
            match role {
                VolumeRole::Activity => {
                    let map = volume.and_then(|map| TimeIntegratedActivity::new(map, header.activity_unit()));
                    activity = checks.at(field, map);
                }
                VolumeRole::Density => density = checks.at(field, volume.and_then(DensityMap::new)),
                VolumeRole::Labels => {
                    labels.regions = checks.at(field, volume.and_then(|map| LabelMap::new(&map)));
                }
                VolumeRole::Materials => {
                    labels.materials = checks.at(field, volume.and_then(|map| LabelMap::new(&map)));
                }
                VolumeRole::DaughterActivity(number) => {
                    let unit = header.daughters()[number].activity_unit;
                    daughters.extend(checks.at(field, volume.and_then(|map| TimeIntegratedActivity::new(map, unit))));
                }
            }
        }
        checks.finish()?;
        let activity = activity.expect("every header announces an activity");
        DoseRequest::of(&header, RequestVolumes { activity, density, labels, daughters })
    }
}

/// What a volume is, in messages.
fn name(role: VolumeRole) -> &'static str {
    match role {
        VolumeRole::Activity => "activity",
        VolumeRole::Density => "density",
        VolumeRole::Labels => "labels",
        VolumeRole::Materials => "materials",
        VolumeRole::DaughterActivity(_) => "a daughter's activity",
    }
}
