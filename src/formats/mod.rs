//! Files to and from the domain: one file for each format, with its reader and its writer. Only this module knows file
//! formats.

pub mod atomic;
pub mod emissions;
pub mod hu_curve;
pub mod json;
pub mod label_names;
pub mod materials;
pub mod nifti;
pub mod organ_table;
mod rows;
pub mod s_values;
pub mod tally;
