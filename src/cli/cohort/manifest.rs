//! The manifest: one line for each study, checked before any work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::Args;
use super::query::{encoded, is_query};
use crate::cli::{Cli, Command};
use crate::clinic::hours_between;
use crate::domain::{Checks, DoseError, Invalid};
use crate::pacs::Web;
use crate::physics::nuclide;

/// Most lines.
const MOST_LINES: usize = 100_000;
/// The columns; only the first is needed.
const COLUMNS: [&str; 8] =
    ["study", "patient", "centre", "cycle", "nuclide", "administered_mbq", "injection", "options"];
/// Flags that are the cohort's own.
const OWN_FLAGS: [&str; 5] = ["--output", "--dry-run", "--quiet", "--server", "--dicom-web"];

/// A study that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its line in the manifest.
    pub(super) number: u64,
    /// The folder, or the UID of a study on a server.
    pub(super) input: String,
    /// Who it is of: what pseudonyms are made of, and is written nowhere.
    pub(super) patient: String,
    pub(super) centre: String,
    pub(super) cycle: String,
    /// Flags of `dosegrid study`.
    pub(super) flags: Vec<String>,
}

impl Line {
    /// What tells it from all other lines.
    pub(super) fn identity(&self) -> String {
        serde_json::json!([self.input, self.patient, self.cycle, self.flags]).to_string()
    }
}

/// The lines of the manifest; none with a fault. Every fault is recorded by its line.
///
/// * `web` – the server that studies come from, if there is one
pub(super) fn read(args: &Args, web: Option<&Web>, checks: &mut Checks) -> Option<Vec<Line>> {
    let text = checks.at("manifest", text(&args.manifest))?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_slice());
    let head = reader.headers().cloned().map_err(|error| Invalid::new(format!("cannot be read: {error}")));
    let head = checks.at("manifest", head)?;
    let named: Vec<&str> = head.iter().collect();
    for unknown in named.iter().filter(|name| !COLUMNS.contains(name)) {
        checks.fail("line 1", format!("column {unknown:?} is not known; known are {}", COLUMNS.join(", ")));
    }
    for name in COLUMNS {
        match named.iter().filter(|known| **known == name).count() {
            0 if name == "study" => checks.fail("line 1", "has no column study: the folder of each"),
            0 | 1 => {}
            count => checks.fail("line 1", format!("has {count} columns {name}")),
        }
    }
    if !named.contains(&"study") {
        return None;
    }
    let mut lines = Vec::new();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut patients: BTreeMap<PathBuf, (u64, String)> = BTreeMap::new();
    let mut count = 0;
    for record in reader.records() {
        count += 1;
        if count > MOST_LINES {
            checks.fail("manifest", format!("has more than {MOST_LINES} lines: make several of it"));
            break;
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                checks.fail(format!("line {line}"), "is not UTF-8 text in columns");
                continue;
            }
        };
        let number = record.position().map_or(0, csv::Position::line);
        if record.len() != head.len() {
            let reason = format!("has {} columns, the first line has {}", record.len(), head.len());
            checks.fail(format!("line {number}"), reason);
            continue;
        }
        let cell = |name: &str| {
            let place = named.iter().position(|known| *known == name);
            place.and_then(|place| record.get(place)).filter(|text| !text.is_empty())
        };
        let Some(line) = line(args, web, number, cell, checks) else { continue };
        if let Some(first) = seen.insert(line.identity(), number) {
            checks.fail(format!("line {number}"), format!("is the same study with the same options as line {first}"));
        }
        let place = Path::new(&line.input).canonicalize().unwrap_or_else(|_| PathBuf::from(&line.input));
        let (first, patient) = patients.entry(place).or_insert_with(|| (number, line.patient.clone()));
        // Lines without a patient are each of the one that the folder stands for.
        if cell("patient").is_some() && *patient != line.patient {
            checks.fail(format!("line {number}"), format!("is the study of line {first}, and of another patient"));
        }
        lines.push(line);
    }
    if count == 0 {
        checks.fail("manifest", "has no line below its first");
    }
    Some(lines)
}

/// The bytes of the manifest, with plain line ends: the reader counts those of other systems one line late.
fn text(path: &Path) -> Result<Vec<u8>, Invalid> {
    let bytes = std::fs::read(path).map_err(|error| Invalid::new(format!("cannot be read: {error}")))?;
    let is_kept = |at: usize| !bytes[at..].starts_with(b"\r\n");
    Ok((0..bytes.len()).filter(|&at| is_kept(at)).map(|at| bytes[at]).collect())
}

/// A line; none with a fault, which is recorded.
fn line<'a>(
    args: &Args,
    web: Option<&Web>,
    number: u64,
    cell: impl Fn(&str) -> Option<&'a str>,
    checks: &mut Checks,
) -> Option<Line> {
    let field = format!("line {number}");
    let mut faults = Checks::new();
    let input = match (cell("study"), web) {
        (None, _) => {
            faults.fail("study", "is missing");
            None
        }
        (Some(text), Some(web)) => faults.at("study", of_server(text, web)),
        (Some(text), None) => faults.at("study", of_folder(text, &args.manifest)),
    };
    if let Some(Err(Invalid(reason))) = cell("nuclide").map(nuclide::find) {
        faults.fail("nuclide", reason);
    }
    let number_of = |text: &str| text.parse::<f64>().ok().filter(|mbq| *mbq > 0.0 && mbq.is_finite());
    if let Some(text) = cell("administered_mbq").filter(|text| number_of(text).is_none()) {
        faults.fail("administered_mbq", format!("is a number of MBq above 0, got {text:?}"));
    }
    if let Some(Err(Invalid(reason))) = cell("injection").map(|text| hours_between(text, text)) {
        faults.fail("injection", reason);
    }
    let flags = flags(&cell, &mut faults);
    if let (Some(input), Some(flags), true) = (&input, &flags, faults.is_empty()) {
        let words = ["dosegrid", "study", input.as_str()].into_iter().map(str::to_owned);
        let parsed = Cli::try_parse_from(words.chain(flags.iter().cloned()));
        if let Err(reason) = understood(parsed) {
            faults.fail("options", reason);
        }
    }
    let is_good = faults.is_empty();
    for fault in faults.into_violations() {
        checks.fail(&field, format!("{}: {}", fault.field, fault.reason));
    }
    let (input, flags) = (input?, flags?);
    let text = |name: &str| cell(name).unwrap_or_default().to_owned();
    let patient = cell("patient").map_or_else(|| input.clone(), str::to_owned);
    let line = Line { number, patient, centre: text("centre"), cycle: text("cycle"), input, flags };
    is_good.then_some(line)
}

/// Whether a study would take the words.
fn understood(parsed: Result<Cli, clap::Error>) -> Result<(), String> {
    match parsed {
        Ok(Cli { command: Command::Study(_) }) => Ok(()),
        Ok(_) => Err("are not those of dosegrid study".to_owned()),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Err(first.trim_start_matches("error: ").to_owned())
        }
    }
}

/// The flags of a line; none if they cannot be told apart.
fn flags<'a>(cell: &impl Fn(&str) -> Option<&'a str>, faults: &mut Checks) -> Option<Vec<String>> {
    let named =
        [("nuclide", "--nuclide"), ("administered_mbq", "--administered-activity"), ("injection", "--injection")];
    let named = named.into_iter().filter_map(|(name, flag)| Some([flag.to_owned(), cell(name)?.to_owned()]));
    let mut all: Vec<String> = named.flatten().collect();
    let options = faults.at("options", split(cell("options").unwrap_or_default()))?;
    for flag in options.iter().map(|word| word.split('=').next().unwrap_or_default()) {
        if OWN_FLAGS.iter().any(|own| flag == *own || flag.starts_with(&format!("{own}-"))) {
            faults.fail("options", format!("{flag} is for all studies: give it to dosegrid cohort, or leave it out"));
        }
    }
    all.extend(options);
    Some(all)
}

/// Words between blanks; single or double quotes keep blanks in them.
fn split(text: &str) -> Result<Vec<String>, Invalid> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in text.chars() {
        match (quote, character) {
            (Some(mark), _) if character == mark => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            (_, _) => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(Invalid::new("have a quotation mark without its other"));
    }
    words.extend(word);
    Ok(words)
}

/// A folder, beside the manifest or by its whole path.
fn of_folder(text: &str, manifest: &Path) -> Result<String, Invalid> {
    let base = manifest.parent().unwrap_or(Path::new(""));
    let folder = std::path::absolute(base.join(text)).map_err(|error| Invalid::new(format!("is no path: {error}")))?;
    if !folder.is_dir() {
        return Err(Invalid::new("is no folder (with --dicom-web it is the UID of a study, or a question)"));
    }
    folder.into_os_string().into_string().map_err(|_| Invalid::new("has a path that is not UTF-8"))
}

/// The UID of a study on a server.
fn of_server(text: &str, web: &Web) -> Result<String, Invalid> {
    if !is_query(text) {
        let is_uid = text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        return if is_uid { Ok(text.to_owned()) } else { Err(Invalid::new("is neither a UID nor a question")) };
    }
    let found = web.studies(&encoded(text)?).map_err(|error: DoseError| Invalid::new(error.to_string()))?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        several => Err(Invalid::new(format!("means {} studies of the server, one is needed", several.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_words_with_quotes() {
        let words = split("--method local  --ct-series '1 2' --x=\"a b\"").expect("words");
        assert_eq!(words, ["--method", "local", "--ct-series", "1 2", "--x=a b"]);
        assert_eq!(split("  ").expect("none"), [""; 0]);
        assert_eq!(split("''").expect("one"), [""]);
        assert!(split("--x 'a").is_err());
    }
}
