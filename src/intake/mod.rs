//! From volumes as callers have them to a request on one grid: values that are no activity, CT to density, resampling,
//! organs. The command line and the gRPC service share it.
//!
//! ```text
//! RawIntake ─check→ Intake (a header on the grid of the dose, and what will come) ─assemble→ Assembled
//! ```
//!
//! [`RawIntake::check`] needs no voxel, so a request is refused or planned before any comes. [`Intake::assemble`] then
//! makes the request of them. Who reads files has the voxels first, and begins with [`GridChoice::place`].

mod assemble;
pub mod bed;
pub mod budget;
mod check;
mod choice;
pub mod curves;
mod density;
mod integration;
mod memory;
mod merging;
mod options;
mod place;
mod raw;
mod regrid;
mod regridding;
mod role;

pub use assemble::{Assembled, IntakeAccount};
pub use check::{Intake, MAX_DOSE_VOLUME_POINTS, MAX_DOSE_VOLUME_VALUES, MAX_ORGAN_VOLUMES, MAX_ORGANS};
pub use density::{AIR_HU, CtDensity, density_of_ct, density_of_ct_watched, without_nan};
pub use integration::{
    IntegralVolumes, IntegratedMaps, MAX_SCANS, MapIntegration, OneScanRegion, RawIntegration, RawScan,
};
pub use merging::{MAX_TALLIES, Merging, RawMerging, organs_in_order};
pub use place::{GridChoice, Maps, Placed};
pub use raw::{RawDoseGrid, RawIntake, RawOrganVolume, paths};
pub use regrid::{RawRegrid, RawTarget, Regrid, RegridKind};
pub use regridding::{LabelSize, RegridAccount, Regridded, RegriddedValues, Regridding, regrid_without_nan};
pub use role::InputRole;
