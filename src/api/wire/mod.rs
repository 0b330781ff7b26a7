//! Conversion between messages and the program's own types: one file for each type, both directions together.
//!
//! What a caller sends becomes the raw form of [`crate::request`], which is not checked yet. What a server sends
//! becomes the domain's own type, or nothing if a part is missing that every server sends.

pub(super) mod activity_account;
pub(super) mod activity_unit;
pub(super) mod bed;
pub(super) mod budget;
pub(super) mod cache;
pub(super) mod capabilities;
pub(super) mod curves;
pub(super) mod device;
pub(super) mod grid;
pub(super) mod header;
pub(super) mod intake;
pub(super) mod integration;
pub(super) mod kernel;
pub(super) mod material;
pub(super) mod merging;
pub(super) mod method;
pub(super) mod monte_carlo;
pub(super) mod monte_carlo_account;
pub(super) mod nuclide;
pub(super) mod progress;
pub(super) mod provenance;
pub(super) mod regrid;
pub(super) mod result;
pub(super) mod source;
pub(super) mod source_account;
pub(super) mod stored;
pub(super) mod understood;
pub(super) mod volume;
pub(super) mod words;

use super::pb;
