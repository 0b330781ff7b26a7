//! Numerical methods that know no physics: quadrature, splines, tables on logarithmic grids.

pub(crate) mod chebyshev;
pub(crate) mod gauss;
pub mod log_grid;
pub(crate) mod quadrature;
pub(crate) mod spline;
