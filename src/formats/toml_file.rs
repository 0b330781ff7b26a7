//! TOML files of a caller.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::domain::Invalid;

/// Largest size of a file [bytes].
const MAX_BYTES: u64 = 1 << 20;

/// Reads a file.
///
/// # Errors
/// If it cannot be read, is too long, or is not what is expected; then with the number of the line.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Invalid> {
    parse(&text(path)?)
}

/// Reads a text.
///
/// # Errors
/// As [`read`].
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Invalid> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        Invalid::new(format!("line {line}: {}", error.message()))
    })
}

/// The text of a file.
///
/// # Errors
/// If it cannot be read or is too long.
pub(crate) fn text(path: &Path) -> Result<String, Invalid> {
    let file = File::open(path).map_err(|error| Invalid::new(format!("cannot be opened: {error}")))?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| Invalid::new(format!("cannot be read as text: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        Err(Invalid::new(format!("is longer than {MAX_BYTES} bytes")))
    } else {
        Ok(text)
    }
}
