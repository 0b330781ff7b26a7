//! Faults of a driver, played below all that the engine does: each allocation, dispatch and readback passes here. Only
//! tests ask for any.

#[cfg(test)]
pub(super) use testing::{Fault, Played};

/// No fault.
#[cfg(not(test))]
#[derive(Debug, Default)]
pub(super) struct Played(());

/// Words as they were read back.
#[cfg(not(test))]
pub(super) struct Reading;

#[cfg(not(test))]
impl Played {
    /// After an allocation.
    pub(super) fn allocated(&self, _buffer: &wgpu::Buffer, _faults: &super::fault::Faults) {}

    /// Whether a stage runs.
    pub(super) fn dispatches(&self, _stage: &str, _device: &wgpu::Device) -> bool {
        true
    }

    /// Before results are mapped.
    pub(super) fn reading(&self, _staging: &wgpu::Buffer, _words: usize) -> Reading {
        Reading
    }
}

#[cfg(not(test))]
impl Reading {
    /// A word of the results, by its number.
    pub(super) fn word(&self, _number: usize, word: u32) -> u32 {
        word
    }
}

#[cfg(test)]
mod testing {
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use crate::engine::gpu::fault::Faults;

    /// What goes wrong.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(in crate::engine::gpu) enum Fault {
        /// No memory for a buffer.
        NoMemory,
        /// The device is lost when it is given a stage.
        LostAt(&'static str),
        /// A stage returns without writing anything.
        Idle(&'static str),
        /// Results cannot be mapped.
        NoMap,
        /// Results are read back as zeros: once, or from then on.
        Zeros { for_good: bool },
        /// A bit of the results flips: of the word with this number, counted around.
        Flipped { word: usize, bit: u32 },
    }

    /// A fault that is to come.
    #[derive(Debug)]
    struct Plan {
        fault: Fault,
        /// How many occasions pass before.
        passes: usize,
        has_struck: bool,
    }

    /// The fault that a test asked for. Copies share it.
    #[derive(Clone, Debug, Default)]
    pub(in crate::engine::gpu) struct Played(Arc<Mutex<Option<Plan>>>);

    /// What becomes of words that are read back.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::engine::gpu) enum Reading {
        Right,
        Zeros,
        Flipped { word: usize, bit: u32 },
    }

    impl Played {
        /// Asks for a fault after `passes` occasions for it.
        pub(in crate::engine::gpu) fn ask(&self, fault: Fault, passes: usize) {
            *self.plan() = Some(Plan { fault, passes, has_struck: false });
        }

        /// Ends what was asked for; whether it has struck.
        pub(in crate::engine::gpu) fn end(&self) -> bool {
            self.plan().take().is_some_and(|plan| plan.has_struck)
        }

        pub(in crate::engine::gpu) fn allocated(&self, buffer: &wgpu::Buffer, faults: &Faults) {
            if self.strikes(|fault| fault == Fault::NoMemory) {
                buffer.destroy();
                faults.record(&wgpu::Error::OutOfMemory { source: Box::new(std::io::Error::other("it is played")) });
            }
        }

        pub(in crate::engine::gpu) fn dispatches(&self, stage: &'static str, device: &wgpu::Device) -> bool {
            if self.strikes(|fault| fault == Fault::LostAt(stage)) {
                device.destroy();
            }
            !self.strikes(|fault| fault == Fault::Idle(stage))
        }

        pub(in crate::engine::gpu) fn reading(&self, staging: &wgpu::Buffer, words: usize) -> Reading {
            let mut reading = Reading::Right;
            let strikes = self.strikes(|fault| {
                match fault {
                    Fault::NoMap => {}
                    Fault::Zeros { .. } => reading = Reading::Zeros,
                    Fault::Flipped { word, bit } => reading = Reading::Flipped { word: word % words.max(1), bit },
                    Fault::NoMemory | Fault::LostAt(_) | Fault::Idle(_) => return false,
                }
                true
            });
            if !strikes {
                return Reading::Right;
            }
            if matches!(reading, Reading::Right) {
                staging.destroy();
            }
            reading
        }

        /// Whether the fault that was asked for strikes now, if this is an occasion for it.
        fn strikes(&self, is_occasion: impl FnOnce(Fault) -> bool) -> bool {
            let mut plan = self.plan();
            let Some(plan) = plan.as_mut().filter(|plan| is_occasion(plan.fault)) else { return false };
            if plan.has_struck {
                return plan.fault == Fault::Zeros { for_good: true };
            }
            plan.has_struck = plan.passes == 0;
            plan.passes = plan.passes.saturating_sub(1);
            plan.has_struck
        }

        fn plan(&self) -> MutexGuard<'_, Option<Plan>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl Reading {
        pub(in crate::engine::gpu) fn word(self, number: usize, word: u32) -> u32 {
            match self {
                Self::Right => word,
                Self::Zeros => 0,
                Self::Flipped { word: at, bit } => {
                    if at == number {
                        word ^ 1 << bit
                    } else {
                        word
                    }
                }
            }
        }
    }
}
