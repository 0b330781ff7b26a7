//! An interrupt (Ctrl-C) while a dose is computed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};

use super::{flags, inputs, json};

/// Interrupts a long run once it transports; its status, and what it said.
fn interrupted(folder: &tempfile::TempDir, with: &[&str]) -> (ExitStatus, String) {
    let with = [&["--method=monte-carlo", "--time-limit=2min", "--device=cpu"], with].concat();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
    command.current_dir(folder.path()).args(flags(&["method"], &with)).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut run = command.spawn().expect("the binary is built with the tests");
    let mut stderr = BufReader::new(run.stderr.take().expect("stderr is piped"));
    let mut said = String::new();
    while !said.contains("dose ") {
        assert!(stderr.read_line(&mut said).expect("text") > 0, "the run ended: {said}");
    }
    let kill = Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill is there");
    assert!(kill.success());
    stderr.read_to_string(&mut said).expect("text");
    (run.wait().expect("it ends"), said)
}

#[test]
fn an_interrupted_run_keeps_its_histories_if_asked() {
    let folder = inputs();
    let (status, said) = interrupted(&folder, &["--keep-partial"]);
    assert_eq!(status.code(), Some(0), "{said}");
    let result = json(&folder.path().join("result.json"));
    assert_eq!(result["monte_carlo"]["stopped_by"], "interrupted");
    let histories = result["monte_carlo"]["histories"].as_u64().expect("a number");
    assert!(histories >= 32, "{histories}");
    assert!(super::dose(&folder, "dose.nii.gz")[100] > 0.0);
}
