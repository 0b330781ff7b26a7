//! The files of the audit log, and their lines.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::digest::sha256_hex;

/// The folder of the audit log within a store.
pub const FOLDER: &str = "audit";
/// A file is as long as this, or less by a record [bytes].
pub(super) const FILE_BYTES: u64 = 64 << 20;
/// What the first record follows.
pub(super) const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Longest line that is read [bytes]. Records have no text of callers, and hold some dozens of digests at most.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The path of a file by its number, from 1.
pub(super) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:06}.log"))
}

/// How many files there are. They are numbered from 1 without a gap.
///
/// # Errors
/// If the folder cannot be read, or a number is missing.
pub(super) fn count(folder: &Path) -> io::Result<u32> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")).filter(|digits| digits.len() == 6);
        numbers.extend(number.and_then(|digits| digits.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    match numbers.iter().zip(1..).find(|(number, expected)| **number != *expected) {
        Some((_, missing)) => Err(invalid(format!("{} is missing", path(folder, missing).display()))),
        None => u32::try_from(numbers.len()).map_err(|_| invalid("too many files".into())),
    }
}

/// What a line must be called, after the hash before it.
pub(super) fn hash(before: &str, json: &str) -> String {
    sha256_hex(format!("{before}\n{json}"))
}

/// The hash and the JSON of a line that is whole, with its line end.
pub(super) fn parts(line: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (hash, json) = line.split_once(' ')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    is_hash.then_some((hash, json))
}

/// The number that a record gives itself.
pub(super) fn number_of(json: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(json).ok()?.get("seq")?.as_u64()
}

/// The event of a line that is whole.
pub(super) fn event_of(line: &str) -> Option<String> {
    let (_, json) = parts(line.as_bytes())?;
    Some(serde_json::from_str::<serde_json::Value>(json).ok()?.get("event")?.as_str()?.to_owned())
}

/// Reads the lines of a file one by one, each with its line end if it has one.
pub(super) struct Lines(BufReader<File>);

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(BufReader::new(File::open(path)?)))
    }
}

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match io::Read::take(&mut self.0, MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    }
}

/// The JSON of the records of a store from one number on, the oldest first.
///
/// # Errors
/// If the files cannot be read, or a line has not the form of a record.
///
/// * `folder` – that of the audit log
/// * `first` – number of the first record that is wanted
pub fn lines_from(folder: &Path, first: u64, mut take: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    for file in 1..=count(folder)? {
        let path = path(folder, file);
        for line in Lines::open(&path)? {
            let line = line?;
            let malformed = || invalid(format!("{}: a line is not a record", path.display()));
            let (_, json) = parts(&line).ok_or_else(malformed)?;
            if number_of(json).ok_or_else(malformed)? >= first {
                take(json)?;
            }
        }
    }
    Ok(())
}

pub(super) fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("audit log: {reason}"))
}
