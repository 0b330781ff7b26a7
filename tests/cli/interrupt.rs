//! An interrupt (Ctrl-C) while a dose is computed.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use super::{flags, inputs, json};

/// Number of the signal of Ctrl-C.
const SIGINT: i32 = 2;

/// A run that ends by itself only after minutes, which no test waits for: a safety net.
const LONG: [&str; 3] = ["--method=monte-carlo", "--time-limit=5min", "--device=cpu"];

/// How a run ended, and what it said on stdout and stderr.
struct Ended {
    status: ExitStatus,
    printed: String,
    said: String,
}

/// Interrupts a long run once it transports.
///
/// A shell without job control starts what runs in the background with interrupts ignored, and every program inherits
/// that. `env` gives the run the default again, so that it does not depend on who runs the tests.
fn interrupted(folder: &tempfile::TempDir, with: &[&str]) -> Ended {
    let with = [&LONG, with].concat();
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_dosegrid")]).args(flags(&["method"], &with));
    command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = command.spawn().expect("the binary is built with the tests");
    let mut stderr = BufReader::new(run.stderr.take().expect("stderr is piped"));
    let mut said = String::new();
    while !said.lines().any(|line| line.starts_with("dose ")) {
        assert!(stderr.read_line(&mut said).expect("text") > 0, "the run ended: {said}");
    }
    // `env` has become the program: it has the same number.
    let kill = Command::new("kill").args(["-INT", &run.id().to_string()]).status().expect("kill is there");
    assert!(kill.success());
    stderr.read_to_string(&mut said).expect("text");
    let mut printed = String::new();
    run.stdout.take().expect("stdout is piped").read_to_string(&mut printed).expect("text");
    Ended { status: run.wait().expect("it ends"), printed, said }
}

#[test]
fn an_interrupted_run_keeps_its_histories_if_asked() {
    let folder = inputs();
    let Ended { status, printed, said } = interrupted(&folder, &["--keep-partial"]);
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.lines().any(|line| line.starts_with("interrupted: ")), "{said}");
    let result = json(&folder.path().join("result.json"));
    assert_eq!(result["monte_carlo"]["stopped_by"], "interrupted");
    let histories = result["monte_carlo"]["histories"].as_u64().expect("a number");
    assert!(histories >= 32, "one history a batch at least: {histories}");
    assert!(
        printed.contains(&format!("{histories} histories"))
            && printed.contains("by interrupted: a part of what was asked for"),
        "{printed}"
    );
    assert!(super::dose(&folder, "dose.nii.gz")[100] > 0.0);
}

#[test]
fn an_interrupted_run_leaves_nothing_unless_asked() {
    let folder = inputs();
    let files = || {
        let entries = fs::read_dir(folder.path()).expect("the folder is there");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort_unstable();
        names
    };
    let before = files();
    let Ended { status, printed, said } = interrupted(&folder, &[]);
    assert_eq!((status.code(), status.signal()), (None, Some(SIGINT)), "{said}");
    // The activity is told before any work; of a dose there is no word.
    assert!(printed.starts_with("activity") && !printed.contains("dose"), "{printed}");
    assert_eq!(files(), before);
}
