//! What the ledger holds: one record for each job, volume and request.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{KeyId, VolumeDigest};
use crate::jobs::{JobState, Life, Priority};

/// Longest time that is foretold [s]: 30 years.
const MOST_ESTIMATE_S: f64 = 1e9;

/// A job, without its specification and result, which are bytes to the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its name, without `jobs/`.
    pub id: Uuid,
    /// By which its caller may send it again.
    pub request_id: Uuid,
    /// The name of the caller who created it, for the audit log.
    pub identity: String,
    /// The nuclide, as dosegrid names it, for the audit log.
    pub nuclide: String,
    /// The method, for the audit log.
    pub method: String,
    /// Where it is in its life.
    pub life: Life,
    /// How urgent it is.
    pub priority: Priority,
    /// What it was expected to take.
    pub estimate: Estimate,
    /// Whether it is in the lane of small jobs.
    pub is_small: bool,
    /// The volumes that it needs, each once.
    pub inputs: Vec<VolumeDigest>,
    /// The volumes that it made and keeps, each once.
    pub results: Vec<VolumeDigest>,
    /// Those of its results that a caller deleted before it, which it does not keep any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted_results: Vec<VolumeDigest>,
    /// Attempts in a row that ended without a new checkpoint, this one included.
    pub unproven: u32,
    /// Whether it was put back, and goes before all others of its lane.
    pub is_first: bool,
    /// Number of its newest checkpoint; 0: none.
    pub checkpoint: u64,
    /// Time on the device in earlier attempts [s].
    #[serde(with = "seconds")]
    pub device_s: f64,
    /// The device of its newest attempt, for the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Why it failed, if it did.
    pub error: Option<JobFault>,
    /// When it is deleted. Given once it is finished.
    pub expires: Option<SystemTime>,
    /// The span of the call that created it, as in the header `traceparent` of W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl JobRecord {
    /// Where it is in its life.
    pub fn state(&self) -> JobState {
        self.life.state()
    }

    /// All volumes that it made, deleted or not.
    pub(super) fn all_results(&self) -> impl Iterator<Item = &VolumeDigest> {
        self.results.iter().chain(&self.deleted_results)
    }

    /// Bytes that are reserved for its results.
    pub(super) fn reserved_bytes(&self) -> u64 {
        if self.state().is_final() { 0 } else { self.estimate.result_bytes }
    }

    pub(super) fn is_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// What a job is expected to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Memory while it runs: a bound [bytes].
    pub memory_bytes: u64,
    /// Its results: a bound [bytes].
    pub result_bytes: u64,
    /// Time on the device: a guess [s].
    #[serde(with = "seconds")]
    pub device_time_s: f64,
    /// Time until it begins: a guess [s].
    #[serde(with = "seconds")]
    pub wait_time_s: f64,
    /// Voxels of the grid of its dose; 0 if it is not known, as of jobs of earlier versions.
    #[serde(default)]
    pub voxels: u64,
}

impl Estimate {
    /// The same, with times that are finite.
    pub(super) fn bounded(self) -> Self {
        let [device_time_s, wait_time_s] = [self.device_time_s, self.wait_time_s].map(|s| s.min(MOST_ESTIMATE_S));
        Self { device_time_s, wait_time_s, ..self }
    }
}

/// Times as JSON, which has finite numbers only.
mod seconds {
    use serde::de::{Deserialize, Deserializer};
    use serde::ser::{Error, Serializer};

    pub(super) fn serialize<S: Serializer>(s: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if s.is_finite() { serializer.serialize_f64(*s) } else { Err(S::Error::custom("a time is not finite")) }
    }

    /// Earlier versions wrote `null` for a time beyond all numbers: it counts as none.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }
}

/// Why a job failed, as a status would say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFault {
    /// Code of gRPC.
    pub code: i32,
    /// Stable reason.
    pub reason: String,
    /// The same in words.
    pub message: String,
    /// Facts.
    pub metadata: BTreeMap<String, String>,
    /// Bad fields: path and what is wrong.
    pub field_violations: Vec<(String, String)>,
}

/// A volume of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRecord {
    /// Bytes in all.
    pub size_bytes: u64,
    /// How far it is.
    pub phase: Phase,
    /// Unfinished jobs that need it.
    pub inputs: u32,
    /// Jobs that made it.
    pub results: u32,
    /// Until when it is kept although no job refers to it; none: not at all.
    pub kept_until: Option<SystemTime>,
    /// When the last of the jobs that made it expires; none if none did, or if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results_until: Option<SystemTime>,
    /// The key that its file is encrypted with; none: its file holds its bytes as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
}

/// How far a volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its bytes are on their way.
    Uploading {
        /// Tells this upload from an earlier one of the same name.
        upload: Uuid,
        /// Bytes that are safe.
        committed_bytes: u64,
    },
    /// All bytes are there, and have its digest.
    Complete,
    /// Its file was not what was stored, and was set aside.
    Damaged,
}

impl VolumeRecord {
    /// Whether all of its bytes are there.
    pub fn is_complete(&self) -> bool {
        self.phase == Phase::Complete
    }

    /// Bytes that are safe.
    pub fn committed_bytes(&self) -> u64 {
        match self.phase {
            Phase::Uploading { committed_bytes, .. } => committed_bytes,
            Phase::Complete => self.size_bytes,
            Phase::Damaged => 0,
        }
    }

    /// When it is deleted; none as long as a job refers to it. An upload in the place of a volume that was damaged goes
    /// by its own time: what its jobs refer to is not there yet.
    pub fn expires(&self) -> Option<SystemTime> {
        let is_kept = self.is_referenced() && !self.is_uploading();
        if is_kept { None } else { Some(self.kept_until.unwrap_or(SystemTime::UNIX_EPOCH)) }
    }

    /// Whether bytes of it are on their way.
    pub(super) fn is_uploading(&self) -> bool {
        matches!(self.phase, Phase::Uploading { .. })
    }

    pub(super) fn is_referenced(&self) -> bool {
        self.inputs > 0 || self.results > 0
    }

    pub(super) fn is_expired(&self, now: SystemTime) -> bool {
        if self.is_uploading() {
            return self.kept_until.is_none_or(|at| at <= now);
        }
        if self.inputs > 0 {
            return false;
        }
        // Jobs that have expired stand in the ledger until the next sweep, and keep nothing meanwhile.
        let is_kept_by_jobs = self.results > 0 && self.results_until.is_none_or(|at| at > now);
        !is_kept_by_jobs && self.kept_until.is_none_or(|at| at <= now)
    }

    /// What it counts in its tenant's quota.
    pub(super) fn charged_bytes(&self) -> u64 {
        if self.phase == Phase::Damaged { 0 } else { self.size_bytes }
    }

    /// Bytes that it may still take of the disk.
    pub(super) fn reserved_bytes(&self) -> u64 {
        if self.phase == Phase::Damaged { 0 } else { self.size_bytes - self.committed_bytes() }
    }
}

/// A request id that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The digest of the specification.
    pub spec_sha256: String,
    /// The job that came of it.
    pub job: Uuid,
    /// Until when it is kept, once the job is gone.
    pub kept_until: Option<SystemTime>,
}

impl RequestRecord {
    /// Whether it may be used again.
    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        self.kept_until.is_some_and(|at| at <= now)
    }
}
