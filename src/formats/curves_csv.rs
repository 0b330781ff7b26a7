//! Integrals of regions as a table, CSV.

use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;

use super::atomic::write_file;

/// Columns with the names of [`crate::clinic::Integration::to_json`].
const COLUMNS: [&str; 11] = [
    "model",
    "tia_mbq_h",
    "tia_sigma_mbq_h",
    "tia_coefficient_h",
    "chi_square",
    "degrees_of_freedom",
    "probability_of_chi_square",
    "fraction_before_first_point",
    "fraction_after_last_point",
    "half_lives_h",
    "flags",
];

/// Writes a row for each region; figures that do not exist are empty, several of one kind have spaces between them.
///
/// # Errors
/// If the file cannot be written.
pub fn write<'a>(path: &Path, rows: impl IntoIterator<Item = (&'a str, &'a Value)>) -> io::Result<()> {
    write_file(path, |file| encode(file, rows))
}

/// As [`write`], to any output.
///
/// # Errors
/// If the output cannot be written.
pub fn encode<'a>(output: &mut impl Write, rows: impl IntoIterator<Item = (&'a str, &'a Value)>) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(output);
    table.write_record(std::iter::once("region").chain(COLUMNS))?;
    for (name, said) in rows {
        let fields = COLUMNS.iter().map(|column| field(&said[*column]));
        table.write_record(std::iter::once(name.to_owned()).chain(fields))?;
    }
    table.flush()
}

fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(field).collect::<Vec<_>>().join(" "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_what_there_is() {
        let said = serde_json::json!({
            "model": "mono", "tia_mbq_h": 12.5, "tia_sigma_mbq_h": null, "half_lives_h": [50.0, 1.5], "flags": ["a", "b"],
        });
        let mut text = Vec::new();
        encode(&mut text, [("kidney, left", &said)]).expect("memory");
        let text = String::from_utf8(text).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("region,model,tia_mbq_h") && lines[0].ends_with("half_lives_h,flags"), "{text}");
        assert_eq!(lines[1], "\"kidney, left\",mono,12.5,,,,,,,,50.0 1.5,a b");
    }
}
