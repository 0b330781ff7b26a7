//! What a store refuses, and what it cannot do.

use std::io;
use std::time::Duration;

use uuid::Uuid;

use super::{KeyId, VolumeDigest};

/// Why a store cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the store `{0}` is in use by another process")]
    InUse(String),
    /// A newer version wrote it.
    #[error("the store `{folder}` has the format {found}; this version of dosegrid knows formats up to {known}")]
    Newer {
        /// Its folder.
        folder: String,
        /// Its format.
        found: u32,
        /// The newest format that is known.
        known: u32,
    },
    /// Files of it are encrypted with a key that is not given.
    #[error("the store `{folder}` has {volumes} volumes that are encrypted with the key {key}, which is not given")]
    NoKey {
        /// Its folder.
        folder: String,
        /// The id of the key.
        key: KeyId,
        /// How many are.
        volumes: usize,
    },
    /// Its files are not those of a store, or are damaged.
    #[error("the store `{folder}` is damaged: {what}")]
    Damaged {
        /// Its folder.
        folder: String,
        /// What is wrong, and where.
        what: String,
    },
    /// There cannot be a store in this folder: it is a file, or out of bounds for this user.
    #[error("the folder `{folder}` cannot hold a store: {reason}")]
    Unusable {
        /// The folder.
        folder: String,
        /// What the system says.
        reason: String,
    },
    /// The system does not let it be opened.
    #[error("the store `{folder}` cannot be opened: {reason}")]
    Io {
        /// Its folder.
        folder: String,
        /// What the system says.
        reason: String,
    },
}

/// What a tenant has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Unfinished jobs.
    Jobs,
    /// Bytes: complete, unfinished and reserved.
    Bytes,
}

impl Quota {
    /// Its name in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Bytes => "bytes",
        }
    }
}

/// Why a store does not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot write, or cannot any more.
    #[error("the store cannot be written or read; its operator finds the reason in the log")]
    Unavailable,
    /// The disk has too little room.
    #[error("the disk of the store is full")]
    Full,
    /// A tenant has reached its limit.
    #[error("over the quota of {}: {used} used, {needed} needed, {limit} allowed", what.name())]
    OverQuota {
        /// Of what.
        what: Quota,
        /// How much is used.
        used: u64,
        /// The limit.
        limit: u64,
        /// How much more was asked for.
        needed: u64,
        /// When to try again, if waiting helps.
        retry_after: Option<Duration>,
    },
    /// Too many jobs wait.
    #[error("the queue is full")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// Bytes would leave a gap.
    #[error("the bytes begin past those that are stored: {committed_bytes} are")]
    WrongOffset {
        /// How many are safe.
        committed_bytes: u64,
    },
    /// A range begins past the end of its volume.
    #[error("the range begins past the end of the volume, which has {size_bytes} bytes")]
    PastEnd {
        /// The volume's size.
        size_bytes: u64,
    },
    /// The volume is known with another size.
    #[error("the volume is known with {size_bytes} bytes")]
    OtherSize {
        /// The size that is known.
        size_bytes: u64,
    },
    /// More bytes came than were announced.
    #[error("the bytes go on past the size that was announced: {size_bytes}")]
    TooLong {
        /// The size.
        size_bytes: u64,
    },
    /// The bytes have another digest. They were discarded.
    #[error("the bytes do not have the digest that names them; they were discarded")]
    DigestMismatch {
        /// The name.
        expected: VolumeDigest,
        /// The digest of the bytes.
        found: VolumeDigest,
    },
    /// There is no such volume.
    #[error("there is no such volume")]
    VolumeNotFound,
    /// The file is not what was stored. It was set aside.
    #[error("the stored volume is damaged; upload it again")]
    VolumeDamaged(VolumeDigest),
    /// An unfinished job needs the volume.
    #[error("an unfinished job needs the volume")]
    VolumeInUse,
    /// Volumes of a job are not there.
    #[error("{} volumes of the job are not stored; upload them and create it again", .0.len())]
    VolumesMissing(Vec<VolumeDigest>),
    /// Volumes of a job have another size than its header says.
    #[error("volumes have other sizes than the header says")]
    WrongSizes(Vec<SizeFault>),
    /// There is no such job.
    #[error("there is no such job")]
    JobNotFound,
    /// The job is not finished.
    #[error("the job is not finished; cancel it first")]
    JobNotFinished,
    /// The request id belongs to another job.
    #[error("the request id was used for another job")]
    RequestIdUsed {
        /// That job.
        job: Uuid,
    },
}

/// A volume of a job with another size than the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeFault {
    /// Its path in the header.
    pub field: String,
    /// Bytes by the header.
    pub expected_bytes: u64,
    /// Bytes stored.
    pub found_bytes: u64,
}

impl StoreError {
    /// What a failed operation on a file of the store means to a caller. The log says which it was.
    ///
    /// * `what` – the operation, without names
    pub fn of_io(what: &str, error: &io::Error) -> Self {
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            tracing::warn!(what, "the disk of the store is full");
            return Self::Full;
        }
        tracing::error!(what, %error, "the store failed");
        Self::Unavailable
    }
}
