//! The same voxels in another order: a volume stored with an axis reversed, or with axes exchanged.

use std::sync::Arc;

use super::Resampler;
use super::alignment::{Alignment, Axis};
use crate::domain::{RigidTransform, Volume, VoxelGrid};

/// The volume with its voxels in the order of a grid that has the same voxels in the same place; none if it has others.
/// No value is changed.
pub fn reorder<T: Copy>(volume: &Volume<T>, grid: &Arc<VoxelGrid>) -> Option<Volume<T>> {
    Resampler::new(volume.grid(), grid, &RigidTransform::IDENTITY).reordered(volume)
}

impl Resampler {
    /// The volume in the order of the target, if that has the same voxels.
    pub(super) fn reordered<T: Copy>(&self, volume: &Volume<T>) -> Option<Volume<T>> {
        let sources = self.source_indices()?;
        let values = volume.as_slice();
        let values = sources.map(|source| values[source]).collect();
        Some(Volume::from_vec(self.target.clone(), values).expect("a value for each voxel of the target"))
    }

    /// For each voxel of the target the voxel of the source, if the grids have the same voxels.
    pub(super) fn source_indices(&self) -> Option<impl Iterator<Item = usize> + use<>> {
        let Alignment::Reordered(axes) = &self.alignment else {
            return None;
        };
        let shape = self.source.shape();
        let strides = [1, shape[0], shape[0] * shape[1]];
        // For each axis of the target, where its voxels begin in the source.
        let steps = axes.map(|Axis { source, scale, .. }| {
            let n = shape[source];
            let step = move |at: usize| strides[source] * if scale > 0.0 { at } else { n - 1 - at };
            (0..n).map(step).collect::<Vec<usize>>()
        });
        let [x, y, z] = steps;
        Some(z.into_iter().flat_map(move |z| {
            let x = x.clone();
            y.clone().into_iter().flat_map(move |y| x.clone().into_iter().map(move |x| x + y + z))
        }))
    }
}
