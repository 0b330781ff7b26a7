//! Volumes of a request that are read from the store.

use super::chunks::Arriving;
use super::desk::{Pieces, VolumeSource};
use crate::domain::{DoseError, Invalid, Volume, VolumeHeader};
use crate::intake::InputRole;
use crate::store::{SizeFault, StoreError, VolumeDigest};

/// A volume as the intake takes it.
pub(super) type Taken = (InputRole, Result<Volume<f32>, Invalid>);

/// A volume of a request that is in the store.
#[derive(Clone, Debug)]
pub(super) struct StoredVolume {
    pub(super) role: InputRole,
    pub(super) header: VolumeHeader,
    pub(super) name: VolumeDigest,
}

impl StoredVolume {
    /// Opens it, if it is as long as its header says.
    ///
    /// # Errors
    /// [`StoreError::VolumeNotFound`], [`StoreError::VolumeDamaged`], [`StoreError::WrongSizes`],
    /// [`StoreError::Unavailable`].
    pub(super) fn open<'a, S: VolumeSource + ?Sized>(&self, source: &'a S) -> Result<Box<dyn Pieces + 'a>, StoreError> {
        let pieces = source.open(self.name)?;
        let (expected_bytes, found_bytes) = (self.header.size_bytes(), pieces.size_bytes());
        if expected_bytes == found_bytes {
            return Ok(pieces);
        }
        let field = format!("{}.digest", self.role.field());
        Err(StoreError::WrongSizes(vec![SizeFault { field, expected_bytes, found_bytes }]))
    }

    /// Reads it whole, with its digest checked.
    ///
    /// # Errors
    /// As [`StoredVolume::open`]. The inner error: the system does not give the memory.
    fn read<S: VolumeSource + ?Sized>(&self, source: &S) -> Result<Result<Taken, DoseError>, StoreError> {
        let mut pieces = self.open(source)?;
        let mut arriving = match Arriving::new(self.header.clone()) {
            Ok(arriving) => arriving,
            Err(error) => return Ok(Err(error)),
        };
        while let Some((begin, piece)) = pieces.next()? {
            // Sizes agree, and pieces are whole elements.
            arriving.append(begin, &piece).map_err(|_| StoreError::VolumeDamaged(self.name))?;
        }
        Ok(Ok((self.role, arriving.finish())))
    }
}

/// Reads volumes whole, with their digests checked.
///
/// # Errors
/// As [`StoredVolume::open`]. The inner error: the system does not give the memory.
pub(super) fn read_all<S: VolumeSource + ?Sized>(
    source: &S,
    volumes: &[StoredVolume],
) -> Result<Result<Vec<Taken>, DoseError>, StoreError> {
    volumes.iter().map(|volume| volume.read(source)).collect()
}
