//! The ledger of a store, as the checks of every queue act on it.

use std::io::Write;
use std::sync::Arc;

use uuid::Uuid;

use super::{Actor, Attempt, Estimate, JobFault, JobRecord, NewJob, Outcome, Store, StoreError, StoreOptions};
use super::{job_id, job_name};
use crate::jobs::conformance::every::{End, LENGTH, Queue, Seen, Taken, every_queue};
use crate::jobs::{JobState, Priority};

/// A store in a folder of its own, and what was taken of it.
pub(crate) struct Ledger {
    pub(crate) store: Arc<Store>,
    _folder: tempfile::TempDir,
    taken: Vec<Attempt>,
}

pub(crate) fn actor(tenant: &str) -> Actor {
    Actor { tenant: tenant.to_owned(), name: "test".to_owned(), peer: String::new() }
}

/// Why a job of a test fails.
pub(crate) fn fault() -> JobFault {
    JobFault { code: 3, reason: "INVALID_REQUEST".to_owned(), message: "is bad".to_owned(), ..JobFault::default() }
}

pub(crate) fn seen(job: &JobRecord) -> Seen {
    let (state, attempts, revision) = (job.state(), job.life.attempts(), job.life.revision());
    Seen { state, attempts, revision, reason: job.error.as_ref().map(|fault| fault.reason.clone()) }
}

impl Ledger {
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options =
            StoreOptions { reserve_bytes: 0, queue_length: LENGTH, max_attempts: 1000, ..StoreOptions::default() };
        let store = Arc::new(Store::open(&folder.path().join("store"), options).expect("a store"));
        Self { store, _folder: folder, taken: Vec::new() }
    }

    fn attempt(&self, taken: &Taken) -> &Attempt {
        let is_it =
            |attempt: &&Attempt| job_name(attempt.job.id) == taken.job && attempt.job.life.attempts() == taken.attempt;
        self.taken.iter().find(is_it).expect("it was taken")
    }

    fn end(&self, taken: &Taken, outcome: Outcome) -> bool {
        self.store.end_attempt(self.attempt(taken), 0.0, outcome).expect("it can be written")
    }

    /// What callers do, which is the same behind a broker.
    pub(crate) fn submit(&self, owner: &str, priority: Priority) -> Option<String> {
        let new = NewJob {
            actor: actor(owner),
            request_id: Some(Uuid::new_v4()),
            spec: Arc::from(&b"a specification"[..]),
            spec_sha256: String::new(),
            nuclide: "Lu-177".to_owned(),
            method: "local".to_owned(),
            priority,
            estimate: Estimate { result_bytes: 1000, ..Estimate::default() },
            inputs: Vec::new(),
            trace: None,
        };
        match self.store.create_job(new) {
            Ok(job) => Some(job_name(job.id)),
            Err(StoreError::Busy { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn see(&self, owner: &str, job: &str) -> Option<Seen> {
        self.store.job(owner, job_id(job)?).map(|job| seen(&job))
    }

    pub(crate) fn cancel(&self, owner: &str, job: &str) -> Option<Seen> {
        match self.store.cancel_job(owner, job_id(job)?, &actor(owner)) {
            Ok(job) => Some(seen(&job)),
            Err(StoreError::JobNotFound) => None,
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn list(&self, owner: &str, states: &[JobState]) -> Vec<String> {
        self.store.jobs(owner, None, states, 1000).iter().map(|job| job_name(job.id)).collect()
    }
}

impl Queue for Ledger {
    fn submit(&mut self, owner: &str, priority: Priority) -> Option<String> {
        Self::submit(self, owner, priority)
    }

    fn take(&mut self) -> Option<Taken> {
        let taken = self.store.take(|_| true, |_| Some(("cpu".to_owned(), ()))).expect("it can be written");
        let (attempt, ()) = taken?;
        let taken = Taken { job: job_name(attempt.job.id), attempt: attempt.job.life.attempts() };
        self.taken.push(attempt);
        Some(taken)
    }

    fn finish(&mut self, taken: &Taken, end: End) -> bool {
        match end {
            End::Fail => self.end(taken, Outcome::Failed(fault())),
            End::Succeed => {
                let mut file = self.store.new_file().expect("room");
                file.write_all(taken.job.as_bytes()).expect("room");
                let volumes = vec![file.finish().expect("room")];
                self.end(taken, Outcome::Succeeded { result: Arc::from(&b"a result"[..]), volumes })
            }
        }
    }

    fn lose(&mut self, taken: &Taken) -> bool {
        self.end(taken, Outcome::Lost { cause: "worker" })
    }

    fn cancel(&mut self, owner: &str, job: &str) -> Option<Seen> {
        Self::cancel(self, owner, job)
    }

    fn see(&mut self, owner: &str, job: &str) -> Option<Seen> {
        Self::see(self, owner, job)
    }

    fn list(&mut self, owner: &str, states: &[JobState]) -> Vec<String> {
        Self::list(self, owner, states)
    }
}

every_queue! { [] Ledger::open() }
