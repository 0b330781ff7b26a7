//! `dosegrid gateway`, run as a site runs it.

mod commitment;
mod conformance;
mod figures;
mod network;
mod patients;
mod road;
pub(crate) mod site;
mod stow;
mod tls;
mod trial;
