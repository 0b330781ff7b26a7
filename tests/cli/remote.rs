//! `dosegrid compute --server`: the server prepares the files as this process does, to the same bytes.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::grids::{activity, cube, density, radius, stack, write};
use crate::support::command::{Server, dosegrid, stderr, succeed};
use crate::support::nifti::{FLOAT32, INT16, NiftiBytes, UINT8};

/// Files that a run may write.
const OUTPUTS: [&str; 6] = ["dose.nii", "sigma.nii", "run.tally", "on_ct.nii", "organs.csv", "weighted.nii"];

fn inputs() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut ct = cube(2.0, INT16, |[x, ..]| if x < 6.0 { 1040.0 } else { 1900.0 });
    ct.scl = [1.0, -1000.0];
    ct.voxels[..2].copy_from_slice(&0i16.to_le_bytes());
    let noisy = cube(4.0, FLOAT32, |at| match radius(at) {
        r if r < 14.0 => 1e9,
        r if r > 36.0 => f64::NAN,
        _ => -5e4,
    });
    let mut moved = density(4.0);
    moved.srow[1][3] += 10.0;
    for (name, file) in [
        ("activity.nii", activity()),
        ("noisy.nii", noisy),
        ("density.nii", density(4.0)),
        ("moved.nii", moved),
        ("ct.nii", ct),
        ("no_air.nii", cube(4.0, INT16, |_| 40.0)),
        ("stack.nii", stack()),
        ("daughter.nii", cube(4.0, FLOAT32, |at| if radius(at) < 20.0 { 1e8 } else { 0.0 })),
        ("fine_liver.nii", cube(2.0, UINT8, |at| f64::from(u8::from(radius(at) < 18.0)))),
        ("fine_map.nii", cube(2.0, UINT8, |at| if radius(at) < 9.0 { 7.0 } else { 3.0 * f64::from(at[0] < 0.0) })),
    ] {
        write(&folder, name, &file);
    }
    fs::create_dir(folder.path().join("masks")).expect("a writable folder");
    let mut one = NiftiBytes { dim: [3, 12, 12, 12, 1, 1, 1, 1], ..stack() };
    let voxels = stack().voxels;
    for (name, voxels) in [("liver.nii", &voxels[..1728]), ("tumour.nii", &voxels[1728..])] {
        one.voxels = voxels.to_vec();
        write(&folder, &format!("masks/{name}"), &one);
    }
    let itk = "#Insight Transform File V1.0\nTransform: TranslationTransform_double_3_3\nParameters: 0 -10 0\n\
               FixedParameters:\n";
    for (name, text) in [
        ("shift.tfm", itk),
        ("curve.csv", "hu,density_g_cm3\n-1000,0.0012\n0,1.01\n1500,1.9\n"),
        ("names.csv", "label,name\n1,Liver\n2,Tumour\n"),
        (
            "table.toml",
            "[[material]]\nlabel = 0\nname = \"water\"\n\n[[material]]\nlabel = 3\nname = \"lung\"\n\n\
                        [[material]]\nlabel = 7\nname = \"cortical_bone\"\n",
        ),
    ] {
        fs::write(folder.path().join(name), text).expect("a writable folder");
    }
    folder
}

/// The files of a run, `result.json` without what it took, and the first lines of its summary.
fn outputs(folder: &Path, args: &[&str], place: &str) -> (Vec<Option<Vec<u8>>>, Value, Vec<String>) {
    for name in OUTPUTS {
        let _ = fs::remove_file(folder.join(name));
    }
    let own = ["compute", "--output", "dose.nii", "--json", "result.json", place];
    let said = succeed(folder, [&own[..], args].concat());
    let mut result: Value =
        serde_json::from_slice(&fs::read(folder.join("result.json")).expect("written")).expect("JSON");
    without_times(&mut result);
    let before = said.lines().take_while(|line| !line.starts_with("device"));
    // What it takes here is told here alone.
    let lines = before.filter(|line| !line.starts_with("memory")).map(str::to_owned).collect();
    (OUTPUTS.map(|name| fs::read(folder.join(name)).ok()).to_vec(), result, lines)
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !matches!(name.as_str(), "wall_time" | "histories_per_s"));
            fields.values_mut().for_each(without_times);
        }
        Value::Array(list) => list.iter_mut().for_each(without_times),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_server_gives_the_bytes_that_this_process_gives() {
    let folder = inputs();
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    let local = ["--nuclide=Lu-177", "--method=local", "--activity-unit=bq-s"];
    let on_ct = ["--ct=ct.nii", "--dose-on-ct=on_ct.nii", "--organs-output=organs.csv"];
    let transport = ["--nuclide=Lu-177", "--method=monte-carlo", "--histories=2000", "--tally-output=run.tally"];
    let cases: &[&[&str]] = &[
        &["--activity=activity.nii", "--density=density.nii", "--labels=stack.nii", "--injected-activity=7.4GBq"],
        &["--activity=activity.nii", "--dose-grid=activity", "--labels=fine_map.nii", on_ct[0], on_ct[1], on_ct[2]],
        &["--activity=activity.nii", "--dose-grid=ct", "--hu-curve=curve.csv", "--labels=masks", on_ct[0], on_ct[2]],
        &[
            "--activity=activity.nii",
            "--dose-grid=3",
            "--labels=masks/liver.nii",
            "--labels=masks/tumour.nii",
            "--label-names=names.csv",
            on_ct[0],
            on_ct[2],
        ],
        &["--activity=activity.nii", "--density=moved.nii", "--transform=shift.tfm", "--labels=stack.nii", on_ct[2]],
        &["--activity=noisy.nii", "--nan=zero", "--negative=zero-keep-total", on_ct[0], "--dose-grid=activity"],
        // A picture of the dose, and no organs for its histograms.
        &["--activity=activity.nii", "--density=density.nii", "--summary-output=summary.png"],
    ];
    for case in cases {
        same(folder.path(), &[&local[..], case].concat(), &at_server);
    }
    let cases: &[&[&str]] = &[
        &["--activity=activity.nii", "--activity-unit=mbq-h", on_ct[0], "--dose-grid=activity", "--seed=5"],
        &[
            "--activity=activity.nii",
            "--activity-unit=bq-per-ml",
            "--effective-half-life=50h",
            "--imaged-after=24h",
            "--dose-grid=activity",
            "--labels=fine_liver.nii",
            "--uncertainty-output=sigma.nii",
            on_ct[0],
            on_ct[2],
        ],
        &["--activity=activity.nii", "--activity-unit=bq-s", "--density=density.nii", "--labels=stack.nii", on_ct[2]],
        &[
            "--activity=activity.nii",
            "--activity-unit=bq-s",
            "--density=density.nii",
            "--dose-grid=activity",
            "--material-map=fine_map.nii",
            "--material-table=table.toml",
        ],
    ];
    for case in cases {
        same(folder.path(), &[&transport[..], case].concat(), &at_server);
    }
    let actinium = ["--nuclide=Ac-225", "--method=kernel", "--activity-unit=bq-s", "--activity=activity.nii"];
    let more = ["--density=density.nii", "--daughter-activity=Bi-213=daughter.nii", "--weighted-output=weighted.nii"];
    same(folder.path(), &[&actinium[..], &more].concat(), &at_server);
}

fn same(folder: &Path, args: &[&str], at_server: &str) {
    let (files, result, lines) = outputs(folder, args, "--device=cpu");
    let (found_files, found_result, found_lines) = outputs(folder, args, at_server);
    assert!(files[0].is_some() && !lines.is_empty());
    for ((name, file), found) in OUTPUTS.iter().zip(files).zip(found_files) {
        assert!(file == found, "{args:?}: {name} differs");
    }
    assert_eq!(found_lines, lines, "{args:?}");
    assert_eq!(found_result, result, "{args:?}");
}

#[test]
fn faults_that_a_server_finds_are_told_by_their_flags() {
    let folder = inputs();
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    let own =
        ["compute", "--output=dose.nii", "--nuclide=Lu-177", "--method=local", "--activity-unit=bq-s", &at_server];
    let refused = |more: &[&str]| {
        let output = dosegrid(folder.path(), [&own[..], more].concat());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        said
    };
    // Values are checked by the server.
    let said = refused(&["--activity=noisy.nii", "--density=density.nii"]);
    assert!(said.contains("error: activity: ") && said.contains("--nan zero"), "{said}");
    let wrong = ["--activity=activity.nii", "--density=moved.nii", "--transform=shift.tfm", "--invert-transform"];
    let said = refused(&wrong);
    assert!(said.contains("error: density: ") && said.contains("--max-activity-outside"), "{said}");
    // Grids are checked before anything is sent, and with them all else that can be known.
    let said = refused(&["--activity=activity.nii", "--ct=ct.nii", "--density=density.nii", "--labels=fine_liver.nii"]);
    assert!(said.contains("error: labels: ") && said.contains("error: ct: "), "{said}");
    let said = refused(&["--activity=absent.nii", "--dose-grid=spect", "--nan=perhaps", "--keep-partial"]);
    for flag in ["activity", "dose-grid", "nan", "density", "keep-partial"] {
        assert!(said.contains(&format!("error: {flag}: ")), "{flag}: {said}");
    }
    let said = refused(&["--activity=activity.nii", "--ct=no_air.nii", "--strict"]);
    assert!(said.contains("error: ct: ") && said.contains("there is no air in it"), "{said}");
}
