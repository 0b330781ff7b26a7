//! Memory that an intake takes beside what its header's plan counts.

use std::sync::Arc;

use super::check::is_of_organs;
use super::{InputRole, Intake};
use crate::domain::{RigidTransform, VoxelGrid};
use crate::resample::{Resampler, Space};

/// A value as it comes.
const RECEIVED_BYTES: u64 = size_of::<f32>() as u64;
/// A voxel of an organ: its index with room to grow, and its part.
const ORGAN_BYTES: u64 = 12;
/// The same while it is resampled: also the parts as they are summed.
const MOVING_ORGAN_BYTES: u64 = 36;
/// A voxel of the organ that is tabulated, if that has all voxels: place, part and dose, sorted.
const TABLE_BYTES: u64 = 48;

impl Intake {
    /// Most host memory beside what the plan of the header counts [bytes]: volumes on grids of their own while they are
    /// put on that of the dose, organs, their table, and the dose on the grid of the CT.
    pub fn host_bytes(&self) -> u64 {
        let dose_voxels = self.header.grid().voxels() as u64;
        let (mut kept, mut workspace) = (0, 0);
        for (role, volume) in &self.arrivals {
            let voxels = volume.grid.voxels() as u64;
            let moves = self.choice.resamples() || volume.grid != *self.header.grid();
            if moves || *role == InputRole::Ct || is_of_organs(*role) {
                kept += RECEIVED_BYTES * voxels;
            }
            if is_of_organs(*role) {
                kept += if moves { MOVING_ORGAN_BYTES * (voxels + dose_voxels) } else { ORGAN_BYTES * voxels };
            } else if moves {
                workspace = self.workspace_bytes(&volume.grid).max(workspace);
            }
        }
        if self.has_organs() {
            kept += TABLE_BYTES * dose_voxels;
        }
        if let Some(ct) = self.ct_grid().filter(|_| self.return_dose_on_ct()) {
            kept += RECEIVED_BYTES * ct.voxels() as u64;
        }
        kept + workspace
    }

    /// * `grid` – of a map that is resampled
    fn workspace_bytes(&self, grid: &VoxelGrid) -> u64 {
        let transform = self.choice.transform.clone().unwrap_or(RigidTransform::IDENTITY);
        let resampler = |transform: &RigidTransform| {
            Resampler::new(&Arc::new(grid.clone()), self.placing.grid(), transform).workspace_bytes()
        };
        // Whose coordinates a map has decides; both are counted.
        let moved = match self.placing.space() {
            Space::Activity => resampler(&transform),
            Space::Ct => resampler(&transform.inverse()),
        };
        moved.max(resampler(&RigidTransform::IDENTITY))
    }
}
