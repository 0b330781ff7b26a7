//! The mapping from [`StoreError`] to gRPC status.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::status::ERROR_DOMAIN;
use crate::domain::{DoseError, Violation};
use crate::store::{SizeFault, StoreError, VolumeDigest, job_name};

/// When to try again while the disk is full.
const RETRY_FULL: Duration = Duration::from_secs(60);
/// When to try again while the store cannot be used.
const RETRY_UNAVAILABLE: Duration = Duration::from_secs(5);
/// Most volumes that one status names.
const MOST_NAMED: usize = 20;

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let (code, reason, facts, retry_after) = match &error {
            StoreError::OtherSize { size_bytes } => {
                return DoseError::invalid("size_bytes", format!("is not that of the known volume: {size_bytes}"))
                    .into();
            }
            StoreError::TooLong { size_bytes } => {
                return DoseError::invalid("data", format!("goes on past the end of a volume of {size_bytes}")).into();
            }
            StoreError::WrongSizes(faults) => {
                return DoseError::Invalid(faults.iter().map(violation).collect()).into();
            }
            StoreError::Unavailable => (Code::Unavailable, "STORE_UNAVAILABLE", vec![], Some(RETRY_UNAVAILABLE)),
            StoreError::Full => (Code::ResourceExhausted, "STORE_FULL", vec![], Some(RETRY_FULL)),
            StoreError::OverQuota { what, used, limit, needed, retry_after } => {
                let numbers = [("used", used), ("limit", limit), ("needed", needed)];
                let numbers = numbers.map(|(key, value)| (key, value.to_string()));
                let facts = numbers.into_iter().chain([("what", what.name().to_owned())]).collect();
                (Code::ResourceExhausted, "QUOTA_EXCEEDED", facts, *retry_after)
            }
            StoreError::Busy { retry_after } => {
                let facts = vec![("what", "the queue".to_owned())];
                (Code::ResourceExhausted, "SERVER_BUSY", facts, Some(*retry_after))
            }
            StoreError::WrongOffset { committed_bytes } => {
                (Code::OutOfRange, "WRONG_OFFSET", vec![("committed_bytes", committed_bytes.to_string())], None)
            }
            StoreError::PastEnd { size_bytes } => {
                (Code::OutOfRange, "WRONG_OFFSET", vec![("size_bytes", size_bytes.to_string())], None)
            }
            StoreError::DigestMismatch { expected, found } => {
                let facts = vec![("expected", expected.to_string()), ("found", found.to_string())];
                (Code::InvalidArgument, "DIGEST_MISMATCH", facts, None)
            }
            StoreError::VolumeNotFound => (Code::NotFound, "VOLUME_NOT_FOUND", vec![], None),
            StoreError::VolumeDamaged(digest) => {
                (Code::DataLoss, "VOLUME_DAMAGED", vec![("digest", digest.to_string())], None)
            }
            StoreError::VolumeInUse => (Code::FailedPrecondition, "VOLUME_IN_USE", vec![], None),
            StoreError::VolumesMissing(_) => (Code::FailedPrecondition, "VOLUME_MISSING", vec![], None),
            StoreError::JobNotFound => (Code::NotFound, "JOB_NOT_FOUND", vec![], None),
            StoreError::JobNotFinished => (Code::FailedPrecondition, "JOB_NOT_FINISHED", vec![], None),
            StoreError::RequestIdUsed { job } => {
                (Code::AlreadyExists, "REQUEST_ID_USED", vec![("job", job_name(*job))], None)
            }
        };
        let facts: Vec<(String, String)> = facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut details = ErrorDetails::with_error_info(
            reason,
            ERROR_DOMAIN,
            facts.into_iter().collect::<std::collections::HashMap<_, _>>(),
        );
        if retry_after.is_some() {
            details.set_retry_info(retry_after);
        }
        if let StoreError::VolumesMissing(digests) = &error {
            name_missing(&mut details, digests);
        }
        Self::with_error_details(code, message, details)
    }
}

fn name_missing(details: &mut ErrorDetails, digests: &[VolumeDigest]) {
    for digest in digests.iter().take(MOST_NAMED) {
        details.add_precondition_failure_violation("MISSING", digest.to_string(), "is not stored");
    }
    if let Some(more @ 1..) = digests.len().checked_sub(MOST_NAMED) {
        details.add_precondition_failure_violation("MISSING", "", format!("and {more} more"));
    }
}

fn violation(fault: &SizeFault) -> Violation {
    let SizeFault { field, expected_bytes, found_bytes } = fault;
    let reason = format!("names a volume of {found_bytes} bytes; shape and element type say {expected_bytes}");
    Violation { field: field.clone(), reason }
}
