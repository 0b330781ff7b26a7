//! `dosegrid.v1.JobService`: durable jobs.

use std::sync::Arc;

use prost::Message;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::durable::{Durable, blocking};
use super::identity::{Caller, Role, caller_of};
use super::log::CallLog;
use super::off_thread::for_header;
use super::service::Shared;
use super::stream::{self, Responses};
use super::wire::stored;
use super::{job_spec, job_watch, page, pb};
use crate::digest::sha256_hex;
use crate::domain::{Checks, DoseError};
use crate::jobs::JobState;
use crate::store::{Actor, JobRecord, NewJob, StoreError, job_id};

/// Jobs of a page, if the caller says nothing.
const PAGE: usize = 100;
/// Most jobs of a page.
const MOST_OF_PAGE: usize = 1000;

/// `dosegrid.v1.JobService`.
#[derive(Clone, Debug)]
pub(super) struct Jobs(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl pb::job_service_server::JobService for Jobs {
    async fn create_job(
        &self,
        request: Request<pb::CreateJobRequest>,
    ) -> Result<Response<pb::CreateJobResponse>, Status> {
        let (durable, actor) = self.0.durable(&request, Role::Submit)?;
        let trace = CallLog::of(&request).traceparent();
        let (shared, request) = (self.0.clone(), request.into_inner());
        let validate_only = request.validate_only;
        let request_id = if validate_only { None } else { job_spec::request_uuid(&request.request_id) };
        let tenant = actor.tenant.clone();
        let spec = request.spec.as_ref().map(Message::encode_to_vec).unwrap_or_default();
        // It was checked then; what is allowed now does not matter. Nor does what else is wrong with a used id.
        let before = request_id.map(|id| durable.store.made_before(&tenant, id, &sha256_hex(&spec))).transpose()?;
        let job = match before.flatten() {
            Some(job) => job,
            None => {
                let _place = durable.store.place(&tenant, request_id)?;
                let compute = request.spec.as_ref().and_then(|spec| spec.compute.as_ref());
                let emissions = compute.map_or(0, |header| header.emissions.len());
                let decoded =
                    for_header(emissions, move |control| Ok(job_spec::decode(&shared, request, actor, control)))
                        .await?;
                let new = NewJob { trace, ..decoded? };
                blocking(&durable, move |store| store.create_job(new)).await?
            }
        };
        let mut message = if validate_only {
            pb::Job { name: String::new(), ..stored::job(&job, None) }
        } else if job.state() == JobState::Succeeded {
            whole(&durable, &tenant, &job).await?
        } else {
            stored::job(&job, durable.progress(job.id))
        };
        message.spec = pb::JobSpec::decode(&*spec).ok();
        Ok(Response::new(pb::CreateJobResponse { job: Some(message) }))
    }

    async fn get_job(&self, request: Request<pb::GetJobRequest>) -> Result<Response<pb::GetJobResponse>, Status> {
        let (durable, _) = self.0.durable(&request, Role::Read)?;
        let (tenant, job) = find(&durable, &caller_of(request.extensions()), &request.get_ref().name)?;
        Ok(Response::new(pb::GetJobResponse { job: Some(whole(&durable, &tenant, &job).await?) }))
    }

    async fn list_jobs(&self, request: Request<pb::ListJobsRequest>) -> Result<Response<pb::ListJobsResponse>, Status> {
        let (durable, _) = self.0.durable(&request, Role::Read)?;
        let caller = caller_of(request.extensions());
        let pb::ListJobsRequest { page_size, page_token, states, tenant } = request.into_inner();
        let tenant = if tenant.is_empty() { caller.tenant.clone() } else { tenant };
        if tenant != caller.tenant {
            caller.require(Role::Admin)?;
        }
        let mut checks = Checks::new();
        let most = match usize::try_from(page_size) {
            Ok(0) => PAGE,
            Ok(size) => size.min(MOST_OF_PAGE),
            Err(_) => {
                checks.fail("page_size", "is below 0");
                PAGE
            }
        };
        let known: Vec<_> = states.iter().filter_map(|state| stored::decode_state(*state)).collect();
        if known.len() < states.len() {
            checks.fail("states", "has one that is not known");
        }
        let request = page::Bound::new(&tenant, &known);
        let before = if page_token.is_empty() { None } else { checks.at("page_token", request.decode(&page_token)) };
        checks.finish().map_err(Status::from)?;
        let mut found = durable.store.jobs(&tenant, before, &known, most + 1);
        let has_more = found.len() > most;
        found.truncate(most);
        let next_page_token = match found.last() {
            Some(last) if has_more => request.encode(last.id),
            _ => String::new(),
        };
        let jobs = found.iter().map(|job| stored::job(job, durable.progress(job.id))).collect();
        Ok(Response::new(pb::ListJobsResponse { jobs, next_page_token }))
    }

    type WatchJobStream = Responses<pb::WatchJobResponse>;

    async fn watch_job(&self, request: Request<pb::WatchJobRequest>) -> Result<Response<Self::WatchJobStream>, Status> {
        let (durable, _) = self.0.durable(&request, Role::Read)?;
        let (tenant, job) = find(&durable, &caller_of(request.extensions()), &request.get_ref().name)?;
        let watch = move |exchange| job_watch::watch(durable, tenant, job.id, exchange);
        Ok(Response::new(stream::begin(&self.0, request, watch)))
    }

    async fn cancel_job(
        &self,
        request: Request<pb::CancelJobRequest>,
    ) -> Result<Response<pb::CancelJobResponse>, Status> {
        let (durable, actor) = self.0.durable(&request, Role::Submit)?;
        let (tenant, job) = find(&durable, &caller_of(request.extensions()), &request.get_ref().name)?;
        let (owner, id) = (tenant.clone(), job.id);
        let job = blocking(&durable, move |store| store.cancel_job(&owner, id, &actor)).await?;
        Ok(Response::new(pb::CancelJobResponse { job: Some(whole(&durable, &tenant, &job).await?) }))
    }

    async fn delete_job(
        &self,
        request: Request<pb::DeleteJobRequest>,
    ) -> Result<Response<pb::DeleteJobResponse>, Status> {
        let (durable, actor): (Durable, Actor) = self.0.durable(&request, Role::Submit)?;
        let (tenant, job) = find(&durable, &caller_of(request.extensions()), &request.get_ref().name)?;
        let id: Uuid = job.id;
        blocking(&durable, move |store| store.delete_job(&tenant, id, &actor)).await?;
        Ok(Response::new(pb::DeleteJobResponse {}))
    }
}

/// A job by its name, with its tenant. An administrator finds those of every tenant.
///
/// # Errors
/// [`StoreError::JobNotFound`], the same for a name that no job has and for a job of another tenant.
fn find(durable: &Durable, caller: &Caller, name: &str) -> Result<(String, Arc<JobRecord>), StoreError> {
    let id = job_id(name).ok_or(StoreError::JobNotFound)?;
    if let Some(job) = durable.store.job(&caller.tenant, id) {
        return Ok((caller.tenant.clone(), job));
    }
    let of_any = if caller.has(Role::Admin) { durable.store.job_of_any(id) } else { None };
    of_any.map(|(tenant, job)| (tenant.to_string(), job)).ok_or(StoreError::JobNotFound)
}

/// A job with its specification and its result.
async fn whole(durable: &Durable, tenant: &str, job: &JobRecord) -> Result<pb::Job, Status> {
    let (owner, id) = (tenant.to_owned(), job.id);
    let (spec, result) =
        blocking(durable, move |store| Ok((store.spec(&owner, id)?, store.result(&owner, id)?))).await?;
    let damaged = |_| Status::from(DoseError::Internal("a record of the ledger is not understood".into()));
    let mut message = stored::job(job, durable.progress(job.id));
    message.spec = Some(pb::JobSpec::decode(&*spec).map_err(damaged)?);
    // The record was looked at before: what came later is told the next time.
    if message.state() == pb::JobState::Succeeded {
        message.result = result.map(|bytes| pb::ComputeResult::decode(&*bytes)).transpose().map_err(damaged)?;
    }
    Ok(message)
}

/// The result of a job that succeeded.
pub(super) async fn with_result(durable: &Durable, tenant: &str, job: &JobRecord) -> Result<pb::Job, Status> {
    let whole = whole(durable, tenant, job).await;
    match whole {
        Ok(message) => Ok(pb::Job { spec: None, ..message }),
        Err(status) if status.code() == Code::NotFound => Err(StoreError::JobNotFound.into()),
        Err(status) => Err(status),
    }
}
