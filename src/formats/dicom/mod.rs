//! DICOM files to and from the domain. Only this module knows data sets and their attributes.

pub mod write;
