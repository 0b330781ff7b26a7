//! An organ as a file.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::domain::{Organ, Volume, VoxelGrid};
use crate::formats::volume_file::{Origin, write_volume};

/// Writes an organ as a mask of bytes, or where it has parts of voxels, as a map of these.
///
/// * `text` – what it is, for the header
///
/// # Errors
/// If the file cannot be written, or its name is that of no format.
pub fn write_mask(path: &Path, grid: &Arc<VoxelGrid>, organ: &Organ, text: &str) -> io::Result<()> {
    let grid = grid.clone();
    if organ.is_whole() {
        let mut mask = vec![0u8; grid.voxels()];
        organ.shares().for_each(|(voxel, _)| mask[voxel] = 1);
        let mask = Volume::from_vec(grid, mask).expect("a value for each voxel");
        write_volume(path, &mask, text, &Origin::default())
    } else {
        let mut mask = vec![0f32; grid.voxels()];
        #[expect(clippy::cast_possible_truncation, reason = "a share, kept in single precision")]
        organ.shares().for_each(|(voxel, share)| mask[voxel] = share as f32);
        let mask = Volume::from_vec(grid, mask).expect("a value for each voxel");
        write_volume(path, &mask, text, &Origin::default())
    }
}
