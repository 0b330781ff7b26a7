//! Files to and from the domain. Only this module knows file formats.

pub mod atomic;
pub mod emissions;
pub mod hu_curve;
pub mod label_names;
pub mod labels;
pub mod materials;
mod metaimage;
pub mod nifti;
mod nrrd;
mod rows;
pub mod tally;
pub mod transform;
pub mod volume_file;
mod voxels;
