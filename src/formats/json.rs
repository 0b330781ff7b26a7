//! JSON files.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::atomic::write_file;

/// Writes a value, indented by two spaces, with a line end.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    write_file(path, |file| {
        serde_json::to_writer_pretty(&mut *file, value)?;
        file.write_all(b"\n")
    })
}
