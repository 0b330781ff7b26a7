//! NRRD: a text header, and values behind it (`.nrrd`) or in a file of their own (`.nhdr`).
//!
//! Source: G. Kindlmann, "Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html.

mod fields;
mod header;
mod write;

pub(super) use header::find;
pub(super) use write::{write_file_of, write_pair_of};
