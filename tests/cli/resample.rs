//! `dosegrid resample`, run as a user runs it.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use dosegrid::formats::volume_file::read_volume;

use crate::support::command::{dosegrid, stderr, succeed};
use crate::support::nifti::{FLOAT32, NiftiBytes, UINT8};

/// A density of 1 mm voxels with a reversed axis, an activity of 2 mm in the same place, labels, and a dose.
fn files() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, file: &NiftiBytes| {
        fs::write(folder.path().join(name), file.bytes()).expect("a writable folder");
    };
    let values: Vec<f64> = (0..8 * 8 * 4u32).map(|i| f64::from(i % 7) / 4.0).collect();
    let mut fine = NiftiBytes::new([8, 8, 4], [1.0; 3], FLOAT32, &values);
    fine.srow = [[-1.0, 0.0, 0.0, 7.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    write("density.nii", &fine);
    let labels: Vec<f64> = (0..8 * 8 * 4u32).map(|i| f64::from(u8::from(i % 8 < 4)) * 3.0).collect();
    let mut map = NiftiBytes::new([8, 8, 4], [1.0; 3], UINT8, &labels);
    map.srow = fine.srow;
    write("labels.nii", &map);
    let values: Vec<f64> = (0..4 * 4 * 2u32).map(|i| f64::from(i) * 1e6).collect();
    let mut coarse = NiftiBytes::new([4, 4, 2], [2.0; 3], FLOAT32, &values);
    coarse.srow = [[2.0, 0.0, 0.0, 0.5], [0.0, 2.0, 0.0, 0.5], [0.0, 0.0, 2.0, 0.5]];
    coarse.form_codes = [0, 4];
    write("activity.nii", &coarse);
    folder
}

fn report(folder: &TempDir, args: &[&str]) -> Value {
    let all = ["resample"].iter().chain(args).chain(&["--json"]);
    serde_json::from_str(&succeed(folder.path(), all)).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn a_grid_that_no_memory_holds_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wide = NiftiBytes::new([4, 4, 2], [100.0; 3], FLOAT32, &[1.0; 32]);
    fs::write(folder.path().join("density.nii"), wide.bytes()).expect("a writable folder");
    let args = ["resample", "density.nii", "--spacing", "0.01", "--kind", "density", "--output", "fine.nii"];
    let output = dosegrid(folder.path(), args);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("resampling onto this grid needs"), "{}", stderr(&output));
}

#[test]
fn maps_go_onto_the_grid_of_another_file() {
    let folder = files();
    let args = ["density.nii", "--like", "activity.nii", "--kind", "density", "--output", "coarse.nrrd"];
    let density = report(&folder, &args);
    assert_eq!((&density["exact"], &density["output"]["shape"]), (&Value::from(true), &serde_json::json!([4, 4, 2])));
    assert!((number(&density["sums"][0]) / number(&density["sums"][1]) - 1.0).abs() < 1e-9);
    let args = ["activity.nii", "--like", "density.nii", "--kind", "activity", "--output", "fine.nii.gz"];
    let activity = report(&folder, &args);
    assert!((number(&activity["sums"][0]) / number(&activity["sums"][1]) - 1.0).abs() < 1e-6);
    assert_eq!(number(&activity["share_outside"]), 0.0);
    let fine = read_volume(&folder.path().join("fine.nii.gz")).expect("written");
    // Eight voxels of 1 mm share what one of 2 mm has; x runs the other way.
    assert_eq!(fine.volume.data()[[7, 0, 0]], 0.0);
    assert_eq!(fine.volume.data()[[0, 0, 0]], 3e6 / 8.0);
    let args = ["labels.nii", "--like", "activity.nii", "--kind", "labels", "--output", "labels.mha"];
    let labels = report(&folder, &args);
    assert_eq!((labels["labels"][0]["label"].as_u64(), labels["labels"][0]["voxels"].as_u64()), (Some(3), Some(16)));
    let map = read_volume(&folder.path().join("labels.mha")).expect("written");
    assert_eq!((map.volume.data()[[3, 0, 0]], map.volume.data()[[0, 0, 0]]), (3.0, 0.0));
    assert_eq!(map.header.element.name(), "uint8");
    let args = ["activity.nii", "--like", "density.nii", "--kind", "dose", "--output", "dose.mhd"];
    assert_eq!(number(&report(&folder, &args)["outside_voxels"]), 0.0);
    assert!(folder.path().join("dose.raw").is_file());
}

#[test]
fn another_spacing_keeps_place_and_codes() {
    let folder = files();
    let args = ["activity.nii", "--spacing", "3", "--kind", "activity", "--output", "three.nii"];
    let found = report(&folder, &args);
    assert!((number(&found["sums"][0]) / number(&found["sums"][1]) - 1.0).abs() < 1e-6);
    let header = read_volume(&folder.path().join("three.nii")).expect("written").header;
    assert_eq!((header.grid.shape(), header.origin.qform_code, header.origin.sform_code), ([3, 3, 2], 0, 4));
    let text = succeed(folder.path(), ["resample"].into_iter().chain(args));
    assert!(text.contains("8 mm") || text.contains("overlaps   exact"), "{text}");
}

#[test]
fn a_transform_moves_the_map() {
    let folder = files();
    let itk = "#Insight Transform File V1.0\nTransform: TranslationTransform_double_3_3\nParameters: -2 0 0\n\
               FixedParameters:\n";
    fs::write(folder.path().join("shift.tfm"), itk).expect("a writable folder");
    let args = ["activity.nii", "--like", "activity.nii", "--kind", "activity", "--transform", "shift.tfm"];
    let there = report(&folder, &[&args[..], &["--output", "moved.nii"]].concat());
    // 2 mm to ITK's right of a point is 2 mm further along x in NIfTI.
    let moved = read_volume(&folder.path().join("moved.nii")).expect("written").volume;
    assert_eq!(moved.as_slice()[..4], [1e6, 2e6, 3e6, 0.0]);
    assert!(number(&there["share_outside"]) > 0.1);
    report(&folder, &[&args[..], &["--invert-transform", "--output", "back.nii"]].concat());
    let back = read_volume(&folder.path().join("back.nii")).expect("written").volume;
    assert_eq!(back.as_slice()[..4], [0.0, 0.0, 1e6, 2e6]);
}

#[test]
fn faults_are_named_together() {
    let folder = files();
    let output = dosegrid(
        folder.path(),
        ["resample", "absent.nii", "--like", "gone.nii", "--kind", "dose", "--output", "dose.txt", "--nan", "maybe"],
    );
    assert_eq!(output.status.code(), Some(2));
    for words in ["output: must end in", "input: cannot be opened", "like: cannot be opened", "nan: must be"] {
        assert!(stderr(&output).contains(words), "{words}: {}", stderr(&output));
    }
    let mut bad = NiftiBytes::new([2, 1, 1], [1.0; 3], FLOAT32, &[f64::NAN, 1.0]);
    bad.form_codes = [0, 1];
    fs::write(folder.path().join("nan.nii"), bad.bytes()).expect("a writable folder");
    let args = ["resample", "nan.nii", "--spacing", "0.5", "--kind", "dose", "--output", "out.nii"];
    let output = dosegrid(folder.path(), args);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("--nan zero"), "{}", stderr(&output));
    let found = report(&folder, &[&args[1..], &["--nan", "zero"]].concat());
    assert_eq!(number(&found["nan_voxels"]), 1.0);
    let same = ["resample", "nan.nii", "--spacing", "1", "--kind", "dose", "--output", "nan.nii"];
    assert!(stderr(&dosegrid(folder.path(), same)).contains("output: is also the path of another file"));
}
