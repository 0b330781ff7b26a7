//! Organs as regions of activity maps: whole voxels, none in two regions.

use std::sync::Arc;

use crate::clinic::{VoxelRegion, regions_of};
use crate::domain::{DoseError, Organs, RigidTransform, VoxelGrid};
use crate::resample::Resampler;

/// The organs on the grid of the maps, and all other voxels as one region more. A voxel that organs share goes to the
/// one with the largest part of it; where organs overlap, to the smaller.
///
/// * `transform` – from points of the maps to those of the organs
/// * `told` – what this changed, in words
///
/// # Errors
/// If no voxel is left of any organ.
pub(in crate::cli) fn regions_on(
    organs: &Organs,
    grid: &Arc<VoxelGrid>,
    transform: &RigidTransform,
    told: &mut Vec<String>,
) -> Result<Vec<VoxelRegion>, DoseError> {
    let invalid = |fault: crate::domain::Invalid| DoseError::invalid("labels", fault.0);
    let on_grid = Resampler::new(organs.grid(), grid, transform).organs(organs).map_err(invalid)?;
    let whole = Organs::of_map(&on_grid.label_map()).map_err(invalid)?;
    let overlapping = on_grid.overlapping_voxels();
    if overlapping > 0 {
        told.push(format!(
            "for curves each voxel belongs to one region, {overlapping} of overlapping organs to the smaller; the organ \
             table counts them in both"
        ));
    }
    let mut named = Vec::new();
    for organ in on_grid.organs() {
        let Some(found) = whole.organs().iter().find(|found| found.label == organ.label) else {
            let name = organ.name.as_deref().unwrap_or_default();
            told.push(format!("{name} (label {}) has the larger part of no voxel, and no curve", organ.label));
            continue;
        };
        named.push(found.renamed(organ.label, organ.name.clone()).map_err(invalid)?);
    }
    regions_of(&Organs::new(grid.clone(), named).map_err(invalid)?)
}
