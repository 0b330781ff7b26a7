//! From a folder to doses, against the road over NIfTI; what is missing is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::open_file;
use serde_json::Value;
use tempfile::TempDir;

use dosegrid::demo::{DicomStudy, StylisedPhantom};
use dosegrid::formats::nifti;

use crate::gateway::site::files;
use crate::support::command::{Server, dosegrid, stderr, succeed};

/// Coarse voxels: quick, and every organ still has some.
pub(super) const SHAPE: [u64; 3] = [32, 32, 24];
/// Doses by the two roads: half a quantum of 16 bits in the activity, and of 0.1 HU in the CT.
const QUANTISATION: f64 = 5e-4;

/// What `demo --dicom` leaves behind, made once.
pub(super) fn demo() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shape = SHAPE.map(|n| n.to_string()).join(",");
        let args = ["demo", "--dicom", "--shape", &shape, "--method", "local", "--output-dir", "out", "--quiet"];
        succeed(folder.path(), args);
        folder
    });
    folder.path()
}

/// A column of a table by the names of its rows.
fn column(path: &Path, name: &str) -> Vec<f64> {
    let mut reader = csv::Reader::from_path(path).expect("a table");
    let at = reader.headers().expect("a header").iter().position(|own| own == name).expect("a column");
    reader.records().map(|row| row.expect("a row")[at].parse().expect("a number")).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

/// UIDs of the activity series of the demonstration, by time.
fn activities() -> Vec<String> {
    let study = json(&demo().join("out/study/study.json"));
    let points = study["time_points"].as_array().expect("time points");
    points.iter().map(|point| point["series_uid"].as_str().expect("a UID").to_owned()).collect()
}

#[test]
fn organ_doses_are_those_of_the_road_over_nifti() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let phantom = StylisedPhantom::new(SHAPE).expect("a good shape");
    let study = DicomStudy::of(&phantom).expect("a study");
    let mut series = String::from(
        "nuclide = 'Lu-177'\nunit = 'bq-per-ml'\ninjection = '2026-01-05T09:00:00'\nadministered_activity_mbq = 7400\n",
    );
    for (activity, hours) in study.activities.iter().zip([24, 72, 168]) {
        nifti::write(&folder.path().join(format!("{hours}.nii")), activity, "activity").expect("a writable folder");
        series += &format!("[[scan]]\nfile = '{hours}.nii'\ntime = {hours}\n");
    }
    fs::write(folder.path().join("series.toml"), series).expect("a writable folder");
    nifti::write(&folder.path().join("ct.nii"), &study.ct, "ct").expect("a writable folder");
    let labels = phantom.labels().map(|label| f32::from(*label));
    nifti::write(&folder.path().join("labels.nii"), &labels, "labels").expect("a writable folder");
    let integrate = ["integrate", "--series", "series.toml", "--labels", "labels.nii", "--output", "curves"];
    succeed(folder.path(), integrate);
    let compute = ["compute", "--activity", "curves/tia.nii.gz", "--activity-unit", "bq-s", "--nuclide", "Lu-177"];
    let more = ["--ct", "ct.nii", "--labels", "labels.nii", "--method", "local", "--output", "dose.nii", "--quiet"];
    let organs = ["--organs-output", "organs.csv"];
    succeed(folder.path(), compute.iter().chain(&more).chain(&organs));
    let results = demo().join("out/study");
    for name in ["mean_by_mass_gy", "mass_g", "decays"] {
        let (by_study, by_nifti) =
            (column(&results.join("organs.csv"), name), column(&folder.path().join("organs.csv"), name));
        assert_eq!(by_study.len(), by_nifti.len());
        assert!(by_study.len() > 8 && by_study.iter().all(|value| *value > 0.0), "{name}: {by_study:?}");
        for (a, b) in by_study.iter().zip(&by_nifti) {
            assert!((a / b - 1.0).abs() < QUANTISATION, "{name}: {by_study:?} {by_nifti:?}");
        }
    }
    for name in ["activity.nii.gz", "tia.nii.gz", "curves.png", "report.html", "dose_volume.csv", "result.json"] {
        assert!(results.join(name).is_file(), "{name}");
    }
}

#[test]
fn a_study_says_what_it_took_and_how_long_it_took() {
    let study = json(&demo().join("out/study/study.json"));
    let hours: Vec<f64> = study["time_points"]
        .as_array()
        .expect("time points")
        .iter()
        .map(|point| point["hours_after_injection"].as_f64().expect("hours"))
        .collect();
    assert_eq!(hours, [24.0, 72.0, 168.0]);
    assert_eq!((&study["nuclide"], &study["administered_activity_mbq"]), (&"Lu-177".into(), &7400.0.into()));
    assert!(study["stages"].as_array().is_some_and(|stages| stages.len() >= 4), "{study}");
    let report = fs::read_to_string(demo().join("out/study/report.html")).expect("a report");
    assert!(report.contains("large_liver_metastasis") || report.contains("metastasis"), "no organs");
    // What was written belongs to the study.
    let text = succeed(demo(), ["inspect", "out/study/dose.dcm", "--json"]);
    let found: Value = serde_json::from_str(&text).expect("JSON");
    let frame = &study["time_points"][0]["frame_of_reference"];
    assert_eq!((&found["series"][0]["modality"], &found["series"][0]["frame_of_reference"]), (&"RTDOSE".into(), frame));
}

#[test]
fn a_report_is_made_again_from_its_results() {
    let page = |more: &[&str]| {
        succeed(demo(), ["report", "out/study", "--report", "again.html"].iter().chain(more));
        fs::read_to_string(demo().join("again.html")).expect("a report")
    };
    let first = fs::read_to_string(demo().join("out/study/report.html")).expect("a report");
    // Nothing but the moment that it was made at differs.
    let lines =
        |page: &str| -> Vec<String> { page.lines().filter(|line| !line.contains(" UTC")).map(str::to_owned).collect() };
    assert_eq!(lines(&first), lines(&page(&[])));
    assert!(page(&["--report-language", "nl"]).contains("lang=\"nl\""));
    let named = page(&["--report-identified"]);
    assert!(named.contains("PHANTOM STYLISED") && !first.contains("PHANTOM"));
    let output = dosegrid(demo(), ["report", "out/dicom"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("error: folder: "), "{}", stderr(&output));
}

#[test]
fn no_report_is_made_of_two_studies() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let results = folder.path().join("results");
    let study = |more: &[&str]| {
        let place = results.display().to_string();
        let args = ["study", "out/dicom", "--method", "local", "--quiet", "--output", &place];
        succeed(demo(), args.iter().chain(more));
    };
    study(&[]);
    let report = ["report", "results"];
    succeed(folder.path(), report);
    // The second one keeps no data for a report, and leaves none of the first.
    let server = Server::start();
    study(&["--server", &server.url]);
    let output = dosegrid(folder.path(), report);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("error: folder: "), "{}", stderr(&output));
    assert_eq!(files(&results.join("report_data")), Vec::<PathBuf>::new());
}

#[test]
fn the_summary_is_a_picture_in_the_study() {
    let object = dicom_object::open_file(demo().join("out/study/summary.dcm")).expect("a DICOM file");
    let text = |name: &str| object.element_by_name(name).expect("it is there").to_str().expect("text").into_owned();
    assert_eq!((text("Modality").as_str(), text("PatientID").trim_end()), ("OT", "DOSEGRID-DEMO"));
    assert_eq!((text("Columns").as_str(), text("Rows").as_str()), ("1240", "1754"));
    let pixels = object.element_by_name("PixelData").expect("pixels").to_bytes().expect("bytes").into_owned();
    assert_eq!(pixels.len(), 3 * 1240 * 1754);
    let dark = pixels.iter().filter(|value| **value < 100).count();
    // Text and curves, and not all of the page.
    assert!((5_000..1_000_000).contains(&dark), "{dark} dark values");
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_would_be_done() {
    let text = succeed(demo(), ["study", "out/dicom", "--dry-run", "--method", "local", "--voxelwise"]);
    for words in
        ["24.0000 h: ", "168.000 h: ", "by the curve of every voxel", "runs       dosegrid compute", "dose.dcm"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("sigma"), "{text}");
    assert!(!demo().join("OUT").exists());
}

#[test]
fn a_site_has_its_own_calibration_of_the_ct() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let curve = folder.path().join("curve.csv");
    let given = curve.to_str().expect("text").to_owned();
    let args = ["out/dicom", "--dry-run", "--method", "local", "--hu-curve", &given];
    fs::write(&curve, "-1000,0.001\n0,1\n3000,2.8\n").expect("a writable folder");
    let text = succeed(demo(), ["study"].iter().chain(&args));
    assert!(text.contains("--hu-curve"), "{text}");
    fs::write(&curve, "-1000,0.001\n-1000,1\n").expect("a writable folder");
    let said = refusal(&args);
    assert!(said.contains("error: hu-curve: ") && said.contains("line 2"), "{said}");
}

/// What `study` says as it refuses.
fn refusal(args: &[&str]) -> String {
    let output = dosegrid(demo(), ["study"].iter().chain(args));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn what_may_not_be_assumed_is_asked_for_by_its_flag() {
    let series = activities();
    let one = ["out/dicom", "--dry-run", "--activity-series", &series[1]];
    let said = refusal(&one);
    assert!(said.contains("error: effective-half-life: is needed, or --single-time-point"), "{said}");
    let said = refusal(&["out/dicom", "--dry-run", "--effective-half-life", "50h"]);
    assert!(said.contains("error: effective-half-life: is for one time point, and there are 3"), "{said}");
    let said = refusal(&["out/dicom", "--output", "out/dicom/results"]);
    assert!(said.contains("error: output: lies in the folder of the study"), "{said}");
    let said = refusal(&["out/dicom"]);
    assert!(said.contains("error: output: --output is needed"), "{said}");
    let said = refusal(&["out/dicom", "--dry-run", "--ct-series", "1.2.3", "--labels-series", "1.2.4"]);
    for flag in ["ct-series: 1.2.3 is no CT", "labels-series: the folder holds no segmentation"] {
        assert!(said.contains(flag), "{said}");
    }
    let said = refusal(&["out/dicom", "--dry-run", "--nuclide", "Y-90"]);
    assert!(said.contains("error: nuclide: the files of the activity say Lu-177"), "{said}");
}

#[test]
fn one_time_point_takes_a_half_life_or_a_method() {
    let series = activities();
    let one = ["out/dicom", "--activity-series", &series[1], "--method", "local", "--quiet"];
    let run = |output: &str, more: &[&str]| {
        succeed(demo(), ["study"].iter().chain(&one).chain(&["--output", output]).chain(more));
        column(&demo().join(output).join("organs.csv"), "mean_by_mass_gy")
    };
    let by_half_life = run("half-life", &["--effective-half-life", "60h"]);
    let method = ["--single-time-point", "population_half_life", "--half-life", "60", "--half-life-sd", "0.1"];
    let by_method = run("method", &method);
    // A e^(λt)/λ either way.
    for (a, b) in by_half_life.iter().zip(&by_method) {
        assert!((a / b - 1.0).abs() < 1e-4, "{by_half_life:?} {by_method:?}");
    }
    let curves = json(&demo().join("method/curves.json"));
    assert_eq!(curves["regions"]["liver"]["model"], "population_half_life");
    // The same folder, without curves now: none are left in it.
    assert_eq!(run("method", &["--effective-half-life", "60h"]), by_half_life);
    assert!(!demo().join("method/curves.json").exists() && !demo().join("method/tia.nii.gz").exists());
}

#[test]
fn what_is_said_of_curves_is_in_the_results() {
    let series = activities();
    let args = ["out/dicom", "--activity-series", &series[0], "--method", "local", "--quiet", "--output", "early"];
    succeed(demo(), ["study"].iter().chain(&args).chain(&["--single-time-point", "haenscheid"]));
    let warnings = json(&demo().join("early/result.json"))["warnings"].to_string();
    assert!(warnings.contains("all regions: the rule 2tA/ln 2 from a scan at 24 h"), "{warnings}");
}

#[test]
fn a_folder_of_three_sessions_needs_registrations_or_a_word() {
    let folder = crate::support::reference("../cases-dicom/15-study-three-time-points/all");
    let folder = folder.to_str().expect("plain");
    let said = refusal(&[folder, "--dry-run"]);
    assert_eq!(said.matches("error: registration: ").count(), 2, "{said}");
    let text = succeed(demo(), ["study", folder, "--dry-run", "--aligned"]);
    for words in ["24.0000 h", "67.5000 h", "165.000 h", "7400.00 MBq of Lu-177"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let text = succeed(demo(), ["integrate", "--series", folder, "--aligned", "--json"]);
    let found: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(found["regions"]["all"]["times_h"], serde_json::json!([24.0, 67.5, 165.0]));
    // The totals of `expected.json`, in MBq, are kept on one grid but for what lies outside it.
    let activity = found["regions"]["all"]["activity_mbq"].as_array().expect("activities");
    let first = activity[0].as_f64().expect("a number");
    assert!((first / 0.133_903 - 1.0).abs() < 1e-4, "{activity:?}");
    let coefficient = found["regions"]["all"]["tia_coefficient_h"].as_f64().expect("a number");
    let whole = found["regions"]["all"]["tia_mbq_h"].as_f64().expect("a number");
    assert!((whole / coefficient / 7400.0 - 1.0).abs() < 1e-9, "{found}");
}

#[test]
fn a_time_point_that_sees_less_than_the_reference_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let study = folder.path().join("study");
    fs::create_dir(&study).expect("a writable folder");
    for path in files(&demo().join("out/dicom")) {
        fs::copy(&path, study.join(path.file_name().expect("a name"))).expect("a writable folder");
    }
    let told = |output: &str| {
        succeed(folder.path(), ["study", "study", "--method", "local", "--quiet", "--output", output]);
        let warnings = json(&folder.path().join(output).join("result.json"))["warnings"].clone();
        let warnings = warnings.as_array().expect("warnings").clone();
        let words = warnings.iter().map(|one| one["message"].as_str().expect("words").to_owned());
        words.filter(|words| words.contains("outside the field of view of")).collect::<Vec<_>>()
    };
    assert_eq!(told("whole"), [""; 0]);
    // A bed position less on the second day.
    let path = study.join("spect-2.dcm");
    let mut object = open_file(&path).expect("a file");
    let frames = SHAPE[2] - 6;
    let bytes = object.element(tags::PIXEL_DATA).expect("pixels").to_bytes().expect("bytes").into_owned();
    let kept = bytes.len() / 4 * 3;
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(bytes[..kept].to_vec())));
    object.put(DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, PrimitiveValue::from(frames.to_string())));
    let count = PrimitiveValue::from(u16::try_from(frames).expect("few"));
    object.put(DataElement::new(tags::NUMBER_OF_SLICES, VR::US, count));
    let vector: Vec<u16> = (1..=18).collect();
    object.put(DataElement::new(tags::SLICE_VECTOR, VR::US, PrimitiveValue::U16(vector.into())));
    object.write_to_file(&path).expect("a writable folder");
    let told = told("short");
    assert!(told.len() == 1 && told[0].contains(&activities()[1]) && told[0].contains("counts as 0"), "{told:?}");
}
