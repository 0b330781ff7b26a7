//! From measured activities to what a physicist reports: curves over time and their integrals.
//!
//! * [`series`]: the activities of one region, checked once. [`integrate()`] gives their integral. Start here.
//! * [`curve`]: sums of exponentials, their values, means over a scan and integrals.
//! * [`window`]: what a scan sees of one exponential, with infusion.
//! * `weighting`, `starts`, `fit`, `candidate`, `pieces`: how a series is integrated. [`integral`]: what comes of it.
//! * [`cycles`]: the cycles of a therapy together.
//! * [`removal`]: dialysis, drainage, voiding.
//! * [`single_time_point`]: the integral from one measurement and what is known of the curve.
//!
//! Here times are in h since the start of the administration, activities in MBq, rates in 1/h (effective: physical
//! decay is inside) and time-integrated activities in MBq·h: those of a clinic, and those that it writes down.

mod candidate;
mod clock;
pub mod curve;
pub mod cycles;
mod fit;
pub mod integral;
mod integrate;
mod options;
mod pieces;
pub mod removal;
pub mod series;
pub mod single_time_point;
mod starts;
mod weighting;
pub mod window;

pub use candidate::Candidate;
pub use clock::Moment;
pub use curve::{Curve, Shape};
pub use integral::{Flag, Integration};
pub use integrate::integrate;
pub use options::{CurveOptions, ModelChoice, by_name};
pub use pieces::{BeforeFirst, Between, PieceRules};
pub use series::{Point, PointDraft, Series, SeriesDraft, ValueRefersTo};
pub use weighting::Weighting;
pub use window::Window;
