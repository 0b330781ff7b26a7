//! DICOM files read: the shared cases, kinds of files that are not among them, and damaged ones.

mod cases;
mod claims;
mod command;
mod contours;
mod hostile;
mod kinds;
mod lines;
mod objects;
mod packed;
mod places;
mod plans;
mod series;
mod together;
