//! The volumes of one `Compute` call while they arrive, and the request that they make once they are there.

use super::chunks::Arriving;
use super::pb;
use super::wire::volume::decode_role;
use crate::domain::{DoseError, VolumeHeader, VolumeRole};
use crate::intake::{Assembled, InputRole, Intake};

/// The volumes that a header announces, while they arrive.
pub(super) struct Upload {
    intake: Intake,
    /// In the order of the header.
    volumes: Vec<(InputRole, Arriving)>,
}

impl Upload {
    /// Makes room for all volumes.
    ///
    /// # Errors
    /// [`DoseError::Internal`] if the system does not give the memory.
    pub(super) fn new(intake: Intake) -> Result<Self, DoseError> {
        let arriving = |(role, volume): &(InputRole, VolumeHeader)| Ok((*role, Arriving::new(volume.clone())?));
        let volumes = intake.arrivals().iter().map(arriving).collect::<Result<_, DoseError>>()?;
        Ok(Self { intake, volumes })
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

    /// The request, once every value is checked and every volume on the grid of the dose. This takes as long as reading
    /// and resampling the volumes.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every volume that is incomplete or has bad values.
    pub(super) fn assemble(self) -> Result<(Intake, Assembled), DoseError> {
        let Self { intake, volumes } = self;
        let assembled = intake.assemble(volumes.into_iter().map(|(role, volume)| (role, volume.finish())))?;
        Ok((intake, assembled))
    }
}

/// What a volume is, in messages.
fn name(role: InputRole) -> &'static str {
    match role {
        InputRole::OfRequest(VolumeRole::Activity) => "activity",
        InputRole::OfRequest(VolumeRole::Density) => "density",
        InputRole::OfRequest(VolumeRole::Labels) => "labels",
        InputRole::OfRequest(VolumeRole::Materials) => "materials",
        InputRole::OfRequest(VolumeRole::DaughterActivity(_)) => "a daughter's activity",
        InputRole::Ct => "CT",
        InputRole::Organ(_) => "an organ",
    }
}
