//! From measured activities to what a physicist reports: curves over time and their integrals.
//!
//! * [`curve`]: sums of exponentials, their values, means over a scan and integrals.
//! * [`window`]: what a scan sees of one exponential, with infusion.
//! * [`single_time_point`]: the integral from one measurement and what is known of the curve.
//!
//! Here times are in h since the start of the administration, activities in MBq, rates in 1/h (effective: physical
//! decay is inside) and time-integrated activities in MBq·h: those of a clinic, and those that it writes down.

pub mod curve;
pub mod single_time_point;
pub mod window;

pub use curve::{Curve, Shape};
pub use window::Window;
