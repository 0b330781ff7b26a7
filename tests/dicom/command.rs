//! The command line on DICOM files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use tempfile::TempDir;

use super::objects::{Made, ct, nm_in_bq, squares, structures};
use crate::support::command::{dosegrid, stderr, succeed};

/// The nuclide, the injection and its time.
fn drug() -> Made {
    let code = Made::item().text(tags::CODE_MEANING, VR::LO, "^177^Lutetium");
    Made::item()
        .numbers(tags::RADIONUCLIDE_TOTAL_DOSE, &[7400.0])
        .text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, "20260301120000")
        .items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code])
}

/// A folder with an activity 24 hours after injection, a CT of its grid, and the same as NIfTI.
fn session() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    nm_in_bq().items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug()]).save(&folder.path().join("nm"));
    fs::create_dir(folder.path().join("ct")).expect("a writable folder");
    for (name, z) in [("b", 100.0), ("a", 110.0)] {
        let slice = ct(z, 40.0)
            .numbers(tags::IMAGE_POSITION_PATIENT, &[-5.0, -5.0, z])
            .numbers(tags::PIXEL_SPACING, &[10.0, 10.0])
            .pixels([2, 2, 1], &[1064; 4]);
        slice.save(&folder.path().join("ct").join(name));
    }
    fs::create_dir(folder.path().join("nifti")).expect("a writable folder");
    succeed(folder.path(), ["convert", "nm", "--as", "activity", "--output", "nifti/nm.nii"]);
    succeed(folder.path(), ["convert", "ct", "--as", "ct", "--output", "nifti/ct.nii"]);
    folder
}

fn compute(folder: &Path, activity: &str, ct: &str, output: &str, more: &[&str]) -> String {
    let given = ["compute", "--activity", activity, "--ct", ct, "--output", output, "--method", "local"];
    let given = given.into_iter().chain(["--effective-half-life", "50h", "--quiet"]).chain(more.iter().copied());
    stderr(&dosegrid(folder, given))
}

#[test]
fn a_dose_from_dicom_is_that_of_the_same_volumes_and_words() {
    let folder = session();
    let said = compute(folder.path(), "nm", "ct", "dicom.nii", &[]);
    assert!(!said.contains("error"), "{said}");
    let words = ["--activity-unit", "bq-per-ml", "--nuclide", "Lu-177", "--imaged-after", "24h"];
    let more = ["--injected-activity", "7400MBq"];
    compute(folder.path(), "nifti/nm.nii", "nifti/ct.nii", "nifti/nifti.nii", &[&words[..], &more[..]].concat());
    let dose = |name: &str| fs::read(folder.path().join(name)).expect("a dose");
    assert_eq!(dose("dicom.nii"), dose("nifti/nifti.nii"));
    // What agrees may be said again.
    compute(folder.path(), "nm", "ct", "again.nii", &words);
    assert_eq!(dose("again.nii"), dose("nifti/nifti.nii"));
}

#[test]
fn claims_that_disagree_with_the_file_are_refused() {
    let folder = session();
    for (flag, value) in [
        ("--activity-unit", "bq"),
        ("--nuclide", "Y-90"),
        ("--imaged-after", "4h"),
        ("--injected-activity", "1GBq"),
        ("--decay-corrected-to", "injection"),
    ] {
        let said = compute(folder.path(), "nm", "ct", "dose.nii", &[flag, value]);
        assert!(said.contains(&format!("error: {}: the file", &flag[2..])), "{flag}: {said}");
    }
    assert!(!folder.path().join("dose.nii").exists());
}

#[test]
fn what_belongs_to_another_patient_or_frame_of_reference_is_refused() {
    let folder = session();
    let other = structures(vec![squares(1, "A", &[100.0])]).text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.3.77");
    other.save(&folder.path().join("labels"));
    let said =
        stderr(&dosegrid(folder.path(), ["convert", "labels", "--as", "labels", "--grid", "ct", "--output", "out"]));
    assert!(said.contains("frame of reference"), "{said}");
    let folder = session();
    for name in ["a", "b"] {
        let path = folder.path().join("ct").join(name);
        let z = if name == "b" { 100.0 } else { 110.0 };
        let slice = ct(z, 40.0).numbers(tags::IMAGE_POSITION_PATIENT, &[-5.0, -5.0, z]).text(
            tags::PATIENT_ID,
            VR::LO,
            "SOMEBODY ELSE",
        );
        slice.save(&path);
    }
    let said = compute(folder.path(), "nm", "ct", "dose.nii", &[]);
    assert!(said.contains("error: ct:") && said.contains("two patients") && !said.contains("SOMEBODY"), "{said}");
}

#[test]
fn contours_in_a_folder_of_their_own_are_drawn_on_the_ct() {
    let folder = session();
    fs::create_dir(folder.path().join("set")).expect("a writable folder");
    let with = |set: Made| {
        set.save(&folder.path().join("set/set"));
        compute(folder.path(), "nm", "ct", "dose.nii", &["--labels", "set", "--organs-output", "organs.csv"])
    };
    let set = structures(vec![squares(1, "KIDNEY", &[100.0, 110.0])]);
    let said = with(set.clone().text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.3.77"));
    assert!(said.contains("error: labels:") && said.contains("two frames of reference"), "{said}");
    let said = with(set.clone().text(tags::PATIENT_ID, VR::LO, "SOMEBODY ELSE"));
    assert!(said.contains("error: labels:") && said.contains("two patients"), "{said}");
    assert!(!folder.path().join("organs.csv").exists());
    let said = with(set);
    assert!(!said.contains("error"), "{said}");
    let table = fs::read_to_string(folder.path().join("organs.csv")).expect("a table");
    assert!(table.contains("KIDNEY"), "{table}");
}

#[test]
fn a_ct_that_does_not_say_where_it_lies_needs_a_registration() {
    let folder = session();
    for (name, z) in [("b", 100.0), ("a", 110.0)] {
        let slice = ct(z, 40.0)
            .numbers(tags::IMAGE_POSITION_PATIENT, &[-5.0, -5.0, z])
            .numbers(tags::PIXEL_SPACING, &[10.0, 10.0])
            .without(tags::FRAME_OF_REFERENCE_UID)
            .pixels([2, 2, 1], &[1064; 4]);
        slice.save(&folder.path().join("ct").join(name));
    }
    let said = compute(folder.path(), "nm", "ct", "dose.nii", &[]);
    assert!(said.contains("error: ct: nothing says") && said.contains("--transform"), "{said}");
    let same = "#Insight Transform File V1.0\n#Transform 0\nTransform: TranslationTransform_double_3_3\n";
    fs::write(folder.path().join("same.tfm"), format!("{same}Parameters: 0 0 0\nFixedParameters: \n"))
        .expect("a writable folder");
    let said = compute(folder.path(), "nm", "ct", "dose.nii", &["--transform", "same.tfm"]);
    assert!(!said.contains("error"), "{said}");
    // A volume file says nothing of that kind, and never did.
    let said = compute(folder.path(), "nm", "nifti/ct.nii", "dose.nii", &[]);
    assert!(!said.contains("error"), "{said}");
}

#[test]
fn a_folder_is_inspected_series_by_series() {
    let folder = session();
    let text = succeed(folder.path(), ["inspect", "."]);
    for words in ["goes with 1.2.3.5", "24.0000 h after injection", "time points 1", "7400 MBq"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = succeed(folder.path(), ["inspect", "ct", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&found["series"][0]["modality"], &found["series"][0]["slices"]), (&"CT".into(), &2.into()));
}

#[test]
fn what_is_converted_and_what_is_said_of_it_are_two_files() {
    let folder = session();
    symlink("x.nii", folder.path().join("link")).expect("a writable folder");
    let convert = ["convert", "nm", "--as=activity", "--output=x.nii", "--json"];
    for json in ["x.nii", "./x.nii", "nifti/../x.nii", "link"] {
        let output = dosegrid(folder.path(), convert.iter().copied().chain([json]));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{json}: {said}");
        assert!(said.contains("json: is also the path of another file of this run"), "{json}: {said}");
        assert!(!folder.path().join("x.nii").exists(), "{json}");
    }
    let rtdose = ["convert", "nifti/ct.nii", "--as=rtdose", "--reference=ct", "--output=d.dcm", "--plan-output=d.dcm"];
    assert!(stderr(&dosegrid(folder.path(), rtdose)).contains("plan-output: is also the path of another file"));
    succeed(folder.path(), convert.into_iter().chain(["x.json"]));
}

#[test]
fn no_file_of_a_folder_that_is_read_is_replaced() {
    let folder = session();
    let slice = folder.path().join("ct/a");
    let before = fs::read(&slice).expect("a slice");
    symlink("ct/a", folder.path().join("link")).expect("a writable folder");
    for json in ["ct/a", "./ct/../ct/a", "link"] {
        let output = dosegrid(folder.path(), ["convert", "ct", "--as=ct", "--output=x.nii", "--json", json]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{json}: {said}");
        assert!(said.contains("json: is a file of a folder that is read in this run"), "{json}: {said}");
        let said = compute(folder.path(), "nm", "ct", "dose.nii", &["--json", json]);
        assert!(said.contains("json: is a file of a folder that is read in this run"), "{json}: {said}");
    }
    // The series of a folder is read from all of it.
    let series = "ct#1.2.3.5";
    let said = stderr(&dosegrid(folder.path(), ["convert", series, "--as=ct", "--output=x.nii", "--json=ct/b"]));
    assert!(said.contains("json: is a file of a folder that is read in this run"), "{said}");
    assert!(fs::read(&slice).expect("a slice") == before && !folder.path().join("x.nii").exists());
    // A new file is none of them.
    succeed(folder.path(), ["convert", "ct", "--as=ct", "--output=x.nii", "--json=ct/x.json"]);
}

#[test]
fn masks_go_into_a_folder() {
    let folder = session();
    let set = structures(vec![squares(1, "LEFT KIDNEY", &[0.0, 5.0]), squares(2, "left_kidney", &[0.0])]);
    let images = folder.path().join("images");
    fs::create_dir(&images).expect("a writable folder");
    set.save(&images.join("set"));
    for z in [0.0, 5.0] {
        ct(z, 0.0).save(&images.join(format!("{z}")));
    }
    let args = ["convert", "images/set", "--as", "labels", "--output", "masks", "--json"];
    let found: serde_json::Value = serde_json::from_str(&succeed(folder.path(), args)).expect("JSON");
    assert_eq!(found["names"], serde_json::json!(["LEFT KIDNEY", "left_kidney"]));
    assert_eq!((&found["masks"][0]["voxels"], &found["overlap_voxels"]), (&8.into(), &4.into()));
    for name in ["LEFT_KIDNEY.nii.gz", "left_kidney_2.nii.gz"] {
        assert!(folder.path().join("masks").join(name).is_file(), "{name}");
    }
    let args = ["convert", "images/set", "--as=labels", "--output=new", "--json=new/left_kidney_2.nii.gz"];
    fs::create_dir(folder.path().join("new")).expect("a writable folder");
    let said = stderr(&dosegrid(folder.path(), args));
    assert!(said.contains("json: is also the path of another file of this run"), "{said}");
    assert_eq!(fs::read_dir(folder.path().join("new")).expect("a folder").count(), 0);
    let said =
        stderr(&dosegrid(folder.path(), ["convert", "nm", "--as", "ct", "--output", "x.nii", "--threshold", "2"]));
    assert!(said.contains("threshold: has no effect"), "{said}");
}
