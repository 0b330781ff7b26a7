//! Files that options name, and paths in what a study says: they may name a patient, and stand in no table.

use std::path::Path;

use clap::CommandFactory;

use crate::cli::Cli;

/// Files that flags of `dosegrid study` name, as they are typed, whether they are there or not.
pub(super) fn files(flags: &[String]) -> Vec<&str> {
    let command = Cli::command();
    let study = command.find_subcommand("study").expect("it is a command");
    let takes_file = |name: &str| {
        let flag = study.get_arguments().find(|flag| flag.get_long() == Some(name));
        let values = flag.and_then(|flag| flag.get_value_names()).unwrap_or_default();
        values.iter().any(|value| value.contains("FILE"))
    };
    let mut found = Vec::new();
    for (at, word) in flags.iter().enumerate() {
        let Some(word) = word.strip_prefix("--") else { continue };
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, flags.get(at + 1).map(String::as_str)),
        };
        let Some(value) = value.filter(|_| takes_file(name)) else { continue };
        // The file of `UID=FILE` stands behind the UID.
        found.extend([Some(value), value.split_once('=').map(|(_, file)| file)].into_iter().flatten());
    }
    found
}

/// What a path may look like in a text: as it is typed, whole, without links, and its name alone.
pub(super) fn forms(path: &str) -> Vec<String> {
    let own = Path::new(path);
    let others = [std::path::absolute(own).ok(), own.canonicalize().ok(), own.file_name().map(Into::into)];
    let others = others.into_iter().flatten().map(|path| path.display().to_string());
    std::iter::once(path.to_owned()).chain(others).filter(|form| !form.is_empty()).collect()
}

/// A text without paths: in the place of each stands what it is, and of a whole path that is not known, `PATH`.
///
/// * `known` – forms of paths, and what stands in their place
pub(super) fn without(text: &str, known: &[(String, &str)]) -> String {
    let mut known: Vec<&(String, &str)> = known.iter().collect();
    known.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let (mut said, mut rest, mut before) = (String::new(), text, None);
    while let Some(first) = rest.chars().next() {
        let begins = before.is_none_or(|c| !is_of_word(c) && !matches!(c, '.' | '/'));
        let ends = |form: &str| rest.strip_prefix(form).is_some_and(|after| !after.starts_with(is_of_word));
        let found = known.iter().find(|(form, _)| begins && ends(form));
        let is_path = begins && before != Some(':') && first == '/' && !rest[1..].starts_with(char::is_whitespace);
        let taken = match found {
            Some((form, what)) => {
                said.push_str(what);
                let after = &rest[form.len()..];
                form.len() + if after.starts_with('/') { end_of_path(after) } else { 0 }
            }
            None if is_path && rest.len() > 1 => {
                said.push_str("PATH");
                end_of_path(rest)
            }
            None => {
                said.push(first);
                first.len_utf8()
            }
        };
        before = rest[..taken].chars().next_back();
        rest = &rest[taken..];
    }
    said
}

/// Bytes of the path that a text begins with.
fn end_of_path(text: &str) -> usize {
    let is_end = |c: char| c.is_whitespace() || matches!(c, ':' | ';' | ',' | '`' | '\'' | '"' | '(' | ')' | '#');
    text.find(is_end).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_behind_their_flags() {
        let flags = ["--method", "local", "--transform", "a.tfm", "--registration=1.2=b/c.tfm", "--nuclide", "Lu-177"];
        let flags = flags.map(str::to_owned);
        assert_eq!(files(&flags), ["a.tfm", "1.2=b/c.tfm", "b/c.tfm"]);
    }

    #[test]
    fn no_path_is_left_in_a_text() {
        let known = [("/data/DOE".to_owned(), "STUDY"), ("/data/DOE/reg.tfm".to_owned(), "FILE"), ("x".into(), "FILE")];
        for (text, expected) in [
            ("transform: /data/DOE/reg.tfm: cannot be read", "transform: FILE: cannot be read"),
            ("folder: /data/DOE#1.2 is empty", "folder: STUDY#1.2 is empty"),
            ("`/data/DOE/JANE/1.dcm`, /data/DOES: cut", "`STUDY`, PATH: cut"),
            ("x is no file of axes", "FILE is no file of axes"),
            ("Bq/mL over https://pacs.example/a or 1 / 2", "Bq/mL over https://pacs.example/a or 1 / 2"),
        ] {
            assert_eq!(without(text, &known), expected);
        }
    }
}
