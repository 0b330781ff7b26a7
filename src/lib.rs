//! dosegrid computes absorbed dose, voxel by voxel, for radioligand therapy.
//!
//! The tree is the data flow, and so is this list of modules:
//!
//! ```text
//! bytes ─decode→ DoseRequest ─plan→ DosePlan ─run(engine)→ DoseResult ─encode→ bytes
//!  api/            domain/     plan/    method/ + engine/     domain/      api/
//! ```
//!
//! * [`domain`]: the nouns, which cannot hold bad values. Plain data, no I/O.
//! * [`formats`]: files (NIfTI, NRRD, MetaImage, tallies, small tables) to and from the domain.
//! * [`resample`]: maps from one grid to another.
//! * [`physics`]: nuclides, materials, cross sections, point kernels and voxel S values, in `f64`.
//! * [`plan`]: from a request to padded shapes, blocks, cuts, histories and bytes. Pure; knows no device.
//! * [`method`]: one driver per method of dose calculation.
//! * [`engine`]: the devices that carry out what a method asks for: the CPU, and any GPU through WGSL.
//! * [`dosimetry`]: what follows from a dose: organ table, dose-volume histogram.
//! * [`jobs`]: the queue between asynchronous callers and the thread that owns a device. `async` ends there.
//! * [`api`]: the gRPC boundary, server and client.
//! * [`demo`]: a stylised patient, computed from end to end.
//! * [`validate`]: checks of the physics, against theory and against EGSnrc, on the device that will compute.
//! * [`kernel_library`]: makes the library of point kernels that kernel doses are built from.
//! * [`bench`]: how fast a device is.
//! * [`cli`]: the command line.
//!
//! Units inside are cm, g, s and MeV; dose leaves as Gy, lengths as mm. Shapes are `[nx, ny, nz]`, x fastest.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "units stand in brackets, as in [MeV]; rustdoc takes them for links"
)]

pub mod api;
pub mod bench;
pub mod cli;
pub mod constants;
pub mod demo;
pub mod domain;
pub mod dosimetry;
pub(crate) mod embedded;
pub mod engine;
pub mod formats;
pub mod jobs;
pub mod kernel_library;
pub mod math;
pub mod method;
pub mod physics;
pub mod plan;
pub mod prepare;
pub mod resample;
pub mod validate;
