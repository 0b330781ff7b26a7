//! `dosegrid resample --server` and `dosegrid merge --server`: the bytes of this process.

mod clinic;

use std::fs;

use tempfile::TempDir;

use super::grids::{activity, cube, density, radius, stack, write};
use crate::support::command::{Server, dosegrid, stderr, succeed};
use crate::support::nifti::{FLOAT32, INT16, UINT8};

fn inputs() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut ct = cube(2.0, FLOAT32, |[x, ..]| if x < 6.0 { 40.0 } else { f64::NAN });
    ct.form_codes = [0, 1];
    for (name, file) in [
        ("activity.nii", activity()),
        ("density.nii", density(4.0)),
        ("fine.nii", cube(2.0, INT16, |[x, y, _]| (x * y).round())),
        ("ct.nii", ct),
        ("stack.nii", stack()),
        ("map.nii", cube(4.0, UINT8, |at| if radius(at) < 9.0 { 2.0 } else { f64::from(u8::from(at[2] < 4.0)) })),
    ] {
        write(&folder, name, &file);
    }
    let itk = "#Insight Transform File V1.0\nTransform: Euler3DTransform_double_3_3\nParameters: 0.1 0.2 0 1 -10 2\n\
               FixedParameters: 0 0 0\n";
    fs::write(folder.path().join("turn.tfm"), itk).expect("a writable folder");
    fs::write(folder.path().join("names.csv"), "label,name\n1,Liver\n").expect("a writable folder");
    folder
}

/// Runs a command here and at a server; both must say and write the same.
fn same(folder: &TempDir, args: &[&str], at_server: &str, written: &[&str]) {
    let here = succeed(folder.path(), args);
    let bytes = |name: &&str| fs::read(folder.path().join(name)).expect("written");
    let expected: Vec<Vec<u8>> = written.iter().map(bytes).collect();
    written.iter().for_each(|name| fs::remove_file(folder.path().join(name)).expect("written"));
    let there = succeed(folder.path(), [args, &[at_server]].concat());
    assert_eq!(there, here, "{args:?}");
    for (name, expected) in written.iter().zip(expected) {
        assert!(bytes(name) == expected, "{args:?}: {name} differs");
    }
}

#[test]
fn a_server_resamples_as_this_process_does() {
    let folder = inputs();
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    let cases: &[&[&str]] = &[
        &["density.nii", "--like=fine.nii", "--kind=density", "--output=out.nii"],
        &["density.nii", "--like=fine.nii", "--kind=dose", "--output=out.nii", "--transform=turn.tfm", "--json"],
        &["fine.nii", "--spacing=3.3", "--kind=concentration", "--output=out.nii", "--json"],
        &["activity.nii", "--like=fine.nii", "--kind=activity", "--output=out.nii", "--transform=turn.tfm"],
        &["ct.nii", "--like=activity.nii", "--kind=ct", "--output=out.nii", "--nan=zero", "--json"],
        &["map.nii", "--like=fine.nii", "--kind=labels", "--output=out.nii", "--json"],
        &["stack.nii", "--spacing=3", "--kind=labels", "--output=out.nii"],
    ];
    for case in cases {
        same(&folder, &[&["resample"], *case].concat(), &at_server, &["out.nii"]);
    }
    let args = ["resample", "density.nii", "--like=fine.nii", "--kind=density", "--output=out.nii"];
    let output = dosegrid(folder.path(), [&args[..], &["--server=nowhere"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("error: server: is a URL"), "{}", stderr(&output));
}

#[test]
fn a_server_merges_as_this_process_does() {
    let folder = inputs();
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    let run = |name: &str, first: &str, nuclide: &str| {
        let (tally, first) = (format!("--tally-output={name}"), format!("--first-history={first}"));
        let args = ["compute", "--activity=activity.nii", "--density=density.nii", "--activity-unit=bq-s", "--quiet"];
        let more = ["--histories=1000", "--device=cpu", "--output=dose.nii", nuclide, &tally, &first];
        succeed(folder.path(), [&args[..], &more].concat());
    };
    run("a.tally", "0", "--nuclide=Lu-177");
    run("b.tally", "1000", "--nuclide=Lu-177");
    run("other.tally", "2000", "--nuclide=Y-90");
    let outputs = ["--output=dose.nii", "--uncertainty-output=sigma.nii", "--tally-output=sum.tally"];
    let tables = ["--json=result.json", "--organs-output=organs.csv", "--label-names=names.csv"];
    let merge = [&["merge", "a.tally", "b.tally"], &outputs[..]].concat();
    same(&folder, &merge, &at_server, &["dose.nii", "sigma.nii", "sum.tally"]);
    let written = ["dose.nii", "sigma.nii", "sum.tally", "result.json", "organs.csv"];
    for labels in ["--labels=map.nii", "--labels=stack.nii"] {
        same(&folder, &[&merge[..], &tables, &[labels]].concat(), &at_server, &written);
    }
    // What cannot be merged is named by its file, all at once.
    let mut damaged = fs::read(folder.path().join("b.tally")).expect("written");
    *damaged.last_mut().expect("bytes") ^= 1;
    fs::write(folder.path().join("damaged.tally"), damaged).expect("a writable folder");
    let tallies = ["a.tally", "damaged.tally", "other.tally", "a.tally"];
    let output = dosegrid(folder.path(), [&["merge", "--output=dose.nii", &at_server], &tallies[..]].concat());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for name in ["damaged.tally: ", "other.tally: belongs to a different", "a.tally: has histories"] {
        assert!(said.contains(&format!("error: {name}")), "{name}: {said}");
    }
    let bad = ["merge", "a.tally", "absent.tally", "--output=dose.nii", "--labels=fine.nii", &at_server];
    let said = stderr(&dosegrid(folder.path(), bad));
    assert!(said.contains("absent.tally: cannot be opened"), "{said}");
    let bad = ["merge", "a.tally", "--output=dose.nii", "--labels=fine.nii", "--organs-output=o.csv", &at_server];
    let said = stderr(&dosegrid(folder.path(), bad));
    assert!(said.contains("error: labels: "), "{said}");
}
