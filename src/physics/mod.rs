//! The field's tables and integrals, in `f64`: constants, nuclides, materials, photon and electron cross sections,
//! point kernels, voxel S values.

pub mod beta;
pub mod chain;
pub mod electron;
pub mod energy_grid;
pub mod kernel;
pub mod known;
pub mod material;
pub mod nuclide;
pub mod photon;
pub mod tissue;
