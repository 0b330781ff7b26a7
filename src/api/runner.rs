//! Takes the jobs of the store, one a lane, and sees each to its end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::attempt;
use super::desk::{Desk, StoreDesk};
use super::durable::{Durable, blocking};
use super::service::Shared;
use super::traces::TraceSpan;
use crate::store::{Attempt, JobFault, Lane, Outcome, Store, StoreError, job_name};

/// How long it rests after the store failed.
const REST: Duration = Duration::from_secs(1);
/// Most bytes of a fault's violations: a status that holds them fits into 4,000 bytes.
const MOST_VIOLATIONS: usize = 20;

/// Runs jobs until the server drains.
pub(super) async fn run(shared: Arc<Shared>, durable: Durable) {
    let (mut changes, busy) = (durable.store.changes(), Arc::new(Mutex::new([false; 2])));
    loop {
        changes.borrow_and_update();
        // Without a device, jobs wait: each would only come back.
        while shared.jobs.is_device_up() && durable.store.has_waiting() && !shared.draining.is_cancelled() {
            match take(&shared, &durable, &busy).await {
                Ok(Some(attempt)) => begin(&shared, &durable, attempt, &busy),
                Ok(None) => break,
                Err(_) => tokio::time::sleep(REST).await,
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = shared.draining.cancelled() => return,
            () = tokio::time::sleep(REST), if !shared.jobs.is_device_up() => {}
        }
    }
}

type Busy = Arc<Mutex<[bool; 2]>>;

fn set(busy: &Busy, lane: Lane, is_busy: bool) {
    busy.lock().unwrap_or_else(PoisonError::into_inner)[lane as usize] = is_busy;
}

async fn take(shared: &Shared, durable: &Durable, busy: &Busy) -> Result<Option<Attempt>, Status> {
    let taken = *busy.lock().unwrap_or_else(PoisonError::into_inner);
    let device = shared.jobs.device().id.clone();
    let taken = blocking(durable, move |store| {
        let may_begin = store.may_begin();
        store.take(move |job| !taken[Lane::of(job) as usize] && may_begin(job), |_| Some((device, ())))
    });
    Ok(taken.await?.map(|(attempt, ())| attempt))
}

/// Computes a job beside the loop.
fn begin(shared: &Arc<Shared>, durable: &Durable, attempt: Attempt, busy: &Busy) {
    let lane = Lane::of(&attempt.job);
    set(busy, lane, true);
    let (shared, durable, busy) = (shared.clone(), durable.clone(), busy.clone());
    shared.attempts.clone().spawn(async move {
        let begun = Instant::now();
        let mut span = span_of(&attempt, SystemTime::now());
        let (limit, pause) = (shared.config.compute_limit, shared.config.checkpoint);
        let desk: Arc<dyn Desk> = Arc::new(StoreDesk::new(&durable, &attempt, limit, pause));
        let (outcome, device_s) = attempt::perform(&shared, &desk).await;
        end_span(&mut span, &outcome, device_s);
        let id = attempt.job.id;
        count(&shared, &durable, &attempt, &outcome, device_s);
        tracing::info!(job = %id, seconds = begun.elapsed().as_secs_f64(), outcome = name(&outcome), "attempt ended");
        end(&durable, attempt.clone(), device_s, outcome).await;
        durable.note_progress(id, None);
        durable.store.note_time(&attempt, device_s);
        set(&busy, lane, false);
        // The lane is free: the loop looks again.
        durable.store.wake();
    });
}

/// The span of an attempt, which is part of the trace of the call that created its job.
pub(super) fn span_of(attempt: &Attempt, began: SystemTime) -> TraceSpan {
    let job = &attempt.job;
    let mut span = TraceSpan::of_job(job.trace.as_deref(), began);
    span.note("dosegrid.job", job_name(job.id));
    span.note("dosegrid.method", job.method.clone());
    span.note("dosegrid.nuclide", job.nuclide.clone());
    span.note("dosegrid.attempt", i64::from(job.life.attempts()));
    span
}

/// Ends the span of an attempt.
pub(super) fn end_span(span: &mut TraceSpan, outcome: &Option<Outcome>, device_s: f64) {
    span.note("dosegrid.device_s", device_s);
    match outcome {
        Some(Outcome::Failed(fault)) => span.fail(&fault.reason),
        Some(Outcome::Succeeded { .. }) => {}
        Some(Outcome::Lost { .. } | Outcome::Released) | None => span.fail(name(outcome)),
    }
    span.end();
}

/// Ends an attempt in the ledger. While the disk is full, it waits: the outcome, or, if that is lost, the job. What
/// cannot be stored otherwise is told as the job's failure; if that cannot be stored either, the job runs again after a
/// restart.
pub(super) async fn end(durable: &Durable, attempt: Attempt, device_s: f64, outcome: Option<Outcome>) {
    let Some(outcome) = outcome else { return };
    let (again, id) = (attempt.clone(), attempt.job.id);
    while !durable.store.has_ledger_room() {
        tokio::time::sleep(REST).await;
    }
    let ended = blocking(durable, move |store| store.end_attempt(&attempt, device_s, outcome)).await;
    let Err(mut status) = ended else { return };
    tracing::error!(job = %id, code = ?status.code(), "the end of a job cannot be stored");
    while status.code() == Code::ResourceExhausted {
        tokio::time::sleep(REST).await;
        let again = again.clone();
        let released = move |store: &Store| store.end_attempt(&again, device_s, Outcome::Released);
        match blocking(durable, released).await {
            Ok(_) => return,
            Err(other) => status = other,
        }
    }
    let fault = Outcome::Failed(fault(&status));
    let _ = blocking(durable, move |store| store.end_attempt(&again, device_s, fault)).await;
}

/// Tells the metrics of an attempt that has ended.
pub(super) fn count(shared: &Shared, durable: &Durable, attempt: &Attempt, outcome: &Option<Outcome>, device_s: f64) {
    let (metrics, job) = (&shared.metrics, &attempt.job);
    // One that was released, or left, may not have had the device: it is told of when it has.
    let is_done = matches!(outcome, Some(Outcome::Succeeded { .. }));
    if is_done || matches!(outcome, Some(Outcome::Failed(_))) && device_s > 0.0 {
        durable.tell_wait_of_silent(job);
    }
    match outcome {
        Some(Outcome::Succeeded { .. }) => {
            metrics.job_ran(&job.method, job.estimate.voxels, Duration::from_secs_f64(device_s));
        }
        Some(Outcome::Lost { cause }) => metrics.attempt_lost(cause),
        Some(Outcome::Failed(_) | Outcome::Released) | None => {}
    }
}

pub(super) fn name(outcome: &Option<Outcome>) -> &'static str {
    match outcome {
        None => "left",
        Some(Outcome::Succeeded { .. }) => "succeeded",
        Some(Outcome::Failed(_)) => "failed",
        Some(Outcome::Lost { .. }) => "lost",
        Some(Outcome::Released) => "released",
    }
}

/// Why a job failed, from what a call would have answered.
pub(super) fn fault(status: &Status) -> JobFault {
    let details = status.get_error_details();
    let info = details.error_info();
    let violations = details.bad_request().map_or(&[][..], |bad| &bad.field_violations);
    let pair = |violation: &tonic_types::FieldViolation| (violation.field.clone(), violation.description.clone());
    JobFault {
        code: status.code() as i32,
        reason: info.map_or("INTERNAL", |info| &info.reason).to_owned(),
        message: status.message().to_owned(),
        metadata: info.map(|info| info.metadata.clone().into_iter().collect::<BTreeMap<_, _>>()).unwrap_or_default(),
        field_violations: violations.iter().take(MOST_VIOLATIONS).map(pair).collect(),
    }
}

impl From<StoreError> for JobFault {
    fn from(error: StoreError) -> Self {
        fault(&error.into())
    }
}
