//! A folder that others write into.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};

use super::{MAX_BYTES, Source, failed, origin};
use crate::domain::DoseError;
use crate::formats::dicom::Place;
use crate::gateway::Gateway;
use crate::gateway::ledger::Table;

/// A file that was changed less than this ago may still be written.
const SETTLE: Duration = Duration::from_secs(10);
/// Most folders inside one another.
const MAX_DEPTH: usize = 12;
/// Ends of names that are given to files while they are written.
const UNFINISHED: [&str; 4] = [".part", ".partial", ".tmp", ".filepart"];

impl Gateway {
    /// Takes the files that are new or changed. How many there were, with those that may still be written.
    ///
    /// # Errors
    /// If the folder, a folder in it, or some files cannot be read: all others were taken.
    pub(in crate::gateway) fn scan_folder(
        &self,
        source: &Source,
        folder: &Path,
        deletes: bool,
    ) -> Result<usize, DoseError> {
        let start = format!("folder/{}/", self.salted(&source.name));
        let known: BTreeMap<String, String> = self.ledger.list(Table::Places, &start)?.into_iter().collect();
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        let mut fault = |what: &'static str, error: io::Error| faults.push((what, error));
        files(folder, MAX_DEPTH, &mut found, &mut |error| fault("a folder cannot be read", error));
        found.sort();
        let mut came = 0;
        for path in found {
            // A file may go while it is looked at.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let key = start.clone() + &self.salted(&path.display().to_string());
            let mark = mark_of(&metadata);
            let rest = SETTLE.min(source.quiet);
            let age = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            let is_settled = age.map_or_else(|| self.has_rested(&key, &mark, rest), |age| age >= rest);
            if known.get(&key) == Some(&mark) || self.is_stopping() {
                continue;
            }
            if !is_settled {
                // More is to come from here.
                came += 1;
                continue;
            }
            // What cannot be opened is not what holds no DICOM: it is looked at again.
            match File::open(&path) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    fault("a file cannot be opened", error);
                    continue;
                }
            }
            let is_large = metadata.len() > MAX_BYTES;
            if is_large || !Place::of(&path).is_dicom(|_| false) {
                if is_large {
                    tracing::warn!(source = source.name, bytes = metadata.len(), "a file is too large, and not taken");
                }
                self.ledger.change(|change| change.put(Table::Places, &key, &mark))?;
                continue;
            }
            match self.copy_in(&path, source) {
                Ok(()) => {}
                // It was taken away by others, and may come under another name.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => {
                    came += 1;
                    continue;
                }
                // It is tried again, and holds up no other.
                Err(error) => {
                    fault("a file cannot be taken", error);
                    continue;
                }
            }
            came += 1;
            if deletes {
                if fs::metadata(&path).is_ok_and(|now| mark_of(&now) != mark) {
                    // It was written to while it was copied: it is taken again, and not lost.
                    continue;
                }
                match fs::remove_file(&path) {
                    Ok(()) => continue,
                    // It stays there, and is not taken again.
                    Err(error) => fault("a file cannot be deleted", error),
                }
            }
            self.ledger.change(|change| change.put(Table::Places, &key, &mark))?;
        }
        match faults.as_slice() {
            [] => Ok(came),
            [(what, error)] => Err(failed(what, error)),
            [(what, error), others @ ..] => Err(failed(what, &format!("{error}, and {} more faults", others.len()))),
        }
    }

    /// Whether a file that is newer than the clock has stayed as it is for so long since it was first seen: the clock
    /// of this machine, or of who wrote it, was set.
    fn has_rested(&self, key: &str, mark: &str, rest: Duration) -> bool {
        let mut seen = self.newer_than_clock.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = seen.entry(key.to_owned()).or_insert_with(|| (mark.to_owned(), now));
        if since.0 != mark {
            *since = (mark.to_owned(), now);
        }
        let has_rested = since.1.elapsed() >= rest;
        if has_rested {
            seen.remove(key);
        }
        has_rested
    }

    fn copy_in(&self, path: &Path, source: &Source) -> io::Result<()> {
        let mut copy = self.receiving()?;
        io::copy(&mut File::open(path)?, copy.as_file_mut())?;
        self.spool(copy, &origin(source))
    }
}

/// By which a file is known again.
fn mark_of(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!("{} {}", metadata.len(), modified.unwrap_or_default().as_nanos())
}

/// Regular files, not behind links, and not those that are still being written under a name for it.
fn files(folder: &Path, depth: usize, found: &mut Vec<PathBuf>, fault: &mut impl FnMut(io::Error)) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return fault(error),
    };
    for entry in entries {
        let (entry, kind) = match entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind))) {
            Ok(found) => found,
            // A file may go while it is looked at.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                fault(error);
                continue;
            }
        };
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || UNFINISHED.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        if kind.is_file() {
            found.push(entry.path());
        } else if kind.is_dir() && depth > 0 {
            files(&entry.path(), depth - 1, found, fault);
        }
    }
}
