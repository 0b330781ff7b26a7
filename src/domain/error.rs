//! Errors, and the list of all faults of an input.

use std::time::Duration;

use super::Warning;

/// Why one value is not acceptable. [`Checks::at`] adds the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    /// A reason that tells the caller what to change.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// One fault of an input: the path of the field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in the caller's own terms, such as `activity.grid.spacing_mm`.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

/// Collects every fault of an input, so that the caller sees all of them at once.
#[derive(Debug, Default)]
pub struct Checks {
    violations: Vec<Violation>,
}

impl Checks {
    /// No fault yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Unwraps a checked value, or records the fault under `field`.
    pub fn at<T>(&mut self, field: impl Into<String>, value: Result<T, Invalid>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(Invalid(reason)) => {
                self.fail(field, reason);
                None
            }
        }
    }

    /// Records a fault.
    pub fn fail(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.violations.push(Violation { field: field.into(), reason: reason.into() });
    }

    /// Adds the faults of a nested check, with `prefix.` in front of their paths.
    pub fn extend(&mut self, prefix: &str, violations: Vec<Violation>) {
        for violation in violations {
            self.fail(format!("{prefix}.{}", violation.field), violation.reason);
        }
    }

    /// Whether a fault was recorded.
    pub fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    /// The recorded faults.
    pub fn into_violations(self) -> Vec<Violation> {
        self.violations
    }

    /// # Errors
    /// [`DoseError::Invalid`] with every fault, if there is one.
    pub fn finish(self) -> Result<(), DoseError> {
        if self.violations.is_empty() { Ok(()) } else { Err(DoseError::Invalid(self.violations)) }
    }
}

/// Stands between the reason of a warning and its words.
pub const BEFORE_MESSAGE: &str = ": ";

/// Every way a computation can fail. Variants carry facts; none carries patient data.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DoseError {
    /// The input is not acceptable; every fault is listed.
    #[error("invalid input: {}", list(.0))]
    Invalid(Vec<Violation>),
    /// The request or its dose has warnings, and the caller has made warnings errors.
    #[error("warnings are errors: {}", list(&self.violations()))]
    Implausible(Vec<Warning>),
    /// The request needs more than this process is allowed to use.
    #[error("{what} needs {needed_bytes} bytes, the limit is {limit_bytes} bytes")]
    TooLarge {
        /// What is too large, in the field's words.
        what: &'static str,
        /// Bytes needed.
        needed_bytes: u64,
        /// Configured limit.
        limit_bytes: u64,
    },
    /// Other requests are using the queue or the memory.
    #[error("{what} is in use by other requests; try again in {} ms", .retry_after.as_millis())]
    Busy {
        /// What is in use.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// The caller went away or asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The caller's deadline passed.
    #[error("the deadline that the caller set has passed")]
    DeadlineExceeded,
    /// The process is shutting down and accepts no new work.
    #[error("shutting down; no new request is accepted")]
    ShuttingDown,
    /// No nuclide has this name; the reason lists similar names.
    #[error("name {0}")]
    UnknownNuclide(String),
    /// No device has this name.
    #[error("no such device: {0}")]
    DeviceUnavailable(String),
    /// The device was lost during the work. The request may be repeated.
    #[error("device lost: {0}")]
    DeviceLost(String),
    /// The device ran out of memory.
    #[error("device out of memory: {0}")]
    DeviceOutOfMemory(String),
    /// The driver refused something that the request needs, and the device still computes.
    #[error("the device refused what it was given: {0}")]
    DeviceRefused(String),
    /// A computed dose is negative or not finite: the device failed without an error.
    #[error("the computed dose is not physical: {0}")]
    NotPhysical(String),
    /// The energy in the result differs from the energy that must be there.
    #[error("energy balance violated: expected {expected_mev:.9e} MeV, found {found_mev:.9e} MeV")]
    EnergyBalance {
        /// Energy that the method says must be deposited [MeV].
        expected_mev: f64,
        /// Energy found in the result [MeV].
        found_mev: f64,
    },
    /// The other side of a stream sent and read nothing for too long.
    #[error("the stream stalled: nothing was sent or taken for {} s", .idle.as_secs_f64())]
    Stalled {
        /// How long a pause may be.
        idle: Duration,
    },
    /// A bug in the program.
    #[error("internal failure: {0}")]
    Internal(String),
    /// The other side of a connection failed: code, reason and message as received.
    #[error("server: {0}")]
    Remote(String),
    /// A file could not be read or written.
    #[error("{0}")]
    Io(String),
}

impl DoseError {
    /// The stable reason, by which a program tells errors apart.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::Implausible(_) => "IMPLAUSIBLE",
            Self::TooLarge { .. } => "REQUEST_TOO_LARGE",
            Self::Busy { .. } => "SERVER_BUSY",
            Self::Cancelled => "CANCELLED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Stalled { .. } => "STREAM_STALLED",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::UnknownNuclide(_) => "UNKNOWN_NUCLIDE",
            Self::DeviceUnavailable(_) => "DEVICE_UNAVAILABLE",
            Self::DeviceLost(_) => "DEVICE_LOST",
            Self::DeviceOutOfMemory(_) => "DEVICE_OUT_OF_MEMORY",
            Self::DeviceRefused(_) => "DEVICE_REFUSED",
            Self::NotPhysical(_) => "DOSE_NOT_PHYSICAL",
            Self::EnergyBalance { .. } => "ENERGY_BALANCE",
            Self::Internal(_) | Self::Remote(_) | Self::Io(_) => "INTERNAL",
        }
    }

    /// The same error with each fault of its input in other words.
    #[must_use]
    pub fn with_faults(self, each: impl FnMut(Violation) -> Violation) -> Self {
        if let Self::Invalid(faults) = self { Self::Invalid(faults.into_iter().map(each).collect()) } else { self }
    }

    /// The fields at fault, and why; of a warning the reason that it has, then [`BEFORE_MESSAGE`], then its words.
    pub fn violations(&self) -> Vec<Violation> {
        let of_warning = |Warning { reason, message, field }: &Warning| Violation {
            field: field.clone(),
            reason: format!("{reason}{BEFORE_MESSAGE}{message}"),
        };
        match self {
            Self::Invalid(violations) => violations.clone(),
            Self::Implausible(warnings) => warnings.iter().map(of_warning).collect(),
            Self::TooLarge { .. }
            | Self::Busy { .. }
            | Self::Cancelled
            | Self::DeadlineExceeded
            | Self::Stalled { .. }
            | Self::ShuttingDown
            | Self::UnknownNuclide(_)
            | Self::DeviceUnavailable(_)
            | Self::DeviceLost(_)
            | Self::DeviceOutOfMemory(_)
            | Self::DeviceRefused(_)
            | Self::NotPhysical(_)
            | Self::EnergyBalance { .. }
            | Self::Internal(_)
            | Self::Remote(_)
            | Self::Io(_) => Vec::new(),
        }
    }

    /// One fault of one field.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation { field: field.into(), reason: reason.into() }])
    }
}

fn list(violations: &[Violation]) -> String {
    violations.iter().map(|v| format!("{}: {}", v.field, v.reason)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_reported_with_its_path() {
        let mut checks = Checks::new();
        assert_eq!(checks.at("a", Ok(1)), Some(1));
        assert_eq!(checks.at::<u8>("b", Err(Invalid::new("is bad"))), None);
        checks.extend("c", vec![Violation { field: "d".into(), reason: "is worse".into() }]);
        let error = checks.finish().expect_err("two faults were recorded");
        assert_eq!(error.to_string(), "invalid input: b: is bad; c.d: is worse");
    }

    #[test]
    fn no_fault_is_no_error() {
        assert!(Checks::new().finish().is_ok());
    }
}
