//! Where files go: results replace neither their inputs nor one another. Every command asks here before it works.

use std::path::{Path, PathBuf};

use crate::domain::{Checks, Invalid};
use crate::formats::atomic::{self, behind_links};
use crate::formats::dicom;
use crate::formats::volume_file::{OutputFormat, is_volume_name};

/// Stands for stdout.
const STDOUT: &str = "-";

/// Records outputs that cannot be written, or would replace an input or one another, by whatever name.
///
/// * `inputs` – files that are read, and folders of files that are
/// * `outputs` – files that are written, by their flags
pub(super) fn check_places<'a, 'f>(
    inputs: impl IntoIterator<Item = &'a Path>,
    outputs: impl IntoIterator<Item = (&'f str, Option<&'a Path>)>,
    checks: &mut Checks,
) {
    let inputs = inputs.into_iter().flat_map(|path| files_of(&dicom::Place::of(path).path));
    let mut taken: Vec<PathBuf> = inputs.filter_map(|path| path.canonicalize().ok()).collect();
    let folders: Vec<PathBuf> = taken.iter().filter(|path| path.is_dir()).cloned().collect();
    for (flag, path) in outputs.into_iter().filter_map(|(flag, path)| Some((flag, path?))) {
        let before = taken.clone();
        for file in files_of(path) {
            let Some(place) = place(flag, &file, checks) else { continue };
            if before.contains(&place) {
                checks.fail(flag, "is also the path of another file of this run");
            } else if folders.iter().any(|folder| dicom::is_read_with(folder, &place, is_volume_name)) {
                checks.fail(flag, "is a file of a folder that is read in this run; write it elsewhere");
            }
            taken.push(place);
        }
    }
}

/// All files that have this name: a header and its values are two.
fn files_of(path: &Path) -> Vec<PathBuf> {
    OutputFormat::of_name(path).map_or_else(|_| vec![path.to_owned()], |format| format.files(path))
}

/// The file that is written where this is the name of an output; none, which is recorded, if there can be none.
fn place(flag: &str, path: &Path, checks: &mut Checks) -> Option<PathBuf> {
    if path == Path::new(STDOUT) {
        return Some(path.to_owned());
    }
    let path = behind_links(path);
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Some((folder, name)) = folder.canonicalize().ok().filter(|folder| folder.is_dir()).zip(path.file_name()) else {
        checks.fail(flag, "cannot be written: it is no file name in a folder that exists");
        return None;
    };
    let place = path.canonicalize().unwrap_or_else(|_| folder.join(name));
    if place.is_dir() {
        checks.fail(flag, "is a folder");
        return None;
    }
    let cannot = |error| Invalid::new(format!("cannot be written: {error}"));
    checks.at(flag, atomic::check_place(&place).map_err(cannot))?;
    Some(place)
}
