//! The embedded data: the source and digest of every file are on record.

use std::fs;
use std::path::{Path, PathBuf};

use dosegrid::digest::sha256_hex;

/// Every file below a folder, apart from the scripts that make them.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of data").map(|entry| entry.expect("a readable folder").path());
    let inside = |path: PathBuf| match path.file_name().expect("a name").to_str() {
        Some("scripts" | "SOURCES.md") => vec![],
        _ if path.is_dir() => files(&path),
        _ => vec![path],
    };
    entries.flat_map(inside).collect()
}

#[test]
fn every_data_file_is_listed_with_its_digest() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let sources = fs::read_to_string(root.join("SOURCES.md")).expect("data/SOURCES.md");
    let files = files(&root);
    for path in &files {
        let name = path.strip_prefix(&root).expect("below data/").to_string_lossy();
        let bytes = fs::read(path).expect("a readable file");
        let digest = sha256_hex(&bytes);
        let line = sources.lines().find(|line| line.contains(&format!("| `{name}` |")));
        assert!(line.is_some_and(|line| line.contains(&digest)), "{name} has digest {digest}");
    }
    let listed = sources.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(listed, files.len(), "a file that is listed is missing");
}
