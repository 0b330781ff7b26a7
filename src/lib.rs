//! dosegrid computes absorbed dose, voxel by voxel, for radioligand therapy. [`compute()`] has an example.
//!
//! The tree is the data flow, and so is this list of modules:
//!
//! ```text
//! bytes ─wire→ RawHeader ─check→ RequestHeader ─plan→ DosePlan ─run(engine)→ DoseResult ─wire→ bytes
//!  api/          request/           domain/       plan/    method/ + engine/     domain/      api/
//! ```
//!
//! * [`domain`]: the nouns, which cannot hold bad values. Plain data, no I/O.
//! * [`digest`]: SHA-256 digests.
//! * [`faults`]: failures that are injected on purpose, in builds for it.
//! * [`formats`]: files (NIfTI, NRRD, MetaImage, tallies, small tables) to and from the domain.
//! * [`resample`]: maps from one grid to another.
//! * [`physics`]: nuclides, materials, cross sections, point kernels and voxel S values, in `f64`.
//! * [`clinic`]: from measured activities to what a physicist reports: curves over time and their integrals.
//! * [`request`]: from what a caller wrote to a checked header, for the command line and gRPC alike.
//! * [`intake`]: from volumes as callers have them to a request on one grid.
//! * [`plan`]: from a request to padded shapes, blocks, cuts, histories and bytes. Pure; knows no device.
//! * [`engine`]: the devices that carry out what a method asks for: the CPU, and any GPU through WGSL.
//! * [`method`]: one driver per method of dose calculation.
//! * [`compute()`]: the one way from a request to its dose. Start here.
//! * [`dosimetry`]: what follows from a dose: organ table, dose-volume histogram.
//! * [`jobs`]: the queue between asynchronous callers and the thread that owns a device. `async` ends there.
//! * [`metrics`]: figures of a running service.
//! * [`audit`]: the hash-chained log of who did what.
//! * [`store`]: volumes and jobs that outlive the process, in a folder.
//! * [`broker`]: NATS between a gateway and its workers.
//! * [`api`]: the gRPC boundary, server and client.
//! * [`pacs`]: DICOM over the network.
//! * [`gateway`]: between an archive and the engine: studies in, doses out, by rules.
//! * [`report`]: figures, pictures and pages for people.
//! * [`page`]: pages over HTTP.
//! * [`demo`]: a stylised patient, computed from end to end.
//! * [`validate`]: checks the physics of a device against theory and against EGSnrc.
//! * [`kernel_library`]: computes the library of point kernels that kernel doses are built from.
//! * [`bench`]: measures how fast a device is.
//! * [`cli`]: the command line.
//!
//! Units inside are cm, g, s and MeV; dose leaves as Gy, lengths as mm. Shapes are `[nx, ny, nz]`, x fastest.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "units stand in brackets, as in [MeV]; rustdoc takes them for links"
)]

pub mod api;
pub mod audit;
pub mod bench;
pub mod broker;
pub mod cli;
pub mod clinic;
pub mod compute;
pub mod constants;
pub mod demo;
pub mod digest;
pub mod domain;
pub mod dosimetry;
pub(crate) mod embedded;
pub mod engine;
pub mod faults;
pub mod formats;
pub mod gateway;
pub mod intake;
pub mod jobs;
pub mod kernel_library;
pub mod math;
pub mod method;
pub mod metrics;
pub mod pacs;
pub mod page;
pub mod physics;
pub mod plan;
pub mod prepare;
pub(crate) mod priority;
pub mod report;
pub mod request;
pub mod resample;
pub mod store;
pub mod validate;

pub use compute::compute;
