//! Reads the tables that are embedded in the binary.

use serde::de::DeserializeOwned;

/// Rows of an embedded CSV file with a header.
///
/// # Panics
/// If the file does not fit `Row`: each file embedded here is read by a test.
pub(crate) fn csv_rows<Row: DeserializeOwned>(text: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().expect("embedded tables are read by a test")
}

/// Rows of an embedded CSV file with a header, after lines that start with `#`.
///
/// # Panics
/// If the file does not fit `Row`: each file embedded here is read by a test.
pub(crate) fn commented_csv_rows<Row: DeserializeOwned>(text: &str) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().expect("embedded tables are read by a test")
}
