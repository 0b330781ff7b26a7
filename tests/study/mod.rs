//! `dosegrid study`, `send` and DICOMweb, run as a user runs them.

pub(crate) mod archives;
pub(crate) mod certificates;
mod damaged;
mod network;
mod road;
pub(crate) mod servers;
