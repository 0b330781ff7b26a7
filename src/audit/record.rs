//! What one line of the audit log says.

use jiff::Timestamp;
use serde::Serialize;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Event {
    /// The service listens.
    #[serde(rename = "server.started")]
    ServerStarted,
    /// The service has ended its work.
    #[serde(rename = "server.stopped")]
    ServerStopped,
    /// A caller without a valid identity, or several of one peer.
    #[serde(rename = "identity.refused")]
    IdentityRefused,
    /// A volume is complete.
    #[serde(rename = "volume.stored")]
    VolumeStored,
    /// A volume was sent to a caller.
    #[serde(rename = "volume.read")]
    VolumeRead,
    /// A caller deleted a volume.
    #[serde(rename = "volume.deleted")]
    VolumeDeleted,
    /// A volume's time was over.
    #[serde(rename = "volume.expired")]
    VolumeExpired,
    /// A job was accepted.
    #[serde(rename = "job.created")]
    JobCreated,
    /// An attempt at a job begins.
    #[serde(rename = "job.started")]
    JobStarted,
    /// A job succeeded or failed.
    #[serde(rename = "job.finished")]
    JobFinished,
    /// A caller cancelled a job.
    #[serde(rename = "job.cancelled")]
    JobCancelled,
    /// A caller deleted a job.
    #[serde(rename = "job.deleted")]
    JobDeleted,
    /// A job's time was over.
    #[serde(rename = "job.expired")]
    JobExpired,
    /// A `Compute` call has ended.
    #[serde(rename = "compute.finished")]
    ComputeFinished,
    /// A study on its way through a gateway came to another state.
    #[serde(rename = "gateway.item")]
    GatewayItem,
}

/// One record, without what the chain adds: its number. No field holds text of a caller's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
    /// Whose data it is.
    pub tenant: Option<String>,
    /// The name of the identity that acted.
    pub identity: Option<String>,
    /// The address of the caller.
    pub peer: Option<String>,
    /// Name of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The nuclide, by the name that this program has for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nuclide: Option<String>,
    /// The method of dose calculation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Digests of the volumes that went in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// Digests of the volumes that came out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<String>,
    /// How often the job was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The device that computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Version of this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The state that a job came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The reason of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many alike this record stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Record {
    /// A record of what happens now, with nothing but its event.
    pub fn now(event: Event) -> Self {
        Self {
            time: Timestamp::now(),
            event,
            tenant: None,
            identity: None,
            peer: None,
            job: None,
            nuclide: None,
            method: None,
            inputs: Vec::new(),
            results: Vec::new(),
            attempts: None,
            device: None,
            version: None,
            state: None,
            reason: None,
            count: None,
        }
    }
}

/// A record with its number in the chain, as it is written.
#[derive(Serialize)]
pub(super) struct Numbered<'a> {
    pub(super) seq: u64,
    #[serde(flatten)]
    pub(super) record: &'a Record,
}
