//! The command line as a user meets it: the built binary, files, exit status.

mod daughters;
mod dose_rates;
mod grids;
mod implausible;
mod integrate;
mod interrupt;
mod monte_carlo;
mod nuclides;
mod pipes;
mod places;
mod remote;
mod remote_tools;
mod resample;
mod server;
mod stored;
mod units;
mod warnings;
mod words;

use std::fs;
use std::path::Path;

use dosegrid::formats::nifti;
use tempfile::TempDir;

use crate::support::command::{Server, dosegrid, stderr, succeed};
use crate::support::nifti::{FLOAT32, INT16, NiftiBytes, UINT8, gzip};

const SHAPE: [i16; 3] = [8, 7, 6];
const VOXELS: usize = 8 * 7 * 6;
const SPACING: [f32; 3] = [4.0, 4.0, 5.0];
const MEV_PER_G_IN_GY: f64 = 1.602_176_634e-10;

fn volume(datatype: i16, value: impl Fn(usize) -> f64) -> NiftiBytes {
    let values: Vec<f64> = (0..VOXELS).map(value).collect();
    NiftiBytes::new(SHAPE, SPACING, datatype, &values)
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(folder.path().join(name), bytes).expect("a writable folder");
}

/// A folder with one file of each kind: 1 GBq·s in voxel 100 and half of it in voxel 101, water with a corner of air.
pub(crate) fn inputs() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let activity = |i| match i {
        100 => 1e9,
        101 => 5e8,
        _ => 0.0,
    };
    write(&folder, "activity.nii", &volume(FLOAT32, activity).bytes());
    write(&folder, "density.nii.gz", &gzip(&volume(FLOAT32, |i| if i < 4 { 0.001 } else { 1.05 }).bytes()));
    write(&folder, "ct.nii", &volume(INT16, |i| if i < 4 { -1000.0 } else { 18.0 }).bytes());
    let label = |i| match i {
        100 => 1.0,
        101 | 102 => 4.0,
        _ => 0.0,
    };
    write(&folder, "labels.nii", &volume(UINT8, label).bytes());
    write(&folder, "names.csv", b"label,name\n1,tumour\n");
    folder
}

const GOOD: [&str; 10] = [
    "compute",
    "--activity=activity.nii",
    "--activity-unit=bq-s",
    "--density=density.nii.gz",
    "--nuclide=Lu-177",
    "--method=local",
    "--labels=labels.nii",
    "--organs-output=organs.csv",
    "--json=result.json",
    "--output=dose.nii.gz",
];

/// The good flags without those of these names, and with these in addition.
pub(crate) fn flags(without: &[&str], with: &[&str]) -> Vec<String> {
    let is_left_out = |flag: &str| without.iter().any(|name| flag.starts_with(&format!("--{name}=")));
    let kept = GOOD.into_iter().filter(|flag| !is_left_out(flag));
    kept.chain(with.iter().copied()).map(str::to_owned).collect()
}

fn dose(folder: &TempDir, name: &str) -> Vec<f32> {
    nifti::read(&folder.path().join(name)).expect("a dose was written").volume.into_vec()
}

pub(crate) fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).expect("a file was written")).expect("it is JSON")
}

#[test]
fn a_local_dose_is_energy_over_mass() {
    let folder = inputs();
    let stdout = succeed(folder.path(), flags(&[], &["--label-names=names.csv"]));
    assert!(stdout.contains("cpu") && stdout.contains("deposited") && stdout.contains("tumour"), "{stdout}");
    let charged_mev = json_of_nuclide("electron");
    let mass_g = 1.05 * 0.4 * 0.4 * 0.5;
    let expected = 1e9 * charged_mev / mass_g * MEV_PER_G_IN_GY;
    let dose = dose(&folder, "dose.nii.gz");
    assert!((f64::from(dose[100]) / expected - 1.0).abs() < 1e-6, "{} {expected}", dose[100]);
    assert!((f64::from(dose[101]) / expected - 0.5).abs() < 1e-6);
    assert_eq!(dose.iter().filter(|v| **v != 0.0).count(), 2);

    let organs = fs::read_to_string(folder.path().join("organs.csv")).expect("the table was written");
    let rows: Vec<Vec<&str>> = organs.lines().map(|line| line.split(',').collect()).collect();
    let columns = ["label", "name", "voxels", "mass_g", "mean_by_mass_gy", "mean_gy", "min_gy", "max_gy", "d95_gy"];
    assert_eq!(rows[0][..9], columns);
    assert_eq!((rows.len(), &rows[1][..3], &rows[2][..3]), (3, &["1", "tumour", "1"][..], &["4", "label_4", "2"][..]));
    let figure = |row: usize, column: usize| rows[row][column].parse::<f64>().expect("a number");
    assert!((figure(1, 3) / mass_g - 1.0).abs() < 1e-6 && (figure(1, 4) / expected - 1.0).abs() < 1e-6);
    // One of its two voxels has half of that dose, the other nothing: half of the volume has half, 95 % have nothing.
    assert_eq!((rows[0][9], figure(2, 8)), ("d50_gy", 0.0));
    assert!((figure(2, 5) / expected - 0.25).abs() < 1e-6 && (figure(2, 9) / expected - 0.5).abs() < 1e-6);

    let result = json(&folder.path().join("result.json"));
    assert_eq!((&result["method"], &result["nuclide"]), (&"local".into(), &"Lu-177".into()));
    assert_eq!((&result["device"]["id"], &result["energy"]["voxels_without_dose"]), (&"cpu".into(), &4.into()));
    assert_eq!(result["organs"][0]["name"], "tumour");
    for field in ["version", "commit", "nuclide_data_sha256", "decays", "wall_time", "inputs", "grid"] {
        assert!(!result[field].is_null(), "{field} is missing");
    }
}

fn json_of_nuclide(radiation: &str) -> f64 {
    let text = succeed(Path::new("."), ["nuclides", "Lu-177", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let [nuclide] = &list["nuclides"].as_array().expect("a list")[..] else { panic!("not one nuclide: {text}") };
    assert_eq!(nuclide["name"], "Lu-177");
    assert!((nuclide["half_life_s"].as_f64().expect("a number") / 86_400.0 - 6.645).abs() < 0.01);
    nuclide["mean_energy_mev"][radiation].as_f64().expect("a number")
}

#[test]
fn a_ct_becomes_a_density() {
    let folder = inputs();
    let tables = ["labels", "organs-output", "json"];
    succeed(folder.path(), flags(&tables, &[]));
    let expected = dose(&folder, "dose.nii.gz")[100];
    // 18 HU is 1.03 g/cm³ after Schneider 2000, and 1.2 on the caller's own curve.
    let ct = [&tables[..], &["density"]].concat();
    succeed(folder.path(), flags(&ct, &["--ct=ct.nii"]));
    assert!((dose(&folder, "dose.nii.gz")[100] / expected * 1.03 / 1.05 - 1.0).abs() < 1e-6);
    write(&folder, "curve.csv", b"-1000,0.001\n18,1.2\n1000,2\n");
    let output = dosegrid(folder.path(), flags(&ct, &["--ct=ct.nii", "--hu-curve=curve.csv"]));
    assert_eq!((output.status.code(), stderr(&output).contains("warning")), (Some(0), false), "{}", stderr(&output));
    assert!((dose(&folder, "dose.nii.gz")[100] / expected * 1.2 / 1.05 - 1.0).abs() < 1e-6);
    write(&folder, "curve.csv", b"0,1\n10,1.2\n");
    let output = dosegrid(folder.path(), flags(&ct, &["--ct=ct.nii", "--hu-curve=curve.csv"]));
    let said = stderr(&output);
    assert!(said.contains("4 voxels below its first point") && said.contains("332 voxels above its last"), "{said}");
}

#[test]
fn what_looks_wrong_is_warned_of() {
    let folder = inputs();
    write(&folder, "ct.nii", &volume(INT16, |_| 1024.0).bytes());
    let with = ["--ct=ct.nii", "--activity-unit=bq", "--effective-half-life=200h"];
    let output = dosegrid(folder.path(), flags(&["density", "activity-unit"], &with));
    assert_eq!(output.status.code(), Some(0));
    let said = stderr(&output);
    assert!(said.contains("warning: ct: ") && said.contains("warning: effective-half-life: 200.00 h"), "{said}");
}

#[test]
fn a_second_run_gives_the_same_bytes_and_so_does_a_server() {
    let folder = inputs();
    let server = Server::start();
    let outputs = ["output", "organs-output", "method"];
    let at_server = format!("--server={}", server.url);
    for method in ["local", "kernel"] {
        let (mut doses, mut tables) = (Vec::new(), Vec::new());
        for place in ["--device=cpu", "--device=cpu", &at_server] {
            let method = format!("--method={method}");
            let with = ["--output=d.nii.gz", "--organs-output=o.csv", &method, place];
            succeed(folder.path(), flags(&outputs, &with));
            doses.push(fs::read(folder.path().join("d.nii.gz")).expect("a dose"));
            tables.push(fs::read(folder.path().join("o.csv")).expect("a table"));
        }
        assert!(doses[0] == doses[1] && tables[0] == tables[1], "{method}: the second run differs");
        assert!(doses[0] == doses[2] && tables[0] == tables[2], "{method}: the server's differs");
    }
    let result = json(&folder.path().join("result.json"));
    let captured = result["kernel"]["captured_fraction"].as_f64().expect("a kernel was used");
    assert!((0.9..=1.0).contains(&captured), "{captured}");
    let energy = |field: &str| result["energy"][field].as_f64().expect("a number");
    let balance = energy("deposited_mev") + energy("escaped_mev");
    assert!((balance / energy("emitted_mev") - 1.0).abs() < 1e-12);
}

#[test]
fn every_fault_is_named_at_once() {
    let folder = inputs();
    write(&folder, "activity.nii", &volume(FLOAT32, |i| if i == 7 { f64::NAN } else { 1.0 }).bytes());
    write(&folder, "density.nii.gz", b"no volume");
    write(&folder, "labels.nii", &NiftiBytes::new([8, 7, 5], SPACING, UINT8, &[1.0; 280]).bytes());
    let with = ["--method=kernel", "--truncation-radius=-5", "--minimum-density=x", "--output=nowhere/dose.nii"];
    let with = [&with[..], &["--activity-unit=Bq", "--nuclide=Lu1777", "--hu-curve=absent.csv"]].concat();
    let output = dosegrid(folder.path(), flags(&["method", "output", "activity-unit", "nuclide"], &with));
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for (field, word) in [
        ("activity", "1 of 336 voxels is NaN"),
        ("density", "within the header"),
        ("truncation-radius", "-5"),
        ("minimum-density", "number"),
        ("output", "folder"),
        ("activity-unit", "`Bq`"),
        ("nuclide", "Lu1777"),
        ("hu-curve", "--ct"),
        ("hu-curve", "opened"),
    ] {
        let named = said.lines().any(|line| line.starts_with(&format!("error: {field}: ")) && line.contains(word));
        assert!(named, "{field}, {word} is not named:\n{said}");
    }
    // The grid of labels is compared with an activity that could be read.
    write(&folder, "activity.nii", &volume(FLOAT32, |_| 1.0).bytes());
    assert!(stderr(&dosegrid(folder.path(), flags(&[], &[]))).contains("error: labels: has shape [8, 7, 5]"));
}

/// Flags to leave out, flags to add, the field that is named and a word of the reason.
const BAD: [(&[&str], &[&str], &str, &str); 49] = [
    (&["activity"], &[], "activity", "--activity is needed"),
    (&["activity-unit"], &[], "activity-unit", "--activity-unit is needed"),
    (&["nuclide"], &[], "nuclide", "--nuclide is needed"),
    (&["output"], &[], "output", "--output is needed"),
    (&["density"], &[], "density", "needs --density or --ct"),
    (&["density", "method"], &[], "density", "needs --density or --ct"),
    (&[], &["--ct=ct.nii"], "ct", "only one of the two"),
    (&[], &["--hu-curve=names.csv"], "hu-curve", "without --ct"),
    (&["density"], &["--ct=ct.nii", "--hu-curve=names.csv"], "hu-curve", "line 2"),
    (&[], &["--effective-half-life=50h"], "effective-half-life", "no meaning"),
    (&[], &["--imaged-after=24h"], "imaged-after", "no meaning"),
    (&["activity-unit"], &["--activity-unit=bq-per-l"], "activity-unit", "kbq-per-ml"),
    (&["activity-unit"], &["--activity-unit=bq-per-ml"], "effective-half-life", "with the unit bq-per-ml"),
    (
        &["activity-unit"],
        &["--activity-unit=kbq-per-ml", "--effective-half-life=50h", "--imaged-after=-1h"],
        "imaged-after",
        "0 or more",
    ),
    (
        &["activity-unit"],
        &["--activity-unit=mbq", "--effective-half-life=1s", "--imaged-after=1h"],
        "imaged-after",
        "no activity is left",
    ),
    (&["activity-unit"], &["--activity-unit=bq", "--effective-half-life", "-5h"], "effective-half-life", "above 0"),
    (&["activity-unit"], &["--activity-unit=bq"], "effective-half-life", "is needed"),
    (
        &["activity-unit"],
        &["--activity-unit=bq", "--effective-half-life=50h", "--decay-corrected-to=injection"],
        "decay-corrected-to",
        "needs the time",
    ),
    (
        &["activity-unit"],
        &["--activity-unit=bq", "--effective-half-life=50h", "--decay-corrected-to=start"],
        "decay-corrected-to",
        "scan or injection",
    ),
    (&[], &["--decay-corrected-to=scan"], "decay-corrected-to", "no meaning"),
    (&[], &["--injected-activity=7.4"], "injected-activity", "7.4GBq"),
    (&["activity-unit"], &["--activity-unit=bq", "--effective-half-life=50"], "effective-half-life", "unit"),
    (&["activity-unit"], &["--activity-unit=bq", "--effective-half-life=0h"], "effective-half-life", "above 0"),
    (&["activity-unit"], &["--activity-unit=bq", "--effective-half-life=-1h"], "effective-half-life", "above 0"),
    (&["activity-unit"], &["--activity-unit=bq", "--effective-half-life=nanh"], "effective-half-life", "above 0"),
    (&["activity-unit"], &["--activity-unit=MBq"], "activity-unit", "bq-s, bq-h, kbq-s"),
    (&["nuclide"], &["--nuclide=lu178"], "nuclide", "similar names: Lu-177"),
    (&["method"], &["--method=guess"], "method", "local, kernel or monte-carlo"),
    (&["method"], &["--method=kernel", "--density-correction=half"], "density-correction", "water or density-scaled"),
    (&[], &["--density-correction=water"], "density-correction", "--method local"),
    (&[], &["--truncation-radius=10"], "truncation-radius", "--method local"),
    (&["method"], &["--method=kernel", "--truncation-radius=0"], "truncation-radius", "above 0"),
    (&["method"], &["--method=kernel", "--truncation-radius=inf"], "truncation-radius", "to 10000 mm"),
    (
        &["method"],
        &["--method=kernel", "--density-correction=water", "--minimum-density=1"],
        "minimum-density",
        "no effect",
    ),
    (&[], &["--minimum-density=-1"], "minimum-density", "0 or above"),
    (&[], &["--minimum-density=nan"], "minimum-density", "0 or above"),
    (&[], &["--device=cuda"], "device", "gpu:N"),
    (&[], &["--device=gpu:99"], "device", "`cpu`"),
    (&["activity-unit"], &["--activity-unit=bq", "--effective-half-life", "-5h"], "effective-half-life", "above 0"),
    (&[], &["--device=cpu", "--server=http://127.0.0.1:1"], "device", "--server"),
    (&[], &["--server=127.0.0.1:1"], "server", "URL"),
    (&["labels"], &[], "organs-output", "without --labels"),
    (&["labels", "organs-output"], &["--label-names=names.csv"], "label-names", "without --labels"),
    (&[], &["--label-names=activity.nii"], "label-names", "text"),
    (&["output"], &["--output=dose.dat"], "output", ".nii.gz"),
    (&["output"], &["--output=dose.dcm"], "reference", "the CT that the dose belongs to"),
    (&["output"], &["--output=activity.nii"], "output", "another file of this run"),
    (&["json"], &["--json=dose.nii.gz"], "json", "another file of this run"),
    (&["json"], &["--json=."], "json", ""),
];

#[test]
fn bad_flags_are_refused_with_their_name() {
    let folder = inputs();
    for (without, with, field, word) in BAD {
        refused(&folder, flags(without, with), field, word);
    }
}

/// Exit status 2, the field named, and nothing written.
fn refused(folder: &TempDir, args: Vec<String>, field: &str, word: &str) {
    let output = dosegrid(folder.path(), &args);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    let named = said.lines().any(|line| line.starts_with(&format!("error: {field}: ")) && line.contains(word));
    assert!(named, "{args:?}: {field}, {word} is not named:\n{said}");
    for name in ["dose.nii.gz", "organs.csv", "result.json"] {
        assert!(!folder.path().join(name).exists(), "{args:?}: {name} was written");
    }
}

#[test]
fn bad_volumes_are_refused_with_their_flag() {
    let shifted = |datatype, value: f64| {
        let mut file = volume(datatype, |_| value);
        file.srow[0][3] = 4.0;
        file
    };
    let coarse = NiftiBytes::new(SHAPE, [4.0, 4.0, 5.1], FLOAT32, &[1.0; VOXELS]);
    let turned = NiftiBytes::new([7, 8, 6], SPACING, FLOAT32, &[1.0; VOXELS]);
    let cases = [
        ("activity", volume(FLOAT32, |i| if i == 3 { f64::INFINITY } else { 0.0 }), "value 3 is inf"),
        ("activity", volume(FLOAT32, |i| if i > 333 { -1.0 } else { 0.0 }), "2 voxels are below 0"),
        ("activity", volume(FLOAT32, |_| 1e30), "is the unit right"),
        ("density", volume(FLOAT32, |i| if i == 9 { f64::NAN } else { 1.0 }), "1 of 336 voxels is NaN"),
        ("density", volume(FLOAT32, |_| -0.5), "not negative"),
        ("density", volume(FLOAT32, |_| 1050.0), "kg/m³"),
        ("density", coarse.clone(), "spacing"),
        ("density", turned.clone(), "shape"),
        ("density", shifted(FLOAT32, 1.0), "elsewhere"),
        ("ct", volume(FLOAT32, |i| if i == 9 { f64::NAN } else { 0.0 }), "1 of 336 voxels is NaN"),
        ("ct", volume(FLOAT32, |_| 1e6), "g/cm³"),
        ("ct", shifted(INT16, 0.0), "elsewhere"),
        ("labels", volume(FLOAT32, |_| 1.5), "whole number"),
        ("labels", volume(INT16, |_| -2.0), "whole number"),
        ("labels", turned, "shape"),
        ("labels", shifted(UINT8, 1.0), "elsewhere"),
    ];
    for (flag, file, word) in cases {
        let folder = inputs();
        write(&folder, "bad.nii", &file.bytes());
        let with = format!("--{flag}=bad.nii");
        let without: &[&str] = if flag == "ct" { &["density"] } else { &[flag] };
        refused(&folder, flags(without, &[&with]), flag, word);
        let gone = format!("--{flag}=absent.nii");
        refused(&folder, flags(without, &[&gone]), flag, "cannot be opened");
    }
}

#[test]
fn what_is_not_the_inputs_fault_has_another_status() {
    let folder = inputs();
    let output = dosegrid(folder.path(), flags(&[], &["--server=http://127.0.0.1:1"]));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: server: nobody answers at http://127.0.0.1:1 (") && said.contains("serve"), "{said}");
    assert!(!said.contains("transport error") && !folder.path().join("dose.nii.gz").exists(), "{said}");
    let output = dosegrid(folder.path(), ["compute", "--no-such-flag"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn quiet_says_nothing_and_a_pipe_gets_plain_lines() {
    let folder = inputs();
    // On the CPU: where a search for GPUs begins, a driver may say something of its own on stderr.
    let output = dosegrid(folder.path(), flags(&[], &["--quiet", "--device=cpu"]));
    assert_eq!(
        (output.status.code(), output.stdout.len(), output.stderr.len()),
        (Some(0), 0, 0),
        "{}",
        stderr(&output)
    );
    let output = dosegrid(folder.path(), flags(&["method"], &[]));
    let said = stderr(&output);
    assert!(said.lines().any(|line| line.starts_with("finish ")), "{said}");
    assert!(!said.contains('\r') && !said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn inspect_shows_what_a_file_holds() {
    let folder = inputs();
    write(&folder, "odd.nii", &volume(FLOAT32, |i| if i == 0 { f64::NAN } else { -2.0 }).bytes());
    let list: serde_json::Value =
        serde_json::from_str(&succeed(folder.path(), ["inspect", "ct.nii", "odd.nii", "--json"])).expect("JSON");
    let [ct, odd] = &list["files"].as_array().expect("a list")[..] else { panic!("not two files: {list}") };
    assert_eq!(ct["shape"], serde_json::json!([8, 7, 6]));
    assert_eq!((&ct["datatype"], &ct["min"], &ct["max"]), (&"int16".into(), &(-1000.0).into(), &18.0.into()));
    assert_eq!((&odd["nan"], &odd["negative"], &odd["mean"]), (&1.into(), &335.into(), &(-2.0).into()));
    let text = succeed(folder.path(), ["inspect", "density.nii.gz"]);
    assert!(text.contains("8 × 7 × 6") && text.contains("float32") && text.contains("sform"), "{text}");
    let output = dosegrid(folder.path(), ["inspect", "names.csv", "ct.nii"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("error: names.csv: ") && !output.stdout.is_empty());
}
