//! From measured activities to what a physicist reports: curves over time and their integrals, biologically effective
//! dose, uncertainty, and the next cycle.
//!
//! * [`series`]: the activities of one region, checked once. [`integrate()`] gives their integral. Start here.
//! * [`curve`]: sums of exponentials, their values, means over a scan and integrals.
//! * [`window`]: what a scan sees of one exponential, with infusion.
//! * `weighting`, `starts`, `fit`, `candidate`, `pieces`: how a series is integrated. [`integral`]: what comes of it.
//! * [`frames`]: maps over time. [`shared`]: a curve for each region, shared out to its voxels. [`voxels`]: a curve for
//!   each voxel.
//! * [`plausible`]: numbers that look like those of another unit.
//! * [`cycles`]: the cycles of a therapy together.
//! * [`removal`]: dialysis, drainage, voiding. `removed_series`: the integral of points with such things between them.
//! * [`single_time_point`]: the integral from one measurement and what is known of the curve.
//! * [`recovery`]: partial volume, and the correction for it.
//! * [`outline`], [`budget`]: how well a volume is known, and the uncertainty budget of a dose.
//! * [`dose_rate`], [`course`]: dose-rate after an administration, and over infusions, sessions and cycles.
//! * [`repair`], [`bed`], [`cycle_factors`], [`uniform_dose`], [`radiation`]: biologically effective dose.
//! * [`organ_cycles`], [`next_cycle`]: the doses of cycles by organ, and the activity that stays within limits.
//!
//! Here times are in h since the start of the administration, activities in MBq, rates in 1/h (effective: physical
//! decay is inside) and time-integrated activities in MBq·h: those of a clinic, and those that it writes down.

pub mod bed;
pub mod budget;
mod candidate;
mod clock;
pub mod course;
mod covariance;
pub mod curve;
pub mod cycle_factors;
pub mod cycles;
mod divided;
pub mod dose_rate;
mod fit;
mod fitted_clearance;
pub mod frames;
pub mod integral;
mod integrate;
pub mod next_cycle;
mod options;
pub mod organ_cycles;
pub mod outline;
mod pieces;
pub mod plausible;
pub mod radiation;
pub mod recovery;
mod recovery_fit;
pub mod removal;
mod removed_series;
pub mod repair;
pub mod series;
pub mod shared;
mod shared_one;
pub mod single_time_point;
mod starts;
pub mod uniform_dose;
mod voxel_mono;
pub mod voxels;
mod weighting;
pub mod window;

pub use candidate::Candidate;
pub use clock::{Moment, hours_between};
pub use curve::{Curve, Shape};
pub use fitted_clearance::Clearance;
pub use frames::Frames;
pub use integral::{Flag, Integration};
pub use integrate::integrate;
pub use options::{CurveOptions, ModelChoice, by_name};
pub use pieces::{BeforeFirst, Between, PieceRules};
pub use removed_series::{Removals, integrate_removed};
pub use series::{Point, PointDraft, Series, SeriesDraft, ValueRefersTo};
pub use shared::{SharingOptions, VoxelRegion, region_name, regions_of, share_out};
pub use shared_one::{NO_KINETICS, OneMapRegion, SharedOne, one_map_series, share_out_one};
pub use voxels::{VoxelKind, VoxelModel, VoxelOptions, integrate_voxels, integrate_voxels_watched};
pub use weighting::Weighting;
pub use window::Window;
