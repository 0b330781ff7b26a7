//! Faults of a driver, played below all that the engine does: each allocation, dispatch and readback passes here. Only
//! tests ask for any.

#[cfg(test)]
pub(super) use testing::{Fault, Occasion, Played};

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
    pub(super) fn allocated(&self, _label: &str, _buffer: &wgpu::Buffer, _faults: &super::fault::Faults) {}

    /// What is compiled in place of a stage.
    pub(super) fn compiling(&self, _stage: &'static str, source: super::pipeline::Source) -> super::pipeline::Source {
        source
    }

    /// Whether a stage runs.
    pub(super) fn dispatches(&self, _stage: &str, _device: &wgpu::Device) -> bool {
        true
    }

    /// Before results are mapped.
    pub(super) fn reading(&self, _staging: &wgpu::Buffer, _offset: u64, _words: usize) -> Reading {
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
    use crate::engine::gpu::pipeline::Source;

    /// What goes wrong.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(in crate::engine::gpu) enum Fault {
        /// No memory for a buffer.
        NoMemory,
        /// A buffer or a stage is not as the driver wants it: once, or whatever it is given from then on.
        Refused { for_good: bool },
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

    /// Where a fault can occur. Those that are equal are of one kind: the same is done there.
    #[derive(Clone, Debug, PartialEq)]
    pub(in crate::engine::gpu) enum Occasion {
        /// Of the buffer with this label.
        Allocation(String),
        /// Of a stage that is compiled.
        Compilation(&'static str),
        /// Of a stage.
        Dispatch(&'static str),
        /// Of so many words, from so many bytes on.
        Readback { offset: u64, words: usize },
    }

    /// A fault that is to come.
    #[derive(Debug)]
    struct Plan {
        fault: Fault,
        /// The only kind of occasion that counts; without, all do.
        at: Option<Occasion>,
        /// How many occasions pass before.
        passes: usize,
        has_struck: bool,
    }

    /// What a test asked for.
    #[derive(Debug, Default)]
    struct Asked {
        plan: Option<Plan>,
        /// The occasions that there were, if they are listed.
        listed: Option<Vec<Occasion>>,
    }

    /// The fault that a test asked for. Copies share it.
    #[derive(Clone, Debug, Default)]
    pub(in crate::engine::gpu) struct Played(Arc<Mutex<Asked>>);

    /// What becomes of words that are read back.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::engine::gpu) enum Reading {
        Right,
        Zeros,
        Flipped { word: usize, bit: u32 },
    }

    impl Fault {
        pub(in crate::engine::gpu) fn can_occur_at(self, occasion: &Occasion) -> bool {
            match occasion {
                Occasion::Allocation(_) => matches!(self, Self::NoMemory | Self::Refused { .. }),
                Occasion::Compilation(_) => matches!(self, Self::Refused { .. }),
                Occasion::Dispatch(stage) => self == Self::LostAt(stage) || self == Self::Idle(stage),
                Occasion::Readback { .. } => {
                    matches!(self, Self::NoMap | Self::Zeros { .. } | Self::Flipped { .. })
                }
            }
        }
    }

    impl Played {
        /// Asks for a fault after `passes` occasions for it.
        pub(in crate::engine::gpu) fn ask(&self, fault: Fault, passes: usize) {
            self.asked().plan = Some(Plan { fault, at: None, passes, has_struck: false });
        }

        /// Asks for a fault after `passes` occasions of one kind.
        pub(in crate::engine::gpu) fn ask_at(&self, fault: Fault, at: &Occasion, passes: usize) {
            self.asked().plan = Some(Plan { fault, at: Some(at.clone()), passes, has_struck: false });
        }

        /// Ends what was asked for; whether it has struck.
        pub(in crate::engine::gpu) fn end(&self) -> bool {
            self.asked().plan.take().is_some_and(|plan| plan.has_struck)
        }

        /// Lists all occasions from now on.
        pub(in crate::engine::gpu) fn list(&self) {
            self.asked().listed = Some(Vec::new());
        }

        /// The kinds of occasions since they are listed, and how many there were of each. Ends the list.
        pub(in crate::engine::gpu) fn listed(&self) -> Vec<(Occasion, usize)> {
            let mut kinds = Vec::<(Occasion, usize)>::new();
            for occasion in self.asked().listed.take().into_iter().flatten() {
                match kinds.iter_mut().find(|(kind, _)| *kind == occasion) {
                    Some((_, times)) => *times += 1,
                    None => kinds.push((occasion, 1)),
                }
            }
            kinds
        }

        pub(in crate::engine::gpu) fn allocated(&self, label: &str, buffer: &wgpu::Buffer, faults: &Faults) {
            let source = || Box::new(std::io::Error::other("it is played"));
            let error = match self.strikes(Occasion::Allocation(label.to_owned())) {
                Some(Fault::Refused { .. }) => {
                    let description = format!("the buffer `{label}` is not as it should be");
                    wgpu::Error::Validation { source: source(), description }
                }
                Some(_) => wgpu::Error::OutOfMemory { source: source() },
                None => return,
            };
            buffer.destroy();
            faults.record(&error);
        }

        /// A stage that is refused is compiled with a line in it that no compiler takes.
        pub(in crate::engine::gpu) fn compiling(&self, stage: &'static str, mut source: Source) -> Source {
            if self.strikes(Occasion::Compilation(stage)).is_some() {
                source.text.to_mut().push_str("\nfn refused() -> u32 { return 1.5; }\n");
            }
            source
        }

        pub(in crate::engine::gpu) fn dispatches(&self, stage: &'static str, device: &wgpu::Device) -> bool {
            let fault = self.strikes(Occasion::Dispatch(stage));
            if fault == Some(Fault::LostAt(stage)) {
                device.destroy();
            }
            fault != Some(Fault::Idle(stage))
        }

        pub(in crate::engine::gpu) fn reading(&self, staging: &wgpu::Buffer, offset: u64, words: usize) -> Reading {
            match self.strikes(Occasion::Readback { offset, words }) {
                Some(Fault::NoMap) => {
                    staging.destroy();
                    Reading::Right
                }
                Some(Fault::Zeros { .. }) => Reading::Zeros,
                Some(Fault::Flipped { word, bit }) => Reading::Flipped { word: word % words.max(1), bit },
                None | Some(Fault::NoMemory | Fault::Refused { .. } | Fault::LostAt(_) | Fault::Idle(_)) => {
                    Reading::Right
                }
            }
        }

        /// The fault that was asked for, if it strikes now.
        fn strikes(&self, occasion: Occasion) -> Option<Fault> {
            let mut asked = self.asked();
            if let Some(listed) = &mut asked.listed {
                listed.push(occasion.clone());
            }
            let plan = asked.plan.as_mut().filter(|plan| plan.fault.can_occur_at(&occasion))?;
            if plan.has_struck {
                let lasts = matches!(plan.fault, Fault::Zeros { for_good: true } | Fault::Refused { for_good: true });
                return Some(plan.fault).filter(|_| lasts);
            }
            if plan.at.as_ref().is_some_and(|at| *at != occasion) {
                return None;
            }
            plan.has_struck = plan.passes == 0;
            plan.passes = plan.passes.saturating_sub(1);
            plan.has_struck.then_some(plan.fault)
        }

        /// Whether both are of one device.
        pub(in crate::engine::gpu) fn is_same(&self, other: &Self) -> bool {
            Arc::ptr_eq(&self.0, &other.0)
        }

        fn asked(&self) -> MutexGuard<'_, Asked> {
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
