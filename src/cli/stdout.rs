//! Output to stdout.

use std::io::{self, ErrorKind, Write};

use crate::domain::DoseError;

/// Prints text. It is not a failure if the reader has closed the pipe.
///
/// # Errors
/// If stdout cannot be written for another reason.
pub(super) fn print(text: &str) -> Result<(), DoseError> {
    print_bytes(text.as_bytes())
}

/// Prints bytes, as [`print`] does text.
///
/// # Errors
/// As [`print`].
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), DoseError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(DoseError::Io(format!("stdout: {error}"))),
        _ => Ok(()),
    }
}

/// Prints a value as indented JSON with a line end.
///
/// # Errors
/// As [`print`].
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), DoseError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| DoseError::Io(format!("JSON: {error}")))?;
    print(&(text + "\n"))
}
