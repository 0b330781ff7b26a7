//! The files beside the code: they name what is there, and agree with each other.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What stands between backticks and looks like the path of a file or folder of this project.
fn paths(markdown: &str) -> impl Iterator<Item = &str> {
    let quoted = markdown.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| {
        let names_a_place = word.contains('/') && !word.starts_with(['.', '$', '/']) || word.ends_with(".md");
        names_a_place && !word.contains([' ', '(', ':']) && !word.contains("NAME")
    };
    quoted.filter(is_path)
}

#[test]
fn every_path_in_contributing_and_security_is_there() {
    for name in ["CONTRIBUTING.md", "SECURITY.md"] {
        let text = text(name);
        let missing: Vec<&str> = paths(&text).filter(|path| !root().join(path).exists()).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
    assert!(paths(&text("CONTRIBUTING.md")).count() > 20);
}

#[test]
fn the_version_is_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(text("CITATION.cff").contains(&format!("\nversion: {version}\n")), "CITATION.cff");
    assert!(text("CHANGELOG.md").contains(version), "CHANGELOG.md");
    let quoted = format!("\"{version}\"");
    assert!(text("clients/python/src/dosegrid/_version.py").contains(&quoted), "_version.py");
    let package = text("clients/python/pyproject.toml");
    assert!(package.contains(&format!("\nversion = {quoted}\n")), "pyproject.toml");
    assert!(package.contains(&format!("dosegrid-server=={version}\"")), "the server that belongs to it");
}

#[test]
fn every_fuzz_target_is_listed() {
    let manifest = text("fuzz/Cargo.toml");
    let files = fs::read_dir(root().join("fuzz/fuzz_targets")).expect("the folder is part of the source");
    let files: Vec<PathBuf> = files.map(|file| file.expect("a readable folder").path()).collect();
    assert!(files.len() > 10);
    for file in files {
        let name = file.file_stem().expect("a file has a name").to_string_lossy();
        let is_target = fs::read_to_string(&file).expect("a readable file").contains("fuzz_target!");
        assert_eq!(manifest.contains(&format!("name = \"{name}\"")), is_target, "{name}");
    }
}
