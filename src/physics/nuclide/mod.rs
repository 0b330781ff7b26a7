//! The radionuclides known to this program: one file each in `data/nuclides/`, which `build.rs` embeds.
//!
//! * `file`: the file as it is written, and what must hold for it.
//! * `emissions`: from lines and beta branches to the spectrum of a decay, and its mean energies.
//! * `registry`: all of them, each read when it is first asked for.
//! * `beta_range`: how far its beta particles go.
//! * `names`: how people write their names, and which are near to one that is unknown.

mod beta_range;
mod emissions;
mod file;
mod names;
mod registry;

pub use beta_range::{BetaRange, beta_ranges};
pub use names::find;
pub use registry::{all, data_sha256, emissions, named};
