//! Files to and from the domain: one file for each format, with its reader and its writer. Only this module knows file
//! formats.

pub mod atomic;
pub mod dose_volume_table;
pub mod emissions;
pub mod hu_curve;
pub mod json;
pub mod label_names;
pub mod labels;
pub mod materials;
mod metaimage;
pub mod nifti;
mod nrrd;
pub mod organ_table;
mod rows;
pub mod s_values;
pub mod tally;
pub mod toml_file;
pub mod transform;
pub mod volume_file;
mod voxels;
