//! The volumes of one call while they arrive.

use super::chunks::Arriving;
use super::pb;
use super::wire::volume::{decode_role, name};
use crate::domain::{DoseError, Invalid, Volume, VolumeHeader};
use crate::intake::InputRole;
use crate::store::VolumeDigest;

/// The volumes that a header announces, while they arrive.
pub(super) struct Upload {
    /// In the order of the header.
    volumes: Vec<(InputRole, Arriving)>,
}

impl Upload {
    /// Makes room for all volumes.
    ///
    /// # Errors
    /// [`DoseError::Internal`] if the system does not give the memory.
    ///
    /// * `is_hashed` – whether [`Upload::names`] is asked for
    pub(super) fn new(announced: &[(InputRole, VolumeHeader)], is_hashed: bool) -> Result<Self, DoseError> {
        let arriving = |(role, volume): &(InputRole, VolumeHeader)| {
            let arriving = Arriving::new(volume.clone())?;
            Ok((*role, if is_hashed { arriving.hashed() } else { arriving }))
        };
        Ok(Self { volumes: announced.iter().map(arriving).collect::<Result<_, DoseError>>()? })
    }

    /// Adds one chunk.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] for a chunk of a volume that the header does not announce, or that leaves a gap.
    pub(super) fn accept(&mut self, chunk: &pb::VolumeChunk) -> Result<(), DoseError> {
        let role = decode_role(chunk)?;
        let volume = self.volumes.iter_mut().find(|(known, _)| *known == role);
        let (_, volume) = volume.ok_or_else(|| {
            let reason = format!("is {}, which the header does not announce", name(role));
            DoseError::invalid("chunk.volume", reason)
        })?;
        volume.append(chunk.offset_bytes, &chunk.data)
    }

    /// The names of the volumes as they arrived, if they are hashed.
    pub(super) fn names(&self) -> impl Iterator<Item = VolumeDigest> {
        self.volumes.iter().filter_map(|(_, volume)| volume.name())
    }

    /// All volumes, in the order of the header; or why one is not there.
    pub(super) fn finish(self) -> impl Iterator<Item = (InputRole, Result<Volume<f32>, Invalid>)> {
        self.volumes.into_iter().map(|(role, volume)| (role, volume.finish()))
    }
}
