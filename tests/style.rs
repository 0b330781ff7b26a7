//! No line of Markdown, WGSL or Rust comment is wider than `max_width` in `rustfmt.toml`: rustfmt sees to the code
//! alone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::project::root;

/// As in `rustfmt.toml`.
const MAX_WIDTH: usize = 120;
/// What is searched, in whole.
const FOLDERS: [&str; 11] = [
    "docs",
    "data",
    "src",
    "tests",
    "benches",
    "build",
    "shaders",
    "examples",
    "fuzz/fuzz_targets",
    ".github",
    "clients",
];

/// Whether the width of a line is looked at. Code that rustfmt leaves wide is a string that cannot be broken.
fn counts(path: &Path, line: &str) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("md" | "wgsl" | "yml") => true,
        Some("rs") => line.trim_start().starts_with("//") || line.contains(" // "),
        _ => false,
    }
}

/// Whether a line is too wide. One that holds a URL may be as wide as the URL makes it, if nothing but its marker
/// stands before it.
fn is_too_wide(line: &str) -> bool {
    let is_unbreakable = |word: &str| word.contains("://") && word.chars().count() > MAX_WIDTH / 2;
    let words: Vec<&str> = line.split_whitespace().collect();
    line.chars().count() > MAX_WIDTH && !(words.len() <= 2 && words.iter().any(|word| is_unbreakable(word)))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn no_line_is_too_wide() {
    let mut all = vec![root().join("build.rs")];
    FOLDERS.iter().for_each(|folder| files(&root().join(folder), &mut all));
    let top = fs::read_dir(root()).expect("the root of the project");
    all.extend(top.map(|file| file.expect("a readable folder").path()).filter(|path| path.extension().is_some()));
    let mut wide = Vec::new();
    for path in all {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let lines = text.lines().enumerate().filter(|(_, line)| counts(&path, line) && is_too_wide(line));
        let name = path.strip_prefix(root()).expect("below the root").display().to_string();
        wide.extend(lines.map(|(number, line)| format!("{name}:{}: {} columns", number + 1, line.chars().count())));
    }
    assert!(wide.is_empty(), "{} lines are wider than {MAX_WIDTH}:\n{}", wide.len(), wide.join("\n"));
}

#[test]
fn the_width_is_that_of_rustfmt() {
    let settings = include_str!("../rustfmt.toml");
    assert!(settings.lines().any(|line| line == format!("max_width = {MAX_WIDTH}")), "{settings}");
}

#[test]
fn only_a_long_address_may_be_wide() {
    let long = "x".repeat(MAX_WIDTH);
    assert!(!is_too_wide(&long) && is_too_wide(&format!("{long}x")));
    assert!(is_too_wide(&format!("/// {long}")) && is_too_wide(&format!("| {long} | 1 |")));
    assert!(!is_too_wide(&format!("- https://{long}")) && is_too_wide(&format!("see https://{long} there")));
}
