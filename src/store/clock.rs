//! The clock by which things expire.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::faults::{Fault, Faults};

/// How far the wall clock may run from the monotonic one before it is not trusted any more.
const MAX_JUMP: Duration = Duration::from_secs(3600);

/// The wall clock, until it is set by more than an hour. From then on nothing expires before a restart.
#[derive(Debug)]
pub(super) struct Clock {
    wall: SystemTime,
    steady: Instant,
    has_jumped: AtomicBool,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now(), has_jumped: AtomicBool::new(false) }
    }

    /// Whether the clock can be trusted.
    pub(super) fn is_right(&self, faults: &Faults) -> bool {
        let jumped = if faults.strikes(Fault::ClockJump) { 2 * MAX_JUMP } else { Duration::ZERO };
        self.look(SystemTime::now() + jumped)
    }

    /// The time up to which things have expired: long ago if the clock cannot be trusted.
    pub(super) fn due(&self) -> SystemTime {
        let now = SystemTime::now();
        if self.look(now) { now } else { SystemTime::UNIX_EPOCH }
    }

    fn look(&self, now: SystemTime) -> bool {
        if self.has_jumped.load(Ordering::Acquire) {
            return false;
        }
        let expected = self.wall + self.steady.elapsed();
        let jump = now.duration_since(expected).or_else(|_| expected.duration_since(now)).unwrap_or(Duration::MAX);
        let is_right = jump <= MAX_JUMP;
        if !is_right && !self.has_jumped.swap(true, Ordering::AcqRel) {
            tracing::error!("the wall clock was set by more than an hour: nothing expires until a restart");
        }
        is_right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_expires_once_the_clock_was_set() {
        for is_ahead in [true, false] {
            let clock = Clock::new();
            let set = |by: Duration| if is_ahead { SystemTime::now() + by } else { SystemTime::now() - by };
            assert!(clock.look(set(MAX_JUMP - Duration::from_secs(60))), "a clock may be put right");
            assert!(clock.due() > clock.wall - MAX_JUMP);
            assert!(!clock.look(set(MAX_JUMP + Duration::from_secs(60))));
            assert_eq!(clock.due(), SystemTime::UNIX_EPOCH, "set back again, it is not trusted before a restart");
            assert!(!clock.is_right(&Faults::default()));
        }
    }
}
