//! Names of labels: CSV of `label,name`, label descriptions of ITK-SNAP, colour tables of 3D Slicer and FreeSurfer.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::atomic::write_file;
use super::rows::{Row, parse_rows, read_text};
use crate::domain::Invalid;

/// Reads names of labels.
///
/// A table has a whole number and a name a line, with a comma, a semicolon or a tab between them, with or without a
/// header. ITK-SNAP's files have eight columns, the name in quotation marks last; colour tables have number, name and
/// colour. `#` begins a comment. Text is UTF-8, or else Latin-1. Label 0, the background, needs no name.
///
/// # Errors
/// If the file cannot be read or names a label twice. Otherwise every bad line, by its number.
pub fn read(path: &Path) -> Result<BTreeMap<u16, String>, Invalid> {
    let text = read_text(path)?;
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows = if !lines().any(|_| true) {
        Vec::new()
    } else if lines().all(|line| itk_snap(line).is_some()) {
        numbered(&text, itk_snap)
    } else if lines().all(|line| colour_table(line).is_some()) {
        numbered(&text, colour_table)
    } else {
        parse_rows(&text, delimiter(lines()), pair)?
    };
    let mut names = BTreeMap::new();
    for row in rows {
        let (label, name) = row.value;
        if names.insert(label, name).is_some() {
            return Err(Invalid::new(format!("line {}: label {label} is named twice", row.line)));
        }
    }
    Ok(names)
}

/// A line of a table.
fn pair(fields: &[&str]) -> Result<(u16, String), Invalid> {
    match fields {
        [label, name, rest @ ..] if !name.is_empty() && rest.iter().all(|field| field.is_empty()) => {
            let label: u16 = label.parse().map_err(|_| Invalid::new("the label is not a whole number up to 65535"))?;
            Ok((label, (*name).to_owned()))
        }
        _ => Err(Invalid::new("needs 2 fields, label and name")),
    }
}

/// What stands between the fields: the first `,`, `;` or tab of the first line that is not within quotation marks.
fn delimiter<'a>(mut lines: impl Iterator<Item = &'a str>) -> u8 {
    let mut is_quoted = false;
    let mut outside = lines.next().unwrap_or_default().bytes().filter(|byte| {
        is_quoted ^= *byte == b'"';
        !is_quoted
    });
    outside.find(|byte| matches!(byte, b',' | b';' | b'\t')).unwrap_or(b',')
}

/// `IDX R G B A VIS MESH "NAME"`.
fn itk_snap(line: &str) -> Option<(u16, String)> {
    let (numbers, name) = line.split_once('"')?;
    let name = name.strip_suffix('"')?;
    let numbers: Option<Vec<f64>> = numbers.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    let label = numbers.as_ref().filter(|numbers| numbers.len() == 7)?.first().copied()?;
    named(label, name)
}

/// `NUMBER NAME R G B A`.
fn colour_table(line: &str) -> Option<(u16, String)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [label, name @ .., r, g, b, a] = words.as_slice() else {
        return None;
    };
    let colour = [r, g, b, a].iter().all(|word| word.parse::<f64>().is_ok());
    // What stands between the fields of a table may stand alone.
    if !colour || name.first()?.starts_with([',', ';']) {
        return None;
    }
    let name = name.join(" ");
    let unquoted = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    named(label.parse().ok()?, unquoted.unwrap_or(&name))
}

fn named(label: f64, name: &str) -> Option<(u16, String)> {
    let whole = label.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&label) && !name.is_empty();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    whole.then(|| (label as u16, name.to_owned()))
}

/// The rows of a text, each line of which has been found good.
fn numbered(text: &str, parse: impl Fn(&str) -> Option<(u16, String)>) -> Vec<Row<(u16, String)>> {
    let lines = text.lines().zip(1..);
    lines.filter_map(|(text, line)| Some(Row { line, value: parse(text.trim())? })).collect()
}

/// Writes names of labels, with a header.
///
/// # Errors
/// If the file cannot be written.
pub fn write<'a>(path: &Path, names: impl IntoIterator<Item = (u16, &'a str)>) -> io::Result<()> {
    write_file(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(["label", "name"])?;
        names.into_iter().try_for_each(|(label, name)| table.serialize((label, name)))?;
        table.flush()
    })
}
