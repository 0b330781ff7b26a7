//! The field's tables and integrals, in `f64`: constants, nuclides, point kernels, voxel S values, tissue.

pub mod constants;
pub mod kernel;
pub mod nuclide;
pub mod tissue;
