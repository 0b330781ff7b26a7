//! What the ledger holds.

use serde::{Deserialize, Serialize};

use super::State;
use super::delivery::conclusion;
use super::intake::Origin;

/// A study: what is known of it beside its files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StudyRecord {
    /// Study Instance UID.
    pub(super) uid: String,
    /// Name of the source that the last file came from.
    pub(super) source: String,
    /// Title that sent it; empty where it did not come by C-STORE.
    pub(super) calling: String,
    /// Where the last activity came from, by which rules choose; none before one came.
    #[serde(default)]
    pub(super) activity: Option<Origin>,
    /// When the last file came [ms since 1970].
    pub(super) last_ms: i64,
    /// How often something of it came that was new. Two files may come within one millisecond.
    #[serde(default)]
    pub(super) arrivals: u64,
    /// Versions so far.
    pub(super) versions: u32,
    /// Instances that came again with other bytes.
    pub(super) conflicts: Vec<String>,
}

impl StudyRecord {
    /// Where a study came from, for rules: whatever else it has may come by other ways, and later.
    pub(super) fn way(&self) -> Origin {
        let last = || Origin { source: self.source.clone(), calling: self.calling.clone() };
        self.activity.clone().unwrap_or_else(last)
    }
}

/// A file of a study.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Digest of its data set.
    pub(super) digest: String,
    /// When it came [ms since 1970].
    pub(super) came_ms: i64,
}

/// A version of a study, on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its name: that of the study and the version. It says nothing of the patient.
    pub id: String,
    /// Name of the study in the ledger; empty where a file could not be read.
    pub study: String,
    /// From 1.
    pub version: u32,
    /// Where it stands.
    pub state: State,
    /// Why it stands there.
    pub reason: String,
    /// When it came to this state [ms since 1970].
    pub since_ms: i64,
    /// The arrival after which it was last looked at [ms since 1970].
    pub looked_ms: i64,
    /// The rule that it meets.
    pub rule: Option<String>,
    /// Digest of study, settings and version: the same key is computed once.
    pub key: Option<String>,
    /// SOP Instance UIDs and digests of what it is computed from.
    pub inputs: Vec<(String, String)>,
    /// Words of `dosegrid study`, without folders.
    pub words: Vec<String>,
    /// How often the computation failed.
    pub failures: u32,
    /// When it is tried again [ms since 1970].
    #[serde(default)]
    pub next_ms: i64,
    /// What was made.
    pub objects: Vec<Object>,
    /// Each object at each destination.
    pub deliveries: Vec<Delivery>,
    /// Who released it.
    pub released_by: Option<String>,
    /// The workitem that it is computed for; none where its rule has no worklist, or none was found yet.
    #[serde(default)]
    pub workitem: Option<Claim>,
    /// When its files were deleted for their age [ms since 1970]; none where they were not.
    #[serde(default)]
    pub deleted_ms: Option<i64>,
}

impl Item {
    /// A version of a study that files have come of.
    pub(super) fn new(study: &str, version: u32, now_ms: i64) -> Self {
        Self {
            id: format!("{study}-{version}"),
            study: study.to_owned(),
            version,
            state: State::Received,
            reason: "waits until nothing more comes".to_owned(),
            since_ms: now_ms,
            looked_ms: 0,
            rule: None,
            key: None,
            inputs: Vec::new(),
            words: Vec::new(),
            failures: 0,
            next_ms: 0,
            objects: Vec::new(),
            deliveries: Vec::new(),
            released_by: None,
            workitem: None,
            deleted_ms: None,
        }
    }

    /// Whether it was sent and stays so: no delivery of it is left that may take it on.
    pub(super) fn stays_sent(&self) -> bool {
        let is_left = |one: &Delivery| matches!(one.state, DeliveryState::Waiting | DeliveryState::Stored);
        self.state == State::Sent && !self.deliveries.iter().any(is_left) && conclusion(self).is_none()
    }

    /// Whether it waits for the same computation as when it was found. More of its study may have come since, so that
    /// it is ready again for another.
    pub(super) fn still_waits(&self, found: &Self) -> bool {
        self.state == State::Ready && self.key == found.key
    }
}

/// A workitem of a worklist, and how far its worklist knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Name of the worklist.
    pub worklist: String,
    /// SOP Instance UID of the workitem.
    pub workitem: String,
    /// Transaction UID that claims it.
    pub transaction: String,
    /// How far it is.
    pub state: ClaimState,
    /// When it was chosen [ms since 1970].
    pub begun_ms: i64,
    /// What the worklist was told last.
    pub told: Option<State>,
    /// How many attempts in a row failed.
    pub attempts: u32,
    /// When it is tried again [ms since 1970].
    pub next_ms: i64,
    /// What the last attempt said.
    pub said: String,
}

impl Claim {
    /// One that is to be made, by a transaction of its own.
    ///
    /// * `begun_ms` – when it was chosen [ms since 1970]
    pub(super) fn new(worklist: &str, workitem: String, begun_ms: i64) -> Self {
        Self {
            worklist: worklist.to_owned(),
            workitem,
            transaction: format!("2.25.{}", uuid::Uuid::new_v4().as_u128()),
            state: ClaimState::Claiming,
            begun_ms,
            told: None,
            attempts: 0,
            next_ms: 0,
            said: String::new(),
        }
    }
}

/// How far a workitem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// It is being claimed.
    Claiming,
    /// It is this gateway's.
    InProgress,
    /// It ended with what was made.
    Completed,
    /// It was given up, with the reason.
    Canceled,
    /// The worklist took it away, or could not be told any more.
    Lost,
}

impl ClaimState {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claiming => "claiming",
            Self::InProgress => "in progress",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
            Self::Lost => "lost",
        }
    }

    /// Whether the worklist has still to be told something.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Claiming | Self::InProgress)
    }
}

/// An object that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its file in the folder of results.
    pub file: String,
    /// SOP Class UID.
    pub class: String,
    /// SOP Instance UID.
    pub instance: String,
    /// Series Instance UID.
    pub series: String,
    /// Study Instance UID.
    pub study: String,
    /// Digest of all that it holds, however it is encoded.
    pub digest: String,
}

/// An object at a destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Number of the object.
    pub object: usize,
    /// Name of the destination.
    pub to: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How many attempts failed.
    pub attempts: u32,
    /// When it is tried again [ms since 1970].
    pub next_ms: i64,
    /// What the last attempt said.
    pub said: String,
    /// Transaction UID of the last request for storage commitment; none where there is none.
    #[serde(default)]
    pub transaction: Option<String>,
    /// Whether the last attempt failed because the destination did not answer: then the next one is made as soon as it
    /// answers to another.
    #[serde(default)]
    pub unanswered: bool,
}

/// How far an object is at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// To be sent.
    Waiting,
    /// The destination said that it is stored.
    Stored,
    /// It was read back, and is what was sent.
    Verified,
    /// The destination said by storage commitment that it keeps the UID; what lies under it was not compared.
    Committed,
    /// Stored, and the destination cannot be read from.
    Unverified,
    /// Not sent: a later version of its study was there first.
    Superseded,
    /// Not to be tried again.
    Failed,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Stored,
        Self::Verified,
        Self::Committed,
        Self::Unverified,
        Self::Superseded,
        Self::Failed,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Stored => "stored",
            Self::Verified => "verified",
            Self::Committed => "committed",
            Self::Unverified => "unverified",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }
}
