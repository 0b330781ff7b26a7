//! The gRPC boundary: only this module knows tonic and prost.
//!
//! ```text
//! header ─decode→ plan, reserve ─upload→ DoseRequest ─queue→ DoseResult ─encode→ result, chunks
//! ```
//!
//! * [`config`]: limits and times, from the command line.
//! * [`server`]: listens, serves, drains.
//! * [`client`]: calls a server and gives back the domain's own result.
//! * [`status`]: the one map between errors and gRPC status.

mod call;
pub mod client;
pub mod config;
mod deadline;
mod decode;
mod encode;
mod kernel_calls;
mod off_thread;
mod provenance;
pub mod server;
mod service;
pub mod status;
mod upload;
mod volume;

pub use config::ServerConfig;

/// Messages and stubs made from `proto/dosegrid/v1/`.
#[expect(clippy::allow_attributes_without_reason, clippy::large_enum_variant, reason = "generated code")]
pub mod pb {
    tonic::include_proto!("dosegrid.v1");

    /// What reflection serves.
    pub(super) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dosegrid.v1.bin"));
}
