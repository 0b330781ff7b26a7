//! Windows of connections: what callers may have sent that nobody has read yet, within one share of the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The window that HTTP/2 gives every connection [bytes]; it can only grow.
const LEAST: u32 = (1 << 16) - 1;
/// A connection takes at most this part of what others have left.
const PART: u64 = 6;

/// The share of all connections.
#[derive(Debug)]
pub(super) struct Windows {
    /// Beside the least window of each connection that there may be [bytes].
    free_bytes: AtomicU64,
    /// What a connection takes where there is enough [bytes].
    full: u32,
}

/// The window of a connection, which is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Window {
    windows: Arc<Windows>,
    /// Beside the least [bytes].
    more: u32,
}

impl Windows {
    /// * `share_bytes` – for all connections together
    /// * `of_stream` – window of a stream where there is enough; half that of its connection [bytes]
    /// * `connections` – how many there may be
    pub(super) fn new(share_bytes: u64, of_stream: u32, connections: usize) -> Arc<Self> {
        let kept = u64::from(LEAST).saturating_mul(connections as u64);
        let free_bytes = AtomicU64::new(share_bytes.saturating_sub(kept));
        Arc::new(Self { free_bytes, full: of_stream.saturating_mul(2) })
    }

    /// The window of one more connection: a part of what is left, so that the last has one too.
    pub(super) fn take(self: &Arc<Self>) -> Window {
        let of = |free: u64| u32::try_from(free / PART).unwrap_or(u32::MAX).min(self.full.saturating_sub(LEAST));
        let take = |free: u64| Some(free - u64::from(of(free)));
        let before = self.free_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        Window { windows: self.clone(), more: before.map_or(0, of) }
    }
}

impl Window {
    /// What all calls of the connection may have sent together [bytes].
    pub(super) fn of_connection(&self) -> u32 {
        LEAST + self.more
    }

    /// What one call may have sent [bytes].
    pub(super) fn of_stream(&self) -> u32 {
        (self.of_connection() / 2).max(LEAST)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.windows.free_bytes.fetch_add(u64::from(self.more), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u32 = 1 << 20;

    #[test]
    fn all_windows_together_stay_within_their_share() {
        let share = 256 * u64::from(MIB);
        let windows = Windows::new(share, 16 * MIB, 1000);
        let all: Vec<Window> = (0..1000).map(|_| windows.take()).collect();
        assert_eq!((all[0].of_connection(), all[0].of_stream()), (32 * MIB, 16 * MIB));
        let sum: u64 = all.iter().map(|window| u64::from(window.of_connection())).sum();
        assert!(sum <= share && sum > share / 10 * 9, "{sum}");
        assert!(all.is_sorted_by(|before, after| before.of_connection() >= after.of_connection()));
        let last = &all[999];
        assert!(last.of_connection() >= LEAST && last.of_stream() >= LEAST);
        drop(all);
        assert_eq!(windows.take().of_connection(), 32 * MIB, "all is given back");
        // Where even the least of all is more than the share, each has the least.
        assert_eq!(Windows::new(1, 16 * MIB, 1000).take().of_connection(), LEAST);
    }
}
