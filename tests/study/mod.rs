//! `dosegrid study`, `send` and DICOMweb, run as a user runs them.

mod network;
mod road;
mod servers;
