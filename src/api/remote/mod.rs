//! Jobs of the store, computed by workers elsewhere.
//!
//! ```text
//! gateway: store, ledger, order     ─order→  worker: device, cache of volumes
//!                                   ←beat──  every third of the lease, with progress; answered by what is gone
//!                                   ──stop─→ at once, when a job is cancelled
//!                                   ←report─ checkpoint, result or fault, again until the gateway has dealt with it
//! ```
//!
//! The ledger of the gateway says who has which job. An order names the attempt, and whatever a worker reports counts
//! only as long as that attempt is current in the ledger. Bytes go through the broker's objects; nothing is lost with
//! them that cannot be sent again.

#[cfg(test)]
mod conformance;
mod gateway;
mod messages;
mod worker;

pub use gateway::check_account;
pub(in crate::api) use gateway::run;
pub use worker::{CacheOptions, WorkerParts, work};
