//! The bodies of transport that both engines have, and the tests that compare them. Part of the build script.
//!
//! A file of `shaders/shared/` names its Rust files in a line `// Twin: PATH PATH`. Each of its functions then has a
//! twin of the same name in one of them, or "Device only" in the comment above. Each twin is run by a test of
//! `shaders/checks/twins.wgsl`, directly or through what it calls. Files whose line begins with `// Twin, by whole
//! histories:` are compared as a whole, by the runs in `src/engine/gpu/transport/device_tests.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::wgsl::{File, Function};

/// How the test functions of `shaders/checks/twins.wgsl` begin.
const TEST: &str = "twin_";

/// The bodies of a WGSL file: its functions that have a twin of the same name in Rust.
///
/// * `rust` – the texts of the Rust files that the WGSL file names as its twins
///
/// # Errors
/// If a function has no twin there and does not say that it is for the device only.
pub(crate) fn bodies(file: &File, rust: &[String]) -> Result<Vec<String>, String> {
    let host: BTreeSet<String> = rust.iter().flat_map(|text| rust_functions(text)).collect();
    let mut bodies = Vec::new();
    for Function { name, is_device_only, .. } in &file.functions {
        match (host.contains(name), is_device_only) {
            (true, false) => bodies.push(name.clone()),
            (false, true) => {}
            (true, true) => return Err(format!("{name} of {}.wgsl is device only, but has a twin in Rust", file.name)),
            (false, false) => {
                let twins = file.twins.join(", ");
                return Err(format!("{name} of {}.wgsl has no twin in {twins} and is not \"Device only\"", file.name));
            }
        }
    }
    Ok(bodies)
}

/// Names of the functions of a Rust file before its tests. A method `m` of a type `T` may be `t_m` in WGSL, which has
/// none.
fn rust_functions(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut names = Vec::new();
    let mut of_type = None;
    for line in text.lines() {
        if line.starts_with("impl") {
            of_type = implemented(line);
        } else if line.starts_with('}') {
            of_type = None;
        }
        let code = line.split("//").next().unwrap_or_default();
        let Some((before, after)) = code.split_once("fn ") else { continue };
        let name = after.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        if name.is_empty() || before.contains('"') {
            continue;
        }
        names.push(name.to_owned());
        names.extend(of_type.as_ref().map(|of_type| format!("{of_type}_{name}")));
    }
    names
}

/// The type of an `impl` line, in lower case.
fn implemented(line: &str) -> Option<String> {
    let after = line.strip_prefix("impl")?;
    let after = after.split_once("> ").filter(|_| after.starts_with('<')).map_or(after, |(_, rest)| rest);
    let after = after.split_once(" for ").map_or(after, |(_, rest)| rest).trim_start();
    let name = after.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    Some(name.to_lowercase())
}

/// The tests of a stage, in order.
pub(crate) fn tests(stage: &File) -> Vec<String> {
    let test = |function: &Function| function.name.strip_prefix(TEST).map(str::to_owned);
    stage.functions.iter().filter_map(test).collect()
}

/// The bodies that no test runs, neither itself nor through what it calls.
///
/// * `files` – the stage of tests, and all files with bodies
pub(crate) fn untested(bodies: &[String], files: &[&File]) -> Vec<String> {
    let functions: Vec<&Function> = files.iter().flat_map(|file| &file.functions).collect();
    let mut open: Vec<&str> =
        functions.iter().map(|function| function.name.as_str()).filter(|name| name.starts_with(TEST)).collect();
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            let of_name = functions.iter().filter(|function| function.name == name);
            open.extend(of_name.flat_map(|function| function.calls.iter().map(String::as_str)));
        }
    }
    bodies.iter().filter(|body| !reached.contains(body.as_str())).cloned().collect()
}

/// WGSL that calls the tests by number.
pub(crate) fn dispatch(tests: &[String]) -> String {
    let mut cases = String::new();
    for (number, test) in tests.iter().enumerate() {
        writeln!(cases, "        case {number}u: {{ return {TEST}{test}(given, stream); }}").expect("a string grows");
    }
    format!(
        "\nfn run(given: Case, stream: ptr<function, Stream>) -> Outcome {{\n    switch given.body {{\n{cases}        \
         default: {{ return Outcome(vec4(0u), vec4(0.0), vec4(0.0)); }}\n    }}\n}}\n"
    )
}

/// Rust that lists the tests and the bodies.
pub(crate) fn list(tests: &[String], bodies: &[String]) -> String {
    let variant = |test: &String| test.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect::<String>();
    let variants: Vec<String> = tests.iter().map(variant).collect();
    let all: String =
        variants.iter().zip(tests).map(|(variant, test)| format!("(Twin::{variant}, {test:?}), ")).collect();
    format!(
        "/// The tests of `shaders/checks/twins.wgsl`: the number of each is that of its variant.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub(super) enum Twin {{ {} }}\n\
         /// All tests, with their names.\npub(super) const TWINS: &[(Twin, &str)] = &[{all}];\n\
         /// The bodies that they compare.\n#[cfg(test)]\npub(super) const BODIES: &[&str] = &{bodies:?};\n",
        variants.join(", ")
    )
}
