//! A job as data: what to compute, for whom, and how far it has come. It can be stored, listed, and sent elsewhere.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{JobState, JobVolume, Life};
use crate::domain::{DoseError, RequestHeader, Violation};

/// The name of a job, given by the queue that accepted it: `jobs/` and text without a meaning of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(String);

impl JobId {
    /// * `text` – what the queue tells its jobs apart by
    pub fn new(text: impl fmt::Display) -> Self {
        Self(format!("jobs/{text}"))
    }

    /// The text behind `jobs/`.
    pub fn text(&self) -> &str {
        self.0.strip_prefix("jobs/").unwrap_or_default()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of the waiting jobs goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// After all others.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// Before all others.
    High,
}

/// What to compute, and how urgent it is. It never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The request without its voxels.
    pub header: RequestHeader,
    /// The names of its volumes, in the order of the header.
    pub volumes: Vec<JobVolume>,
    /// How urgent it is.
    pub priority: Priority,
}

/// A job to accept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    /// What to compute.
    pub spec: JobSpec,
    /// Whose it is.
    pub owner: String,
    /// Memory that it reserves until it is finished [bytes].
    pub memory_bytes: u64,
}

/// A job that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What to compute.
    pub spec: JobSpec,
    /// Whose it is.
    pub owner: String,
    /// Memory that it reserves until it is finished [bytes].
    pub memory_bytes: u64,
    /// Where it is in its life, with the counters and times that belong to it.
    pub life: Life,
    /// Why it failed, if it did.
    pub error: Option<JobError>,
}

impl Job {
    /// A job with the name that its queue gave it.
    pub fn new(id: JobId, new: NewJob, life: Life) -> Self {
        let NewJob { spec, owner, memory_bytes } = new;
        Self { id, spec, owner, memory_bytes, life, error: None }
    }

    /// Where it is in its life.
    pub fn state(&self) -> JobState {
        self.life.state()
    }
}

/// Why a job failed, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// Stable reason, such as `DEVICE_LOST`: [`DoseError::reason`].
    pub reason: String,
    /// The same in words, without patient data.
    pub message: String,
    /// Every bad field, if the input was at fault: its path and what is wrong with it.
    pub field_violations: Vec<(String, String)>,
}

impl From<&DoseError> for JobError {
    fn from(error: &DoseError) -> Self {
        let pair = |Violation { field, reason }: Violation| (field, reason);
        let reason = error.reason().to_owned();
        Self {
            reason,
            message: error.to_string(),
            field_violations: error.violations().into_iter().map(pair).collect(),
        }
    }
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only those of this owner; none: of all.
    pub owner: Option<String>,
    /// Only those in one of these states; empty: in any.
    pub states: Vec<JobState>,
}

impl JobFilter {
    /// Whether a job is to be listed.
    pub fn matches(&self, job: &Job) -> bool {
        self.owner.as_ref().is_none_or(|owner| *owner == job.owner)
            && (self.states.is_empty() || self.states.contains(&job.state()))
    }
}
