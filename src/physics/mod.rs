//! The field's tables and integrals, in `f64`: constants, nuclides, materials, photon and electron cross sections, point kernels, voxel S values.

pub mod beta;
pub mod chain;
mod chebyshev;
pub mod constants;
pub mod electron;
pub mod element;
pub(crate) mod embedded;
pub mod kernel;
pub mod log_grid;
pub mod material;
pub mod nuclide;
pub mod photon;
pub(crate) mod quadrature;
mod spline;
pub mod tissue;
