//! Files to and from the domain: one file for each format, with its reader and its writer. Only this module knows file
//! formats.

pub mod atomic;
pub mod curve_table;
pub mod curves_csv;
pub mod dicom;
pub mod dose_volume_table;
pub mod emissions;
pub mod hu_curve;
pub mod json;
pub mod label_names;
pub mod labels;
pub mod map_series;
pub mod materials;
mod metaimage;
pub mod nifti;
mod nrrd;
pub mod organ_table;
pub mod parquet_table;
pub mod prior_curves;
mod rows;
pub mod s_values;
pub mod tally;
pub mod toml_file;
pub mod transform;
pub mod volume_file;
mod voxels;
