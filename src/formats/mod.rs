//! Files to and from the domain. Only this module knows file formats.

pub mod atomic;
pub mod nifti;
