//! The interface of a job queue. `jobs/conformance.rs` checks what every implementation has to hold.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use super::{Job, JobFilter, JobId, NewJob};
use crate::domain::{Control, DoseError, DoseResult, Progress};

/// What callers do with a queue. Nothing blocks.
pub trait JobQueue: Send + Sync + fmt::Debug {
    /// Accepts a job. Its volumes are held until it is finished.
    ///
    /// # Errors
    /// [`DoseError::Busy`] if the queue is full, [`DoseError::ShuttingDown`] if it is closed, [`DoseError::Invalid`] if
    /// a volume is not there.
    fn submit(&self, new: NewJob) -> Result<Job, DoseError>;

    /// Asks whether a job submitted now would be accepted.
    ///
    /// # Errors
    /// As [`JobQueue::submit`].
    fn check_room(&self) -> Result<(), DoseError>;

    /// How many jobs wait for a device.
    fn waiting(&self) -> usize;

    /// How many jobs have a device before this one, those that run included; none if it does not wait, or this queue
    /// does not know.
    fn ahead(&self, id: &JobId) -> Option<usize> {
        let _ = id;
        None
    }

    /// A job as it is now; none if there is no such job.
    fn get(&self, id: &JobId) -> Option<Job>;

    /// The jobs that a filter lets through, the newest first.
    fn list(&self, filter: &JobFilter) -> Vec<Job>;

    /// Follows a job; none if there is no such job.
    fn watch(&self, id: &JobId) -> Option<JobWatch>;

    /// Cancels a job that is not finished. One that waits frees its volumes at once; one that runs stops at its next
    /// checkpoint. The answer is the job as it is then; none if there is no such job.
    fn cancel(&self, id: &JobId) -> Option<Job>;

    /// Takes a finished job out of the queue, with what it gave; none if there is no such job or it is not finished.
    fn claim(&self, id: &JobId) -> Option<Result<DoseResult, DoseError>>;
}

/// What workers do with a queue.
pub trait WorkQueue: Send + Sync + fmt::Debug {
    /// Waits for the next job: the most urgent, among these the oldest. None once the queue is closed and empty.
    fn take(&self) -> Option<Lease>;

    /// The same, for so long.
    ///
    /// # Errors
    /// Why there is no job.
    fn take_within(&self, most: Duration) -> Result<Lease, NoJob>;

    /// Lets a job wait again, before all jobs of its priority that were submitted later. False if the lease is gone.
    fn put_back(&self, lease: &Lease) -> bool;

    /// Finishes a job. Its volumes are free from now on. False, and the outcome is dropped, if the lease is gone: the
    /// job was cancelled meanwhile, or another worker has it.
    fn finish(&self, lease: &Lease, outcome: Result<DoseResult, DoseError>) -> bool;

    /// Accepts no more jobs. Those that were accepted are still handed out.
    fn close(&self);
}

/// Why a worker gets no job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoJob {
    /// None came in time.
    Yet,
    /// The queue is closed and empty.
    Closed,
}

/// A job in the hands of a worker.
#[derive(Debug)]
pub struct Lease {
    /// The job. Its revision tells this lease from others of the same job.
    pub job: Job,
    /// Through which the worker reports progress, and learns that the job was cancelled or given to another.
    pub control: Control,
    /// What the log says with everything that happens to the job.
    pub span: tracing::Span,
}

/// Follows a job. In both, the latest value wins: a slow reader misses intermediate values and never holds up the job.
#[derive(Clone, Debug)]
pub struct JobWatch {
    /// The job as it is. Closed when the job is claimed.
    pub job: watch::Receiver<Job>,
    /// How far it has come.
    pub progress: watch::Receiver<Progress>,
}
