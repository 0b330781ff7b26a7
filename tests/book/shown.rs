//! Whether a page shows what a command prints.

/// Stands for anything at the end of a line, and alone for any lines.
const ANYTHING: &str = "…";

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| letter.is_whitespace() || ",;()".contains(letter)).filter(|word| !word.is_empty())
}

/// A figure and the unit that is written to it, such as `2.1%`; none of a word that is no figure.
fn figure(word: &str) -> Option<(f64, &str)> {
    let ends = (1..=word.len()).rev().filter(|&end| word.is_char_boundary(end));
    let begins_as_one = word.starts_with(|letter: char| letter.is_ascii_digit() || "+-.".contains(letter));
    let mut read = ends.filter_map(|end| Some((word[..end].parse::<f64>().ok()?, &word[end..])));
    read.next().filter(|(number, _)| begins_as_one && number.is_finite())
}

fn is_same(shown: &str, found: &str, within: f64) -> bool {
    if shown == found {
        return true;
    }
    match (figure(shown), figure(found)) {
        (Some((shown, unit)), Some((found, other))) => {
            unit == other && (shown - found).abs() <= within * shown.abs().max(found.abs())
        }
        _ => false,
    }
}

fn is_line(shown: &str, found: &str, within: f64) -> bool {
    let (mut shown, mut found) = (words(shown), words(found));
    loop {
        match (shown.next(), found.next()) {
            (Some(ANYTHING), _) => return true,
            (None, None) => return true,
            (Some(shown), Some(found)) if is_same(shown, found, within) => {}
            _ => return false,
        }
    }
}

/// Looks for every line that is shown, in their order, among those that were printed.
///
/// * `within` – how far a figure may be off, in parts of it
///
/// # Errors
/// The line that is not there.
pub(super) fn holds(shown: &str, printed: &str, within: f64) -> Result<(), String> {
    let mut rest = printed.lines();
    for line in shown.lines().filter(|line| !line.trim().is_empty() && line.trim() != ANYTHING) {
        if !rest.any(|found| is_line(line, found, within)) {
            return Err(format!("`{line}` was not printed, with figures within {} %", 100.0 * within));
        }
    }
    Ok(())
}

#[test]
fn a_wrong_figure_or_word_is_found() {
    let printed = "head\nliver  2.10 Gy (1.2%)\nspleen,5.0,x\nwritten /a/b/c 17 s\n";
    for (shown, within) in
        [("liver 2.10 Gy (1.2%)\n", 0.0), ("head\n…\nspleen, 5.2, x", 0.05), ("liver 2.0 Gy (1.2%)\nwritten …", 0.05)]
    {
        holds(shown, printed, within).expect("it is there");
    }
    for (shown, within) in [
        ("liver 2.11 Gy (1.2%)", 0.0),
        ("liver 2.0 Gy (1.2%)", 0.04),
        ("liver 2.10 mGy (1.2%)", 0.5),
        ("spleen 5.0 x\nliver …", 0.5),
        ("liver 2.10 Gy", 0.5),
        ("head and more", 0.0),
    ] {
        assert!(holds(shown, printed, within).is_err(), "{shown}");
    }
}
