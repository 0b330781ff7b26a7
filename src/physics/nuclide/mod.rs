//! The radionuclides known to this program: one file each in `data/nuclides/`, which `build.rs` embeds.
//!
//! * `file`: the file as it is written, and what must hold for it.
//! * `emissions`: from lines and beta branches to the spectrum of a decay, and its mean energies.
//! * `registry`: all of them, each read when it is first asked for.
//! * `lineage`: what comes of a nuclide, and how far its beta particles go.
//! * `names`: how people write their names, and which are near to one that is unknown.

mod elements;
mod emissions;
mod file;
mod lineage;
mod names;
mod registry;

pub use lineage::{BetaRange, Descendant, beta_ranges, descendants, lineage};
pub use names::find;
pub use registry::{all, data_sha256, emissions, named, read_file};
