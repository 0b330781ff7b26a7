//! Statuses short enough for every client: Python's drops details when trailers come to 8 KiB.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// Longest message [bytes].
const MAX_MESSAGE_BYTES: usize = 512;
/// Longest status, message and details together, as `google.rpc.Status` [bytes].
const MAX_STATUS_BYTES: usize = 4000;
/// Room for what stands around message and details in a status [bytes].
const AROUND: usize = 32;
/// Most violations of fields that are told.
const MAX_VIOLATIONS: usize = 20;
/// Longest path of a field [bytes].
const MAX_FIELD_BYTES: usize = 100;
/// Lengths that descriptions and facts are cut to, one after the other, until all fits [bytes].
const LENGTHS: [usize; 6] = [1000, 400, 200, 120, 80, 40];

/// A status with its details, both cut to what every client can read.
pub(super) fn told(code: Code, message: &str, details: ErrorDetails) -> Status {
    let violations = details.bad_request().map_or(0, |bad| bad.field_violations.len());
    let more = match violations.saturating_sub(MAX_VIOLATIONS) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let mut message = cut(message, MAX_MESSAGE_BYTES - more.len());
    message.push_str(&more);
    for length in LENGTHS {
        let status = Status::with_error_details(code, message.clone(), shortened(&details, length));
        if status.details().len() + AROUND <= MAX_STATUS_BYTES {
            return status;
        }
    }
    // Long paths of fields are all that is left to cut.
    let mut shortest = shortened(&details, LENGTHS[LENGTHS.len() - 1]);
    if let Some(bad) = details.bad_request() {
        let few = bad.field_violations.iter().take(MAX_VIOLATIONS / 4);
        shortest.set_bad_request(few.map(|violation| short(violation, MAX_FIELD_BYTES)).collect::<Vec<_>>());
    }
    Status::with_error_details(code, message, shortest)
}

/// Details with every text cut.
fn shortened(details: &ErrorDetails, length: usize) -> ErrorDetails {
    let mut short_details = details.clone();
    if let Some(bad) = details.bad_request() {
        let few = bad.field_violations.iter().take(MAX_VIOLATIONS);
        short_details.set_bad_request(few.map(|violation| short(violation, length)).collect::<Vec<_>>());
    }
    if let Some(info) = details.error_info() {
        let facts = info.metadata.iter().map(|(key, value)| (key.clone(), cut(value, length)));
        short_details.set_error_info(
            info.reason.clone(),
            info.domain.clone(),
            facts.collect::<std::collections::HashMap<_, _>>(),
        );
    }
    short_details
}

fn short(violation: &FieldViolation, length: usize) -> FieldViolation {
    FieldViolation::new(cut(&violation.field, MAX_FIELD_BYTES), cut(&violation.description, length))
}

/// The beginning of a text, with a mark where something is left out.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    const MARK: &str = "…";
    let end = text.floor_char_boundary(most - MARK.len());
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_short_whatever_there_is_to_tell() {
        for (count, length) in [(1, 10), (17, 300), (20, 20_000), (100_000, 3), (50, 1000)] {
            let mut details = ErrorDetails::with_error_info("R", "dosegrid", [("detail".into(), "ü".repeat(length))]);
            for number in 0..count {
                details.add_bad_request_violation(format!("a.{}[{number}]", "b".repeat(length)), "ä".repeat(length));
            }
            let status = told(Code::InvalidArgument, &"is bad ".repeat(count), details);
            assert!(status.message().len() <= MAX_MESSAGE_BYTES, "{count} {length}");
            assert!(
                status.details().len() + AROUND <= MAX_STATUS_BYTES,
                "{count} {length}: {}",
                status.details().len()
            );
            let found = status.get_error_details();
            assert_eq!(found.error_info().expect("it is kept").reason, "R");
            let violations = found.bad_request().expect("they are kept").field_violations.len();
            assert!((1..=MAX_VIOLATIONS.min(count)).contains(&violations), "{violations} of {count}");
            assert_eq!(status.message().contains(" more"), count > MAX_VIOLATIONS);
        }
    }
}
