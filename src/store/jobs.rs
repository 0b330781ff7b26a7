//! Jobs in the ledger, on the side of their callers: created, cancelled, deleted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::change::{Change, Done, What};
use super::endings::{ended, gone};
use super::files::Folders;
use super::ledger::Table;
use super::places::Coming;
use super::record::{Estimate, JobRecord, RequestRecord};
use super::state::{State, Tenant};
use super::told::of_job;
use super::volumes::check_room;
use super::{Actor, Quota, SizeFault, Store, StoreError, StoreOptions, VolumeDigest};
use crate::audit::{Event, Record};
use crate::jobs::{JobEvent, JobState, Life, Priority};

/// A volume that a job needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Its path in the header.
    pub field: String,
    /// Its name.
    pub digest: VolumeDigest,
    /// Its size by the header.
    pub size_bytes: u64,
}

/// A job to accept.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Who creates it.
    pub actor: Actor,
    /// The caller's own id. None: the job is only checked.
    pub request_id: Option<Uuid>,
    /// The specification, as bytes of the caller's protocol.
    pub spec: Arc<[u8]>,
    /// The digest of the specification, the same for equal ones.
    pub spec_sha256: String,
    /// The nuclide, as dosegrid names it.
    pub nuclide: String,
    /// The method.
    pub method: String,
    /// How urgent it is.
    pub priority: Priority,
    /// What it is expected to take; the wait is found out here.
    pub estimate: Estimate,
    /// Its volumes.
    pub inputs: Vec<Needed>,
    /// The span of the call, as in [`JobRecord::trace`].
    pub trace: Option<String>,
}

impl Store {
    /// Accepts a job, or gives the one that the same request made before.
    ///
    /// # Errors
    /// [`StoreError::RequestIdUsed`], [`StoreError::VolumesMissing`], [`StoreError::WrongSizes`],
    /// [`StoreError::Busy`], [`StoreError::OverQuota`], [`StoreError::Full`], [`StoreError::Unavailable`].
    pub fn create_job(&self, new: NewJob) -> Result<Arc<JobRecord>, StoreError> {
        let (options, folders, due) = (self.options(), self.folders.clone(), self.clock.due());
        if !self.is_sound() {
            return Err(StoreError::Unavailable);
        }
        // Who is refused, or asked before, does not wait for the disk.
        if let Some(job) = self.published.read(|state| met(state, &new, due, &options, &folders))? {
            return Ok(job);
        }
        if new.request_id.is_none() {
            return Ok(self.published.read(|state| record(state, &new, &options, SystemTime::now())));
        }
        self.writer.write(move |state| {
            if let Some(job) = met(state, &new, due, &options, &folders)? {
                return Ok(Done::unchanged(job));
            }
            Ok(accepted(state, &new, &options))
        })
    }

    /// The job that the same request made before; none if its id is new.
    ///
    /// * `spec_sha256` – as in [`NewJob`]
    ///
    /// # Errors
    /// [`StoreError::RequestIdUsed`], whatever else is wrong with the request.
    pub fn made_before(
        &self,
        tenant: &str,
        request_id: Uuid,
        spec_sha256: &str,
    ) -> Result<Option<Arc<JobRecord>>, StoreError> {
        let due = self.clock.due();
        self.published.read(|state| match state.tenant(tenant) {
            Some(tenant) => made_by(tenant, request_id, spec_sha256, due),
            None => Ok(None),
        })
    }

    /// A tenant's job as it is now.
    pub fn job(&self, tenant: &str, id: Uuid) -> Option<Arc<JobRecord>> {
        let due = self.clock.due();
        self.published.read(|state| state.job(tenant, id, due).cloned())
    }

    /// A job of any tenant, with its tenant.
    pub fn job_of_any(&self, id: Uuid) -> Option<(Arc<str>, Arc<JobRecord>)> {
        let due = self.clock.due();
        self.published.read(|state| {
            let found = |(name, tenant): (&Arc<str>, &Tenant)| Some((name.clone(), tenant.job(id, due)?.clone()));
            state.tenants.iter().find_map(found)
        })
    }

    /// A tenant's jobs before one of them, the newest first.
    ///
    /// * `before` – only those that were created before this one
    /// * `states` – only those in one of these; empty: all
    /// * `most` – how many
    pub fn jobs(&self, tenant: &str, before: Option<Uuid>, states: &[JobState], most: usize) -> Vec<Arc<JobRecord>> {
        let due = self.clock.due();
        self.published.read(|state| {
            let Some(tenant) = state.tenant(tenant) else { return Vec::new() };
            let end = before.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let newest_first = tenant.jobs.range((std::ops::Bound::Unbounded, end)).rev().map(|(_, job)| job);
            newest_first
                .filter(|job| !job.is_expired(due) && (states.is_empty() || states.contains(&job.state())))
                .take(most)
                .cloned()
                .collect()
        })
    }

    /// The specification of a job.
    ///
    /// # Errors
    /// [`StoreError::JobNotFound`], [`StoreError::Unavailable`].
    pub fn spec(&self, tenant: &str, id: Uuid) -> Result<Vec<u8>, StoreError> {
        self.bytes_of(Table::Specs, tenant, id)?.ok_or(StoreError::JobNotFound)
    }

    /// The result of a job; none if it has none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn result(&self, tenant: &str, id: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
        self.bytes_of(Table::Results, tenant, id)
    }

    fn bytes_of(&self, table: Table, tenant: &str, id: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
        self.ledger.get(table, &format!("{tenant}/{id}")).map_err(|error| {
            tracing::error!(%error, "the ledger cannot be read");
            StoreError::Unavailable
        })
    }

    /// Cancels a job that is not finished. One that is stays as it is.
    ///
    /// # Errors
    /// [`StoreError::JobNotFound`], [`StoreError::Unavailable`].
    pub fn cancel_job(&self, tenant: &str, id: Uuid, actor: &Actor) -> Result<Arc<JobRecord>, StoreError> {
        let (name, actor) = (tenant.to_owned(), actor.clone());
        let (options, due) = (self.options(), self.clock.due());
        let (job_ttl, volume_ttl) = (options.job_ttl, options.volume_ttl);
        self.writer.write(move |state| {
            let now = SystemTime::now();
            let job = state.job(&name, id, due).ok_or(StoreError::JobNotFound)?;
            let mut next = (**job).clone();
            if next.life.step(JobEvent::Cancel, now).is_err() {
                return Ok(Done::unchanged(job.clone()));
            }
            next.expires = Some(now + job_ttl);
            let job = Arc::new(next);
            let changes = ended(state, &state.shared_name(&name), &job, volume_ttl, now);
            let events = vec![Record { tenant: Some(name), ..of_job(Event::JobCancelled, &actor, &job) }];
            Ok(Done { value: job, changes, events })
        })
    }

    /// Deletes a finished job, and its results.
    ///
    /// # Errors
    /// [`StoreError::JobNotFound`], [`StoreError::JobNotFinished`], [`StoreError::Unavailable`].
    pub fn delete_job(&self, tenant: &str, id: Uuid, actor: &Actor) -> Result<(), StoreError> {
        let (name, actor, due) = (tenant.to_owned(), actor.clone(), self.clock.due());
        self.writer.write(move |state| {
            let now = SystemTime::now();
            let job = state.job(&name, id, due).ok_or(StoreError::JobNotFound)?;
            if !job.state().is_final() {
                return Err(StoreError::JobNotFinished);
            }
            let changes = gone(state, &state.shared_name(&name), job, now, due);
            let events = vec![Record { tenant: Some(name), ..of_job(Event::JobDeleted, &actor, job) }];
            Ok(Done { value: (), changes, events })
        })
    }
}

/// The job that the same request made before; none if there is room for a new one.
///
/// # Errors
/// As [`Store::create_job`].
fn met(
    state: &State,
    new: &NewJob,
    due: SystemTime,
    options: &StoreOptions,
    folders: &Folders,
) -> Result<Option<Arc<JobRecord>>, StoreError> {
    let nothing = Tenant::default();
    let tenant = state.tenant(&new.actor.tenant).unwrap_or(&nothing);
    if let Some(id) = new.request_id
        && let Some(job) = made_by(tenant, id, &new.spec_sha256, due)?
    {
        return Ok(Some(job));
    }
    check_volumes(tenant, new, due)?;
    check_places(state, tenant, options, Coming::default())?;
    check_room(state, tenant, new.estimate.result_bytes, due, options, folders)?;
    Ok(None)
}

/// The job that a request made before; none if its id is new.
///
/// # Errors
/// [`StoreError::RequestIdUsed`] for another specification, and for a job that is gone.
fn made_by(
    tenant: &Tenant,
    request_id: Uuid,
    spec_sha256: &str,
    due: SystemTime,
) -> Result<Option<Arc<JobRecord>>, StoreError> {
    let Some(known) = tenant.request(&request_id, due) else { return Ok(None) };
    match tenant.job(known.job, due) {
        Some(job) if known.spec_sha256 == spec_sha256 => Ok(Some(job.clone())),
        _ => Err(StoreError::RequestIdUsed { job: known.job }),
    }
}

/// # Errors
/// If too many jobs wait, or the tenant has too many, with those that are on their way.
pub(super) fn check_places(
    state: &State,
    tenant: &Tenant,
    options: &StoreOptions,
    coming: Coming,
) -> Result<(), StoreError> {
    if state.queued.saturating_add(coming.all) >= options.queue_length {
        return Err(StoreError::Busy { retry_after: backlog(state.unfinished().map(|(_, job)| job)) });
    }
    let used = (tenant.unfinished.len() as u64).saturating_add(coming.own);
    if used >= options.tenant_jobs {
        let retry_after = Some(backlog(tenant.unfinished.iter().map(|id| &tenant.jobs[id])));
        let (what, limit) = (Quota::Jobs, options.tenant_jobs);
        return Err(StoreError::OverQuota { what, used, limit, needed: 1, retry_after });
    }
    Ok(())
}

/// A new job, for which there is room: it holds its volumes, and its request is known from now on.
fn accepted(state: &State, new: &NewJob, options: &StoreOptions) -> Done<Arc<JobRecord>> {
    let name = state.shared_name(&new.actor.tenant);
    let job = record(state, new, options, SystemTime::now());
    let request = RequestRecord { spec_sha256: new.spec_sha256.clone(), job: job.id, kept_until: None };
    let mut changes = vec![
        Change::new(&name, What::Job(job.clone())),
        Change::new(&name, What::Spec(job.id, new.spec.clone())),
        Change::new(&name, What::Request(job.request_id, request)),
    ];
    let volumes = state.tenant(&name).map(|tenant| &tenant.volumes);
    for digest in &job.inputs {
        if let Some(mut volume) = volumes.and_then(|volumes| volumes.get(digest)).cloned() {
            volume.inputs += 1;
            changes.push(Change::new(&name, What::Volume(*digest, volume)));
        }
    }
    let events = vec![of_job(Event::JobCreated, &new.actor, &job)];
    Done { value: job, changes, events }
}

/// # Errors
/// If a volume is not there, or not as long as the header says.
fn check_volumes(tenant: &Tenant, new: &NewJob, due: SystemTime) -> Result<(), StoreError> {
    let (mut missing, mut faults) = (Vec::new(), Vec::new());
    for Needed { field, digest, size_bytes } in &new.inputs {
        match tenant.volume(digest, due).filter(|volume| volume.is_complete()) {
            None if new.request_id.is_none() || missing.contains(digest) => {}
            None => missing.push(*digest),
            Some(volume) if volume.size_bytes != *size_bytes => faults.push(SizeFault {
                field: field.clone(),
                expected_bytes: *size_bytes,
                found_bytes: volume.size_bytes,
            }),
            Some(_) => {}
        }
    }
    if !faults.is_empty() {
        return Err(StoreError::WrongSizes(faults));
    }
    if missing.is_empty() { Ok(()) } else { Err(StoreError::VolumesMissing(missing)) }
}

/// When one of these jobs may be done.
fn backlog<'a>(jobs: impl Iterator<Item = &'a Arc<JobRecord>>) -> Duration {
    let left = jobs.map(|job| (job.estimate.device_time_s - job.device_s).max(0.0)).reduce(f64::min);
    Duration::from_secs_f64(left.unwrap_or(0.0).clamp(1.0, 60.0))
}

/// A new job, which waits.
fn record(state: &State, new: &NewJob, options: &StoreOptions, now: SystemTime) -> Arc<JobRecord> {
    let estimate = new.estimate.bounded();
    let is_small = estimate.device_time_s <= options.small_job.as_secs_f64();
    let candidate = Uuid::now_v7();
    // Jobs are listed by their ids, so a clock that was set back must not make an older one.
    let id = match state.newest {
        Some(newest) if newest >= candidate => Uuid::from_u128(newest.as_u128() + 1),
        _ => candidate,
    };
    let ahead = state.unfinished().filter(|(_, job)| job.is_small == is_small);
    let wait_time_s = ahead.map(|(_, job)| (job.estimate.device_time_s - job.device_s).max(0.0)).sum();
    let mut inputs: Vec<VolumeDigest> = new.inputs.iter().map(|needed| needed.digest).collect();
    inputs.sort_unstable();
    inputs.dedup();
    Arc::new(JobRecord {
        id,
        request_id: new.request_id.unwrap_or_default(),
        identity: new.actor.name.clone(),
        nuclide: new.nuclide.clone(),
        method: new.method.clone(),
        life: Life::new(now),
        priority: new.priority,
        estimate: Estimate { wait_time_s, ..estimate }.bounded(),
        is_small,
        inputs,
        results: Vec::new(),
        deleted_results: Vec::new(),
        unproven: 0,
        is_first: false,
        checkpoint: 0,
        device_s: 0.0,
        device: None,
        error: None,
        expires: None,
        trace: new.trace.clone(),
    })
}
