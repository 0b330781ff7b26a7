//! Kernels: from the energy around a point source to voxel S values on any grid.
//!
//! * `library`: kernels of monoenergetic particles, computed by this project's own transport.
//! * `spectrum`: their sum over all emissions of a decay.
//! * `media`: the media, and their libraries.
//! * `parts`: the sum apart by what carries the energy.
//! * `scatter`: photons by energy, and what becomes of them from collision to collision.
//! * `coefficients`: what photons leave in the media, and in tissues as mixtures of water and bone.
//! * `shells`: reads the tables of other programs.
//! * `radial`: a table as a function of the radius, with its moments.
//! * `octant`: its integral over pairs of voxels. `integrator` chooses for each offset between Gauss rules, most of
//!   them of `lattice` for all offsets at once, and `rays`.

mod coefficients;
mod density_table;
mod integrator;
mod lattice;
pub mod library;
mod media;
mod octant;
mod parts;
mod radial;
mod rays;
mod scatter;
mod shells;
mod spectrum;

use std::sync::{Arc, LazyLock, Mutex};

use ndarray::Array3;

use crate::constants::GY_PER_MEV_PER_G;
use crate::domain::{Invalid, KernelMedium, Source};
use crate::math::cache::{Cache, SharedCache};
use crate::math::watch::{Interrupted, Unwatched, Watch};

pub use coefficients::{AbsorbsAs, absorbs_as};
pub use media::{density_g_cm3, library, library_sha256, uniform_density_g_cm3};
pub use parts::{RadialParts, radial_parts, radial_parts_watched};
pub use radial::RadialKernel;
pub use scatter::{PhotonGroup, ScatterGroup};
pub use spectrum::{KernelFault, radial_kernel, radial_kernel_watched};

/// Memory for kernels that [`voxel_kernel`] keeps for later requests, in the whole process [bytes].
pub const CACHE_BYTES: u64 = 64 << 20;

static CACHE: SharedCache<KernelSpec, Arc<VoxelKernel>> =
    LazyLock::new(|| Mutex::new(Cache::new("voxel kernels", CACHE_BYTES, |kernel| kernel.bytes())));

/// Everything that a voxel kernel depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelSpec {
    /// Energy around a point of the source.
    pub radial: Arc<RadialKernel>,
    /// Energy absorbed at the point of decay [MeV per decay].
    pub local_mev: f64,
    /// The medium of the voxels, at its nominal density.
    pub medium: KernelMedium,
    /// Voxel edges [cm].
    pub spacing_cm: [f64; 3],
    /// Offsets on each side of the centre, by axis.
    pub half_width: [usize; 3],
    /// Radius at which the radial kernel is cut off [cm]; none for the whole table.
    pub truncation_radius_cm: Option<f64>,
    /// Whether the voxels of the kernel belong to energy that is scattered there, and not to decays.
    pub per_scattered: bool,
}

impl KernelSpec {
    /// The kernel of a source, from one voxel to as many on each side, up to the end of the radial kernel.
    ///
    /// # Errors
    /// If the source emits particles with energies above those of the kernel library.
    pub fn new(
        source: &Source,
        medium: KernelMedium,
        spacing_cm: [f64; 3],
        half_width: [usize; 3],
    ) -> Result<Self, Invalid> {
        Self::new_watched(source, medium, spacing_cm, half_width, &Unwatched).map_err(KernelFault::unwatched)
    }

    /// As [`KernelSpec::new`]; `watch` is asked at each emission whether to go on.
    ///
    /// # Errors
    /// [`KernelFault`].
    pub fn new_watched(
        source: &Source,
        medium: KernelMedium,
        spacing_cm: [f64; 3],
        half_width: [usize; 3],
        watch: &dyn Watch,
    ) -> Result<Self, KernelFault> {
        Ok(Self {
            radial: radial_kernel_watched(source.emissions(), medium, watch)?,
            local_mev: source.local_mev(),
            medium,
            spacing_cm,
            half_width,
            truncation_radius_cm: None,
            per_scattered: false,
        })
    }
}

/// Energy absorbed in each voxel around one uniformly radioactive voxel, per decay. It is symmetric in each axis, so
/// one octant is enough.
#[derive(Clone, Debug)]
pub struct VoxelKernel {
    /// What it was computed for.
    pub spec: KernelSpec,
    /// Energy absorbed at offset `[i, j, k]`, each from 0 to the half width, x fastest in memory [MeV per decay].
    pub octant: Array3<f64>,
    /// Energy that the radial kernel holds in an unbounded medium, up to the truncation radius, plus the energy
    /// absorbed at the point of decay [MeV per decay].
    pub captured_mev: f64,
}

impl VoxelKernel {
    /// Voxel S values at the offsets of the octant, x fastest [Gy per decay, in the medium at its density].
    pub fn s_values_gy(&self) -> Array3<f64> {
        let mass_g = self.spec.spacing_cm.iter().product::<f64>() * density_g_cm3(self.spec.medium);
        self.octant.mapv(|mev| mev / mass_g * GY_PER_MEV_PER_G)
    }

    /// Memory that it takes [bytes].
    pub fn bytes(&self) -> u64 {
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

/// Integrates voxel S values: the radial kernel times the overlap of two voxels, averaged over all directions.
///
/// # Errors
/// [`Interrupted`] when the caller goes away.
pub fn integrate(spec: &KernelSpec, watch: &dyn Watch) -> Result<VoxelKernel, Interrupted> {
    let radial = spec.radial.truncated(spec.truncation_radius_cm.unwrap_or(f64::INFINITY));
    let mut octant = octant::energies(&radial, spec.spacing_cm, spec.half_width, watch)?;
    octant[[0, 0, 0]] += spec.local_mev;
    Ok(VoxelKernel { spec: spec.clone(), octant, captured_mev: radial.captured_mev() + spec.local_mev })
}

/// Energy absorbed in each voxel around one uniformly active voxel, at the offsets of an octant, x fastest [MeV per
/// decay]: like [`integrate`], for any radial kernel.
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

/// Reads a table of shells as a radial kernel. The last shell holds the energy beyond the others and is left out.
///
/// # Errors
/// If the table is broken.
pub fn read_point_kernel(table: &str) -> Result<RadialKernel, Invalid> {
    Ok(RadialKernel::new(&shells::without_last(&shells::read(table)?)))
}
