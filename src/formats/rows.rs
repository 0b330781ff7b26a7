//! Small CSV tables. Bad lines are reported by their number, and their content is never repeated.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::domain::Invalid;

/// Largest size of a table, so that a volume given by mistake is not read [bytes].
const MAX_BYTES: u64 = 1 << 20;
/// Most bad lines that are listed.
const MAX_LISTED: usize = 10;

/// A row and the number of its line, from 1.
pub(super) struct Row<T> {
    pub(super) line: u64,
    pub(super) value: T,
}

/// Reads every row. The first row is a header if none of its fields is a number.
///
/// # Errors
/// If the file cannot be read or is too long. Otherwise every bad line, by its number.
pub(super) fn read_rows<T>(path: &Path, parse: impl Fn(&[&str]) -> Result<T, Invalid>) -> Result<Vec<Row<T>>, Invalid> {
    let file = File::open(path).map_err(|error| Invalid::new(format!("cannot be opened: {error}")))?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| Invalid::new(format!("cannot be read as text: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Invalid::new(format!("is longer than {MAX_BYTES} bytes")));
    }
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .comment(Some(b'#'))
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(|_| Invalid::new("is not CSV"))?;
        if number == 0 && is_header(&record) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        match parse(&record.iter().collect::<Vec<_>>()) {
            Ok(value) => rows.push(Row { line, value }),
            Err(Invalid(reason)) => faults.push(format!("line {line}: {reason}")),
        }
    }
    if faults.is_empty() {
        return Ok(rows);
    }
    let more = faults.len().saturating_sub(MAX_LISTED);
    faults.truncate(MAX_LISTED);
    if more > 0 {
        faults.push(format!("and {more} more lines"));
    }
    Err(Invalid::new(faults.join("; ")))
}

fn is_header(record: &StringRecord) -> bool {
    record.iter().all(|field| field.parse::<f64>().is_err())
}
