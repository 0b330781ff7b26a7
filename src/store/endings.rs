//! What changes in the ledger when a job ends, is gone, or is lost while it runs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::change::{Change, What};
use super::record::{JobFault, JobRecord, RequestRecord};
use super::state::State;
use super::told::finished;
use crate::audit::Record;
use crate::jobs::JobEvent;

/// How long a request id is kept once its job is gone.
pub(super) const REQUEST_TTL: Duration = Duration::from_secs(86_400);
/// ABORTED of gRPC.
const ABORTED: i32 = 10;
/// Reason of a job that took down what computed it, too often.
const POISONOUS: &str = "JOB_POISONOUS";

/// What makes a job that is lost wait again, or fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    /// What was lost: process, worker or device.
    pub(super) cause: &'static str,
    pub(super) max_attempts: u32,
    pub(super) job_ttl: Duration,
    pub(super) volume_ttl: Duration,
}

/// A job that is finished now, with the volumes that it lets go of.
pub(super) fn ended(
    state: &State,
    name: &Arc<str>,
    job: &Arc<JobRecord>,
    volume_ttl: Duration,
    now: SystemTime,
) -> Vec<Change> {
    let mut changes = vec![Change::new(name, What::Job(job.clone()))];
    let volumes = state.tenant(name).map(|tenant| &tenant.volumes);
    for digest in &job.inputs {
        if let Some(mut volume) = volumes.and_then(|volumes| volumes.get(digest)).cloned() {
            volume.inputs = volume.inputs.saturating_sub(1);
            if !volume.is_uploading() {
                volume.kept_until = volume.kept_until.max(Some(now + volume_ttl));
            }
            changes.push(Change::new(name, What::Volume(*digest, volume)));
        }
    }
    changes
}

/// A job that is gone, with the results that nothing else keeps.
///
/// * `since` – when it was deleted, or expired
/// * `due` – what has expired by then is not kept
pub(super) fn gone(state: &State, name: &Arc<str>, job: &JobRecord, since: SystemTime, due: SystemTime) -> Vec<Change> {
    let mut changes = vec![Change::new(name, What::NoJob(job.id))];
    let Some(tenant) = state.tenant(name) else { return changes };
    // The id of a job that expired long ago may be that of another job by now.
    if let Some(request) = tenant.requests.get(&job.request_id).filter(|request| request.job == job.id) {
        let request = RequestRecord { kept_until: Some(since + REQUEST_TTL), ..request.clone() };
        changes.push(Change::new(name, What::Request(job.request_id, request)));
    }
    for digest in &job.results {
        if let Some(mut volume) = tenant.volumes.get(digest).cloned() {
            volume.results = volume.results.saturating_sub(1);
            let is_gone = volume.results == 0 && volume.is_expired(due);
            let what = if is_gone { What::NoVolume(*digest) } else { What::Volume(*digest, volume) };
            changes.push(Change::new(name, what));
        }
    }
    changes
}

/// A job that was lost while it ran: it waits again, before all others of its lane, or fails.
pub(super) fn put_back(
    state: &State,
    name: &Arc<str>,
    job: &JobRecord,
    loss: Loss,
    now: SystemTime,
) -> (Arc<JobRecord>, Vec<Change>, Vec<Record>) {
    let mut next = job.clone();
    let is_poisonous = job.unproven >= loss.max_attempts;
    let step = if is_poisonous { JobEvent::Fail } else { JobEvent::PutBack };
    if next.life.step(step, now).is_err() {
        return (Arc::new(job.clone()), Vec::new(), Vec::new());
    }
    if !is_poisonous {
        next.is_first = true;
        let next = Arc::new(next);
        return (next.clone(), vec![Change::new(name, What::Job(next))], Vec::new());
    }
    let attempts = job.unproven;
    next.error = Some(JobFault {
        code: ABORTED,
        reason: POISONOUS.to_owned(),
        message: format!("{attempts} attempts in a row ended with the loss of what computed them: {}", loss.cause),
        metadata: [("attempts", attempts.to_string()), ("cause", loss.cause.to_owned())]
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
        field_violations: Vec::new(),
    });
    next.expires = Some(now + loss.job_ttl);
    let next = Arc::new(next);
    let event = Record { reason: Some(POISONOUS.to_owned()), ..finished(name, &next) };
    (next.clone(), ended(state, name, &next, loss.volume_ttl, now), vec![event])
}
