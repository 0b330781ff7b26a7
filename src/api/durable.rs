//! The store behind the services of volumes and jobs, and what this process knows of the jobs that run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tonic::{Code, Request, Status};
use uuid::Uuid;

use super::identity::{Role, caller_of};
use super::service::Shared;
use super::status::refused;
use crate::domain::{DoseError, Progress, Stage};
use crate::metrics::Metrics;
use crate::store::{Actor, JobRecord, Lane, Store, StoreError};

/// The store, and how far the jobs are that run in this process.
#[derive(Clone, Debug)]
pub(super) struct Durable {
    pub(super) store: Arc<Store>,
    running: Arc<Mutex<HashMap<Uuid, Progress>>>,
    metrics: Arc<Metrics>,
}

impl Durable {
    pub(super) fn new(store: Arc<Store>, metrics: Arc<Metrics>) -> Self {
        Self { store, running: Arc::default(), metrics }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Progress>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far a job is, while it runs.
    pub(super) fn progress(&self, id: Uuid) -> Option<Progress> {
        self.lock().get(&id).copied()
    }

    /// Notes how far a job is; none once it does not run any more. When it gets the device, its wait is over.
    pub(super) fn note_progress(&self, id: Uuid, progress: Option<Progress>) {
        let before = match progress {
            Some(progress) => self.lock().insert(id, progress),
            None => self.lock().remove(&id),
        };
        if has_device(progress)
            && !has_device(before)
            && let Some((_, job)) = self.store.job_of_any(id)
        {
            self.tell_wait(&job, SystemTime::now());
        }
    }

    /// Tells the metrics how long a job waited for the device, unless it had it before.
    ///
    /// * `until` – when it got it
    fn tell_wait(&self, job: &JobRecord, until: SystemTime) {
        if job.life.attempts() == 1 && job.device_s <= 0.0 {
            let waited = until.duration_since(job.life.created()).unwrap_or_default();
            self.metrics.job_waited(Lane::of(job).name(), waited);
        }
    }

    /// As [`Durable::tell_wait`], of a job that had the device, and said nothing of it before it was done.
    ///
    /// * `job` – as it was taken
    pub(super) fn tell_wait_of_silent(&self, job: &JobRecord) {
        if let (Some(started), false) = (job.life.started(), has_device(self.progress(job.id))) {
            self.tell_wait(job, started);
        }
    }
}

fn has_device(progress: Option<Progress>) -> bool {
    progress.is_some_and(|progress| progress.stage != Stage::Queued)
}

impl Shared {
    /// The store.
    ///
    /// # Errors
    /// UNIMPLEMENTED `NO_STORE` if there is none.
    pub(super) fn store(&self) -> Result<&Durable, Status> {
        self.durable.as_ref().ok_or_else(|| {
            let message = "this server has no store; start it with --store, or use Compute, which needs none";
            refused(Code::Unimplemented, "NO_STORE", message, [])
        })
    }

    /// The store, and who acts on it.
    ///
    /// # Errors
    /// UNIMPLEMENTED `NO_STORE` if there is none; UNAVAILABLE while the server drains; PERMISSION_DENIED.
    pub(super) fn durable<T>(&self, request: &Request<T>, role: Role) -> Result<(Durable, Actor), Status> {
        let durable = self.store()?;
        self.check_open()?;
        let caller = caller_of(request.extensions());
        caller.require(role)?;
        let actor = Actor { tenant: caller.tenant, name: caller.name, peer: caller.peer };
        Ok((durable.clone(), actor))
    }
}

/// Works with the store on a thread that serves no connection.
///
/// # Errors
/// As [`storing`].
pub(super) async fn blocking<T: Send + 'static>(
    durable: &Durable,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Status> {
    let store = durable.store.clone();
    storing(move || work(&store)).await
}

/// Reads or writes files on a thread that serves no connection.
///
/// # Errors
/// Those of the work; INTERNAL if it panicked.
pub(super) async fn storing<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    let panicked = |_| Status::from(DoseError::Internal("a part of the request ended without a result".into()));
    Ok(done.map_err(panicked)??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Priority;
    use crate::store::{Attempt, Estimate, NewJob, Outcome, StoreOptions};

    fn create(store: &Store) {
        let actor = Actor { tenant: "a".into(), name: "test".into(), peer: String::new() };
        let new = NewJob {
            actor,
            request_id: Some(Uuid::new_v4()),
            spec: Arc::from(&b"one"[..]),
            spec_sha256: "one".to_owned(),
            nuclide: "Lu-177".to_owned(),
            method: "local".to_owned(),
            priority: Priority::default(),
            estimate: Estimate::default(),
            inputs: Vec::new(),
            trace: None,
        };
        store.create_job(new).expect("room");
    }

    fn take(store: &Store) -> Attempt {
        let taken = store.take(|_| true, |_| Some(("cpu".to_owned(), ()))).expect("it can be written");
        taken.expect("it waits").0
    }

    #[test]
    fn a_wait_is_told_once_and_when_it_is_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = StoreOptions { reserve_bytes: 0, ..StoreOptions::default() };
        let store = Arc::new(Store::open(folder.path(), options).expect("a store"));
        let metrics = Arc::new(Metrics::new("1", "c"));
        let durable = Durable::new(store.clone(), metrics.clone());
        let waits = || {
            let text = metrics.text();
            let name = "dosegrid_job_wait_seconds_count{lane=\"small\"} ";
            text.lines().find_map(|line| line.strip_prefix(name)).map_or(0, |count| count.parse().expect("a number"))
        };
        let at = |stage| Some(Progress { stage, fraction: 0.0, transport: None });
        create(&store);
        let attempt = take(&store);
        let id = attempt.job.id;
        durable.note_progress(id, at(Stage::Queued));
        assert_eq!(waits(), 0, "it has no device yet");
        durable.note_progress(id, at(Stage::Dose));
        assert_eq!(waits(), 1);
        durable.note_progress(id, at(Stage::Finish));
        durable.tell_wait_of_silent(&attempt.job);
        assert_eq!(waits(), 1, "it is told once");
        // Drain puts it back, and it begins again.
        store.end_attempt(&attempt, 0.5, Outcome::Released).expect("it can be written");
        durable.note_progress(id, None);
        let again = take(&store);
        assert_eq!(again.job.life.attempts(), 1);
        durable.note_progress(id, at(Stage::Dose));
        assert_eq!(waits(), 1, "it had the device before");
        store.end_attempt(&again, 0.5, Outcome::Lost { cause: "device" }).expect("it can be written");
        durable.note_progress(id, None);
        // One that says nothing while it runs.
        create(&store);
        let [one, other] = [take(&store), take(&store)];
        let silent = if one.job.id == id { other } else { one };
        durable.tell_wait_of_silent(&silent.job);
        assert_eq!(waits(), 2);
    }
}
