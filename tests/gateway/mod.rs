//! `dosegrid gateway`, run as a site runs it.

mod ages;
mod archives;
mod commitment;
mod conformance;
mod ends;
mod figures;
mod foretold;
mod lacks;
mod network;
mod notices;
mod patients;
mod places;
mod post_office;
mod road;
pub(crate) mod site;
mod stow;
mod tls;
mod trial;
mod ups;
mod worklist;
