//! How fast a caller sends or reads: who holds a reservation has to move.

use std::time::Duration;

use crate::domain::DoseError;

/// Least rate of a caller who sends or reads, while the server waits for it [bytes/s].
const LEAST_RATE: u64 = 64 << 10;

/// Bytes that a caller has moved while the server waited for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Notes bytes that came or went after a wait.
    ///
    /// # Errors
    /// [`DoseError::Stalled`] if the rate over at least `idle` of waiting was too low.
    pub(super) fn note(&mut self, waited: Duration, bytes: usize, idle: Duration) -> Result<(), DoseError> {
        self.waited += waited;
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.waited < idle {
            return Ok(());
        }
        let Self { waited, bytes } = std::mem::take(self);
        let is_slow = (bytes as f64) < LEAST_RATE as f64 * waited.as_secs_f64();
        if is_slow { Err(DoseError::Stalled { idle }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_crawls_is_stopped_and_who_is_waited_for_little_is_not() {
        let (second, idle) = (Duration::from_secs(1), Duration::from_secs(3));
        let mut crawling = Pace::default();
        assert!(crawling.note(second, 1000, idle).is_ok() && crawling.note(second, 1000, idle).is_ok());
        assert_eq!(crawling.note(second, 1000, idle), Err(DoseError::Stalled { idle }));
        let mut walking = Pace::default();
        assert!((0..100).all(|_| walking.note(second, 64 << 10, idle).is_ok()));
        let mut ready = Pace::default();
        assert!((0..1000).all(|_| ready.note(Duration::from_micros(10), 1, idle).is_ok()));
    }
}
