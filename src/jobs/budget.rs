//! Memory that all requests share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::retry_after;
use crate::domain::DoseError;
use crate::math::cache::Room;

/// Host memory for all requests together. A request reserves what its plan needs before its first byte arrives.
#[derive(Debug)]
pub struct Budget {
    total_bytes: u64,
    free_bytes: AtomicU64,
    /// What requests leave is left to caches.
    caches: Option<Room>,
}

impl Budget {
    /// A budget that is all free.
    pub fn new(total_bytes: u64) -> Arc<Self> {
        Arc::new(Self { total_bytes, free_bytes: AtomicU64::new(total_bytes), caches: None })
    }

    /// A budget that is all free, of which the caches of this process may take what no request has reserved. They give
    /// it back as soon as a request needs it.
    pub fn with_caches(total_bytes: u64) -> Arc<Self> {
        let (free_bytes, caches) = (AtomicU64::new(total_bytes), Some(Room::new(total_bytes)));
        Arc::new(Self { total_bytes, free_bytes, caches })
    }

    fn tell_caches(&self) {
        if let Some(caches) = &self.caches {
            caches.set(self.free_bytes());
        }
    }

    /// How much is free now [bytes].
    pub fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Acquire)
    }

    /// Takes `bytes` until the reservation is dropped.
    ///
    /// # Errors
    /// [`DoseError::TooLarge`] if the whole budget is smaller, [`DoseError::Busy`] if too little is free now.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Reservation, DoseError> {
        if bytes > self.total_bytes {
            return Err(DoseError::TooLarge {
                what: "the request",
                needed_bytes: bytes,
                limit_bytes: self.total_bytes,
            });
        }
        self.free_bytes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(bytes))
            .map_err(|_| DoseError::Busy { what: "memory", retry_after: retry_after(0) })?;
        self.tell_caches();
        Ok(Reservation { budget: self.clone(), bytes })
    }
}

/// A part of a [`Budget`], given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Reservation {
    /// How much it is [bytes].
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.free_bytes.fetch_add(self.bytes, Ordering::AcqRel);
        self.budget.tell_caches();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::cache::Cache;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::new(100);
        let first = budget.reserve(60).expect("60 of 100");
        assert!(matches!(budget.reserve(41), Err(DoseError::Busy { what: "memory", .. })));
        let second = budget.reserve(40).expect("40 of 40");
        assert_eq!(budget.free_bytes(), 0);
        drop((first, second));
        assert_eq!(budget.free_bytes(), 100);
    }

    /// The one test of what is left to caches: rooms are of the whole process.
    #[test]
    fn caches_have_what_requests_leave() {
        // A size that no other cache or budget of this process comes near to, and half of it for what those hold.
        const LARGE: u64 = 1 << 50;
        let budget = Budget::with_caches(4 * LARGE + LARGE / 2);
        let mut cache = Cache::new("of a budget", u64::MAX, |size: &u64| *size);
        let mut on_device = Cache::on_device("of a budget's device", u64::MAX, |size: &u64| *size);
        on_device.insert('d', 9 * LARGE);
        for key in ['a', 'b'] {
            cache.insert(key, LARGE);
        }
        let request = budget.reserve(2 * LARGE).expect("a half");
        assert_eq!(cache.bytes(), 2 * LARGE, "both fit");
        cache.insert('c', LARGE);
        assert_eq!((cache.get(&'a'), cache.bytes()), (None, 2 * LARGE), "the third has the room of the first");
        let more = budget.reserve(LARGE).expect("caches never keep a request waiting");
        assert_eq!((cache.get(&'b'), cache.get(&'c')), (None, Some(LARGE)));
        drop((request, more));
        cache.insert('e', 3 * LARGE);
        assert_eq!(cache.bytes(), 4 * LARGE, "all is free again");
        let other = Budget::with_caches(5 * LARGE);
        let request = budget.reserve(4 * LARGE).expect("all");
        assert_eq!(cache.bytes(), 4 * LARGE, "another budget leaves more");
        drop(other);
        drop(budget.reserve(0));
        assert_eq!((cache.bytes(), on_device.get(&'d')), (0, Some(9 * LARGE)), "a device has its own memory");
        drop(request);
    }

    #[test]
    fn what_can_never_fit_is_not_asked_to_come_back() {
        let refused = Budget::new(100).reserve(101).expect_err("101 of 100");
        assert_eq!(refused, DoseError::TooLarge { what: "the request", needed_bytes: 101, limit_bytes: 100 });
    }
}
