//! What the audit log says of jobs and volumes.

use super::record::JobRecord;
use super::{Actor, VolumeDigest};
use crate::audit::{Event, Record};

/// What the audit log says of what somebody does with a job.
pub(super) fn of_job(event: Event, actor: &Actor, job: &JobRecord) -> Record {
    Record {
        identity: Some(actor.name.clone()),
        peer: Some(actor.peer.clone()).filter(|peer| !peer.is_empty()),
        ..by_itself(event, &actor.tenant, job)
    }
}

/// What the audit log says of what happens to a job by itself.
pub(super) fn by_itself(event: Event, tenant: &str, job: &JobRecord) -> Record {
    Record {
        tenant: Some(tenant.to_owned()),
        identity: Some(job.identity.clone()),
        job: Some(format!("jobs/{}", job.id)),
        nuclide: Some(job.nuclide.clone()).filter(|name| !name.is_empty()),
        method: Some(job.method.clone()),
        inputs: job.inputs.iter().map(ToString::to_string).collect(),
        results: job.all_results().map(ToString::to_string).collect(),
        attempts: Some(job.life.attempts()),
        device: job.device.clone(),
        state: Some(job.state()).filter(|state| state.is_final()).map(|state| state.name().to_owned()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..Record::now(event)
    }
}

/// What the audit log says of a job's end.
pub(super) fn finished(tenant: &str, job: &JobRecord) -> Record {
    Record {
        reason: job.error.as_ref().map(|error| error.reason.clone()),
        ..by_itself(Event::JobFinished, tenant, job)
    }
}

/// What the audit log says of what somebody does with a volume.
pub(super) fn of_volume(event: Event, actor: &Actor, digest: &VolumeDigest) -> Record {
    let names = vec![digest.to_string()];
    let (inputs, results) = if event == Event::VolumeStored { (names, Vec::new()) } else { (Vec::new(), names) };
    Record {
        tenant: Some(actor.tenant.clone()),
        identity: Some(actor.name.clone()),
        peer: Some(actor.peer.clone()).filter(|peer| !peer.is_empty()),
        inputs,
        results,
        ..Record::now(event)
    }
}
