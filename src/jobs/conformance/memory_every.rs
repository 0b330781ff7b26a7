//! The queue in memory, as [`every`](super::every) acts on it.

use std::collections::HashMap;

use super::Subject;
use super::every::{End, LENGTH, Queue, Seen, Taken};
use super::subject::dose;
use crate::domain::{DoseError, DoseResult};
use crate::jobs::{Job, JobFilter, JobId, JobState, Lease, Priority};

pub(super) struct Memory {
    subject: Subject,
    leases: HashMap<(String, u32), Lease>,
    dose: DoseResult,
}

impl Memory {
    pub(super) fn open() -> Self {
        Self { subject: Subject::in_memory(LENGTH), leases: HashMap::new(), dose: dose() }
    }

    fn job(&self, owner: &str, job: &str) -> Option<Job> {
        let id = JobId::new(job.strip_prefix("jobs/").unwrap_or(job));
        self.subject.callers.get(&id).filter(|job| job.owner == owner)
    }

    fn lease(&self, taken: &Taken) -> &Lease {
        &self.leases[&(taken.job.clone(), taken.attempt)]
    }
}

fn seen(job: Job) -> Seen {
    let (state, attempts, revision) = (job.state(), job.life.attempts(), job.life.revision());
    Seen { state, attempts, revision, reason: job.error.map(|error| error.reason) }
}

impl Queue for Memory {
    fn submit(&mut self, owner: &str, priority: Priority) -> Option<String> {
        let (new, _hold) = self.subject.new_job(owner, priority);
        match self.subject.callers.submit(new) {
            Ok(job) => Some(job.id.to_string()),
            Err(DoseError::Busy { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn take(&mut self) -> Option<Taken> {
        // A worker would wait.
        let lease = if self.subject.callers.waiting() > 0 { self.subject.workers.take()? } else { return None };
        let taken = Taken { job: lease.job.id.to_string(), attempt: lease.job.life.attempts() };
        self.leases.insert((taken.job.clone(), taken.attempt), lease);
        Some(taken)
    }

    fn finish(&mut self, taken: &Taken, end: End) -> bool {
        let outcome = match end {
            End::Succeed => Ok(self.dose.clone()),
            End::Fail => Err(DoseError::invalid("density", "is bad")),
        };
        self.subject.workers.finish(self.lease(taken), outcome)
    }

    fn lose(&mut self, taken: &Taken) -> bool {
        self.subject.workers.put_back(self.lease(taken))
    }

    fn cancel(&mut self, owner: &str, job: &str) -> Option<Seen> {
        let id = self.job(owner, job)?.id;
        self.subject.callers.cancel(&id).map(seen)
    }

    fn see(&mut self, owner: &str, job: &str) -> Option<Seen> {
        self.job(owner, job).map(seen)
    }

    fn list(&mut self, owner: &str, states: &[JobState]) -> Vec<String> {
        let filter = JobFilter { owner: Some(owner.to_owned()), states: states.to_vec() };
        self.subject.callers.list(&filter).into_iter().map(|job| job.id.to_string()).collect()
    }
}
