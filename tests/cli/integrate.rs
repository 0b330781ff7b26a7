//! `dosegrid integrate`, run as a user runs it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use dosegrid::clinic::Removals;
use dosegrid::clinic::removal::{Removal, RemovedActivity, Session};
use dosegrid::formats::volume_file::read_volume;

use crate::support::command::{dosegrid, stderr, succeed};
use crate::support::nifti::{FLOAT32, NiftiBytes, UINT8};

/// Rates of two regions [1/h], and their activity in each voxel at time 0 [MBq].
const RATES_PER_H: [f64; 2] = [0.0133, 0.02];
const AT_ZERO_MBQ: f64 = 3.0;
/// Maps have single precision.
const TOLERANCE: f64 = 1e-5;

const TABLE: &str = "region,time,activity,sigma\nkidney,24,106.1,5\nkidney,72,53,2.5\nkidney,120,25,1.3\n\
                     kidney,168,12.9,0.65\ntumour,4,31,1.6\ntumour,26,44,2.2\nspleen,96,20,1\n";

fn table(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("curves.csv"), text).expect("a writable folder");
    folder
}

/// Four maps of 4 × 2 × 2 voxels: the first two along x fall with one rate, the others with another; a corner is empty.
fn maps() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, values: &[f64], kind| {
        let file = NiftiBytes::new([4, 2, 2], [4.0; 3], kind, values);
        fs::write(folder.path().join(name), file.bytes()).expect("a writable folder");
    };
    let region = |voxel: u32| usize::from(voxel % 4 >= 2);
    let mut series = String::from("nuclide = 'Lu-177'\nunit = 'mbq'\nadministered_activity_mbq = 7400\n");
    for time_h in [168, 24, 96, 48] {
        let at = |voxel: u32| AT_ZERO_MBQ * (-RATES_PER_H[region(voxel)] * f64::from(time_h)).exp();
        let values: Vec<f64> = (0..16).map(|voxel| if voxel == 0 { 0.0 } else { at(voxel) }).collect();
        write(&format!("{time_h}.nii"), &values, FLOAT32);
        series += &format!("[[scan]]\nfile = '{time_h}.nii'\ntime = {time_h}\n");
    }
    let labels: Vec<f64> = (0..16).map(|voxel| if region(voxel) == 0 { 5.0 } else { 0.0 }).collect();
    write("labels.nii", &labels, UINT8);
    fs::write(folder.path().join("series.toml"), series).expect("a writable folder");
    folder
}

fn report(folder: &Path, args: &[&str]) -> Value {
    let all = ["integrate"].iter().chain(args).chain(&["--json", "--output", "out"]);
    serde_json::from_str(&succeed(folder, all)).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

fn refusal(folder: &Path, args: &[&str]) -> String {
    let output = dosegrid(folder, ["integrate"].iter().chain(args));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn a_table_is_integrated_and_written() {
    let folder = table(TABLE);
    let args = ["--table", "curves.csv", "--nuclide", "Lu-177", "--administered-activity", "7400"];
    let single = ["--single-time-point", "population_half_life", "--half-life", "60", "--half-life-sd", "0.2"];
    let found = report(folder.path(), &[&args[..], &single].concat());
    let regions = &found["regions"];
    assert_eq!(regions["kidney"]["model"], "mono");
    let tia = number(&regions["kidney"]["tia_mbq_h"]);
    assert!((tia / number(&regions["kidney"]["tia_coefficient_h"]) / 7400.0 - 1.0).abs() < 1e-12);
    assert_eq!(regions["tumour"]["flags"], serde_json::json!(["large_tail", "rising"]));
    assert_eq!(regions["spleen"]["model"], "population_half_life");
    let written = fs::read_to_string(folder.path().join("out/curves.json")).expect("a file");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), found);
    let csv = fs::read_to_string(folder.path().join("out/curves.csv")).expect("a file");
    assert!(csv.lines().count() == 4 && csv.contains("\nkidney,mono,"), "{csv}");
    assert!(fs::read(folder.path().join("out/curves.png")).expect("a file").starts_with(b"\x89PNG"));
    // The next cycle: one scan, and the curve of this one.
    fs::write(folder.path().join("next.csv"), "region,time,activity\nkidney,72,26.5\n").expect("a writable folder");
    let next = ["--table", "next.csv", "--nuclide", "Lu-177", "--single-time-point", "prior_curve"];
    fs::rename(folder.path().join("out/curves.json"), folder.path().join("prior.json")).expect("a writable folder");
    let next = report(folder.path(), &[&next[..], &["--prior", "prior.json"]].concat());
    let half = number(&next["regions"]["kidney"]["tia_mbq_h"]) / tia;
    assert!((half - 0.5).abs() < 0.02, "{half}");
}

#[test]
fn a_bad_table_is_refused_by_line_and_field() {
    let folder = table("region,time,activity,sigma\nkidney,-2,10,1\nkidney,24,8,0\nliver,4,9,1\n");
    let error = refusal(folder.path(), &["--table", "curves.csv", "--nuclide", "Lu-177"]);
    for part in ["kidney: line 2, time", "kidney: line 3, sigma_mbq", "liver: points: one time needs a method"] {
        assert!(error.contains(part), "{error}");
    }
    let error = refusal(folder.path(), &["--table", "curves.csv", "--model", "cubic", "--half-life", "3"]);
    for part in ["error: nuclide: is missing", "error: model: must be one of auto", "error: half-life: has no effect"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn maps_are_integrated_by_region_and_by_voxel() {
    let folder = maps();
    let by_region = report(folder.path(), &["--series", "series.toml", "--labels", "labels.nii"]);
    for (name, rate, voxels) in [("label_5", RATES_PER_H[0], 7.0), ("rest", RATES_PER_H[1], 8.0)] {
        let tia = number(&by_region["regions"][name]["tia_mbq_h"]);
        assert!((tia * rate / (voxels * AT_ZERO_MBQ) - 1.0).abs() < TOLERANCE, "{name}: {tia}");
    }
    let tia = |voxel: usize| {
        let map = read_volume(&folder.path().join("out/tia.nii.gz")).expect("a map").volume;
        f64::from(map.as_slice()[voxel])
    };
    let expected = [1, 2].map(|region| AT_ZERO_MBQ / RATES_PER_H[region - 1] * 3.6e9);
    let is_right = |voxel: usize, region: usize| (tia(voxel) / expected[region] - 1.0).abs() < TOLERANCE;
    assert!(is_right(1, 0) && is_right(3, 1) && tia(0) == 0.0);
    let of_regions = ["curves.csv", "curves.png"].map(|name| folder.path().join("out").join(name));
    assert!(of_regions.iter().all(|path| path.exists()));
    let by_voxel = report(folder.path(), &["--series", "series.toml", "--by", "voxel"]);
    assert!(of_regions.iter().all(|path| !path.exists()), "what an earlier series left is no part of this one");
    assert!(is_right(1, 0) && is_right(3, 1) && tia(0) == 0.0);
    let kinds = by_voxel["voxel_kinds"].as_array().expect("kinds");
    assert_eq!((&kinds[0]["voxels"], &kinds[1]["voxels"]), (&Value::from(15), &Value::from(1)));
    let both = [&by_region, &by_voxel].map(|report| number(&report["map_tia_mbq_h"]));
    assert!((both[0] / both[1] - 1.0).abs() < TOLERANCE, "{both:?}");
}

#[test]
fn bad_maps_are_refused() {
    let folder = maps();
    let small = NiftiBytes::new([2, 2, 2], [4.0; 3], FLOAT32, &[1.0; 8]);
    fs::write(folder.path().join("24.nii"), small.bytes()).expect("a writable folder");
    let error = refusal(folder.path(), &["--series", "series.toml"]);
    assert!(error.contains("scan_2.file: is not on the grid of the first map"), "{error}");
    let error = refusal(folder.path(), &["--series", "series.toml", "--by", "organ", "--reference-time", "3"]);
    assert!(error.contains("error: by: must be region or voxel"), "{error}");
}

#[test]
fn more_decays_than_there_were_nuclei_are_told() {
    let folder = table(TABLE);
    let args = ["--table=curves.csv", "--nuclide=Lu-177", "--single-time-point=physical"];
    let warnings = |activity: &str| {
        let report = report(folder.path(), &[&args[..], &["--administered-activity", activity]].concat());
        report["warnings"].as_array().expect("a list").clone()
    };
    assert!(warnings("7400").is_empty());
    // GBq in place of MBq.
    let told = warnings("7.4");
    assert_eq!(told[0]["reason"], "RESIDENCE_TIME_HIGH");
    assert!(told[0]["message"].as_str().is_some_and(|text| text.starts_with("kidney: ")), "{told:?}");
    // Minutes in place of hours.
    let args = ["--table=curves.csv", "--nuclide=Lu-177", "--single-time-point=population_half_life"];
    let found = report(folder.path(), &[&args[..], &["--half-life=3000", "--half-life-sd=0.2"]].concat());
    assert_eq!(found["warnings"][0]["reason"], "HALF_LIFE_ABOVE_PHYSICAL");
}

#[test]
fn percentages_and_minutes_are_told() {
    let reasons = |folder: &TempDir, args: &[&str], region: Option<&str>| -> Vec<String> {
        let found = report(folder.path(), args);
        let list = region.map_or(&found["warnings"], |name| &found["regions"][name]["warnings"]);
        let list = list.as_array().expect("a list").clone();
        list.iter().map(|warning| warning["reason"].as_str().expect("text").to_owned()).collect()
    };
    let of_table = |text: &str| reasons(&table(text), &["--table=curves.csv", "--nuclide=Lu-177"], Some("kidney"));
    let good = "region,time,activity,sigma,duration\nkidney,24,2,0.1,0.5\nkidney,72,1,0.05,0.5\nkidney,120,0.5,1,0.5\n";
    assert!(of_table(good).is_empty());
    assert_eq!(of_table(&good.replace(",0.1,", ",5,").replace(",0.05,", ",5,")), ["SIGMA_HIGH"]);
    assert_eq!(of_table(&good.replace(",0.5\n", ",30\n")), ["SCAN_LONG"]);
    let folder = maps();
    let series = ["--series=series.toml", "--labels=labels.nii"];
    let of_maps = |more: &[&str], region| reasons(&folder, &[&series[..1], more].concat(), region);
    assert!(of_maps(&["--labels=labels.nii", "--activity-sigma=0.05"], Some("label_5")).is_empty());
    assert_eq!(of_maps(&["--labels=labels.nii", "--activity-sigma=5"], Some("label_5")), ["SIGMA_HIGH"]);
    assert!(of_maps(&["--by=voxel", "--activity-sigma=5"], None).contains(&"SIGMA_HIGH".to_owned()));
    let single =
        ["--table=curves.csv", "--nuclide=Lu-177", "--single-time-point=population_half_life", "--half-life=60"];
    let one = table("region,time,activity\nkidney,24,2\n");
    assert_eq!(reasons(&one, &[&single[..], &["--half-life-sd=20"]].concat(), Some("kidney")), ["SIGMA_HIGH"]);
}

#[test]
fn what_an_earlier_series_left_is_not_a_part_of_this_one() {
    let folder = maps();
    let is_there = |name: &str| folder.path().join("out").join(name).exists();
    report(folder.path(), &["--series=series.toml", "--by=voxel", "--activity-sigma=0.05"]);
    assert!(is_there("tia_sigma.nii.gz") && is_there("kinds.nii.gz"));
    let text = fs::read_to_string(folder.path().join("series.toml")).expect("it is there");
    let two: Vec<&str> = text.split("[[scan]]").take(3).collect();
    fs::write(folder.path().join("series.toml"), two.join("[[scan]]")).expect("a writable folder");
    report(folder.path(), &["--series=series.toml", "--labels=labels.nii"]);
    assert!(is_there("tia.nii.gz") && !is_there("tia_sigma.nii.gz") && !is_there("kinds.nii.gz"));
}

#[test]
fn inputs_stay_and_none_counts_twice() {
    let folder = table(TABLE);
    let args = ["--table=curves.csv", "--nuclide=Lu-177", "--single-time-point=physical", "--output=."];
    let said = refusal(folder.path(), &args);
    assert!(said.contains("output: would replace curves.csv, which is read"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("curves.csv")).expect("it is there"), TABLE);
    let folder = maps();
    let series = folder.path().join("series.toml");
    let text = fs::read_to_string(&series).expect("it is there");
    fs::write(&series, text.replace("'48.nii'", "'./24.nii'")).expect("a writable folder");
    let said = refusal(folder.path(), &["--series=series.toml"]);
    assert!(said.contains("scan_4.file: is that of scan_2 too"), "{said}");
}

#[test]
fn what_is_taken_away_between_scans_is_a_part_of_the_curve() {
    // Iodine-131 with a biological half-life of 400 h; three sessions of dialysis, and a drained part.
    let sessions = [[20.0, 4.0, 3.2], [66.0, 4.0, 3.4], [114.0, 4.0, 3.6]];
    let patient = RemovedActivity {
        activity_at_zero_mbq: 3700.0,
        physical_half_life_h: 693_377.28 / 3600.0,
        biological_half_life_h: Some(400.0),
        sessions: sessions
            .map(|[start_h, duration_h, clearance_half_time_h]| Session { start_h, duration_h, clearance_half_time_h })
            .to_vec(),
        removals: vec![Removal { time_h: 48.0, fraction: 0.25 }],
    };
    let rate = std::f64::consts::LN_2 * (3600.0 / 693_377.28 + 1.0 / 400.0);
    let removals =
        Removals { sessions: patient.sessions.clone(), at_once: patient.removals.clone(), ..Removals::default() };
    let mut text = String::from("region,time,activity\n");
    for time_h in [2.0, 18.0, 26.0, 50.0, 72.0, 140.0] {
        let activity = 3700.0 * f64::exp(-rate * time_h) * removals.kept(time_h);
        text += &format!("whole body,{time_h},{activity}\n");
    }
    let folder = table(&text);
    let whole = ["--table", "curves.csv", "--nuclide", "I-131", "--model", "mono"];
    let taken = ["--session", "20,4,3.2", "--session", "66,4,3.4", "--session=114,4,3.6", "--removed", "48,0.25"];
    let found = report(folder.path(), &[&whole[..], &taken].concat());
    let region = &found["regions"]["whole body"];
    let right = patient.integral().expect("a patient");
    assert!((number(&region["tia_mbq_h"]) / right.tia_mbq_h - 1.0).abs() < TOLERANCE, "{region}");
    assert!((number(&region["parameters"]["rate_1_per_h"]) / rate - 1.0).abs() < TOLERANCE, "{region}");
    assert_eq!(found["taken_away"]["sessions"].as_array().map(Vec::len), Some(3));
    assert!(report(folder.path(), &whole)["regions"]["whole body"]["tia_mbq_h"] != region["tia_mbq_h"]);
    // The half-time of the second is fitted.
    let open = ["--session", "20,4,3.2", "--session", "66,4", "--session=114,4,3.6", "--removed", "48,0.25"];
    let fitted = report(folder.path(), &[&whole[..], &open].concat());
    let region = &fitted["regions"]["whole body"];
    assert!((number(&region["clearance"]["half_time_h"]) / 3.4 - 1.0).abs() < 1e-5, "{region}");
    assert!((number(&region["tia_mbq_h"]) / right.tia_mbq_h - 1.0).abs() < 1e-5, "{region}");
    assert_eq!(fitted["taken_away"]["sessions"][1]["clearance_half_time_h"], serde_json::Value::Null);
    assert!(found["regions"]["whole body"]["clearance"].is_null());
    // A scan at a moment has its place in a session; one that takes time has not.
    let long =
        text.replace(",activity\n", ",activity,duration\n").replace("\nw", ",0.5\nw").trim_end().to_owned() + ",0.5\n";
    let long = long.replacen("duration,0.5\n", "duration\n", 1);
    fs::write(folder.path().join("curves.csv"), long).expect("a writable folder");
    for (words, fault) in [
        (["--session", "20"], "error: session: has the form START,DURATION,HALF_TIME"),
        (["--session", "150,4"], "error: table: whole body: sessions: a half-time is fitted"),
        (["--session", "20,0,3"], "error: session: session_1.duration_h"),
        (["--removed", "30,1.5"], "error: removed: removal_1.fraction"),
        (["--session", "17,4,3"], "the scan at 18 h is one during which"),
    ] {
        let said = refusal(folder.path(), &[&whole[..], &words].concat());
        assert!(said.contains(fault), "{words:?}: {said}");
    }
}
