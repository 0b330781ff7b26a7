//! Names of labels: CSV of `label,name`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use super::atomic::write_file;
use super::rows::read_rows;
use crate::domain::Invalid;

/// Reads names of labels: each row has a whole number and a name. A header is optional; `#` begins a comment.
///
/// # Errors
/// If the file cannot be read or names a label twice. Otherwise every bad line, by its number.
pub fn read(path: &Path) -> Result<BTreeMap<u16, String>, Invalid> {
    let rows = read_rows(path, |fields| match fields {
        [label, name] if !name.is_empty() => {
            let label: u16 = label.parse().map_err(|_| Invalid::new("the label is not a whole number up to 65535"))?;
            Ok((label, (*name).to_owned()))
        }
        _ => Err(Invalid::new("needs 2 fields, label and name")),
    })?;
    let mut names = BTreeMap::new();
    for row in rows {
        let (label, name) = row.value;
        if names.insert(label, name).is_some() {
            return Err(Invalid::new(format!("line {}: label {label} is named twice", row.line)));
        }
    }
    Ok(names)
}

/// Writes names of labels, with a header.
///
/// # Errors
/// If the file cannot be written.
pub fn write<'a>(path: &Path, names: impl IntoIterator<Item = (u16, &'a str)>) -> io::Result<()> {
    write_file(path, |file| {
        writeln!(file, "label,name")?;
        names.into_iter().try_for_each(|(label, name)| writeln!(file, "{label},{name}"))
    })
}
