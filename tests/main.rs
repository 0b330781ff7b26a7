//! Tests of the whole crate from outside: one binary, one link.

mod cli;
mod convolution;
mod data;
mod daughters;
mod demo;
mod electron_tables;
mod formats;
mod gpu;
mod grpc;
mod invariants;
mod kernel_library;
mod kernel_regions;
mod kernels;
mod kernels_published;
mod layering;
mod monte_carlo;
mod nuclides;
mod patient;
mod photon_tables;
mod support;
mod transport_invariants;
mod transport_patient;
mod transport_physics;
mod transport_statistics;
mod validate;
