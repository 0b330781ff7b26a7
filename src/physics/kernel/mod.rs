//! Kernels: from the energy around a point source to voxel S values on any grid.
//!
//! * `library`: the energy around points from which particles of one energy start, computed by this project's own transport.
//! * `spectrum`: the sum of those over all that a decay emits.
//! * `coefficients`: what photons leave in the media, and in tissues as mixtures of water and bone.
//! * `shells`: tables of other programs.
//! * `radial`: a table as a function of the radius, with its moments.
//! * `octant`: its integral over pairs of voxels, by `integrator`, which chooses between `rays` and Gauss rules.

mod coefficients;
mod density_table;
mod integrator;
pub mod library;
mod octant;
mod radial;
mod rays;
mod shells;
mod spectrum;

use std::sync::{Arc, Mutex};

use ndarray::Array3;

use crate::constants::GY_PER_MEV_PER_G;
use crate::domain::{Invalid, KernelMedium, Source};
use crate::math::cache::Cache;
use crate::math::watch::{Interrupted, Watch};

pub use coefficients::{AbsorbsAs, absorbs_as};
pub use radial::RadialKernel;
pub use spectrum::{
    Generation, PhotonGroup, RadialParts, density_g_cm3, library, library_sha256, radial_kernel, radial_parts,
};

/// Memory that [`voxel_kernel`] keeps for kernels of earlier requests, in the whole process [bytes].
pub const CACHE_BYTES: u64 = 64 << 20;

static CACHE: Mutex<Cache<KernelSpec, Arc<VoxelKernel>>> = Mutex::new(Cache::new(CACHE_BYTES, |kernel| kernel.bytes()));

/// What a voxel kernel depends on, and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelSpec {
    /// Energy around a point of the source.
    pub radial: Arc<RadialKernel>,
    /// What is absorbed where the decay is [MeV per decay].
    pub local_mev: f64,
    /// What the voxels are made of, at its nominal density.
    pub medium: KernelMedium,
    /// Voxel edges [cm].
    pub spacing_cm: [f64; 3],
    /// Offsets on each side of the centre, by axis.
    pub half_width: [usize; 3],
    /// Radius past which the radial kernel is cut off [cm]; none: nowhere within its table.
    pub truncation_radius_cm: Option<f64>,
    /// Whether the voxels of the kernel belong to energy that is scattered there, and not to decays.
    pub per_scattered: bool,
}

impl KernelSpec {
    /// The kernel of a source, from one voxel to as many on each side, up to the end of the radial kernel.
    ///
    /// # Errors
    /// If the source emits particles of more energy than the library of kernels has.
    pub fn new(
        source: &Source,
        medium: KernelMedium,
        spacing_cm: [f64; 3],
        half_width: [usize; 3],
    ) -> Result<Self, Invalid> {
        Ok(Self {
            radial: radial_kernel(source.emissions(), medium)?,
            local_mev: source.local_mev(),
            medium,
            spacing_cm,
            half_width,
            truncation_radius_cm: None,
            per_scattered: false,
        })
    }
}

/// Energy absorbed in each voxel around one uniformly radioactive voxel, per decay. Symmetric in each axis, so one octant says all.
#[derive(Clone, Debug)]
pub struct VoxelKernel {
    /// What it was computed for.
    pub spec: KernelSpec,
    /// Energy absorbed at offset `[i, j, k]`, each from 0 to the half width, x fastest in memory [MeV per decay].
    pub octant: Array3<f64>,
    /// Energy that the radial kernel holds, up to the truncation radius, in an unbounded medium, and what is absorbed where the decay is [MeV per decay].
    pub captured_mev: f64,
}

impl VoxelKernel {
    /// Voxel S values at the offsets of the octant, x fastest [Gy per decay, in the medium at its density].
    pub fn s_values_gy(&self) -> Array3<f64> {
        let mass_g = self.spec.spacing_cm.iter().product::<f64>() * density_g_cm3(self.spec.medium);
        self.octant.mapv(|mev| mev / mass_g * GY_PER_MEV_PER_G)
    }

    /// Memory that it takes [bytes].
    fn bytes(&self) -> u64 {
        (size_of::<Self>() + self.octant.len() * size_of::<f64>()) as u64
    }

    /// Energy absorbed in all voxels of the cube of offsets, mirrored ones included [MeV per decay].
    pub fn energy_in_cube_mev(&self) -> f64 {
        let mirrored =
            |(i, j, k): (usize, usize, usize)| [i, j, k].map(|n| if n > 0 { 2.0 } else { 1.0 }).iter().product::<f64>();
        self.octant.indexed_iter().map(|(index, energy)| mirrored(index) * energy).sum()
    }
}

/// Integrates voxel S values, or takes them from the cache.
///
/// # Errors
/// [`Interrupted`] when the caller goes away.
pub fn voxel_kernel(spec: &KernelSpec, watch: &dyn Watch) -> Result<Arc<VoxelKernel>, Interrupted> {
    let cache = || CACHE.lock().expect("no thread panics while it holds the cache");
    if let Some(kernel) = cache().get(spec) {
        return Ok(kernel);
    }
    let kernel = Arc::new(integrate(spec, watch)?);
    cache().insert(spec.clone(), Arc::clone(&kernel));
    Ok(kernel)
}

/// Integrates voxel S values: the radial kernel times the average over all directions of the overlap of two voxels.
///
/// # Errors
/// [`Interrupted`] when the caller goes away.
pub fn integrate(spec: &KernelSpec, watch: &dyn Watch) -> Result<VoxelKernel, Interrupted> {
    let radial = spec.radial.truncated(spec.truncation_radius_cm.unwrap_or(f64::INFINITY));
    let mut octant = octant::energies(&radial, spec.spacing_cm, spec.half_width, watch)?;
    octant[[0, 0, 0]] += spec.local_mev;
    Ok(VoxelKernel { spec: spec.clone(), octant, captured_mev: radial.captured_mev() + spec.local_mev })
}

/// Energy absorbed in each voxel around one uniformly active voxel, at the offsets of an octant, x fastest [MeV per decay]: as [`integrate`], for a radial
/// kernel of any source.
///
/// * `half_width` – offsets on each side of the source voxel, by axis
///
/// # Errors
/// [`Interrupted`] when the caller goes away.
pub fn voxel_energies(
    radial: &RadialKernel,
    spacing_cm: [f64; 3],
    half_width: [usize; 3],
    watch: &dyn Watch,
) -> Result<Array3<f64>, Interrupted> {
    octant::energies(radial, spacing_cm, half_width, watch)
}

/// Reads one table of shells as a radial kernel. The last shell holds what lies beyond the others and is left out.
///
/// # Errors
/// If the table is broken.
pub fn read_point_kernel(table: &str) -> Result<RadialKernel, Invalid> {
    Ok(RadialKernel::new(&shells::without_last(&shells::read(table)?)))
}
