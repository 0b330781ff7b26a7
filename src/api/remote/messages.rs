//! What gateway and workers say to each other. Each message names its version; what has another one is left alone.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::broker::{Delivery, Said};
use crate::domain::Progress;
use crate::store::{Attempt, JobFault, VolumeDigest};

/// The version of all messages below.
const VERSION: u32 = 1;
/// Who takes reports.
pub(super) const GATEWAY: &str = "gateway";
/// Where workers say that they live.
pub(super) const BEATS: &str = "beat";
/// Where workers ask for a volume.
pub(super) const NEEDS: &str = "need";
/// Where a gateway says that it is there, and wants to hear of all workers.
pub(super) const HELLO: &str = "hello";

/// A message with the version of its words.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Versioned<T> {
    version: u32,
    words: T,
}

impl<T> Versioned<T> {
    pub(super) fn new(words: T) -> Self {
        Self { version: VERSION, words }
    }

    /// The words, if they are of this version.
    pub(super) fn known(self) -> Option<T> {
        (self.version == VERSION).then_some(self.words)
    }
}

/// The words of what was said, if they are known.
pub(super) fn heard<T: serde::de::DeserializeOwned>(said: &Said) -> Option<T> {
    said.words::<Versioned<T>>()?.known()
}

/// The words of a message, if they are known.
pub(super) fn read<T: serde::de::DeserializeOwned>(delivery: &Delivery) -> Option<T> {
    delivery.words::<Versioned<T>>()?.known()
}

/// An attempt at a job. Workers only repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) job: Uuid,
    /// The revision of the job when it was taken, which no other attempt has.
    pub(super) attempt: u64,
}

impl Lease {
    pub(super) fn of(attempt: &Attempt) -> Self {
        Self { job: attempt.job.id, attempt: attempt.revision() }
    }

    /// The object of the job's specification.
    pub(super) fn spec_object(&self) -> String {
        format!("spec/{}", self.job)
    }

    /// The object of the checkpoint that the attempt begins with.
    pub(super) fn checkpoint_object(&self) -> String {
        format!("checkpoint/{}.{}", self.job, self.attempt)
    }

    /// An object that the attempt makes.
    ///
    /// * `name` – tells it from the others
    pub(super) fn made_object(&self, name: impl std::fmt::Display) -> String {
        format!("made/{}.{}/{name}", self.job, self.attempt)
    }
}

/// The object of a volume.
pub(super) fn volume_object(name: &VolumeDigest) -> String {
    format!("volume/{}", name.hex())
}

/// What an object is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectOf {
    Volume(VolumeDigest),
    /// Of a job, whatever its attempts.
    Job(Uuid),
    /// Of one attempt.
    Attempt(Lease),
}

impl ObjectOf {
    /// None for one that nobody here made.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once('/')?;
        let lease = |text: &str| {
            let (job, attempt) = text.split_once('.')?;
            Some(Lease { job: job.parse().ok()?, attempt: attempt.parse().ok()? })
        };
        match kind {
            "volume" => VolumeDigest::parse(&format!("sha256:{rest}")).ok().map(Self::Volume),
            "spec" => rest.parse().ok().map(Self::Job),
            "checkpoint" => lease(rest).map(Self::Attempt),
            "made" => lease(rest.split_once('/')?.0).map(Self::Attempt),
            _ => None,
        }
    }
}

/// A job for a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) lease: Lease,
    pub(super) is_small: bool,
    /// Time on the device in earlier attempts [s].
    pub(super) device_s: f64,
    pub(super) compute_limit_s: f64,
    pub(super) checkpoint_s: f64,
    /// Its volumes, each once.
    pub(super) inputs: Vec<VolumeDigest>,
    /// Whether it goes on from a checkpoint.
    pub(super) has_checkpoint: bool,
}

/// That a worker lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Beat {
    pub(super) worker: String,
    /// How long it may be silent [s].
    pub(super) lease_s: f64,
    /// Its device, by its maker's name.
    pub(super) device: String,
    /// Memory for its jobs [bytes].
    pub(super) memory_bytes: u64,
    /// Whether it takes no new jobs.
    pub(super) is_draining: bool,
    /// Volumes that it holds.
    pub(super) holds: Vec<VolumeDigest>,
    /// What it works on.
    pub(super) tasks: Vec<(Lease, Option<Progress>)>,
    /// What its device is, as far as results depend on it.
    pub(super) device_key: String,
    /// Whose job it helps with.
    pub(super) helps: Option<Lease>,
}

/// What a gateway answers to a beat: what of it is not the worker's any more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Gone {
    pub(super) leases: Vec<Lease>,
}

/// That a worker needs what the broker does not have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Need {
    pub(super) lease: Lease,
    /// A volume; none for the request and the checkpoint of the attempt itself.
    pub(super) volume: Option<VolumeDigest>,
}

/// Where a worker hears that a lease is gone.
pub(super) fn stops_of(worker: &str) -> String {
    format!("stop.{worker}")
}

/// Where the worker that leads an attempt is asked for histories.
pub(super) fn lead_of(lease: Lease) -> String {
    format!("lead.{}.{}", lease.job, lease.attempt)
}

/// Where a worker hears that it may help.
pub(super) fn helps_of(worker: &str) -> String {
    format!("help.{worker}")
}

/// What a helper says to the worker that leads an attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Asked {
    /// It wants histories.
    Next { helper: String, device: String, scene_sha256: String, most: u64 },
    /// It still works on those from the first on.
    Alive { helper: String, device: String, first: u64 },
    /// It has done those from the first on.
    Done { helper: String, device: String, first: u64, made: Made },
}

impl Asked {
    /// What the device of the helper is: sums of another kind are other sums.
    pub(super) fn device(&self) -> &str {
        match self {
            Self::Next { device, .. } | Self::Alive { device, .. } | Self::Done { device, .. } => device,
        }
    }
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Told {
    /// Run these.
    Run(std::ops::Range<u64>),
    /// There is nothing now, or it was heard.
    Wait,
    /// There is nothing any more.
    Over,
}

/// What a worker has to tell of an attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) worker: String,
    pub(super) device: String,
    pub(super) lease: Lease,
    /// Time on the device in this attempt [s].
    pub(super) device_s: f64,
    pub(super) what: What,
}

/// What came of an attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    /// A checkpoint, in an object.
    Checkpoint(Made),
    /// A result, as bytes of the protocol in an object, and its volumes.
    Succeeded { result: Made, volumes: Vec<Made> },
    /// It cannot be computed.
    Failed(JobFault),
    /// The device was lost.
    DeviceLost,
    /// The worker is shut down.
    Released,
}

/// An object that an attempt made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    pub(super) object: String,
    pub(super) digest: VolumeDigest,
    pub(super) size_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_by_their_names() {
        let lease = Lease { job: Uuid::from_u128(7), attempt: 2 };
        let volume = VolumeDigest::of(crate::digest::Digest::new());
        assert_eq!(ObjectOf::parse(&volume_object(&volume)), Some(ObjectOf::Volume(volume)));
        assert_eq!(ObjectOf::parse(&lease.spec_object()), Some(ObjectOf::Job(lease.job)));
        for object in [lease.checkpoint_object(), lease.made_object(3)] {
            assert_eq!(ObjectOf::parse(&object), Some(ObjectOf::Attempt(lease)));
        }
        for other in ["", "volume/", "made/1.2/3", "else/1", "spec"] {
            assert_eq!(ObjectOf::parse(other), None, "{other}");
        }
    }

    #[test]
    fn words_of_another_version_are_left() {
        let same = serde_json::to_string(&Versioned::new(Gone::default())).expect("it is data");
        let other = same.replace("\"version\":1", "\"version\":2");
        assert!(same != other, "{same}");
        let known = |text: &str| serde_json::from_str::<Versioned<Gone>>(text).expect("the same form").known();
        assert!(known(&same).is_some() && known(&other).is_none());
    }
}
