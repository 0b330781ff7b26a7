//! Files under a path, and series by their UID behind it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::parse::{MAX_FILE_BYTES, PREAMBLE_BYTES, is_dicom, is_uid};
use crate::domain::Invalid;

/// Bytes by which a DICOM file is known.
const HEAD_BYTES: u64 = 132;
/// Most folders inside one another.
const MAX_DEPTH: usize = 12;
/// Most files in a folder and those in it.
const MAX_FILES: usize = 200_000;

/// A path as a caller gives it: a file, a folder, or a folder and a series, `FOLDER#SERIES_UID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file or folder.
    pub path: PathBuf,
    /// The series in it.
    pub series: Option<String>,
}

impl Place {
    /// The place that a path names.
    pub fn of(path: &Path) -> Self {
        let whole = || Self { path: path.to_owned(), series: None };
        if path.exists() {
            return whole();
        }
        let Some((front, uid)) = path.to_str().and_then(|text| text.rsplit_once('#')) else { return whole() };
        let front = if front.is_empty() { "." } else { front };
        if is_uid(uid) { Self { path: front.into(), series: Some(uid.to_owned()) } } else { whole() }
    }

    /// Whether DICOM is there: a file, a folder with one such file and no volume of another format, or a named series.
    ///
    /// * `is_other` – whether a name is that of a volume of another format
    pub fn is_dicom(&self, is_other: impl Fn(&Path) -> bool) -> bool {
        if self.series.is_some() {
            return self.path.exists();
        }
        if !self.path.is_dir() {
            return starts_as_dicom(&self.path);
        }
        let entries = fs::read_dir(&self.path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        if entries.into_iter().any(|path| path.is_file() && is_other(&path)) {
            return false;
        }
        walk(&self.path, &mut |path| if starts_as_dicom(path) { Err(()) } else { Ok(()) }).is_err()
    }
}

/// Whether there is a file that is read where a folder is given: a DICOM file below it, or a volume in it.
///
/// * `folder`, `file` – without links
/// * `is_volume` – whether a name is that of a volume of another format
pub fn is_read_with(folder: &Path, file: &Path, is_volume: impl Fn(&Path) -> bool) -> bool {
    file.starts_with(folder)
        && (starts_as_dicom(file) || file.is_file() && file.parent() == Some(folder) && is_volume(file))
}

/// Whether a regular file starts as DICOM files do.
fn starts_as_dicom(path: &Path) -> bool {
    let is_regular = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let mut head = Vec::new();
    is_regular
        && File::open(path).is_ok_and(|file| file.take(HEAD_BYTES).read_to_end(&mut head).is_ok())
        && is_dicom(&head)
}

/// What lies under a path.
pub(super) struct Files {
    /// Files that start as DICOM files do, by name.
    pub(super) dicom: Vec<PathBuf>,
    /// Files that ought to be DICOM files and do not start so: by their name, with nothing in them, or as what is left
    /// of one.
    pub(super) broken: usize,
    /// Files and folders that may not be opened: nobody knows what is in them.
    pub(super) closed: usize,
    /// Other files.
    pub(super) others: usize,
}

/// Whether a file that does not start as DICOM files do looks like what is left of one. Files of a system, whose names
/// begin with a dot, do not.
fn looks_broken(path: &Path) -> bool {
    const ENDS: [&str; 3] = ["dcm", "dicom", "ima"];
    let is_named = path.extension().is_some_and(|end| ENDS.iter().any(|known| end.eq_ignore_ascii_case(known)));
    // Without an extension, or with that of a UID, and numbered: as slices are named.
    let is_numbered = path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().any(u8::is_ascii_digit));
    let is_bare = path.extension().is_none_or(|end| end.as_encoded_bytes().iter().all(u8::is_ascii_digit));
    !is_hidden(path) && (is_named || is_bare && is_remainder(path, is_numbered))
}

/// Whether a name is that of a file of a system.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether a file or folder may not be opened.
fn is_closed(path: &Path) -> bool {
    let denied = |error: std::io::Error| error.kind() == ErrorKind::PermissionDenied;
    File::open(path).is_err_and(denied)
}

/// Whether a file holds what is left of a DICOM file: nothing, or less than a preamble and its four letters, where its
/// name is numbered; or the zeros of a preamble, whatever its name, as where a copy failed.
fn is_remainder(path: &Path, is_numbered: bool) -> bool {
    let mut head = Vec::new();
    let is_regular = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_regular || File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head)).is_err() {
        return false;
    }
    let is_zero = !head.is_empty() && head.iter().take(PREAMBLE_BYTES).all(|byte| *byte == 0);
    let is_short = (head.len() as u64) < HEAD_BYTES && (head.is_empty() || head.contains(&0));
    is_zero || is_numbered && is_short
}

/// The DICOM files under a path, in those folders too.
///
/// # Errors
/// If there is none, or there are too many files.
pub(super) fn files(path: &Path) -> Result<Files, Invalid> {
    let unreadable = |error: std::io::Error| Invalid::new(format!("cannot be opened: {error}"));
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return if starts_as_dicom(path) {
            Ok(Files { dicom: vec![path.to_owned()], broken: 0, closed: 0, others: 0 })
        } else {
            Err(Invalid::new("is not a DICOM file"))
        };
    }
    let mut found = Files { dicom: Vec::new(), broken: 0, closed: 0, others: 0 };
    let mut count = 0;
    let walked = walk(path, &mut |path| {
        count += 1;
        // The index of a medium names files and holds none.
        let is_index = path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"));
        if !is_index && starts_as_dicom(path) {
            found.dicom.push(path.to_owned());
        } else if !is_hidden(path) && is_closed(path) {
            found.closed += 1;
        } else if !is_index && looks_broken(path) {
            found.broken += 1;
        } else {
            found.others += 1;
        }
        if count > MAX_FILES { Err(()) } else { Ok(()) }
    });
    if walked.is_err() {
        return Err(Invalid::new(format!("holds more than {MAX_FILES} files; give a folder of one study")));
    }
    if found.dicom.is_empty() && found.closed > 0 {
        return Err(Invalid::new("is a folder whose files cannot be opened: their permissions forbid it"));
    }
    if found.dicom.is_empty() {
        return Err(Invalid::new("is a folder without DICOM files"));
    }
    found.dicom.sort_unstable();
    Ok(found)
}

/// The regular files below a folder, also behind links, as deep and as many as are looked at, and what may not be
/// opened.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let _ = walk(folder, &mut |path| {
        found.push(path.to_owned());
        if found.len() > MAX_FILES { Err(()) } else { Ok(()) }
    });
    found
}

/// Calls `visit` with every regular file, and with every file or folder that may not be opened. A folder that several
/// links lead to is looked through once: links may lead in a ring.
fn walk(folder: &Path, visit: &mut impl FnMut(&Path) -> Result<(), ()>) -> Result<(), ()> {
    walk_into(folder, MAX_DEPTH, &mut BTreeSet::new(), visit)
}

/// * `depth` – how many folders deeper it may go
/// * `seen` – folders that were looked through, without links
fn walk_into(
    folder: &Path,
    depth: usize,
    seen: &mut BTreeSet<PathBuf>,
    visit: &mut impl FnMut(&Path) -> Result<(), ()>,
) -> Result<(), ()> {
    if !seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.to_owned())) {
        return Ok(());
    }
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return visit(folder),
        Err(_) => return Ok(()),
    };
    let mut inside: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    inside.sort_unstable();
    for path in inside {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => visit(&path)?,
            Ok(metadata) if metadata.is_dir() && depth > 0 => walk_into(&path, depth - 1, seen, visit)?,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => visit(&path)?,
            _ => {}
        }
    }
    Ok(())
}

/// The bytes of a file.
///
/// # Errors
/// If it cannot be read, or is too large.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Invalid> {
    let unreadable = |error: std::io::Error| Invalid::new(format!("a file cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Invalid::new(format!("holds a file of more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Bytes of all files under a path that start as DICOM files do; 0 where there is none.
pub(super) fn total_bytes(path: &Path) -> u64 {
    let sizes = files(path).map(|found| found.dicom).unwrap_or_default();
    sizes.iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum()
}
