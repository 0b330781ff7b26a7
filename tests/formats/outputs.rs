//! Output files of the command line: whole or not at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::command::{dosegrid, stderr, succeed};

const KERNEL: [&str; 4] = ["kernel", "--nuclide=Lu-177", "--spacing=4", "--radius-voxels=1"];

#[test]
fn a_table_goes_to_a_file_or_to_stdout() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.csv");
    succeed(folder.path(), KERNEL.into_iter().chain(["--output=s.csv"]));
    let table = fs::read_to_string(&path).expect("the table");
    assert!(table.starts_with("i,j,k,s_gy_per_decay\n0,0,0,") && table.lines().count() == 9, "{table}");
    fs::write(folder.path().join("ordinary"), b"").expect("a writable folder");
    let mode = |name: &str| fs::metadata(folder.path().join(name)).expect("a file").permissions().mode();
    assert_eq!(mode("s.csv"), mode("ordinary"));
    assert_eq!(succeed(folder.path(), KERNEL), table);
    let both = succeed(folder.path(), KERNEL.into_iter().chain(["--output=/dev/stdout"]));
    assert!(both.starts_with(&table) && both.contains("self-dose"), "{both}");
}

#[test]
fn a_failed_run_leaves_the_old_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("s.csv"), b"old").expect("a writable folder");
    // Transport could follow this electron, but no kernel reaches that far.
    fs::write(path("hard.csv"), b"-1,9.5,9.5,1\n").expect("a writable folder");
    let output = dosegrid(folder.path(), ["kernel", "--emissions=hard.csv", "--spacing=4", "--output=s.csv"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(fs::read(path("s.csv")).expect("still there"), b"old");
    let output = dosegrid(folder.path(), KERNEL.into_iter().chain(["--output=no/s.csv"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: output: cannot be written"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
}
