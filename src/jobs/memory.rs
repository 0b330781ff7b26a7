//! The queue in the memory of this process. What is in it is lost with the process.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Hold, Job, JobError, JobEvent, JobFilter, JobId, JobQueue, JobState, JobWatch, Lease, Life, NewJob, NoJob,
    Priority, Refused, VolumeStore, WorkQueue, retry_after,
};
use crate::domain::{Checkpoints, Control, DoseError, DoseResult, Progress};

/// A bounded queue in memory.
#[derive(Debug)]
pub struct MemoryQueue {
    length: usize,
    volumes: Arc<dyn VolumeStore>,
    jobs: Mutex<Jobs>,
    /// A job waits, or the queue was closed.
    changed: Condvar,
}

impl MemoryQueue {
    /// An empty queue.
    ///
    /// * `length` – how many jobs may wait, beside those that run; at least 1
    /// * `volumes` – where the volumes of its jobs are
    pub fn new(length: usize, volumes: Arc<dyn VolumeStore>) -> Self {
        Self { length: length.max(1), volumes, jobs: Mutex::default(), changed: Condvar::new() }
    }

    /// No code of others runs under the lock, so a poisoned one still guards sound jobs.
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`JobQueue::submit`], for a job that keeps checkpoints.
    ///
    /// # Errors
    /// As [`JobQueue::submit`].
    pub fn submit_with(&self, new: NewJob, checkpoints: Option<Arc<dyn Checkpoints>>) -> Result<Job, DoseError> {
        let hold = self.volumes.hold(&new.spec.volumes)?;
        let mut jobs = self.lock();
        self.room(&jobs)?;
        jobs.submitted += 1;
        let number = jobs.submitted;
        let job = Job::new(JobId::new(number), new, Life::new(SystemTime::now()));
        let entry = Entry::new(job.clone(), hold, checkpoints);
        jobs.waiting.insert(entry.rank(number));
        jobs.entries.insert(number, entry);
        drop(jobs);
        self.changed.notify_one();
        Ok(job)
    }

    /// Whether a worker has a job.
    pub fn is_busy(&self) -> bool {
        self.lock().entries.values().any(|entry| entry.job.borrow().state() == JobState::Running)
    }

    /// Waits for the next job; for ever without a time.
    fn take_until(&self, until: Option<Instant>) -> Result<Lease, NoJob> {
        let mut jobs = self.lock();
        loop {
            if let Some((_, number)) = jobs.waiting.pop_first() {
                let entry = jobs.entries.get(&number).expect("a job that waits is there");
                entry.step(JobEvent::Take, None).expect("a job that waits can be taken");
                let job = entry.job.borrow().clone();
                return Ok(Lease { job, control: entry.control.clone(), span: entry.span.clone() });
            }
            if jobs.closed {
                return Err(NoJob::Closed);
            }
            jobs = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return Err(NoJob::Yet),
                Some(left) => self.changed.wait_timeout(jobs, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn room(&self, jobs: &Jobs) -> Result<(), DoseError> {
        if jobs.closed {
            Err(DoseError::ShuttingDown)
        } else if jobs.waiting.len() >= self.length {
            Err(DoseError::Busy { what: "the queue", retry_after: retry_after(jobs.waiting.len()) })
        } else {
            Ok(())
        }
    }
}

/// All jobs, by the order in which they were submitted.
#[derive(Debug, Default)]
struct Jobs {
    entries: BTreeMap<u64, Entry>,
    /// Those that wait, in the order in which they are taken.
    waiting: BTreeSet<(Reverse<Priority>, u64)>,
    submitted: u64,
    closed: bool,
}

/// A job, and what it holds in this process.
#[derive(Debug)]
struct Entry {
    job: watch::Sender<Job>,
    control: Control,
    progress: watch::Receiver<Progress>,
    cancel: CancellationToken,
    span: tracing::Span,
    /// Its volumes, until it is finished.
    hold: Option<Hold>,
    outcome: Option<Result<DoseResult, DoseError>>,
}

impl Entry {
    fn new(job: Job, hold: Hold, checkpoints: Option<Arc<dyn Checkpoints>>) -> Self {
        let cancel = CancellationToken::new();
        let (mut control, progress) = Control::new(cancel.clone());
        if let Some(checkpoints) = checkpoints {
            control = control.with_checkpoints(checkpoints);
        }
        let span = tracing::Span::current();
        Self { job: watch::channel(job).0, control, progress, cancel, span, hold: Some(hold), outcome: None }
    }

    /// Takes a step in the life of the job, and tells those who watch it.
    fn step(&self, step: JobEvent, error: Option<JobError>) -> Result<(), Refused> {
        let mut outcome = Ok(());
        self.job.send_if_modified(|job| {
            outcome = job.life.step(step, SystemTime::now());
            if outcome.is_ok() && error.is_some() {
                job.error = error;
            }
            outcome.is_ok()
        });
        outcome
    }

    /// Ends the job with what came of it.
    fn end(&mut self, outcome: Result<DoseResult, DoseError>) -> Result<(), Refused> {
        let (step, error) = match &outcome {
            Ok(_) => (JobEvent::Succeed, None),
            Err(DoseError::Cancelled) => (JobEvent::Cancel, None),
            Err(error) => (JobEvent::Fail, Some(JobError::from(error))),
        };
        self.step(step, error)?;
        self.outcome = Some(outcome);
        Ok(())
    }

    fn rank(&self, number: u64) -> (Reverse<Priority>, u64) {
        (Reverse(self.job.borrow().spec.priority), number)
    }
}

impl Jobs {
    /// The number of a job of this queue.
    fn number(&self, id: &JobId) -> Option<u64> {
        let number = id.text().parse().ok()?;
        let entry = self.entries.get(&number)?;
        (entry.job.borrow().id == *id).then_some(number)
    }

    fn entry(&self, id: &JobId) -> Option<&Entry> {
        self.entries.get(&self.number(id)?)
    }

    /// The entry that a lease is of, unless the job went on without it.
    fn leased(&mut self, lease: &Lease) -> Option<(u64, &mut Entry)> {
        let number = self.number(&lease.job.id)?;
        let entry = self.entries.get_mut(&number)?;
        let is_current = {
            let life = &entry.job.borrow().life;
            (life.state(), life.revision()) == (lease.job.state(), lease.job.life.revision())
        };
        is_current.then_some((number, entry))
    }
}

impl JobQueue for MemoryQueue {
    fn submit(&self, new: NewJob) -> Result<Job, DoseError> {
        self.submit_with(new, None)
    }

    fn check_room(&self) -> Result<(), DoseError> {
        self.room(&self.lock())
    }

    fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    fn ahead(&self, id: &JobId) -> Option<usize> {
        let jobs = self.lock();
        let number = jobs.number(id)?;
        let rank = jobs.entries.get(&number)?.rank(number);
        let is_running = |entry: &&Entry| entry.job.borrow().state() == JobState::Running;
        let before = jobs.waiting.range(..rank).count();
        jobs.waiting.contains(&rank).then(|| before + jobs.entries.values().filter(is_running).count())
    }

    fn get(&self, id: &JobId) -> Option<Job> {
        self.lock().entry(id).map(|entry| entry.job.borrow().clone())
    }

    fn list(&self, filter: &JobFilter) -> Vec<Job> {
        let jobs = self.lock();
        let newest_first = jobs.entries.values().rev().map(|entry| entry.job.borrow());
        newest_first.filter(|job| filter.matches(job)).map(|job| job.clone()).collect()
    }

    fn watch(&self, id: &JobId) -> Option<JobWatch> {
        let jobs = self.lock();
        let entry = jobs.entry(id)?;
        Some(JobWatch { job: entry.job.subscribe(), progress: entry.progress.clone() })
    }

    fn cancel(&self, id: &JobId) -> Option<Job> {
        let mut jobs = self.lock();
        let number = jobs.number(id)?;
        let entry = jobs.entries.get_mut(&number)?;
        // One that is finished refuses the step and stays as it is.
        let held = entry.end(Err(DoseError::Cancelled)).ok().and_then(|()| entry.hold.take());
        entry.cancel.cancel();
        let (rank, job) = (entry.rank(number), entry.job.borrow().clone());
        jobs.waiting.remove(&rank);
        drop(jobs);
        // Volumes are freed without the lock.
        drop(held);
        Some(job)
    }

    fn claim(&self, id: &JobId) -> Option<Result<DoseResult, DoseError>> {
        let mut jobs = self.lock();
        let number = jobs.number(id)?;
        jobs.entries.get(&number)?.outcome.as_ref()?;
        let entry = jobs.entries.remove(&number);
        drop(jobs);
        entry?.outcome
    }
}

impl WorkQueue for MemoryQueue {
    fn take(&self) -> Option<Lease> {
        self.take_until(None).ok()
    }

    fn take_within(&self, most: Duration) -> Result<Lease, NoJob> {
        self.take_until(Some(Instant::now() + most))
    }

    fn put_back(&self, lease: &Lease) -> bool {
        let mut jobs = self.lock();
        let Some((number, entry)) = jobs.leased(lease) else { return false };
        if entry.step(JobEvent::PutBack, None).is_err() {
            return false;
        }
        // The worker that had it learns that it is not its own any more.
        entry.cancel.cancel();
        entry.cancel = CancellationToken::new();
        entry.control = entry.control.again(entry.cancel.clone());
        let rank = entry.rank(number);
        jobs.waiting.insert(rank);
        drop(jobs);
        self.changed.notify_one();
        true
    }

    fn finish(&self, lease: &Lease, outcome: Result<DoseResult, DoseError>) -> bool {
        // The volumes are freed first, and without the lock: whoever sees the job finished finds their memory free.
        let held = self.lock().leased(lease).and_then(|(_, entry)| entry.hold.take());
        drop(held);
        self.lock().leased(lease).is_some_and(|(_, entry)| entry.end(outcome).is_ok())
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}
