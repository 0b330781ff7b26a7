//! DICOM files read: the shared cases, kinds of files that are not among them, and damaged ones.

mod cases;
mod command;
mod hostile;
mod kinds;
mod objects;
