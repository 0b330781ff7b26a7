//! Messages as JSON. Names are those of the protocol.

use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::api::{pb, wire};
use crate::domain::Stage;
use crate::jobs::JobState;

fn moment(time: Option<&Timestamp>) -> Option<String> {
    time.map(ToString::to_string)
}

/// A device.
pub(super) fn device(device: pb::Device) -> Value {
    json!(wire::device::decode(device))
}

/// A cache.
pub(super) fn cache(cache: &pb::CacheAccount) -> Value {
    let pb::CacheAccount { name, entries, bytes, bound_bytes, hits, misses } = cache;
    json!({ "name": name, "entries": entries, "bytes": bytes, "bound_bytes": bound_bytes, "hits": hits,
            "misses": misses })
}

/// A job without its specification and result.
pub(super) fn job(job: &pb::Job) -> Value {
    let state = wire::stored::decode_state(job.state).map_or("unknown", JobState::name);
    json!({
        "id": job.name.strip_prefix("jobs/").unwrap_or(&job.name),
        "state": state,
        "attempts": job.attempts,
        "create_time": moment(job.create_time.as_ref()),
        "start_time": moment(job.start_time.as_ref()),
        "end_time": moment(job.end_time.as_ref()),
        "expire_time": moment(job.expire_time.as_ref()),
        "estimate": job.estimate.as_ref().map(|estimate| json!({
            "memory_bytes": estimate.memory_bytes,
            "device_time_s": estimate.device_time_s,
            "wait_time_s": estimate.wait_time_s,
        })),
        "progress": job.progress.map(progress),
        "error": job.error.as_ref().map(|error| json!({ "reason": error.reason, "message": error.message })),
    })
}

fn progress(message: pb::Progress) -> Value {
    let (overall_fraction, time_left_s) = (message.overall_fraction, message.time_left_s);
    let known = wire::progress::decode(message);
    let transport = known.and_then(|progress| progress.transport);
    json!({
        "stage": known.map(|progress| Stage::name(progress.stage)),
        "overall_fraction": overall_fraction,
        "time_left_s": time_left_s,
        "histories": transport.map(|transport| transport.histories),
        "relative_sigma": transport.and_then(|transport| transport.relative_sigma),
    })
}
