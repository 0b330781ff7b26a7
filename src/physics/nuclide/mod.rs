//! The radionuclides known to this program: one file for each in `data/nuclides/`, embedded by `build.rs`.
//!
//! * `file`: the content of a file, and its checks.
//! * `emissions`: the spectrum of a decay and its mean energies, from lines and beta branches.
//! * `registry`: all nuclides, each read on first use.
//! * `beta_range`: how far its beta particles go.
//! * `written`: the ways in which people write names.
//! * `names`: nuclides by name, and suggestions for unknown ones.

mod beta_range;
mod emissions;
mod file;
mod names;
mod registry;
mod written;

pub use beta_range::{BetaRange, beta_ranges};
pub use names::find;
pub use registry::{all, count, data_sha256, emissions, named, one_by_one, read_file};
