//! The server itself, and its jobs.

use http::{HeaderMap, Response};
use serde_json::json;
use tonic::Status;

use super::within::Within;
use super::{Site, json};
use crate::api::pb;
use crate::api::wire::stored;
use crate::domain::{Checks, DoseError};
use crate::jobs::JobState;
use crate::page::{self, Body};

/// Jobs of a page.
const PAGE: i32 = 100;

impl Site {
    /// Version, devices, limits, caches, and who reads.
    pub(super) async fn server(&self, within: &Within, headers: &HeaderMap) -> Result<Response<Body>, Status> {
        let info = within.dose().get_server_info(pb::GetServerInfoRequest {}).await?.into_inner();
        let devices = within.dose().list_devices(pb::ListDevicesRequest {}).await?.into_inner();
        let caller = self.gate.admit(headers, &within.peer, None).await?;
        let roles: Vec<&str> = caller.roles.iter().map(|role| role.name()).collect();
        let limits = info.limits.unwrap_or_default();
        Ok(page::json(&json!({
            "version": info.version,
            "commit": info.commit,
            "devices": devices.devices.into_iter().map(json::device).collect::<Vec<_>>(),
            "serving_device_id": devices.serving_device_id,
            "limits": {
                "memory_bytes": limits.memory_bytes,
                "max_volume_bytes": limits.max_volume_bytes,
                "queue_length": limits.queue_length,
                "compute_limit_s": limits.compute_limit_s,
                "volume_ttl_s": limits.volume_ttl_s,
                "job_ttl_s": limits.job_ttl_s,
            },
            "caches": info.caches.iter().map(json::cache).collect::<Vec<_>>(),
            "has_store": limits.job_ttl_s > 0.0,
            "has_gateway": self.gateway.is_some(),
            "caller": { "name": caller.name, "tenant": caller.tenant, "roles": roles },
        })))
    }
}

/// Jobs, the newest first.
///
/// * `query` – `state`, which may come several times, `page_token` and `tenant`
pub(super) async fn jobs(within: &Within, query: &str) -> Result<Response<Body>, Status> {
    let mut request = pb::ListJobsRequest { page_size: PAGE, ..Default::default() };
    let mut checks = Checks::new();
    for (name, value) in
        query.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")))
    {
        // Names of states and tenants, and tokens, have no letter that a URL writes in another way.
        match name {
            "state" => match JobState::ALL.into_iter().find(|state| state.name() == value) {
                Some(state) => request.states.push(stored::state(state).into()),
                None => checks.fail("state", "is queued, running, succeeded, failed or cancelled"),
            },
            "page_token" => value.clone_into(&mut request.page_token),
            "tenant" => value.clone_into(&mut request.tenant),
            _ => checks.fail("query", "has state, page_token and tenant, and nothing else"),
        }
    }
    checks.finish().map_err(Status::from)?;
    let found = within.jobs().list_jobs(request).await?.into_inner();
    let jobs: Vec<_> = found.jobs.iter().map(json::job).collect();
    Ok(page::json(&json!({ "jobs": jobs, "next_page_token": found.next_page_token })))
}

/// Cancels a job.
pub(super) async fn cancel(within: &Within, id: &str) -> Result<Response<Body>, Status> {
    let answer = within.jobs().cancel_job(pb::CancelJobRequest { name: format!("jobs/{id}") }).await?.into_inner();
    let job = answer.job.ok_or_else(|| Status::from(DoseError::Internal("no job in an answer".into())))?;
    Ok(page::json(&json::job(&job)))
}
