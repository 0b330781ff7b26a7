//! The tree is the data flow: a room of `src/` imports only from rooms below it. Code after `#[cfg(test)]` and files
//! `…_tests.rs`, which are read for tests alone, may look anywhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms from the lowest to the highest, and the rooms below that each may import.
const ROOMS: &[(&str, &[&str])] = &[
    ("constants", &[]),
    ("digest", &[]),
    ("embedded", &[]),
    ("faults", &[]),
    ("audit", &["digest"]),
    ("metrics", &[]),
    ("priority", &[]),
    ("math", &[]),
    ("domain", &["constants", "digest", "embedded", "math"]),
    ("resample", &["domain"]),
    ("physics", &["constants", "digest", "embedded", "math", "domain"]),
    ("clinic", &["constants", "math", "domain", "physics"]),
    ("dosimetry", &["constants", "domain"]),
    ("formats", &["digest", "domain", "resample", "physics", "clinic", "dosimetry"]),
    ("pacs", &["digest", "domain", "formats"]),
    ("report", &["digest", "domain", "resample", "clinic", "dosimetry"]),
    ("request", &["domain", "physics"]),
    ("intake", &["constants", "math", "clinic", "domain", "resample", "physics", "request"]),
    ("plan", &["constants", "math", "domain", "physics"]),
    ("prepare", &["constants", "math", "domain", "physics", "plan"]),
    ("engine", &["constants", "digest", "math", "domain", "physics", "plan", "prepare"]),
    ("method", &["constants", "digest", "domain", "physics", "plan", "prepare", "engine"]),
    ("compute", &["domain", "plan", "engine", "method"]),
    ("jobs", &["faults", "metrics", "priority", "math", "domain", "plan", "engine", "compute"]),
    ("store", &["audit", "digest", "faults", "domain", "jobs"]),
    ("broker", &["domain"]),
    ("page", &["domain", "dosimetry"]),
    ("gateway", &["audit", "digest", "metrics", "domain", "physics", "formats", "pacs", "page"]),
    (
        "api",
        &[
            "audit",
            "gateway",
            "page",
            "store",
            "broker",
            "digest",
            "faults",
            "metrics",
            "priority",
            "math",
            "domain",
            "resample",
            "physics",
            "clinic",
            "dosimetry",
            "formats",
            "request",
            "intake",
            "plan",
            "engine",
            "method",
            "jobs",
        ],
    ),
    ("demo", &["constants", "domain", "formats", "report", "engine", "dosimetry", "api"]),
    (
        "validate",
        &[
            "constants",
            "embedded",
            "math",
            "domain",
            "physics",
            "formats",
            "report",
            "plan",
            "prepare",
            "engine",
            "method",
        ],
    ),
    ("kernel_library", &["constants", "math", "domain", "physics", "prepare", "engine"]),
    ("bench", &["domain", "physics", "plan", "prepare", "engine", "compute", "demo", "validate"]),
    (
        "cli",
        &[
            "audit",
            "constants",
            "digest",
            "faults",
            "metrics",
            "priority",
            "math",
            "domain",
            "resample",
            "physics",
            "clinic",
            "formats",
            "pacs",
            "page",
            "gateway",
            "report",
            "request",
            "intake",
            "plan",
            "engine",
            "method",
            "compute",
            "dosimetry",
            "clinic",
            "store",
            "broker",
            "jobs",
            "api",
            "demo",
            "validate",
            "kernel_library",
            "bench",
        ],
    ),
];

/// Crates that only some files may name, by the start of their path below `src/`.
const CRATES: &[(&str, &[&str])] = &[
    ("tonic", &["api/", "api.rs"]),
    ("prost", &["api/", "api.rs"]),
    ("wgpu", &["engine/gpu/"]),
    ("async_nats", &["broker/"]),
    ("plotters", &["report/"]),
    ("lettre", &["gateway/"]),
    ("dicom_core", &["formats/dicom/", "pacs/"]),
    ("dicom_dictionary_std", &["formats/dicom/", "pacs/"]),
    ("dicom_encoding", &["formats/dicom/"]),
    ("dicom_object", &["formats/dicom/", "pacs/"]),
    ("dicom_transfer_syntax_registry", &["formats/dicom/", "pacs/"]),
    ("dicom_json", &["pacs/"]),
    ("dicom_ul", &["pacs/"]),
];

/// Names of lower rooms that a room does without all the same: physics hears of its caller through `math::watch`.
const NOT_NAMED: &[(&str, &[&str])] = &[("physics", &["Control", "DoseError"])];

/// How the names of files end that are read for tests alone.
const TESTS: &str = "_tests.rs";

/// The lowest room with asynchronous code.
const ASYNCHRONOUS_FROM: &str = "jobs";

/// Whether a room has no asynchronous code.
fn is_synchronous(room: &str) -> bool {
    ROOMS.iter().take_while(|(name, _)| *name != ASYNCHRONOUS_FROM).any(|(name, _)| *name == room)
}

/// Every fault of a source file, by its path below `src/`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let room = path.split(['/', '.']).next().unwrap_or_default();
    if matches!(room, "main" | "lib") || path.ends_with(TESTS) {
        return Vec::new();
    }
    let Some((_, below)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{path}: `{room}` is not among the rooms of tests/layering.rs")];
    };
    let code: String =
        text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().lines().filter_map(code_of).collect();
    let rooms: BTreeSet<&str> = code.split("crate::").skip(1).flat_map(first_names).collect();
    let up = rooms.into_iter().filter(|name| *name != room && ROOMS.iter().any(|(known, _)| known == name));
    let mut faults: Vec<String> =
        up.filter(|name| !below.contains(name)).map(|name| format!("{path}: `{room}` imports `{name}`")).collect();
    for (library, places) in CRATES {
        let named = [format!("{library}::"), format!("use {library};")].iter().any(|text| names(&code, text));
        if named && !places.iter().any(|place| path.starts_with(place)) {
            faults.push(format!("{path}: names the crate `{library}`"));
        }
    }
    for (_, unwanted) in NOT_NAMED.iter().filter(|(name, _)| *name == room) {
        for name in unwanted.iter().filter(|name| words(&code).any(|word| word == **name)) {
            faults.push(format!("{path}: names `{name}`"));
        }
    }
    if is_synchronous(room) && code.contains("async fn ") {
        faults.push(format!("{path}: `{room}` has an asynchronous function"));
    }
    faults
}

/// A line without its comment, with a space in place of its end.
fn code_of(line: &str) -> Option<String> {
    let code = line.trim_start();
    (!code.starts_with("//")).then(|| format!("{code} "))
}

/// The rooms that a path behind `crate::` begins with: one, or those in braces.
fn first_names(path: &str) -> Vec<&str> {
    match path.strip_prefix('{') {
        None => vec![identifier(path)],
        Some(list) => {
            let mut depth = 0;
            let mut names = vec![identifier(list.trim_start())];
            for (at, character) in list.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => names.push(identifier(list[at + 1..].trim_start())),
                    _ => {}
                }
            }
            names
        }
    }
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}

/// Identifiers and numbers.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

/// Whether code has this text where a path begins.
fn names(code: &str, text: &str) -> bool {
    code.match_indices(text).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a readable folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { source_files(&path) } else { vec![path] }).collect()
}

#[test]
fn no_arrow_runs_back_up() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<PathBuf> =
        source_files(&root).into_iter().filter(|path| path.extension() == Some("rs".as_ref())).collect();
    assert!(files.len() > 100, "only {} files were found", files.len());
    let found: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
            faults(&name, &fs::read_to_string(path).expect("a readable file"))
        })
        .collect();
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[test]
fn files_of_tests_are_read_for_tests_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all = source_files(&root);
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let of_tests: Vec<&PathBuf> = all.iter().filter(|path| name(path).ends_with(TESTS)).collect();
    assert!(!of_tests.is_empty());
    for path in of_tests {
        let parent = path.parent().expect("below the root");
        let text = fs::read_to_string(parent.join("mod.rs")).expect("the module that it belongs to");
        let module = format!("#[cfg(test)]\nmod {};", name(path).trim_end_matches(".rs"));
        assert!(text.contains(&module), "{}: not after `#[cfg(test)]`", path.display());
    }
}

#[test]
fn rooms_stand_above_all_they_import() {
    for (at, (room, below)) in ROOMS.iter().enumerate() {
        for name in *below {
            assert!(ROOMS[..at].iter().any(|(known, _)| known == name), "`{room}` may import `{name}`, not below it");
        }
    }
}

#[test]
fn a_planted_import_fails() {
    let bad = [
        ("domain/grid.rs", "use crate::physics::material::find;\n"),
        ("plan/mod.rs", "use crate::{domain::Method, engine::Device};\n"),
        ("physics/kernel/mod.rs", "fn f(control: &crate::engine::Device) {}\n"),
        ("physics/kernel/mod.rs", "use crate::domain::{Control, Invalid};\n"),
        ("domain/grid.rs", "use tonic::Status;\n"),
        ("engine/mod.rs", "fn f(device: wgpu::Device) {}\n"),
        ("method/mod.rs", "pub async fn run() {}\n"),
        ("attic/mod.rs", "\n"),
    ];
    for (path, text) in bad {
        assert_eq!(faults(path, text).len(), 1, "{path}: {text}");
    }
    let good = [
        (
            "domain/grid.rs",
            "// not crate::physics\nuse crate::domain::Volume;\n#[cfg(test)]\nmod tests {\n use crate::physics::x;\n}\n",
        ),
        ("engine/gpu/mod.rs", "use crate::{domain::{Grid, Volume}, plan::Plan};\nuse wgpu::Device;\n"),
        ("api/status.rs", "use tonic::Status;\n"),
    ];
    for (path, text) in good {
        assert_eq!(faults(path, text), [""; 0], "{path}: {text}");
    }
}
