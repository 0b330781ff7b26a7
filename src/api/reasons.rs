//! The reasons of errors, as `docs/api.md` lists them.

/// Every reason that a call may end with.
pub(super) const OF_CALLS: &[&str] = &[
    "INVALID_REQUEST",
    "IMPLAUSIBLE",
    "MALFORMED_MESSAGE",
    "UNAUTHENTICATED",
    "ROLE_MISSING",
    "UNKNOWN_METHOD",
    "CALL_TIMEOUT",
    "COMPUTE_LIMIT",
    "MESSAGE_TOO_LARGE",
    "REQUEST_TOO_LARGE",
    "SERVER_BUSY",
    "DEVICE_OUT_OF_MEMORY",
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "STREAM_STALLED",
    "UNKNOWN_NUCLIDE",
    "SHUTTING_DOWN",
    "DEVICE_LOST",
    "DEVICE_UNAVAILABLE",
    "NO_STORE",
    "JOB_NOT_FOUND",
    "VOLUME_NOT_FOUND",
    "REQUEST_ID_USED",
    "WRONG_OFFSET",
    "DIGEST_MISMATCH",
    "VOLUME_MISSING",
    "JOB_NOT_FINISHED",
    "VOLUME_IN_USE",
    "QUOTA_EXCEEDED",
    "STORE_FULL",
    "STORE_UNAVAILABLE",
    "VOLUME_DAMAGED",
    "TRANSPORT",
    "DEVICE_REFUSED",
    "DOSE_NOT_PHYSICAL",
    "ENERGY_BALANCE",
    "INTERNAL",
];

/// Every reason that a job may fail with. A device that is lost, or a server that is shut down, lets it wait again.
pub(super) const OF_JOBS: &[&str] = &[
    "INVALID_REQUEST",
    "IMPLAUSIBLE",
    "REQUEST_TOO_LARGE",
    "SERVER_BUSY",
    "COMPUTE_LIMIT",
    "JOB_POISONOUS",
    "DEVICE_OUT_OF_MEMORY",
    "DEVICE_UNAVAILABLE",
    "VOLUME_NOT_FOUND",
    "VOLUME_DAMAGED",
    "STORE_FULL",
    "STORE_UNAVAILABLE",
    "DEVICE_REFUSED",
    "DOSE_NOT_PHYSICAL",
    "ENERGY_BALANCE",
    "INTERNAL",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::DoseError;

    /// The reasons in the table of errors.
    fn documented() -> BTreeSet<&'static str> {
        let page = include_str!("../../docs/api.md");
        let (_, table) = page.split_once("| code | reason | when |").expect("the table of errors");
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let cells = rows.filter_map(|row| row.split('|').nth(2));
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
    }

    #[test]
    fn the_lists_are_those_of_the_documentation() {
        let listed: BTreeSet<&str> = OF_CALLS.iter().chain(OF_JOBS).copied().collect();
        assert_eq!(listed, documented());
        let only_of_jobs: Vec<_> = OF_JOBS.iter().filter(|reason| !OF_CALLS.contains(reason)).collect();
        assert_eq!(only_of_jobs, [&"JOB_POISONOUS"]);
        for error in [DoseError::Cancelled, DoseError::ShuttingDown, DoseError::Internal(String::new())] {
            assert!(OF_CALLS.contains(&error.reason()), "{error}");
        }
    }
}
