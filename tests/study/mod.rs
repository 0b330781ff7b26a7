//! `dosegrid study`, `send` and DICOMweb, run as a user runs them.

pub(crate) mod archives;
pub(crate) mod certificates;
mod network;
mod road;
pub(crate) mod servers;
