//! Blocks of a page, and what is to be done with them.

/// What is done with a block.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Run,
    /// Why not.
    NotRun(String),
    /// The name of the file that it is.
    File(String),
    /// How far a figure may be off, in parts of it.
    Shown {
        within: f64,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// The line of its fence.
    pub(super) line: usize,
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// The text of a comment such as `<!-- file: NAME -->` behind its key.
fn marked<'a>(comment: &'a str, key: &str) -> Option<&'a str> {
    comment.strip_prefix("<!--")?.strip_suffix("-->")?.trim().strip_prefix(key).map(str::trim)
}

/// What is done with a block of a language behind a comment.
fn kind(language: &str, comment: &str, follows_output: bool) -> Result<Kind, String> {
    if let Some(name) = marked(comment, "file:").filter(|name| !name.is_empty()) {
        return Ok(Kind::File(name.to_owned()));
    }
    let reason = marked(comment, "not run:").map(str::to_owned);
    match (language, reason) {
        ("sh", Some(reason)) if reason.len() > 5 => Ok(Kind::NotRun(reason)),
        ("sh", Some(_)) => Err("a block that is not run needs a reason".into()),
        ("sh", None) => Ok(Kind::Run),
        ("text", None) if follows_output => {
            let within = match marked(comment, "within") {
                None => 0.0,
                Some(limit) => limit
                    .strip_suffix('%')
                    .and_then(|percent| percent.trim().parse::<f64>().ok())
                    .map(|percent| percent / 100.0)
                    .ok_or_else(|| format!("`within {limit}` is not of the form `within 5 %`"))?,
            };
            Ok(Kind::Shown { within })
        }
        ("text", None) => Err("a block of text has no block before it whose output it could be".into()),
        _ => Err(format!("a block of {language:?} is neither run, nor a file, nor has it a reason")),
    }
}

/// All blocks.
///
/// # Errors
/// The line and what is wrong there.
pub(super) fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut comment, mut open) = ("", None::<Block>);
    for (number, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (fence, open.take()) {
            (Some(language), None) => {
                let last = blocks.iter().rev().find(|block| !matches!(block.kind, Kind::File(_) | Kind::Shown { .. }));
                let follows_output = last.is_some_and(|block| block.kind == Kind::Run);
                let kind =
                    kind(language, comment, follows_output).map_err(|fault| format!("{}: {fault}", number + 1))?;
                open = Some(Block { line: number + 1, kind, text: String::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
        if !line.trim().is_empty() {
            comment = line.trim();
        }
    }
    match open {
        Some(block) => Err(format!("{}: the block has no end", block.line)),
        None => Ok(blocks),
    }
}

#[test]
fn a_block_is_run_or_says_why_not() {
    let text = "<!-- not run: needs a GPU -->\n```sh\na\n```\n\n```sh\nb\n```\nIt prints\n<!-- within 5 % -->\n```text\n1\n```\n\
                <!-- file: x.toml -->\n```toml\nc\n```\n";
    let kinds: Vec<Kind> = blocks(text).expect("good").into_iter().map(|block| block.kind).collect();
    let file = Kind::File("x.toml".into());
    assert_eq!(kinds, [Kind::NotRun("needs a GPU".into()), Kind::Run, Kind::Shown { within: 0.05 }, file]);
    for (bad, fault) in [
        ("```python\n```\n", "1: a block of \"python\" is neither"),
        ("x\n```text\n1\n```\n", "2: a block of text has no block before it"),
        ("<!-- not run: -->\n```sh\n```\n", "2: a block that is not run needs a reason"),
        ("```sh\n```\n<!-- within about -->\n```text\n```\n", "4: `within about` is not of the form"),
        ("```sh\n", "1: the block has no end"),
    ] {
        let found = blocks(bad).expect_err("a fault");
        assert!(found.starts_with(fault), "{found}");
    }
}
