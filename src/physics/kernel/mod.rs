//! Kernels: from the energy around a point source in water to voxel S values on any grid.

use std::sync::Arc;

use ndarray::Array3;

use crate::domain::{Control, DoseError, Nuclide};

/// What a voxel kernel depends on, and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelSpec {
    /// What decays.
    pub nuclide: &'static Nuclide,
    /// Voxel edges [cm].
    pub spacing_cm: [f64; 3],
    /// Offsets on each side of the centre, by axis.
    pub half_width: [usize; 3],
    /// Radius past which the radial kernel is cut off [cm]; none: nowhere within its table.
    pub truncation_radius_cm: Option<f64>,
}

/// Energy absorbed in each voxel around one uniformly radioactive voxel of water, per decay. Symmetric in each axis, so one octant says all.
#[derive(Clone, Debug)]
pub struct VoxelKernel {
    /// What it was computed for.
    pub spec: KernelSpec,
    /// Energy absorbed at offset `[i, j, k]`, each from 0 to the half width, x fastest in memory [MeV per decay].
    pub octant: Array3<f64>,
    /// Energy that the radial kernel holds, up to the truncation radius, in an unbounded medium [MeV per decay].
    pub captured_mev: f64,
}

/// Integrates voxel S values.
///
/// # Errors
/// [`DoseError::Cancelled`] when the caller goes away.
pub fn voxel_kernel(_spec: &KernelSpec, _control: &Control) -> Result<Arc<VoxelKernel>, DoseError> {
    unimplemented!()
}

/// Radius at which the tabulated radial kernel of a nuclide ends [cm].
pub fn table_radius_cm(_nuclide: &Nuclide) -> f64 {
    40.0
}
