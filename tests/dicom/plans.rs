//! What a plan of a study says of its files, before anything is computed.

use std::fs;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use tempfile::TempDir;

use super::objects::{Made, ct, map, squares, structures};
use super::places::{activity, drug, write_ct};
use crate::support::command::{dosegrid, stderr, succeed};

const OTHER: &str = "1.2.3.30";

/// An activity at 24 h, a CT over it, and another activity two days later.
///
/// * `series` – UID of the series of the second
fn session(series: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let study = folder.path().join("study");
    fs::create_dir(&study).expect("a writable folder");
    activity(drug()).save(&study.join("first"));
    second(series).save(&study.join("second"));
    write_ct(&study, "TEST", "1.2.3.4", 0.0);
    folder
}

fn second(series: &str) -> Made {
    activity(drug())
        .text(tags::SERIES_INSTANCE_UID, VR::UI, series)
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.31")
        .text(tags::ACQUISITION_DATE, VR::DA, "20260304")
        .items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("Bq/ml", 7.0, [0, 65_535])])
}

/// A structure set of an organ, and of regions that hold none.
fn regions() -> Made {
    let [region, _] = squares(2, "marker", &[]);
    let point = Made::item()
        .text(tags::CONTOUR_GEOMETRIC_TYPE, VR::CS, "POINT")
        .text(tags::NUMBER_OF_CONTOUR_POINTS, VR::IS, "1")
        .numbers(tags::CONTOUR_DATA, &[0.0, 0.0, 100.0]);
    let contours =
        Made::item().text(tags::REFERENCED_ROI_NUMBER, VR::IS, "2").items(tags::CONTOUR_SEQUENCE, vec![point]);
    structures(vec![squares(1, "liver", &[100.0, 110.0]), [region, contours], squares(3, "empty", &[])])
}

const PLAN: [&str; 5] = ["study", "study", "--dry-run", "--method", "local"];

#[test]
fn regions_that_will_be_left_out_are_in_the_plan() {
    let folder = session(OTHER);
    regions().save(&folder.path().join("study/rtstruct"));
    let half_life = ["--activity-series", "1.2.3.3", "--effective-half-life", "50h"];
    for more in [&[][..], &half_life] {
        let text = succeed(folder.path(), PLAN.iter().chain(more));
        for name in ["marker", "empty"] {
            let told = |line: &str| line.starts_with("told ") && line.contains(&format!("`{name}` is left out: "));
            assert!(text.lines().any(told), "{more:?}: {text}");
        }
        assert!(!text.contains("`liver` is left out"), "{text}");
    }
    // What the study itself says is what was foretold.
    let plan = succeed(folder.path(), PLAN);
    let run = ["study", "study", "--output", "out", "--method", "local", "--quiet"];
    succeed(folder.path(), run);
    let account = fs::read_to_string(folder.path().join("out/study.json")).expect("an account");
    let account: serde_json::Value = serde_json::from_str(&account).expect("JSON");
    let assumed = account["assumed"].as_array().expect("a list");
    for line in plan.lines().filter_map(|line| line.strip_prefix("told       ")) {
        assert!(assumed.iter().any(|words| words == line), "{line}: {assumed:?}");
    }
}

#[test]
fn what_is_doubtful_of_the_ct_is_in_the_plan() {
    let folder = session(OTHER);
    let slice = ct(110.0, 40.0).numbers(tags::IMAGE_POSITION_PATIENT, &[-5.0, -5.0, 110.0]);
    let slice = slice.numbers(tags::PIXEL_SPACING, &[10.0, 10.0]).pixels([2, 2, 1], &[1064; 4]);
    slice.numbers(tags::RESCALE_SLOPE, &[1.21]).save(&folder.path().join("study/110"));
    let text = succeed(folder.path(), PLAN);
    assert!(text.contains("told       the slices have different Rescale Slopes (1 to 1.21)"), "{text}");
}

#[test]
fn a_time_point_that_cannot_be_read_is_the_only_reason() {
    // One has the UID of the series of the other; one is of two energy windows.
    let shared = session("1.2.3.3");
    let windows = session(OTHER);
    second(OTHER).short(tags::NUMBER_OF_ENERGY_WINDOWS, 2).save(&windows.path().join("study/second"));
    for (folder, series) in [(&shared, "1.2.3.3"), (&windows, OTHER)] {
        let integrate = ["integrate", "--series", "study", "--output", "out"];
        for (words, fault) in [(PLAN, "error: folder: "), (integrate, "error: folder: ")] {
            let said = stderr(&dosegrid(folder.path(), words));
            let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
            assert!(errors.len() == 1 && errors[0].starts_with(fault) && errors[0].contains(series), "{said}");
        }
    }
}

#[test]
fn results_that_are_not_all_there_have_no_account() {
    let folder = session(OTHER);
    let run = || dosegrid(folder.path(), ["study", "study", "--output", "out", "--method", "local", "--quiet"]);
    assert!(run().status.success());
    let place = |name: &str| folder.path().join("out").join(name);
    assert!(place("study.json").exists());
    // What cannot be removed ends the next study as soon as it begins to remove.
    fs::remove_file(place("activity.nii.gz")).expect("it was written");
    fs::create_dir(place("activity.nii.gz")).expect("a writable folder");
    assert_eq!(run().status.code(), Some(1));
    assert!(!place("study.json").exists() && place("dose.nii.gz").exists());
}
