//! A study whose files are damaged gives its own doses or none: never those of what is left of it.

use std::fs;
use std::path::{Path, PathBuf};

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{InMemDicomObject, open_file};
use tempfile::TempDir;

use super::road::demo;
use crate::gateway::site::files;
use crate::support::command::{dosegrid, stderr, succeed};

/// The study of the demonstration, once more.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("study")).expect("a writable folder");
    for (number, path) in files(&demo().join("out/dicom")).iter().enumerate() {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let name = if name.starts_with("spect") { name.to_owned() } else { format!("{number}-{name}") };
        fs::copy(path, folder.path().join("study").join(name)).expect("a writable folder");
    }
    folder
}

/// Changes a file.
fn change(path: &Path, change: impl Fn(&mut InMemDicomObject)) {
    let mut object = open_file(path).expect("a file");
    change(&mut object);
    object.write_to_file(path).expect("a writable folder");
}

fn text(object: &mut InMemDicomObject, tag: Tag, vr: VR, text: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(text)));
}

/// A study with a SPECT changed.
///
/// * `number` – of the SPECT, from 1
fn with_spect(number: usize, by: impl Fn(&mut InMemDicomObject)) -> TempDir {
    let folder = copy();
    change(&folder.path().join(format!("study/spect-{number}.dcm")), by);
    folder
}

/// What a plan says, or why there is none.
fn plan(folder: &TempDir) -> Result<String, String> {
    let output = dosegrid(folder.path(), ["study", "study", "--dry-run", "--method", "local"]);
    match output.status.code() {
        Some(0) => Ok(String::from_utf8(output.stdout).expect("text")),
        Some(2) => Err(stderr(&output)),
        other => panic!("{other:?}: {}", stderr(&output)),
    }
}

fn refused(folder: &TempDir, words: &[&str]) {
    let said = plan(folder).expect_err("it is refused");
    assert!(words.iter().all(|part| said.contains(part)), "{words:?}: {said}");
}

/// Mean doses of organs.
fn doses(folder: &Path, study: &str) -> Vec<String> {
    succeed(folder, ["study", study, "--method", "local", "--quiet", "--output", "results"]);
    let mut table = csv::Reader::from_path(folder.join("results/organs.csv")).expect("a table");
    let at = table.headers().expect("a header").iter().position(|name| name == "mean_by_mass_gy").expect("a column");
    table.records().map(|row| row.expect("a row")[at].to_owned()).collect()
}

#[test]
fn a_time_point_that_cannot_be_read_is_not_left_out() {
    let short = with_spect(2, |object| {
        object.put(DataElement::new(tags::NUMBER_OF_SLICES, VR::US, PrimitiveValue::from(25u16)));
    });
    refused(&short, &["error: folder: ", "lacks slices: 24 of 25", "--activity-series"]);
    let unknown = with_spect(3, |object| text(object, tags::DECAY_CORRECTION, VR::CS, "MAYBE"));
    refused(&unknown, &["error: folder: ", "Decay Correction that is none", "--activity-series"]);
    // One series for two time points is none.
    let first = open_file(demo().join("out/dicom/spect-1.dcm")).expect("a file");
    let uid = first.element(tags::SERIES_INSTANCE_UID).expect("a UID").to_str().expect("text").into_owned();
    let joined = with_spect(2, |object| text(object, tags::SERIES_INSTANCE_UID, VR::UI, &uid));
    refused(&joined, &["error: folder: ", "two slices at the same position"]);
    // What is made beside an activity is left out, and told.
    let planar = copy();
    let path = planar.path().join("study/planar.dcm");
    fs::copy(planar.path().join("study/spect-1.dcm"), &path).expect("a writable folder");
    change(&path, |object| {
        text(object, tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4");
        text(object, tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\WHOLE BODY\\EMISSION");
    });
    let said = plan(&planar).expect("three time points");
    assert!(said.contains("left out: 1.2.3.4 (NM) is a planar whole body image"), "{said}");
    assert_eq!(said.matches("\nactivity ").count(), 3, "{said}");
}

#[test]
fn files_that_cannot_be_read_are_told_before_any_work() {
    let folder = copy();
    fs::write(folder.path().join("study/empty.dcm"), b"").expect("a writable folder");
    refused(&folder, &["error: folder: holds 1 files that cannot be read"]);
    let folder = copy();
    let slices: Vec<PathBuf> = files(&folder.path().join("study"));
    let slice = slices.iter().find(|path| path.display().to_string().ends_with("-012.dcm")).expect("a slice");
    fs::remove_file(slice).expect("it was written");
    refused(&folder, &["error: ct-series: is needed", "no CT that can be read", "missing"]);
}

#[test]
fn files_that_are_there_twice_are_read_once() {
    let right = doses(demo(), "out/dicom");
    let folder = copy();
    let study = folder.path().join("study");
    fs::copy(study.join("spect-2.dcm"), study.join("again.dcm")).expect("a writable folder");
    assert_eq!(doses(folder.path(), "study"), right);
}

#[test]
fn a_second_reconstruction_with_a_time_of_its_own_is_no_time_point() {
    let folder = copy();
    let path = folder.path().join("study/again.dcm");
    fs::copy(folder.path().join("study/spect-2.dcm"), &path).expect("a writable folder");
    change(&path, |object| {
        text(object, tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4");
        text(object, tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.5");
        text(object, tags::ACQUISITION_TIME, VR::TM, "090010");
    });
    refused(&folder, &["error: activity-series: ", "two reconstructions of one acquisition"]);
}

#[test]
fn activities_that_cannot_be_those_of_one_injection_are_refused() {
    let empty = with_spect(3, |object| {
        let bytes = object.element(tags::PIXEL_DATA).expect("pixels").to_bytes().expect("bytes").len();
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(vec![0u8; bytes])));
    });
    refused(&empty, &["error: activity-series: ", "168.0 h after the injection, holds no activity at all"]);
    // A year too late: nothing is left then.
    let late = with_spect(3, |object| {
        for tag in [tags::ACQUISITION_DATE, tags::SERIES_DATE] {
            text(object, tag, VR::DA, "20270112");
        }
    });
    refused(&late, &["error: activity-series: ", "its date or the injected activity is wrong"]);
    let slope = |factor: f64| {
        with_spect(2, move |object| {
            let map = object.element(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE).expect("a map").items().expect("items");
            let mut map = map[0].clone();
            let slope = map.element(tags::REAL_WORLD_VALUE_SLOPE).expect("a slope").to_float64().expect("a number");
            let slope = PrimitiveValue::from(slope * factor);
            map.put(DataElement::new(tags::REAL_WORLD_VALUE_SLOPE, VR::FD, slope));
            let items = dicom_core::value::DataSetSequence::from(vec![map]);
            object.put(DataElement::new(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, VR::SQ, items));
        })
    };
    refused(&slope(1000.0), &["error: activity-series: ", "its slope, its date or the injected activity is wrong"]);
    refused(&slope(1e36), &["error: folder: ", "which is none: look at its slope"]);
    let said = plan(&slope(2.0)).expect("it may be");
    assert!(said.contains("unless activity came into the field of view"), "{said}");
    assert!(!plan(&copy()).expect("a plan").contains("field of view"));
}

#[test]
fn a_time_point_that_does_not_lie_on_the_reference_is_refused() {
    let folder = with_spect(2, |object| {
        let detector = object.element(tags::DETECTOR_INFORMATION_SEQUENCE).expect("one").items().expect("items");
        let mut detector = detector[0].clone();
        let place =
            detector.element(tags::IMAGE_POSITION_PATIENT).expect("a place").to_multi_float64().expect("numbers");
        let moved: Vec<String> = [place[0], place[1], place[2] + 300.0].map(|mm| format!("{mm:.3}")).to_vec();
        text(&mut detector, tags::IMAGE_POSITION_PATIENT, VR::DS, &moved.join("\\"));
        let items = dicom_core::value::DataSetSequence::from(vec![detector]);
        object.put(DataElement::new(tags::DETECTOR_INFORMATION_SEQUENCE, VR::SQ, items));
    });
    let output = dosegrid(folder.path(), ["study", "study", "--method", "local", "--quiet", "--output", "results"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("its position or its registration is wrong") && said.contains("--activity-series"), "{said}");
}
