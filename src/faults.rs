//! Faults that are injected on purpose, to see that nothing which was answered is lost by them. Without the feature
//! `faults` there are none, and no code for them.

use std::fmt;

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A sync fails: what the disk holds is unknown.
    Fsync,
    /// A write ends in its middle.
    ShortWrite,
    /// The disk is full.
    DiskFull,
    /// The device is lost while it computes.
    DeviceLost,
    /// The device has no memory left.
    OutOfMemory,
    /// A caller sends nothing for longer than is waited for.
    SlowClient,
    /// The wall clock jumps by hours.
    ClockJump,
}

impl Fault {
    /// All of them, with the names that [`Faults::parse`] knows.
    pub const ALL: [(Self, &str); 7] = [
        (Self::Fsync, "fsync"),
        (Self::ShortWrite, "short-write"),
        (Self::DiskFull, "disk-full"),
        (Self::DeviceLost, "device-lost"),
        (Self::OutOfMemory, "out-of-memory"),
        (Self::SlowClient, "slow-client"),
        (Self::ClockJump, "clock-jump"),
    ];
}

/// Which faults strike, and when. Copies count together.
#[derive(Clone, Default)]
pub struct Faults(#[cfg(any(test, feature = "faults"))] Option<std::sync::Arc<injected::Plan>>);

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}

/// What counts is what is asked of a store; faults are no part of it.
impl PartialEq for Faults {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

#[cfg(not(any(test, feature = "faults")))]
impl Faults {
    /// None.
    pub fn of_environment() -> Self {
        Self()
    }

    /// Never.
    pub fn strikes(&self, _fault: Fault) -> bool {
        false
    }
}

#[cfg(any(test, feature = "faults"))]
pub use injected::VARIABLE;

#[cfg(any(test, feature = "faults"))]
mod injected {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{Fault, Faults};

    /// The variable of the environment that says which faults strike.
    pub const VARIABLE: &str = "DOSEGRID_FAULTS";

    /// When each fault strikes.
    pub(super) struct Plan(Vec<(Fault, When, AtomicU64)>);

    /// At one time, or ever again.
    #[derive(Clone, Copy)]
    enum When {
        /// The time of this number alone, from 1.
        Once(u64),
        /// Each so many times.
        Every(u64),
    }

    impl Faults {
        /// Those of the variable [`VARIABLE`]. What is not understood is told in the log.
        pub fn of_environment() -> Self {
            let text = std::env::var(VARIABLE).unwrap_or_default();
            Self::parse(&text).unwrap_or_else(|| {
                tracing::error!("{VARIABLE} is not understood: no faults are injected");
                Self::default()
            })
        }

        /// Reads faults: `fsync=17` strikes at the 17th sync, `fsync=/50` at each 50th; several with commas.
        pub fn parse(text: &str) -> Option<Self> {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            let entry = |word: &str| {
                let (name, when) = word.split_once('=')?;
                let fault = Fault::ALL.iter().find(|(_, known)| *known == name)?.0;
                let when = match when.strip_prefix('/') {
                    Some(every) => When::Every(every.parse().ok().filter(|every| *every > 0)?),
                    None => When::Once(when.parse().ok()?),
                };
                Some((fault, when, AtomicU64::new(0)))
            };
            let plan: Vec<_> = words.map(entry).collect::<Option<_>>()?;
            Some(Self((!plan.is_empty()).then(|| Arc::new(Plan(plan)))))
        }

        /// Whether a fault strikes now.
        pub fn strikes(&self, fault: Fault) -> bool {
            let Some(plan) = &self.0 else { return false };
            let mut strikes = false;
            for (_, when, count) in plan.0.iter().filter(|(known, ..)| *known == fault) {
                let now = count.fetch_add(1, Ordering::Relaxed) + 1;
                strikes |= match when {
                    When::Once(at) => now == *at,
                    When::Every(every) => now.is_multiple_of(*every),
                };
            }
            if strikes {
                tracing::warn!(?fault, "a fault is injected");
            }
            strikes
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn faults_strike_when_they_are_told_to() {
            let faults = Faults::parse("fsync=2, disk-full=/3").expect("two faults");
            let copy = faults.clone();
            assert_eq!([&faults, &copy, &faults].map(|faults| faults.strikes(Fault::Fsync)), [false, true, false]);
            let full: Vec<bool> = (0..6).map(|_| faults.strikes(Fault::DiskFull)).collect();
            assert_eq!(full, [false, false, true, false, false, true]);
            assert!(!faults.strikes(Fault::ClockJump) && !Faults::default().strikes(Fault::Fsync));
            assert!(["fsync", "fsync=", "fsync=/0", "x=1", "fsync=1;"].iter().all(|bad| Faults::parse(bad).is_none()));
        }
    }
}
