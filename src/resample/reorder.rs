//! The same voxels in another order: a volume stored with an axis reversed, or with axes exchanged.

use std::sync::Arc;

use super::Resampler;
use super::alignment::{Alignment, Axis};
use crate::domain::{Invalid, RigidTransform, Volume, VoxelGrid};

/// The six orders of three axes.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1]];

/// The volume with its voxels in the order of a grid that has the same voxels in the same place; none if it has others.
/// No value is changed.
pub fn reorder<T: Copy>(volume: &Volume<T>, grid: &Arc<VoxelGrid>) -> Option<Volume<T>> {
    has_same_voxels(volume.grid(), grid)
        .then(|| Resampler::new(volume.grid(), grid, &RigidTransform::IDENTITY).reordered(volume))?
}

/// Whether a grid has the same voxels in the same place as another, at most in another order: what
/// [`VoxelGrid::check_same`] says of them once they are in one order.
pub fn has_same_voxels(own: &Arc<VoxelGrid>, grid: &Arc<VoxelGrid>) -> bool {
    let in_order = || Resampler::new(own, grid, &RigidTransform::IDENTITY).source_in_order();
    grid.check_same(own).is_ok() || in_order().is_some_and(|own| grid.check_same(&own).is_ok())
}

/// The same voxels with the axes as near to the patient's left, back and head as they can be, and right-handed.
///
/// # Errors
/// If the affine is at the edge of what a grid may have, and rounding takes it over.
pub fn upright(grid: &VoxelGrid) -> Result<VoxelGrid, Invalid> {
    let (shape, spacing_mm, [x, y, z]) = (grid.shape(), grid.spacing_mm(), *grid.affine());
    let lps = [x.map(|v| -v), y.map(|v| -v), z];
    let cosine = |target: usize, source: usize| lps[target][source] / spacing_mm[source];
    let alike = |order: &[usize; 3]| order.iter().enumerate().map(|(t, &s)| cosine(t, s).abs()).sum::<f64>();
    // The first of equals.
    let order = ORDERS.into_iter().rev().max_by(|a, b| alike(a).total_cmp(&alike(b))).expect("there are six");
    let mut signs = [0, 1, 2].map(|target| if cosine(target, order[target]) < 0.0 { -1.0 } else { 1.0 });
    let column = |target: usize, signs: [f64; 3]| lps.map(|row| signs[target] * row[order[target]]);
    let [a, b, c] = [0, 1, 2].map(|target| column(target, signs));
    let cross = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    if cross.iter().zip(c).map(|(u, v)| u * v).sum::<f64>() < 0.0 {
        signs[2] = -signs[2];
    }
    let mut affine = [[0.0; 4]; 3];
    for (row, own) in affine.iter_mut().zip(grid.affine()) {
        row[3] = own[3];
        for target in 0..3 {
            let source = order[target];
            row[target] = signs[target] * own[source];
            // A reversed axis begins at its other end.
            row[3] += if signs[target] < 0.0 { own[source] * (shape[source] - 1) as f64 } else { 0.0 };
        }
    }
    VoxelGrid::new(order.map(|axis| shape[axis] as u64), order.map(|axis| spacing_mm[axis]))?.with_affine(affine)
}

impl Resampler {
    /// The volume in the order of the target, if that has the same voxels.
    pub(super) fn reordered<T: Copy>(&self, volume: &Volume<T>) -> Option<Volume<T>> {
        let sources = self.source_indices()?;
        let values = volume.as_slice();
        let values = sources.map(|source| values[source]).collect();
        Some(Volume::from_vec(self.target.clone(), values).expect("a value for each voxel of the target"))
    }

    /// The source's own grid with its axes in the order and the direction of the target's.
    fn source_in_order(&self) -> Option<VoxelGrid> {
        let Alignment::Reordered(axes) = &self.alignment else {
            return None;
        };
        let (shape, spacing_mm, affine) = (self.source.shape(), self.source.spacing_mm(), self.source.affine());
        let mut sorted = [[0.0; 4]; 3];
        for (sorted, own) in sorted.iter_mut().zip(affine) {
            sorted[3] = own[3];
            for (target, &Axis { source, scale, .. }) in axes.iter().enumerate() {
                sorted[target] = own[source] * scale.signum();
                // A reversed axis begins at its other end.
                sorted[3] += if scale < 0.0 { own[source] * (shape[source] - 1) as f64 } else { 0.0 };
            }
        }
        let of = |axis: &Axis| (shape[axis.source] as u64, spacing_mm[axis.source]);
        let [x, y, z] = axes.each_ref().map(of);
        VoxelGrid::new([x.0, y.0, z.0], [x.1, y.1, z.1]).and_then(|grid| grid.with_affine(sorted)).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(shape: [u64; 3], spacing_mm: [f64; 3], affine: [[f64; 4]; 3]) -> Arc<VoxelGrid> {
        Arc::new(VoxelGrid::new(shape, spacing_mm).and_then(|grid| grid.with_affine(affine)).expect("a good grid"))
    }

    #[test]
    fn the_same_voxels_in_another_order_are_told_from_others() {
        let own = grid([4, 3, 2], [2.0, 3.0, 4.0], [[2.0, 0.0, 0.0, -7.0], [0.0, 3.0, 0.0, 5.0], [0.0, 0.0, 4.0, 1.0]]);
        // x from the other end, y and z exchanged.
        let turned = |z: f64, x: f64| {
            grid([4, 2, 3], [2.0, z, 3.0], [[-2.0, 0.0, 0.0, x], [0.0, 0.0, 3.0, 5.0], [0.0, z, 0.0, 1.0]])
        };
        assert!(has_same_voxels(&turned(4.0, -1.0), &own));
        assert!(!has_same_voxels(&turned(4.1, -1.0), &own), "two slices of another thickness");
        assert!(!has_same_voxels(&turned(4.0, -1.5), &own), "a quarter of a voxel away");
    }
}
