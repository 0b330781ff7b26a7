//! `dosegrid study`, `send` and DICOMweb, run as a user runs them.

mod network;
mod road;
pub(crate) mod servers;
