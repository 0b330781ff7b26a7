//! Volumes and jobs as a store knows them.

use std::time::SystemTime;

use super::{pb, progress};
use crate::domain::Progress;
use crate::jobs::{JobState, Priority};
use crate::store::{Estimate, JobFault, JobRecord, VolumeDigest, VolumeRecord, job_name};

fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    prost_types::Timestamp::from(time)
}

/// A volume; one that is not there has no size.
pub(in crate::api) fn volume(name: &VolumeDigest, found: Option<&VolumeRecord>) -> pb::Volume {
    pb::Volume {
        digest: name.to_string(),
        size_bytes: found.map_or(0, |volume| volume.size_bytes),
        committed_bytes: found.map_or(0, VolumeRecord::committed_bytes),
        expire_time: found.and_then(VolumeRecord::expires).map(timestamp),
    }
}

/// A job without its specification and result.
pub(in crate::api) fn job(job: &JobRecord, running: Option<Progress>) -> pb::Job {
    pb::Job {
        name: job_name(job.id),
        spec: None,
        state: state(job.state()).into(),
        revision: job.life.revision(),
        estimate: Some(estimate(&job.estimate)),
        progress: running.filter(|_| job.state() == JobState::Running).map(progress::of),
        attempts: job.life.attempts(),
        create_time: Some(timestamp(job.life.created())),
        start_time: job.life.started().map(timestamp),
        end_time: job.life.ended().map(timestamp),
        expire_time: job.expires.map(timestamp),
        result: None,
        error: job.error.as_ref().map(error),
    }
}

fn estimate(estimate: &Estimate) -> pb::JobEstimate {
    let Estimate { memory_bytes, result_bytes, device_time_s, wait_time_s, voxels: _ } = *estimate;
    pb::JobEstimate { memory_bytes, result_bytes, device_time_s, wait_time_s }
}

pub(in crate::api) fn state(state: JobState) -> pb::JobState {
    match state {
        JobState::Queued => pb::JobState::Queued,
        JobState::Running => pb::JobState::Running,
        JobState::Succeeded => pb::JobState::Succeeded,
        JobState::Failed => pb::JobState::Failed,
        JobState::Cancelled => pb::JobState::Cancelled,
    }
}

/// The state of a number; none for one that names none.
pub(in crate::api) fn decode_state(number: i32) -> Option<JobState> {
    JobState::ALL.into_iter().find(|known| i32::from(state(*known)) == number)
}

/// The priority of a number; none for one that names none.
pub(in crate::api) fn decode_priority(number: i32) -> Option<Priority> {
    match pb::JobPriority::try_from(number).ok()? {
        pb::JobPriority::Unspecified | pb::JobPriority::Normal => Some(Priority::Normal),
        pb::JobPriority::Low => Some(Priority::Low),
        pb::JobPriority::High => Some(Priority::High),
    }
}

fn error(error: &JobFault) -> pb::JobError {
    let violation = |(field, description): &(String, String)| pb::FieldViolation {
        field: field.clone(),
        description: description.clone(),
    };
    pb::JobError {
        code: error.code,
        reason: error.reason.clone(),
        message: error.message.clone(),
        metadata: error.metadata.clone(),
        field_violations: error.field_violations.iter().map(violation).collect(),
    }
}
