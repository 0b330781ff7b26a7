//! The programs in `examples/` run. `cargo test` builds them; `cargo build --release --examples` does so alone.

use std::process::Command;

use crate::support::built_example;

/// Runs an example and returns what it printed.
fn run(name: &str) -> String {
    let path = built_example(name);
    let output = Command::new(&path).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; was it built?", path.display()));
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn arrays_become_a_dose() {
    let printed = run("compute");
    assert!(printed.starts_with("dose at the centre: ") && printed.lines().count() == 2, "{printed}");
}

#[test]
fn a_client_gets_a_dose_from_a_server() {
    let printed = run("client");
    assert!(printed.lines().last().is_some_and(|line| line.contains(" Gy, computed on ")), "{printed}");
}
