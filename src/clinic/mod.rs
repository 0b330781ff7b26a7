//! From measured activities to what a physicist reports: curves over time and their integrals, biologically effective
//! dose, uncertainty, and the next cycle.
//!
//! * [`curve`]: sums of exponentials, their values, means over a scan and integrals.
//! * [`window`]: what a scan sees of one exponential, with infusion.
//! * [`single_time_point`]: the integral from one measurement and what is known of the curve.
//! * [`recovery`]: partial volume, and the correction for it.
//! * [`outline`], [`budget`]: how well a volume is known, and the uncertainty budget of a dose.
//! * [`dose_rate`], [`course`]: dose-rate after an administration, and over infusions, sessions and cycles.
//! * [`repair`], [`bed`], [`cycle_factors`], [`uniform_dose`], [`radiation`]: biologically effective dose.
//! * [`cycles`], [`next_cycle`]: the sum of cycles, and the activity that stays within limits.
//!
//! Here times are in h since the start of the administration, activities in MBq, rates in 1/h (effective: physical
//! decay is inside) and time-integrated activities in MBq·h: those of a clinic, and those that it writes down.

pub mod bed;
pub mod budget;
pub mod course;
pub mod curve;
pub mod cycle_factors;
pub mod cycles;
mod divided;
pub mod dose_rate;
pub mod next_cycle;
pub mod outline;
pub mod radiation;
pub mod recovery;
mod recovery_fit;
pub mod repair;
pub mod single_time_point;
pub mod uniform_dose;
pub mod window;

pub use curve::{Curve, Shape};
pub use window::Window;
