//! What became of each line: a file that only grows, so that a run that was cut goes on where it was.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::cannot_write;
use crate::domain::DoseError;

/// Its name in the folder of results.
const FILE: &str = "ledger.jsonl";

/// How a study ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Pseudonym of the study.
    pub(super) study: String,
    /// Digest of all that its results depend on: its line, its files as they are listed, or its instances on a server,
    /// the files that its options name, version and commit of this program.
    pub(super) key: String,
    /// Why it failed; none if it is done.
    pub(super) reason: Option<String>,
    /// How long it took.
    pub(super) seconds: f64,
    /// SHA-256 over those of its files; none where they came from a server.
    pub(super) inputs_sha256: Option<String>,
}

/// The file, which is locked as long as this lives, and the last entry of each study.
pub(super) struct Ledger {
    file: Mutex<File>,
    known: Mutex<BTreeMap<String, Entry>>,
}

impl Ledger {
    /// Opens or makes it.
    ///
    /// # Errors
    /// If another process has it, or it cannot be read or written.
    pub(super) fn open(folder: &Path) -> Result<Self, DoseError> {
        let failed = |error: std::io::Error| cannot_write(FILE, &error);
        let path = folder.join(FILE);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        file.try_lock().map_err(|_| {
            DoseError::invalid("output", format!("{} is in use by another dosegrid cohort", folder.display()))
        })?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        // A line that was cut when the machine failed is no entry, and must not run into the next one.
        if text.last().is_some_and(|&last| last != b'\n') {
            file.write_all(b"\n").map_err(failed)?;
        }
        let entries = text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
        let known = entries.map(|entry| (entry.study.clone(), entry)).collect();
        Ok(Self { file: Mutex::new(file), known: Mutex::new(known) })
    }

    /// The last entry of a study.
    pub(super) fn last(&self, study: &str) -> Option<Entry> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(study).cloned()
    }

    /// Notes how a study ended, on the disk before this returns.
    pub(super) fn note(&self, entry: Entry) -> Result<(), DoseError> {
        let mut line = serde_json::to_vec(&entry).expect("plain texts and numbers");
        line.push(b'\n');
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&line).and_then(|()| file.sync_data()).map_err(|error| cannot_write(FILE, &error))?;
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.study.clone(), entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(study: &str, reason: Option<&str>) -> Entry {
        let reason = reason.map(str::to_owned);
        Entry { study: study.into(), key: "k".into(), reason, seconds: 1.5, inputs_sha256: None }
    }

    #[test]
    fn the_last_entry_counts_and_a_cut_line_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        {
            let ledger = Ledger::open(folder.path()).expect("a ledger");
            ledger.note(entry("S1", Some("no CT"))).expect("written");
            ledger.note(entry("S2", None)).expect("written");
            ledger.note(entry("S1", None)).expect("written");
            assert!(Ledger::open(folder.path()).is_err(), "two at a time");
        }
        let path = folder.path().join(FILE);
        let mut text = std::fs::read(&path).expect("written");
        text.extend_from_slice(b"{\"study\": \"S3\", \"ke");
        std::fs::write(&path, text).expect("written");
        let ledger = Ledger::open(folder.path()).expect("a ledger");
        assert_eq!((ledger.last("S1"), ledger.last("S3")), (Some(entry("S1", None)), None));
        ledger.note(entry("S3", None)).expect("written");
        drop(ledger);
        assert_eq!(Ledger::open(folder.path()).expect("a ledger").last("S3"), Some(entry("S3", None)));
    }
}
