//! `dosegrid validate` and `dosegrid bench` as a user runs them.

use crate::support::command::{Stream, dosegrid, first_line, stderr};

#[test]
fn a_passing_check_writes_its_report_and_exits_with_0() {
    let folder = tempfile::tempdir().expect("a folder");
    let args =
        ["validate", "--device=cpu", "--check=energy-balance", "--check=convolution", "--output=out", "--json=v.json"];
    let output = dosegrid(folder.path(), args);
    let (stdout, said) = (String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert!(output.status.success() && stdout.contains("2 of 2 checks passed on cpu"), "{stdout}{said}");
    let first = said.lines().next().expect("a line");
    assert!(first.starts_with("device cpu (") && first.ends_with(": as requested"), "{said}");
    assert!(stdout.contains("absorbed and left over emitted") && !stdout.contains("FAIL"), "{stdout}");
    let html = std::fs::read_to_string(folder.path().join("out/report.html")).expect("the report");
    for part in ["<svg", "energy-balance", "commit", "cpu: ", "Detects"] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("src=") && !html.contains("http"), "one file that needs no other");
    let json = std::fs::read(folder.path().join("v.json")).expect("the JSON file");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!((&json["passed"], &json["device"]["id"]), (&true.into(), &"cpu".into()));
    assert_eq!(json["checks"].as_array().map(Vec::len), Some(2));
    assert!(json["checks"][0]["rows"].as_array().is_some_and(|rows| rows.iter().all(|row| row["passed"] == true)));
}

#[test]
fn bad_input_is_named_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["validate", "--device=tpu", "--check=phano", "--output=no/where.html", "--json=no/v.json"];
    let output = dosegrid(folder.path(), args);
    assert_eq!(output.status.code(), Some(2));
    let errors = stderr(&output);
    for field in ["device: ", "check: ", "output: ", "json: "] {
        assert!(errors.contains(field), "{field}: {errors}");
    }
    let output = dosegrid(folder.path(), ["bench", "--device=gpu:99"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn files_that_are_no_reports_are_both_named() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.json"), "{}").expect("a file");
    let output = dosegrid(folder.path(), ["bench", "compare", "a.json", "absent.json"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("first: a.json is no report of `dosegrid bench --json`"), "{said}");
    assert!(said.contains("second: cannot read absent.json"), "{said}");
}

#[test]
fn a_benchmark_says_its_device_and_why_before_it_begins() {
    let said = first_line(&["bench", "--device=cpu"], Stream::Stdout);
    assert!(said.starts_with("cpu (") && said.ends_with(": as requested\n"), "{said}");
}
