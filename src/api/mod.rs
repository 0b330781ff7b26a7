//! The gRPC boundary: only this module knows tonic and prost.
//!
//! ```text
//! header ─wire→ RawIntake ─check→ plan, reserve ─upload→ DoseRequest ─queue→ DoseResult ─wire→ result, chunks
//! ```
//!
//! * [`config`]: limits and timeouts of a server.
//! * `door`: connections, TLS, and who is calling.
//! * [`server`]: listens, serves, drains.
//! * [`identity`]: who is calling.
//! * [`client`]: calls a server and returns the domain's own result.
//! * `wire`: messages to and from the program's own nouns, one file a noun.
//! * [`status`]: the mapping between errors and gRPC status.
//! * `log`: one line for each call, and the id that the caller gets too.
//! * `status_page`: jobs, devices and results for people, over HTTP.
//! * `traces`: spans of calls and jobs for a collector.

mod aftermath;
mod attempt;
mod bed_call;
mod call;
mod capped;
mod checkpoints;
mod chunks;
pub mod client;
pub mod config;
mod deadline;
mod desk;
mod door;
mod durable;
mod figures;
mod gate;
pub mod identity;
mod integrate_call;
mod job_calls;
mod job_spec;
mod job_watch;
mod kernel_calls;
mod log;
mod map_call;
mod merge_call;
mod metrics_page;
mod off_thread;
mod pace;
mod page;
mod reasons;
pub mod remote;
mod resample_call;
mod runner;
pub mod server;
mod service;
pub mod status;
mod status_page;
mod store_status;
mod stored_volumes;
mod stream;
mod tallies;
mod told;
mod traces;
mod turns;
mod upload;
mod volume_calls;
mod warm_up;
mod wire;

pub use config::ServerConfig;
pub use door::{CredentialFiles, Credentials, certificate_is_good};
pub use status_page::StatusPage;
pub use traces::Traces;
pub use warm_up::WarmUp;

/// Messages and stubs made from `proto/dosegrid/v1/`.
#[expect(clippy::allow_attributes_without_reason, clippy::large_enum_variant, reason = "generated code")]
pub mod pb {
    tonic::include_proto!("dosegrid.v1");

    /// What reflection serves.
    pub(super) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dosegrid.v1.bin"));
}
