//! Where files go: results replace neither their inputs nor one another.

use std::path::{Path, PathBuf};

use crate::domain::Checks;

/// Records outputs that cannot be written, or would replace an input or one another.
///
/// * `inputs` – files that are read
/// * `outputs` – files that are written, by their flags
pub(super) fn check_places<'a>(
    inputs: impl IntoIterator<Item = &'a Path>,
    outputs: impl IntoIterator<Item = (&'a str, Option<&'a Path>)>,
    checks: &mut Checks,
) {
    let mut taken: Vec<PathBuf> = inputs.into_iter().filter_map(|path| path.canonicalize().ok()).collect();
    for (flag, path) in outputs.into_iter().filter_map(|(flag, path)| Some((flag, path?))) {
        check_place(flag, path, &mut taken, checks);
    }
}

/// Records an output that cannot be written, or is the path of another file.
///
/// * `taken` – the other files, to which this one is added
pub(super) fn check_place(flag: &str, path: &Path, taken: &mut Vec<PathBuf>, checks: &mut Checks) {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Some((folder, name)) = folder.canonicalize().ok().filter(|folder| folder.is_dir()).zip(path.file_name()) else {
        checks.fail(flag, "is not a file name in a folder that exists");
        return;
    };
    let place = path.canonicalize().unwrap_or_else(|_| folder.join(name));
    if place.is_dir() {
        checks.fail(flag, "is a folder");
    } else if taken.contains(&place) {
        checks.fail(flag, "is also the path of another file of this run");
    }
    taken.push(place);
}
