//! The life of a job: its states, and every step from one to another.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// Where a job is in its life. Succeeded, failed and cancelled are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Waits for a device.
    Queued,
    /// A device computes it.
    Running,
    /// Its dose is there.
    Succeeded,
    /// It was given up; its error says why.
    Failed,
    /// Its caller cancelled it.
    Cancelled,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Its name in metrics and the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing changes it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The state after a step, or none if the step is not allowed.
    pub fn after(self, step: JobEvent) -> Option<Self> {
        TRANSITIONS.iter().find(|(from, by, _)| (*from, *by) == (self, step)).map(|(.., to)| *to)
    }
}

/// What can happen to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEvent {
    /// A worker takes it.
    Take,
    /// Its worker or device was lost: it waits again.
    PutBack,
    /// Its worker is shut down: it waits again, as if it had not begun.
    Release,
    /// Its dose passed every check.
    Succeed,
    /// It cannot be computed.
    Fail,
    /// Its caller cancels it.
    Cancel,
}

impl JobEvent {
    /// Every step.
    pub const ALL: [Self; 6] = [Self::Take, Self::PutBack, Self::Release, Self::Succeed, Self::Fail, Self::Cancel];
}

/// Every transition there is. The first final state of a job is its last.
const TRANSITIONS: &[(JobState, JobEvent, JobState)] = &[
    (JobState::Queued, JobEvent::Take, JobState::Running),
    (JobState::Queued, JobEvent::Fail, JobState::Failed),
    (JobState::Queued, JobEvent::Cancel, JobState::Cancelled),
    (JobState::Running, JobEvent::PutBack, JobState::Queued),
    (JobState::Running, JobEvent::Release, JobState::Queued),
    (JobState::Running, JobEvent::Succeed, JobState::Succeeded),
    (JobState::Running, JobEvent::Fail, JobState::Failed),
    (JobState::Running, JobEvent::Cancel, JobState::Cancelled),
];

/// A step that a job in this state does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {state:?} does not take the step {step:?}")]
pub struct Refused {
    /// The state of the job.
    pub state: JobState,
    /// The step.
    pub step: JobEvent,
}

/// The state of a job, and what is counted on the way there. Only [`Life::step`] changes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    state: JobState,
    revision: u64,
    attempts: u32,
    created: SystemTime,
    started: Option<SystemTime>,
    ended: Option<SystemTime>,
}

impl Life {
    /// A job that was accepted at this moment.
    pub fn new(now: SystemTime) -> Self {
        Self { state: JobState::Queued, revision: 1, attempts: 0, created: now, started: None, ended: None }
    }

    /// Takes a step of the table.
    ///
    /// # Errors
    /// [`Refused`], with nothing changed, if the table does not have the step.
    pub fn step(&mut self, step: JobEvent, now: SystemTime) -> Result<(), Refused> {
        let next = self.state.after(step).ok_or(Refused { state: self.state, step })?;
        self.state = next;
        self.revision += 1;
        if step == JobEvent::Release {
            self.attempts -= 1;
        }
        if next == JobState::Running {
            self.attempts += 1;
            self.started = Some(now);
        }
        if next.is_final() {
            self.ended = Some(now);
        }
        Ok(())
    }

    /// Where it is.
    pub fn state(&self) -> JobState {
        self.state
    }

    /// Rises with every change of the job except its progress.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How often it began: more than once if its worker or device was lost.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When it was accepted.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// When it last began.
    pub fn started(&self) -> Option<SystemTime> {
        self.started
    }

    /// When it was finished.
    pub fn ended(&self) -> Option<SystemTime> {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_takes_the_steps_of_the_table_and_no_other() {
        let now = SystemTime::UNIX_EPOCH;
        for state in JobState::ALL {
            for step in JobEvent::ALL {
                let mut life = Life { state, attempts: 1, ..Life::new(now) };
                let before = life.clone();
                match TRANSITIONS.iter().find(|(from, by, _)| (*from, *by) == (state, step)) {
                    Some((.., to)) => {
                        assert_eq!(life.step(step, now), Ok(()));
                        assert_eq!((life.state, life.revision), (*to, 2));
                    }
                    None => {
                        assert_eq!(life.step(step, now), Err(Refused { state, step }));
                        assert_eq!(life, before, "a refused step changes nothing");
                    }
                }
            }
            let leaves = TRANSITIONS.iter().any(|(from, ..)| *from == state);
            assert_ne!(leaves, state.is_final(), "{state:?}: a final state is one that no step leaves");
        }
    }

    #[test]
    fn attempts_and_times_are_kept() {
        let at = |s| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(s);
        let mut life = Life::new(at(1));
        for (second, step) in [(2, JobEvent::Take), (3, JobEvent::PutBack), (4, JobEvent::Take), (5, JobEvent::Succeed)]
        {
            life.step(step, at(second)).expect("an allowed step");
        }
        assert_eq!((life.attempts(), life.revision(), life.state()), (2, 5, JobState::Succeeded));
        assert_eq!((life.created(), life.started(), life.ended()), (at(1), Some(at(4)), Some(at(5))));
        let mut released = Life::new(at(1));
        for step in [JobEvent::Take, JobEvent::Release, JobEvent::Take] {
            released.step(step, at(2)).expect("an allowed step");
        }
        assert_eq!(released.attempts(), 1, "a shut down worker does not count");
    }
}
