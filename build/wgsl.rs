//! What a WGSL file declares, uses and imports, read from its text. Part of the build script.
//!
//! The shaders are formatted so that every declaration of a module starts its line, and every `}` of one ends it.

use std::collections::{BTreeMap, BTreeSet};

/// A file of `shaders/` as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    /// Its stem.
    pub(crate) name: String,
    /// The stems of the files that it imports, in order.
    pub(crate) imports: Vec<String>,
    /// The Rust files that its `Twin:` line names.
    pub(crate) twins: Vec<String>,
    /// Its functions, in order.
    pub(crate) functions: Vec<Function>,
    declared: BTreeSet<String>,
    used: BTreeSet<String>,
}

/// A function of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// Whether the comment above says that it has no twin on the host.
    pub(crate) is_device_only: bool,
    /// What it calls.
    pub(crate) calls: BTreeSet<String>,
}

/// An identifier of a line, and what stands around it.
struct Word<'a> {
    text: &'a str,
    before: &'a str,
    after: &'a str,
}

/// The words of a file by how they stand.
#[derive(Default)]
struct Words<'a> {
    all: BTreeSet<&'a str>,
    /// Before a parenthesis.
    called: BTreeSet<&'a str>,
    /// Parameters and variables.
    locals: BTreeSet<&'a str>,
}

impl File {
    /// Reads a file.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let mut file = Self { name: name.to_owned(), ..Self::default() };
        let mut words = Words::default();
        let (mut is_struct, mut comment) = (false, String::new());
        for line in text.lines() {
            if let Some(import) = line.strip_prefix("#import ") {
                file.imports.push(import.trim().to_owned());
            } else if let Some(text) = line.strip_prefix("//") {
                file.twins.extend(twins(text).split_whitespace().map(str::to_owned));
                comment += text;
                continue;
            }
            let code = line.split("//").next().unwrap_or_default();
            if let Some(declared) = declared(code) {
                is_struct = code.starts_with("struct ");
                if code.contains("fn ") {
                    let is_device_only = comment.contains("Device only");
                    file.functions.push(Function { name: declared.to_owned(), is_device_only, ..Function::default() });
                }
                file.declared.insert(declared.to_owned());
            }
            file.read_words(code, is_struct, &mut words);
            comment.clear();
        }
        let is_used = |word: &&str| words.called.contains(*word) || !words.locals.contains(*word);
        file.used = words.all.iter().copied().filter(is_used).map(str::to_owned).collect();
        file
    }

    /// Sorts the words of a line, and adds its calls to the last function. Members are left out.
    fn read_words<'a>(&mut self, code: &'a str, is_struct: bool, words: &mut Words<'a>) {
        for word in words_of(code) {
            let is_label = word.after.trim_start().starts_with(':');
            if word.before.ends_with('.') || (is_struct && is_label) {
                continue;
            }
            if is_label || is_binding(word.before) {
                words.locals.insert(word.text);
            }
            if word.after.starts_with('(') {
                words.called.insert(word.text);
                if let Some(function) = self.functions.last_mut().filter(|function| function.name != word.text) {
                    function.calls.insert(word.text.to_owned());
                }
            }
            words.all.insert(word.text);
        }
    }
}

/// The paths that a comment names as twins: at its start, or after a sentence.
fn twins(comment: &str) -> &str {
    let at_start = comment.strip_prefix(" Twin: ");
    at_start.or_else(|| comment.split_once(". Twin: ").map(|(_, paths)| paths)).unwrap_or_default()
}

/// The name that a line of a module declares.
fn declared(code: &str) -> Option<&str> {
    if code.starts_with([' ', '}', '#']) {
        return None;
    }
    let after = ["fn ", "struct ", "const ", "override "].into_iter().find_map(|kind| code.split_once(kind));
    let after = after.or_else(|| code.split_once("var<").and_then(|(_, rest)| rest.split_once("> ")));
    let name = after?.1.split(|c: char| !is_word(c)).next()?;
    (!name.is_empty()).then_some(name)
}

/// Whether what stands before a name declares it.
fn is_binding(before: &str) -> bool {
    ["let ", "var ", "const ", "fn "].into_iter().any(|keyword| before.ends_with(keyword))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn words_of(code: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match start {
            None if is_word(c) => start = Some(at),
            Some(from) if !is_word(c) => {
                let text = &code[from..at];
                if !text.starts_with(|c: char| c.is_ascii_digit()) {
                    words.push(Word { text, before: &code[..from], after: &code[at..] });
                }
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// What is wrong with the imports of a file: what it uses and does not import itself, and what it imports and does not
/// use.
///
/// * `shared` – all files that can be imported, by stem
pub(crate) fn import_faults(file: &File, shared: &BTreeMap<String, File>) -> Vec<String> {
    let mut faults = Vec::new();
    let imported = |name: &String| shared.get(name).is_some_and(|other| !other.declared.is_disjoint(&file.used));
    for import in file.imports.iter().filter(|import| !imported(import)) {
        faults.push(format!("{}.wgsl imports {import} and uses nothing of it", file.name));
    }
    let reached = closure(file, shared);
    for used in file.used.difference(&file.declared) {
        let declares = |name: &&String| shared.get(*name).is_some_and(|other| other.declared.contains(used));
        if file.imports.iter().any(|import| declares(&import)) {
            continue;
        }
        if let Some(other) = reached.iter().find(declares) {
            faults.push(format!("{}.wgsl uses {used} of {other}.wgsl and does not import it", file.name));
        }
    }
    faults
}

/// All files that a file imports, directly or not.
fn closure(file: &File, shared: &BTreeMap<String, File>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = file.imports.clone();
    while let Some(name) = open.pop() {
        if reached.insert(name.clone()) {
            open.extend(shared.get(&name).map(|other| other.imports.clone()).unwrap_or_default());
        }
    }
    reached
}
