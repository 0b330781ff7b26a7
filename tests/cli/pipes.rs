//! Readers that have seen enough, such as `head`: a run goes on to its end, and says nothing of it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{flags, inputs};

/// A pipe whose reader has gone.
fn closed() -> Stdio {
    let (_, writer) = std::io::pipe().expect("a pipe");
    writer.into()
}

/// Exit status with the streams that are closed, and what is said on the one that is not.
fn run(folder: &Path, args: &[&str], [stdout, stderr]: [bool; 2]) -> (Option<i32>, String) {
    let stream = |is_closed: bool| if is_closed { closed() } else { Stdio::piped() };
    let mut command = Command::new(env!("CARGO_BIN_EXE_dosegrid"));
    command.current_dir(folder).args(args).stdin(Stdio::null()).stdout(stream(stdout)).stderr(stream(stderr));
    let output = command.spawn().expect("the binary is built with the tests").wait_with_output().expect("it ends");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn a_closed_pipe_changes_neither_status_nor_results() {
    let folder = inputs();
    std::fs::write(folder.path().join("curves.csv"), "region,time,activity\na,4,9\na,9,12\n")
        .expect("a writable folder");
    let compute = flags(&["json"], &["--json=-", "--device=cpu"]);
    let compute: Vec<&str> = compute.iter().map(String::as_str).collect();
    let demo = ["demo", "--dicom", "--method=local", "--device=cpu", "--shape=16,16,12", "--output-dir=demo"];
    let runs: [(&[&str], i32); 8] = [
        (&["nuclides"], 0),
        (&["nuclides", "Unobtainium-1"], 2),
        (&["--help"], 0),
        (&["kernel", "--nuclide=Lu-177", "--spacing=4", "--radius-voxels=20"], 0),
        (&["integrate", "--table=curves.csv", "--nuclide=Lu-177"], 0),
        (&["inspect", "ct.nii", "labels.nii", "--json"], 0),
        (&compute, 0),
        (&demo, 0),
    ];
    for (args, status) in runs {
        for closed in [[true, false], [false, true], [true, true]] {
            let (code, said) = run(folder.path(), args, closed);
            assert_eq!(code, Some(status), "{args:?}, {closed:?}: {said}");
            assert!(!said.contains("pipe") && !said.contains("panicked"), "{args:?}: {said}");
        }
    }
    assert!(folder.path().join("dose.nii.gz").exists() && folder.path().join("demo/study/report.html").exists());
}
