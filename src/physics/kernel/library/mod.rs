//! Point kernels of monoenergetic particles, computed by this project's own transport (`crate::kernel_library`) and
//! embedded, one file for each medium.
//!
//! * `axis`: the radii.
//! * `curve`: energy within a radius, interpolated.
//! * `charged`, `photons`: kernels over the energy. `energies`: interpolation between them.
//! * `file`: how a library is stored.
//! * `header`: how it was made.

pub(crate) mod axis;
mod charged;
mod curve;
mod energies;
mod file;
mod header;
mod photons;

/// The material for which a library also holds what photons would leave in it, were a little of it in the medium.
pub const BONE: &str = "cortical_bone";

pub(super) use charged::Within;
pub use charged::{ChargedKernel, ChargedKernels};
pub(crate) use header::has_bone;
pub use header::{LibraryHeader, data_sha256};
pub use photons::{PhotonKernel, PhotonKernels};

/// Kernels of one medium.
#[derive(Clone, Debug)]
pub struct KernelLibrary {
    /// How it was made.
    pub header: LibraryHeader,
    /// Of electrons.
    pub electrons: ChargedKernels,
    /// Of positrons.
    pub positrons: ChargedKernels,
    /// Of photons.
    pub photons: PhotonKernels,
}
