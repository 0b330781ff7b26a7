//! The mapping between [`DoseError`] and gRPC status, in both directions. `docs/api.md` shows it as a table.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::told::told;
use super::wire::words::{self, of_messages};
use crate::domain::error::BEFORE_MESSAGE;
use crate::domain::{DoseError, Violation, Warning};

/// Domain of every error reason.
pub const ERROR_DOMAIN: &str = "dosegrid";

/// When a caller should try again that met a server which is shut down: another may be there by then.
const RETRY_AFTER_SHUTDOWN: Duration = Duration::from_secs(1);
/// When a caller should try again after a device was lost or out of memory.
const RETRY_AFTER_DEVICE_FAILURE: Duration = Duration::from_secs(2);

/// The code of an error.
fn code(error: &DoseError) -> Code {
    match error {
        DoseError::Invalid(_) | DoseError::Implausible(_) => Code::InvalidArgument,
        DoseError::TooLarge { .. } => Code::FailedPrecondition,
        DoseError::Busy { .. } => Code::ResourceExhausted,
        DoseError::Cancelled => Code::Cancelled,
        DoseError::DeadlineExceeded => Code::DeadlineExceeded,
        DoseError::Stalled { .. } => Code::DeadlineExceeded,
        DoseError::ShuttingDown => Code::Unavailable,
        DoseError::UnknownNuclide(_) => Code::NotFound,
        DoseError::DeviceUnavailable(_) => Code::Unavailable,
        DoseError::DeviceLost(_) => Code::Unavailable,
        DoseError::DeviceOutOfMemory(_) => Code::ResourceExhausted,
        DoseError::DeviceRefused(_) => Code::Internal,
        DoseError::NotPhysical(_) => Code::Internal,
        DoseError::EnergyBalance { .. } => Code::Internal,
        DoseError::Internal(_) | DoseError::Remote(_) | DoseError::Io(_) => Code::Internal,
    }
}

/// The name of a code, as the specification of gRPC writes it.
pub(super) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The facts that a variant carries, from which the client rebuilds the error.
fn facts(error: &DoseError) -> HashMap<String, String> {
    let pairs = match error {
        DoseError::Invalid(_)
        | DoseError::Implausible(_)
        | DoseError::Cancelled
        | DoseError::DeadlineExceeded
        | DoseError::ShuttingDown => vec![],
        DoseError::TooLarge { what, needed_bytes, limit_bytes } => vec![
            ("what", (*what).to_owned()),
            ("needed_bytes", needed_bytes.to_string()),
            ("limit_bytes", limit_bytes.to_string()),
        ],
        DoseError::Busy { what, .. } => vec![("what", (*what).to_owned())],
        DoseError::Stalled { idle } => vec![("idle_s", idle.as_secs_f64().to_string())],
        DoseError::EnergyBalance { expected_mev, found_mev } => {
            vec![("expected_mev", expected_mev.to_string()), ("found_mev", found_mev.to_string())]
        }
        DoseError::UnknownNuclide(detail)
        | DoseError::DeviceUnavailable(detail)
        | DoseError::DeviceLost(detail)
        | DoseError::DeviceOutOfMemory(detail)
        | DoseError::DeviceRefused(detail)
        | DoseError::NotPhysical(detail)
        | DoseError::Internal(detail)
        | DoseError::Remote(detail)
        | DoseError::Io(detail) => vec![("detail", of_messages(detail))],
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn retry_after(error: &DoseError) -> Option<Duration> {
    match error {
        DoseError::Busy { retry_after, .. } => Some(*retry_after),
        DoseError::ShuttingDown => Some(RETRY_AFTER_SHUTDOWN),
        DoseError::DeviceLost(_) | DoseError::DeviceOutOfMemory(_) => Some(RETRY_AFTER_DEVICE_FAILURE),
        DoseError::Invalid(_)
        | DoseError::Implausible(_)
        | DoseError::TooLarge { .. }
        | DoseError::Cancelled
        | DoseError::DeadlineExceeded
        | DoseError::Stalled { .. }
        | DoseError::UnknownNuclide(_)
        | DoseError::DeviceUnavailable(_)
        | DoseError::DeviceRefused(_)
        | DoseError::NotPhysical(_)
        | DoseError::EnergyBalance { .. }
        | DoseError::Internal(_)
        | DoseError::Remote(_)
        | DoseError::Io(_) => None,
    }
}

impl From<DoseError> for Status {
    fn from(error: DoseError) -> Self {
        let code = code(&error);
        let mut details = ErrorDetails::with_error_info(error.reason(), ERROR_DOMAIN, facts(&error));
        if let Some(delay) = retry_after(&error) {
            details.set_retry_info(Some(delay));
        }
        let message = of_messages(&error.to_string());
        for Violation { field, reason } in error.violations() {
            details.add_bad_request_violation(field, of_messages(&reason));
        }
        told(code, &message, details)
    }
}

/// A status whose reason no [`DoseError`] has.
///
/// * `facts` – the metadata of its `ErrorInfo`
pub(super) fn refused<const N: usize>(
    code: Code,
    reason: &str,
    message: impl Into<String>,
    facts: [(&str, String); N],
) -> Status {
    let facts: HashMap<String, String> = facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    told(code, &message.into(), ErrorDetails::with_error_info(reason, ERROR_DOMAIN, facts))
}

/// A computation took longer than the server allows.
pub(super) fn compute_limit(limit: Duration) -> Status {
    let limit_s = limit.as_secs_f64();
    let message = format!("it took longer than this server allows: {limit_s} s on the device");
    refused(Code::DeadlineExceeded, "COMPUTE_LIMIT", message, [("limit_s", limit_s.to_string())])
}

/// Adds a reason to a failure of the transport, which happened before a message could be decoded or a call was found.
/// What the transport says is left out: it may hold text of the caller's.
///
/// * `max_message_bytes` – the limit that a message may have exceeded
pub(super) fn of_transport(status: Status, max_message_bytes: usize) -> Status {
    let limit = || [("max_message_bytes", max_message_bytes.to_string())];
    match status.code() {
        Code::OutOfRange => {
            refused(Code::OutOfRange, "MESSAGE_TOO_LARGE", "a message is longer than the limit", limit())
        }
        Code::Internal => {
            refused(Code::InvalidArgument, "MALFORMED_MESSAGE", "the bytes are no message of this call", limit())
        }
        Code::Cancelled | Code::Unknown => refused(Code::Cancelled, "CANCELLED", "cancelled", []),
        Code::Unimplemented => refused(Code::Unimplemented, "UNKNOWN_METHOD", "this server has no such call", []),
        other @ (Code::Ok
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated) => refused(other, "TRANSPORT", "the transport of the call failed", []),
    }
}

/// A reason that a server gave, with the flags of the command line in place of the fields of messages.
pub fn in_words_of_flags(reason: &str) -> String {
    words::of_flags(reason)
}

/// The error that a status stands for: the server's own error if its reason is known, else [`DoseError::Remote`].
///
/// A status with a cause did not come from a server: tonic makes one when a connection breaks.
pub fn to_error(status: &Status) -> DoseError {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == ERROR_DOMAIN);
    let known = info.and_then(|info| rebuild(&info.reason, &info.metadata, &details));
    known.unwrap_or_else(|| match (info, status.code()) {
        (None, Code::Cancelled) => DoseError::Cancelled,
        (None, Code::DeadlineExceeded) => DoseError::DeadlineExceeded,
        (None, _) if std::error::Error::source(status).is_some() => DoseError::Remote(format!(
            "it went away before the answer was complete, stopped or cut off ({}); start it again, and then this command, \
             or call it by https:// if it has a certificate",
            status.message()
        )),
        (info, code) => {
            let reason = info.map_or("no reason", |info| &info.reason);
            DoseError::Remote(format!("{code:?} ({reason}): {}", status.message()))
        }
    })
}

fn rebuild(reason: &str, facts: &HashMap<String, String>, details: &ErrorDetails) -> Option<DoseError> {
    let fact = |key: &str| facts.get(key).cloned();
    let number = |key: &str| facts.get(key)?.parse::<f64>().ok();
    let bytes = |key: &str| facts.get(key)?.parse::<u64>().ok();
    Some(match reason {
        "INVALID_REQUEST" => {
            let violation =
                |v: &tonic_types::FieldViolation| Violation { field: v.field.clone(), reason: v.description.clone() };
            DoseError::Invalid(details.bad_request()?.field_violations.iter().map(violation).collect())
        }
        "IMPLAUSIBLE" => {
            let warning = |v: &tonic_types::FieldViolation| {
                let (reason, message) = v.description.split_once(BEFORE_MESSAGE).unwrap_or(("", &v.description));
                Warning::new(reason, v.field.clone(), message)
            };
            DoseError::Implausible(details.bad_request()?.field_violations.iter().map(warning).collect())
        }
        "REQUEST_TOO_LARGE" => DoseError::TooLarge {
            what: known_subject(&fact("what")?),
            needed_bytes: bytes("needed_bytes")?,
            limit_bytes: bytes("limit_bytes")?,
        },
        "SERVER_BUSY" => {
            DoseError::Busy { what: known_subject(&fact("what")?), retry_after: details.retry_info()?.retry_delay? }
        }
        "CANCELLED" => DoseError::Cancelled,
        "DEADLINE_EXCEEDED" => DoseError::DeadlineExceeded,
        "STREAM_STALLED" => DoseError::Stalled { idle: Duration::try_from_secs_f64(number("idle_s")?).ok()? },
        "SHUTTING_DOWN" => DoseError::ShuttingDown,
        "UNKNOWN_NUCLIDE" => DoseError::UnknownNuclide(fact("detail")?),
        "DEVICE_UNAVAILABLE" => DoseError::DeviceUnavailable(fact("detail")?),
        "DEVICE_LOST" => DoseError::DeviceLost(fact("detail")?),
        "DEVICE_OUT_OF_MEMORY" => DoseError::DeviceOutOfMemory(fact("detail")?),
        "DEVICE_REFUSED" => DoseError::DeviceRefused(fact("detail")?),
        "DOSE_NOT_PHYSICAL" => DoseError::NotPhysical(fact("detail")?),
        "ENERGY_BALANCE" => {
            DoseError::EnergyBalance { expected_mev: number("expected_mev")?, found_mev: number("found_mev")? }
        }
        _ => return None,
    })
}

impl From<Status> for DoseError {
    fn from(status: Status) -> Self {
        to_error(&status)
    }
}

/// The subject of [`DoseError::TooLarge`] or [`DoseError::Busy`] by its words; a newer server may have others.
fn known_subject(words: &str) -> &'static str {
    ["the request", "a volume", "a tally", "the convolution", "memory", "the queue"]
        .into_iter()
        .find(|known| *known == words)
        .unwrap_or("the request")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_wire() {
        let text = || "detail".to_owned();
        for error in [
            DoseError::Invalid(vec![
                Violation { field: "a.b".into(), reason: "is bad".into() },
                Violation { field: "c".into(), reason: "ist auch schlecht, größer".into() },
            ]),
            DoseError::Implausible(vec![
                Warning::new("ACTIVITY_IN_AIR", "activity", "12 %: much"),
                Warning::new("DOSE_HIGH", "", "1e5 Gy"),
            ]),
            DoseError::TooLarge { what: "a volume", needed_bytes: u64::MAX, limit_bytes: 1 },
            DoseError::Busy { what: "the queue", retry_after: Duration::from_millis(1500) },
            DoseError::Cancelled,
            DoseError::DeadlineExceeded,
            DoseError::Stalled { idle: Duration::from_millis(250) },
            DoseError::ShuttingDown,
            DoseError::UnknownNuclide(text()),
            DoseError::DeviceUnavailable(text()),
            DoseError::DeviceLost(text()),
            DoseError::DeviceOutOfMemory(text()),
            DoseError::DeviceRefused(text()),
            DoseError::NotPhysical(text()),
            DoseError::EnergyBalance { expected_mev: 1.25e300, found_mev: f64::NEG_INFINITY },
        ] {
            assert_eq!(to_error(&Status::from(error.clone())), error);
        }
    }

    #[test]
    fn what_only_a_server_can_know_is_remote() {
        for error in [DoseError::Internal("x".into()), DoseError::Io("x".into()), DoseError::Remote("x".into())] {
            assert!(matches!(to_error(&Status::from(error)), DoseError::Remote(_)));
        }
        assert!(matches!(to_error(&Status::unauthenticated("who?")), DoseError::Remote(_)));
        assert_eq!(to_error(&Status::cancelled("timeout")), DoseError::Cancelled);
    }
}
