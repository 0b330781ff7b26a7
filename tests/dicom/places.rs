//! What DICOM files meet: a dose lies where its frame of reference says, and is of one patient and one quantity.

use std::fs;
use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dosegrid::formats::nifti;
use dosegrid::formats::volume_file::read_volume;
use tempfile::TempDir;

use super::kinds::{activity_of, uncorrected};
use super::objects::{Made, ct, map, nm_in_bq};
use crate::support::command::{dosegrid, stderr, succeed};

/// The frame of reference of the activity.
const ACTIVITY: &str = "1.2.3.4";
/// That of a CT of another day, in which all lies 30 mm further to the patient's left.
const OTHER_DAY: &str = "1.2.3.9";
const SHIFT_MM: f64 = 30.0;

/// Lu-177, injected the day before the scan.
pub(super) fn drug() -> Made {
    let code = Made::item().text(tags::CODE_MEANING, VR::LO, "^177^Lutetium");
    Made::item()
        .numbers(tags::RADIONUCLIDE_TOTAL_DOSE, &[7400.0])
        .text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, "20260301120000")
        .items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code])
}

pub(super) fn activity(drug: Made) -> Made {
    nm_in_bq().items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug])
}

/// A CT over the activity, in a folder of its own.
pub(super) fn write_ct(folder: &Path, patient: &str, frame: &str, shift_mm: f64) {
    fs::create_dir_all(folder).expect("a writable folder");
    for z in [100.0, 110.0] {
        let slice = ct(z, 40.0)
            .text(tags::PATIENT_ID, VR::LO, patient)
            .text(tags::FRAME_OF_REFERENCE_UID, VR::UI, frame)
            .numbers(tags::IMAGE_POSITION_PATIENT, &[shift_mm - 5.0, -5.0, z])
            .numbers(tags::PIXEL_SPACING, &[10.0, 10.0])
            .pixels([2, 2, 1], &[1064; 4]);
        slice.save(&folder.join(z.to_string()));
    }
}

/// An activity at 24 h, a CT of its frame of reference, one of another day with the registration to it, one of
/// another patient, and a segmentation of the last voxel of the activity.
fn session() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    activity(drug()).save(&path("nm"));
    write_ct(&path("ct"), "TEST", ACTIVITY, 0.0);
    write_ct(&path("other_day"), "TEST", OTHER_DAY, SHIFT_MM);
    write_ct(&path("other_patient"), "SOMEBODY ELSE", ACTIVITY, 0.0);
    let shift = format!(
        "#Insight Transform File V1.0\n#Transform 0\nTransform: TranslationTransform_double_3_3\nParameters: {SHIFT_MM} 0 \
         0\nFixedParameters: \n"
    );
    fs::write(path("shift.tfm"), shift).expect("a writable folder");
    succeed(folder.path(), ["convert", "nm", "--as", "activity", "--output", "nm.nii"]);
    let last = read_volume(&path("nm.nii")).expect("a volume").volume.map(|v| if *v > 75.0 { 1.0 } else { 0.0 });
    nifti::write(&path("last.nii"), &last, "label").expect("a writable folder");
    succeed(folder.path(), ["convert", "last.nii", "--as", "seg", "--reference", "ct", "--output", "seg"]);
    folder
}

fn compute(folder: &Path, ct: &str, output: &str, more: &[&str]) -> String {
    let given = ["compute", "--activity", "nm", "--ct", ct, "--output", output, "--method", "local"];
    let given = given.into_iter().chain(["--effective-half-life", "50h", "--quiet"]).chain(more.iter().copied());
    stderr(&dosegrid(folder, given))
}

/// Frame of reference of an object, and where its first pixel lies along the patient's left [mm].
fn place(path: &Path) -> (String, f64) {
    let object = dicom_object::open_file(path).expect("a DICOM file");
    let frame = object.element(tags::FRAME_OF_REFERENCE_UID).expect("a frame of reference").to_str().expect("a text");
    let position = object.element(tags::IMAGE_POSITION_PATIENT).expect("a place").to_multi_float64().expect("numbers");
    (frame.trim_matches([' ', '\0']).to_owned(), position[0])
}

#[test]
fn a_dose_on_the_grid_of_the_activity_lies_where_the_registration_leads() {
    let folder = session();
    let of = |more: &[&str]| {
        let more = [&["--transform", "shift.tfm", "--dose-grid"][..], more].concat();
        let said = compute(folder.path(), "other_day", "dose.dcm", &more);
        assert!(!said.contains("error"), "{more:?}: {said}");
        let found = place(&folder.path().join("dose.dcm"));
        fs::remove_file(folder.path().join("dose.dcm")).expect("it was written");
        found
    };
    let moved = (OTHER_DAY.to_owned(), SHIFT_MM - 5.0);
    assert_eq!(of(&["activity"]), moved);
    assert_eq!(of(&["ct"]), moved);
    assert_eq!(of(&["activity", "--reference", "ct"]), (ACTIVITY.to_owned(), -5.0));
    assert_eq!(of(&["ct", "--reference", "ct"]), (ACTIVITY.to_owned(), -5.0));
    // What was written before, and knows of no registration, needs it again.
    let said = compute(folder.path(), "ct", "dose.dcm", &[]);
    assert!(!said.contains("error"), "{said}");
    let convert = ["convert", "dose.dcm", "--as", "rtdose", "--reference", "other_day", "--output", "again.dcm"];
    let said = stderr(&dosegrid(folder.path(), convert));
    assert!(said.contains("error: reference:") && said.contains("--reference-transform"), "{said}");
    succeed(folder.path(), convert.into_iter().chain(["--reference-transform", "shift.tfm"]));
    assert_eq!(place(&folder.path().join("again.dcm")), moved);
}

#[test]
fn labels_of_a_frame_of_reference_lie_in_it_whatever_their_grid() {
    let folder = session();
    let decays = |labels: &str| {
        let more = ["--transform", "shift.tfm", "--labels", labels, "--organs-output", "organs.csv"];
        let said = compute(folder.path(), "other_day", "dose.nii", &more);
        assert!(!said.contains("error"), "{labels}: {said}");
        let mut table = csv::Reader::from_path(folder.path().join("organs.csv")).expect("a table");
        let at = table.headers().expect("a header").iter().position(|name| name == "decays").expect("a column");
        table.records().next().expect("a row").expect("a row")[at].parse::<f64>().expect("a number")
    };
    // The segmentation has fewer planes than the activity; the map of labels has its grid.
    let expected = decays("last.nii");
    assert!(expected > 0.0);
    assert!((decays("seg") / expected - 1.0).abs() < 1e-6);
    let third = ["convert", "last.nii", "--as", "seg", "--reference", "third", "--output", "third_seg"];
    write_ct(&folder.path().join("third"), "TEST", "1.2.3.77", 0.0);
    succeed(folder.path(), third);
    let more = ["--transform", "shift.tfm", "--labels", "third_seg", "--organs-output", "organs.csv"];
    let said = compute(folder.path(), "other_day", "dose.nii", &more);
    assert!(said.contains("error: labels:") && said.contains("neither that of the activity"), "{said}");
}

#[test]
fn a_study_with_a_registration_keeps_organs_on_the_activity_and_moves_its_doses() {
    let folder = session();
    let study = folder.path().join("study");
    fs::create_dir(&study).expect("a writable folder");
    activity(drug()).save(&study.join("first"));
    activity(drug())
        .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.30")
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.31")
        .text(tags::ACQUISITION_DATE, VR::DA, "20260304")
        .items(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![map("Bq/ml", 7.0, [0, 65_535])])
        .save(&study.join("second"));
    write_ct(&study.join("ct"), "TEST", OTHER_DAY, SHIFT_MM);
    fs::copy(folder.path().join("seg"), study.join("seg")).expect("it was written");
    let flags = ["--ct-series", "1.2.3.5", "--transform", "shift.tfm", "--method", "local", "--quiet"];
    succeed(folder.path(), ["study", "study", "--output", "out"].into_iter().chain(flags));
    assert_eq!(place(&folder.path().join("out/dose.dcm")), (OTHER_DAY.to_owned(), SHIFT_MM - 5.0));
    let text = fs::read_to_string(folder.path().join("out/curves.json")).expect("curves");
    let curves: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let organ = &curves["regions"]["label_1"];
    let measured = organ["activity_mbq"].as_array().expect("activities of the organ");
    let measured: Vec<f64> = measured.iter().map(|mbq| mbq.as_f64().expect("a number")).collect();
    // A voxel of 1 mL with the stored value 8.
    assert!((measured[0] / 80e-6 - 1.0).abs() < 1e-3 && (measured[1] / 56e-6 - 1.0).abs() < 1e-3, "{organ}");
}

#[test]
fn what_belongs_to_two_patients_never_meets() {
    let folder = session();
    compute(folder.path(), "ct", "dose.dcm", &[]);
    let refused = |words: &[&str], field: &str| {
        let output = dosegrid(folder.path(), words);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(&format!("error: {field}")) && said.contains("two patients"), "{words:?}: {said}");
        assert!(!said.contains("SOMEBODY"), "{said}");
    };
    let other = ["--reference", "other_patient", "--output", "x.dcm"];
    refused(&[&["convert", "dose.dcm", "--as", "rtdose"][..], &other].concat(), "reference");
    refused(&[&["convert", "seg", "--as", "seg"][..], &other].concat(), "reference");
    let said = compute(folder.path(), "ct", "x.dcm", &["--reference", "other_patient"]);
    assert!(said.contains("error: reference:") && said.contains("two patients"), "{said}");
    succeed(folder.path(), ["convert", "last.nii", "--as", "seg", "--reference", "other_patient", "--output", "seg_b"]);
    let said = compute(folder.path(), "ct", "x.nii", &["--labels", "seg", "--labels", "seg_b"]);
    assert!(said.contains("error: labels:") && said.contains("two patients"), "{said}");
    activity(drug()).text(tags::PATIENT_ID, VR::LO, "SOMEBODY ELSE").save(&folder.path().join("nm_b"));
    let words = "nuclide = 'Lu-177'\n[[scan]]\nfile = 'nm'\ntime = 24\n[[scan]]\nfile = 'nm_b'\ntime = 72\n";
    fs::write(folder.path().join("series.toml"), words).expect("a writable folder");
    refused(&["integrate", "--series", "series.toml", "--output", "out"], "scan_2.file");
    refused(&["resample", "nm_b", "--kind", "concentration", "--like", "ct", "--output", "x.nii"], "like");
    let dose_b = ["compute", "--activity", "nm_b", "--ct", "other_patient", "--effective-half-life", "50h"];
    succeed(folder.path(), dose_b.into_iter().chain(["--method", "local", "--quiet", "--output", "b.dcm"]));
    refused(&["cycles", "--dose", "dose.dcm", "--dose", "b.dcm", "--dose-output", "x.nii"], "dose b.dcm");
    assert!(!folder.path().join("x.dcm").exists() && !folder.path().join("x.nii").exists());
}

#[test]
fn what_dicom_says_its_values_are_is_what_is_read() {
    let folder = session();
    compute(folder.path(), "ct", "dose.dcm", &[]);
    let refused = |words: &[&str], field: &str, reason: &str| {
        let said = stderr(&dosegrid(folder.path(), words));
        assert!(said.contains(&format!("error: {field}")) && said.contains(reason), "{words:?}: {said}");
    };
    let rtdose = ["--as", "rtdose", "--reference", "ct", "--output"];
    refused(&[&["convert", "nm"][..], &rtdose, &["x.dcm"]].concat(), "input", "no dose");
    refused(&["cycles", "--dose", "dose.dcm", "--dose", "nm", "--dose-output", "x.nii"], "dose nm", "no dose");
    let maps = ["compute", "--activity", "nm.nii", "--activity-unit", "bq-s", "--method", "local", "--output", "x.nii"];
    refused(&[&maps[..], &["--nuclide", "Lu-177", "--density", "dose.dcm"]].concat(), "density", "is DICOM");
    let daughter = ["--nuclide", "Ac-225", "--daughters", "parent-only", "--daughter-activity", "Bi-213=nm"];
    refused(&[&maps[..], &daughter].concat(), "daughter-activity", "is DICOM");
    refused(&["resample", "nm", "--kind", "dose", "--like", "ct", "--output", "x.nii"], "input", "no dose");
    refused(&["resample", "nm", "--kind", "activity", "--like", "ct", "--output", "x.nii"], "input", "concentration");
    // A weighted dose is no absorbed dose unless it is asked for.
    let weighted = [&["convert", "dose.dcm"][..], &rtdose, &["bed.dcm"]].concat();
    refused(&[&weighted[..], &["--kind", "effective"]].concat(), "input", "Dose Type PHYSICAL");
    succeed(folder.path(), ["convert", "dose.dcm", "--as", "dose", "--output", "dose.nii"]);
    let made = [&["convert", "dose.nii", "--kind", "effective"][..], &rtdose, &["bed.dcm"]].concat();
    succeed(folder.path(), made);
    refused(&["convert", "bed.dcm", "--as", "dose", "--output", "x.nii"], "input", "--kind");
    refused(
        &["cycles", "--dose", "dose.dcm", "--dose", "bed.dcm", "--dose-output", "x.nii"],
        "dose bed.dcm",
        "EFFECTIVE",
    );
    assert!(!folder.path().join("x.dcm").exists() && !folder.path().join("x.nii").exists());
    succeed(folder.path(), ["convert", "bed.dcm", "--as", "dose", "--kind", "effective", "--output", "bed.nii"]);
    succeed(folder.path(), ["cycles", "--dose", "dose.dcm", "--dose", "dose.dcm", "--dose-output", "sum.nii"]);
}

/// A radiopharmaceutical that was given at 08:00 of a day that it does not say.
fn without_date(half_life_s: f64) -> Made {
    Made::item().numbers(tags::RADIONUCLIDE_HALF_LIFE, &[half_life_s]).text(
        tags::RADIOPHARMACEUTICAL_START_TIME,
        VR::TM,
        "080000",
    )
}

#[test]
fn an_injection_without_a_date_is_of_the_day_of_the_scan_only_where_it_must_be() {
    let time = |half_life_s: f64| {
        let image = activity_of(&activity(without_date(half_life_s)), None).expect("an activity");
        let activity = image.account.activity.expect("an activity");
        assert!(image.warnings.iter().any(|words| words.contains("a time and no date")), "{:?}", image.warnings);
        (activity.injection.and_then(|injection| injection.time), activity.injection_day_unknown)
    };
    assert_eq!(time(6586.2), (Some("2026-03-02T08:00:00".to_owned()), false), "F-18");
    assert_eq!(time(574_300.0), (None, true), "Lu-177");
    let folder = session();
    let code = Made::item().text(tags::CODE_MEANING, VR::LO, "^177^Lutetium");
    let drug = without_date(574_300.0).items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code]);
    activity(drug).save(&folder.path().join("nm"));
    let said = compute(folder.path(), "ct", "x.nii", &[]);
    assert!(said.contains("error: imaged-after: is needed") && !folder.path().join("x.nii").exists(), "{said}");
    let said = compute(folder.path(), "ct", "x.nii", &["--imaged-after", "96h"]);
    assert!(!said.contains("error") && folder.path().join("x.nii").exists(), "{said}");
}

/// A PET of Ga-68 scanned at 10:00, in a folder with a CT, corrected for decay to its injection at 09:00.
fn corrected_to_injection() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let code = Made::item().text(tags::CODE_MEANING, VR::LO, "^68^Gallium");
    let drug = Made::item()
        .numbers(tags::RADIONUCLIDE_HALF_LIFE, &[4062.6])
        .text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, "20260302090000")
        .items(tags::RADIONUCLIDE_CODE_SEQUENCE, vec![code]);
    for (name, is_pet) in [("pet", true), ("ct", false)] {
        fs::create_dir_all(folder.path().join("all").join(name)).expect("a writable folder");
        for at in 0..2u8 {
            let pet = uncorrected(at, 0, "1.86")
                .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.40")
                .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.41.{at}"))
                .text(tags::DECAY_CORRECTION, VR::CS, "ADMIN")
                .pixels([4, 4, 1], &[2024; 16])
                .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![drug.clone()]);
            let made = if is_pet { pet } else { ct(5.0 * f64::from(at), 40.0) };
            made.save(&folder.path().join("all").join(name).join(at.to_string()));
        }
    }
    folder
}

#[test]
fn a_correction_to_the_injection_is_undone_as_it_was_made() {
    let folder = corrected_to_injection();
    let total = |more: &[&str]| {
        let study = ["study", "all", "--dry-run", "--no-labels", "--effective-half-life", "physical"];
        let text = succeed(folder.path(), study.iter().chain(more));
        let line = text.lines().find(|line| line.starts_with("activity")).expect("an activity").to_owned();
        line.split(": ").nth(1).and_then(|rest| rest.split(" MBq").next()).expect("a total").to_owned()
    };
    let own = total(&[]);
    assert!(own.parse::<f64>().expect("a number") > 0.0);
    // What a caller says of the injection moves the times, and no activity.
    assert_eq!(total(&["--injection", "2026-03-02T09:30:00"]), own);
    let integrate = |more: &str, time: &str| {
        let words = format!("nuclide = 'Ga-68'\n{more}[[scan]]\nfile = 'all/pet'\ntime = {time}\n");
        fs::write(folder.path().join("series.toml"), words).expect("a writable folder");
        let words = ["integrate", "--series", "series.toml", "--single-time-point", "physical", "--output", "out"];
        stderr(&dosegrid(folder.path(), words))
    };
    let said = integrate("", "1.0");
    assert!(said.contains("scan_1.file") && said.contains("corrected to the injection"), "{said}");
    let said = integrate("value_refers_to = 'injection'\n", "2.0");
    assert!(said.contains("scan_1.time") && said.contains("decay-corrected over 1.000 h"), "{said}");
    let said = integrate("value_refers_to = 'injection'\ninjection = '2026-03-02T09:30:00'\n", "1.0");
    assert!(said.contains("error: injection") && said.contains("decay was corrected"), "{said}");
    let said = integrate("value_refers_to = 'injection'\n", "1.0");
    assert!(!said.contains("scan_1") && !said.contains("error: injection"), "{said}");
}

#[test]
fn a_time_in_a_series_does_not_replace_that_of_a_file() {
    let folder = session();
    let integrate = |time: &str| {
        let words = format!("nuclide = 'Lu-177'\n[[scan]]\nfile = 'nm'\ntime = {time}\n");
        fs::write(folder.path().join("series.toml"), words).expect("a writable folder");
        let words = ["integrate", "--series", "series.toml", "--single-time-point", "physical", "--output", "out"];
        stderr(&dosegrid(folder.path(), words))
    };
    let text = succeed(folder.path(), ["inspect", "nm", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let hours = found["series"][0]["hours_after_injection"].as_f64().expect("a time after the injection");
    assert_eq!(integrate(&format!("{hours:?}")), "");
    let said = integrate(&format!("{:?}", hours + 24.0));
    assert!(said.contains("error: scan_1.time: ") && said.contains("24.000 h away; leave it out"), "{said}");
}

#[test]
fn a_full_disk_is_told_with_the_name_of_the_file() {
    let folder = session();
    for name in ["dose.dcm", "page.dcm", "seg.dcm", "plan.dcm"] {
        std::os::unix::fs::symlink("/dev/full", folder.path().join(name)).expect("a writable folder");
    }
    let told = |said: &str, flag: &str, name: &str| {
        assert!(said.contains(&format!("error: {flag}: cannot be written: {name}: No space left")), "{said}");
    };
    told(&compute(folder.path(), "ct", "dose.dcm", &[]), "output", "dose.dcm");
    told(
        &compute(folder.path(), "ct", "x.nii", &["--reference", "ct", "--summary-output", "page.dcm"]),
        "summary-output",
        "page.dcm",
    );
    told(&compute(folder.path(), "ct", "x.dcm", &["--plan-output", "plan.dcm"]), "plan-output", "plan.dcm");
    let seg = ["convert", "last.nii", "--as", "seg", "--reference", "ct", "--output", "seg.dcm"];
    told(&stderr(&dosegrid(folder.path(), seg)), "output", "seg.dcm");
}
