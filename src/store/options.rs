//! What a store may use, and how long it keeps what.

use std::time::Duration;

use super::StoreKeys;
use crate::faults::Faults;

const DAY: Duration = Duration::from_secs(86_400);

/// Limits and times of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreOptions {
    /// How long a complete volume is kept that no job refers to.
    pub volume_ttl: Duration,
    /// How long an unfinished upload is kept after its last byte.
    pub upload_ttl: Duration,
    /// How long a finished job is kept, with its results.
    pub job_ttl: Duration,
    /// Bytes of a tenant: complete, unfinished and reserved.
    pub tenant_bytes: u64,
    /// Unfinished jobs of a tenant.
    pub tenant_jobs: u64,
    /// Jobs that may wait.
    pub queue_length: usize,
    /// Bytes of the disk that are kept free.
    pub reserve_bytes: u64,
    /// Bytes that the disk must have for the ledger and the audit log: below it, nothing is written. Volumes leave them
    /// free, however little is kept free otherwise.
    pub ledger_bytes: u64,
    /// Attempts in a row without a new checkpoint after which a job is given up.
    pub max_attempts: u32,
    /// Longest estimate of a small job.
    pub small_job: Duration,
    /// Keys of encrypted files. Without any, new files are plain.
    pub keys: StoreKeys,
    /// Faults that are injected into its files.
    pub faults: Faults,
    /// Whether jobs that ran when the store was left stay as they are: they may still run, on workers of their own, or
    /// the store is only looked after, and how often a job may be lost is for its service to say.
    pub leaves_running: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            volume_ttl: 7 * DAY,
            upload_ttl: DAY,
            job_ttl: 30 * DAY,
            tenant_bytes: 65_536 << 20,
            tenant_jobs: 1000,
            queue_length: 10_000,
            reserve_bytes: 1024 << 20,
            ledger_bytes: 8 << 20,
            max_attempts: 3,
            small_job: Duration::from_secs(10),
            keys: StoreKeys::default(),
            faults: Faults::default(),
            leaves_running: false,
        }
    }
}
