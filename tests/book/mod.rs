//! The book in `docs/book/`: every page is followed from top to bottom, as a reader follows it.
//!
//! A page has fenced blocks of these kinds; any other is an error, so that nothing is skipped in silence:
//!
//! | block | what is done with it |
//! |---|---|
//! | `sh` | run by bash, in the order of the page, in one folder and one shell; it has to succeed |
//! | `sh` after `<!-- not run: REASON -->` | said with its reason; its commands and flags have to exist |
//! | any after `<!-- file: NAME -->` | becomes that file in the folder |
//! | `text` | lines of what the block before it printed, in their order |
//!
//! In `text`, `…` at the end of a line stands for anything, and a line of `…` for any lines; figures have to be equal,
//! or as near as `<!-- within N % -->` before the block says.

mod flags;
mod page;
mod shown;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use self::page::{Block, Kind};
use crate::project::root;

/// Stands on a line of its own between what two blocks print.
const MARK: &str = "@@ block";

fn pages() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("docs/book")).expect("the book is part of the source");
    let mut pages: Vec<PathBuf> = files.map(|file| file.expect("a readable folder").path()).collect();
    pages.sort();
    pages
}

fn name(path: &std::path::Path) -> String {
    path.strip_prefix(root()).expect("below the root").display().to_string()
}

/// One script of all blocks that are run.
fn script(blocks: &[Block]) -> String {
    let mut script = String::from("set -euo pipefail\nexec 2>&1\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n");
    for (number, block) in blocks.iter().enumerate() {
        match &block.kind {
            Kind::Run => script += &format!("printf '\\n{MARK} {number}\\n'\n{}\n", block.text),
            Kind::File(name) => script += &format!("cat > '{name}' <<'@@ end'\n{}@@ end\n", block.text),
            Kind::NotRun(_) | Kind::Shown { .. } => {}
        }
    }
    script
}

/// What each block that ran has printed, by its number.
fn printed(output: &str) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    for line in output.lines() {
        if let Some(number) = line.strip_prefix(MARK).and_then(|number| number.trim().parse().ok()) {
            all.push((number, String::new()));
        } else if let Some((_, text)) = all.last_mut() {
            *text += line;
            text.push('\n');
        }
    }
    all
}

/// Follows a page.
fn follow(page: &str, blocks: &[Block]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_dosegrid"));
    let programs = program.parent().expect("it lies in a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path))).expect("a PATH");
    let mut bash = Command::new("bash");
    bash.args(["-c", &script(blocks)]).current_dir(folder.path()).env("PATH", path).env_remove("RUST_LOG");
    let output = bash.output().expect("bash is there");
    let said = String::from_utf8(output.stdout).expect("text");
    let printed = printed(&said);
    let last = printed.last().map_or(0, |(number, _)| blocks[*number].line);
    assert!(output.status.success(), "{page}:{last}: ended with {}:\n{said}", output.status);

    let mut before = "";
    for (number, block) in blocks.iter().enumerate() {
        match &block.kind {
            Kind::Run => {
                let found = printed.iter().find(|(of, _)| *of == number);
                before = found.map(|(_, text)| text.as_str()).expect("every block ran");
            }
            Kind::Shown { within } => {
                if let Err(reason) = shown::holds(&block.text, before, *within) {
                    panic!("{page}:{}: {reason}. It printed:\n{before}", block.line);
                }
            }
            Kind::NotRun(reason) => println!("{page}:{}: not run: {reason}", block.line),
            Kind::File(_) => {}
        }
    }
}

#[test]
fn every_page_of_the_book_runs() {
    let pages = pages();
    assert!(pages.len() >= 8, "{pages:?}");
    for path in pages {
        let page = name(&path);
        let text = fs::read_to_string(&path).expect("a readable page");
        let blocks = page::blocks(&text).unwrap_or_else(|fault| panic!("{page}:{fault}"));
        for block in blocks.iter().filter(|block| matches!(block.kind, Kind::NotRun(_))) {
            flags::exist(&block.text).unwrap_or_else(|fault| panic!("{page}:{}: {fault}", block.line));
        }
        if blocks.iter().any(|block| block.kind == Kind::Run) {
            follow(&page, &blocks);
        } else {
            assert!(path.ends_with("README.md"), "{page}: nothing of it is run");
        }
    }
}

#[test]
fn what_the_readme_shows_exists() {
    let text = fs::read_to_string(root().join("README.md")).expect("it is part of the source");
    let blocks: Vec<&str> =
        text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert!(blocks.len() > 5);
    for block in blocks {
        flags::exist(block).unwrap_or_else(|fault| panic!("README.md: {fault}"));
    }
}

#[test]
fn the_index_has_every_page_and_links_lead_somewhere() {
    let index = fs::read_to_string(root().join("docs/book/README.md")).expect("an index");
    for path in pages() {
        let file = path.file_name().expect("a file").to_string_lossy();
        assert!(file == "README.md" || index.contains(&format!("]({file})")), "{file} is not in the index");
        let text = fs::read_to_string(&path).expect("a readable page");
        for link in text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap_or_default()) {
            let folder = path.parent().expect("it lies in a folder");
            assert!(link.contains("://") || folder.join(link).exists(), "{}: {link} is not there", name(&path));
        }
    }
}
