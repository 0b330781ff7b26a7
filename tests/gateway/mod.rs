//! `dosegrid gateway`, run as a site runs it.

mod conformance;
mod network;
mod road;
pub(crate) mod site;
