//! Numerical methods that know no physics.
//!
//! * `gauss`, `quadrature`: Gauss rules and the integrals they give.
//! * `spline`, `monotone_cubic`, `chebyshev`: curves through points, and fitted series.
//! * `log_grid`: tables on logarithmic grids.
//! * `matrix_exponential`, `runge_kutta`: linear and ordinary differential equations.
//! * `least_squares`, `levenberg_marquardt`, `chi_square`: fits, and how probable they are.
//! * `bessel`, `root`, `smooth`: special functions, roots of functions, lengths for Fourier transforms.
//! * `watch`: how a long calculation reports its progress and learns that it should stop.
//! * `cache`: results kept for later, within a bound.

pub(crate) mod bessel;
pub mod cache;
pub(crate) mod chebyshev;
pub(crate) mod chi_square;
pub(crate) mod gauss;
pub(crate) mod least_squares;
pub(crate) mod levenberg_marquardt;
pub mod log_grid;
pub(crate) mod matrix_exponential;
pub(crate) mod monotone_cubic;
pub(crate) mod quadrature;
pub(crate) mod root;
pub(crate) mod runge_kutta;
pub mod smooth;
pub(crate) mod spline;
pub mod watch;
