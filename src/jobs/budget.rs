//! Memory that all requests share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::retry_after;
use crate::domain::DoseError;

/// Host memory for all requests together. A request reserves what its plan needs before its first byte arrives.
#[derive(Debug)]
pub struct Budget {
    total_bytes: u64,
    free_bytes: AtomicU64,
}

impl Budget {
    /// A budget that is all free.
    pub fn new(total_bytes: u64) -> Arc<Self> {
        Arc::new(Self { total_bytes, free_bytes: AtomicU64::new(total_bytes) })
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_can_never_fit_is_not_asked_to_come_back() {
        let refused = Budget::new(100).reserve(101).expect_err("101 of 100");
        assert_eq!(refused, DoseError::TooLarge { what: "the request", needed_bytes: 101, limit_bytes: 100 });
    }
}
