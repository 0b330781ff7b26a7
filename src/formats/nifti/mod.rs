//! NIfTI-1 and NIfTI-2: single files (`.nii`) and pairs (`.hdr`, `.img`).
//!
//! The place in the patient comes from the sform, else the qform, else the voxel sizes, as the standard says. Written
//! is NIfTI-1 in a single file, with the form codes and the unit of length that the input had.

mod header;
mod placement;
mod raw;
mod write;

use std::io;
use std::path::Path;

use super::volume_file::{Origin, VolumeFile, read_volume, write_volume};
use crate::domain::{Invalid, Volume};

pub use super::volume_file::{MAX_VOXELS, Placement};
pub(super) use header::{find, header_of_pair};
pub(super) use placement::Qform;
pub(super) use write::write_file_of;

/// A volume as read.
pub type NiftiFile = VolumeFile;

/// Reads a volume.
///
/// # Errors
/// As [`read_volume`].
pub fn read(path: &Path) -> Result<NiftiFile, Invalid> {
    read_volume(path)
}

/// Writes a volume in coordinates of the scanner.
///
/// # Errors
/// As [`write_volume`].
pub fn write(path: &Path, volume: &Volume<f32>, description: &str) -> io::Result<()> {
    write_volume(path, volume, description, &Origin::default())
}
