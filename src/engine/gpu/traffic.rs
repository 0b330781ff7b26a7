//! What passes between a device and its host. It costs time that no faster device saves; tests hold it to its bounds.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that were sent and fetched, and how often the device was waited for.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) sent_bytes: u64,
    pub(super) fetched_bytes: u64,
    pub(super) waits: u64,
}

/// Counts it.
#[derive(Debug, Default)]
pub(super) struct TrafficCounter {
    sent_bytes: AtomicU64,
    fetched_bytes: AtomicU64,
    waits: AtomicU64,
}

impl TrafficCounter {
    pub(super) fn sends(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn fetches(&self, bytes: u64) {
        self.fetched_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn waits(&self) {
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    /// What passed since it was last asked.
    #[cfg(test)]
    pub(super) fn take(&self) -> Traffic {
        let taken = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Traffic {
            sent_bytes: taken(&self.sent_bytes),
            fetched_bytes: taken(&self.fetched_bytes),
            waits: taken(&self.waits),
        }
    }
}
