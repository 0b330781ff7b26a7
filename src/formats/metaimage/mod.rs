//! MetaImage: a text header, and values behind it (`.mha`) or in a file of their own (`.mhd`).
//!
//! Source: ITK, "MetaIO/Documentation", and MetaIO's own `metaImage.cxx` where that is silent.

mod header;
mod write;

pub(super) use header::{find, is_header};
pub(super) use write::{write_file_of, write_pair_of};
