//! The grid of a volume.

use super::pb;
use crate::domain::VoxelGrid;
use crate::request::RawGrid;

pub(in crate::api) fn encode(grid: &VoxelGrid) -> pb::VoxelGrid {
    pb::VoxelGrid {
        shape: grid.shape().map(|n| u32::try_from(n).expect("an axis has at most 65535 voxels")).to_vec(),
        spacing_mm: grid.spacing_mm().to_vec(),
        affine_mm: grid.affine().as_flattened().to_vec(),
    }
}

pub(in crate::api) fn decode(message: pb::VoxelGrid) -> RawGrid {
    let pb::VoxelGrid { shape, spacing_mm, affine_mm } = message;
    RawGrid { shape: shape.into_iter().map(u64::from).collect(), spacing_mm, affine_mm }
}
