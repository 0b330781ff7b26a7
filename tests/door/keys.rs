//! Keys of a service from flags, environment and file.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::command::stderr;

fn serve(folder: &Path, flags: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
    command.current_dir(folder).args(["serve", "--device=cpu"]).args(flags).envs(environment.iter().copied());
    command.output().expect("the binary is built with the tests")
}

#[test]
fn the_configuration_says_what_holds_and_whence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("site.toml"), "drain_timeout_s = 5\nmax_streams = 7\nmax_connections = 9\n")
        .expect("a writable folder");
    let environment = [("DOSEGRID_CONFIG", "site.toml"), ("DOSEGRID_MAX_STREAMS", "8")];
    let output = serve(folder.path(), &["--print-config", "--max-connections=10"], &environment);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    for line in [
        "drain_timeout_s = 5 # site.toml",
        "max_streams = 8 # DOSEGRID_MAX_STREAMS",
        "max_connections = 10 # flag",
        "handshake_timeout_s = 10 # default",
        "connection_idle_s = 300 # default",
        "compute_limit_s = 3600 # default",
        "# identities is not set",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    // What was printed is a configuration itself.
    fs::write(folder.path().join("again.toml"), &text).expect("a writable folder");
    let output = serve(folder.path(), &["--print-config", "--config=again.toml"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn every_fault_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("site.toml"), "drain_timeout = 5\nmax_streams = 0\n").expect("a writable folder");
    let output = serve(folder.path(), &["--config=site.toml"], &[("DOSEGRID_QUEUE_LENGTH", "many")]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let parts = ["site.toml: drain_timeout", "`drain_timeout_s`", "site.toml: max_streams", "DOSEGRID_QUEUE_LENGTH"];
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
    let output = serve(folder.path(), &["--memory-mib=1000000000"], &[]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("memory-mib"), "{}", stderr(&output));
}
