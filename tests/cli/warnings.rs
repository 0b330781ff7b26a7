//! What is possible but implausible: a warning by its rule, and an error with `--strict`.

use super::{FLOAT32, dosegrid, flags, inputs, json, stderr, volume, write};

/// The reasons of the warnings of a run that succeeds, as printed and as written.
fn reasons(folder: &tempfile::TempDir, without: &[&str], with: &[&str]) -> Vec<String> {
    let output = dosegrid(folder.path(), flags(without, with));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let written = json(&folder.path().join("result.json"))["warnings"].clone();
    let written: Vec<String> = written
        .as_array()
        .expect("a list")
        .iter()
        .map(|warning| warning["reason"].as_str().expect("a reason").to_owned())
        .collect();
    let printed: Vec<&str> = said.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(printed.len(), written.len(), "{said}");
    for (line, reason) in printed.iter().zip(&written) {
        assert!(line.ends_with(&format!("({reason})")), "{line}: {reason}");
    }
    written
}

/// Half of the activity in voxel 100, the other half in voxel 2, which is air.
fn half_in_air(folder: &tempfile::TempDir) {
    write(folder, "half.nii", &volume(FLOAT32, |i| if i == 100 || i == 2 { 1e9 } else { 0.0 }).bytes());
}

#[test]
fn what_is_plausible_has_no_warning() {
    assert_eq!(reasons(&inputs(), &[], &["--strict"]), [""; 0]);
}

#[test]
fn each_rule_warns() {
    let folder = inputs();
    half_in_air(&folder);
    write(&folder, "zero.nii", &volume(FLOAT32, |_| 0.0).bytes());
    write(&folder, "little.nii", &volume(FLOAT32, |i| if i == 100 { 1e7 } else { 0.0 }).bytes());
    write(&folder, "mu.nii", &volume(FLOAT32, |i| if i < 4 { 0.0 } else { 0.154 }).bytes());
    write(&folder, "moment.nii", &volume(FLOAT32, |i| if i == 100 { 1.5e6 } else { 0.0 }).bytes());
    write(&folder, "much.nii", &volume(FLOAT32, |_| 4e9).bytes());
    let moment = ["--activity=moment.nii", "--activity-unit=bq"];
    let lasts = [&moment[..], &["--effective-half-life=200h"]].concat();
    let most = [&moment[..], &["--effective-half-life=physical", "--injected-activity=1.2MBq"]].concat();
    let cases: [(&[&str], &[&str], &[&str]); 7] = [
        (&["activity"], &["--activity=zero.nii"], &["NO_ACTIVITY"]),
        (&["activity"], &["--activity=little.nii"], &["ACTIVITY_LOW"]),
        (&["activity"], &["--activity=half.nii"], &["ACTIVITY_IN_AIR", "ACTIVITY_OUTSIDE_BODY"]),
        (&["density"], &["--density=mu.nii"], &["DENSITY_BELOW_TISSUE"]),
        (&["activity", "activity-unit"], &lasts, &["HALF_LIFE_ABOVE_PHYSICAL"]),
        (&["activity", "activity-unit"], &most, &["ACTIVITY_ABOVE_INJECTED", "RESIDENCE_TIME_HIGH"]),
        // 1.3 TBq, in mL by mL of tissue.
        (
            &["activity", "activity-unit"],
            &["--activity=much.nii", "--activity-unit=bq", "--effective-half-life=2h"],
            &["ACTIVITY_HIGH", "DOSE_HIGH"],
        ),
    ];
    for (without, with, expected) in cases {
        assert_eq!(reasons(&folder, without, with), expected, "{with:?}");
    }
}

#[test]
fn cuts_of_photons_that_voxels_do_not_allow_are_warned_of() {
    let folder = inputs();
    let cuts = ["--photon-cut=500keV", "--track-length-below=10MeV"];
    let with = [&["--method=monte-carlo", "--histories=3200"][..], &cuts].concat();
    let found = reasons(&folder, &["method"], &with);
    assert_eq!(found.iter().filter(|reason| *reason == "CUT_LOWERED").count(), 2, "{found:?}");
    let cuts = &json(&folder.path().join("result.json"))["monte_carlo"]["cuts"];
    let used = |name: &str| cuts[name].as_f64().expect("an energy");
    assert!(used("photon_mev") < 0.01 && used("track_length_mev") < 0.3, "{cuts}");
}

#[test]
fn a_unit_that_is_taken_for_another_is_warned_of() {
    // 1.5 GBq in the map, taken for MBq·h: 3600 times a million decays for each Bq.
    let folder = inputs();
    let found = reasons(&folder, &["activity-unit"], &["--activity-unit=mbq-h"]);
    assert_eq!(found, ["ACTIVITY_HIGH", "DOSE_HIGH"]);
}

#[test]
fn energy_outside_the_grid_is_warned_of() {
    let folder = inputs();
    // In the middle, the farthest betas stop 1 mm before the end of the grid; in a corner most go out.
    for (voxel, expected) in [(4 + 8 * (3 + 7 * 3), &[][..]), (7, &["ENERGY_OUTSIDE_GRID"])] {
        write(&folder, "source.nii", &volume(FLOAT32, |i| if i == voxel { 1e9 } else { 0.0 }).bytes());
        let with = ["--method=kernel", "--nuclide=Y-90", "--activity=source.nii"];
        assert_eq!(reasons(&folder, &["method", "nuclide", "activity"], &with), expected);
    }
}

#[test]
fn strict_makes_warnings_errors_before_any_work() {
    let folder = inputs();
    half_in_air(&folder);
    let output = dosegrid(folder.path(), flags(&["activity"], &["--activity=half.nii", "--strict"]));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for words in ["error: activity: 50.0 % of the decays", "(ACTIVITY_IN_AIR", "(ACTIVITY_OUTSIDE_BODY", "--strict"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!folder.path().join("dose.nii.gz").exists() && !folder.path().join("result.json").exists());
    // Found by the dose itself.
    write(&folder, "hot.nii", &volume(FLOAT32, |i| if i == 100 { 2e14 } else { 0.0 }).bytes());
    let output = dosegrid(folder.path(), flags(&["activity"], &["--activity=hot.nii", "--strict"]));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("error: activity-unit: the largest dose is"), "{}", stderr(&output));
    assert!(!folder.path().join("dose.nii.gz").exists());
}

#[test]
fn what_was_asked_for_is_told_and_no_error() {
    let folder = inputs();
    write(&folder, "below.nii", &volume(FLOAT32, |i| if i == 100 { 2e9 } else { -1.0 }).bytes());
    let with = ["--activity=below.nii", "--negative=zero", "--strict"];
    assert_eq!(reasons(&folder, &["activity"], &with), ["VALUES_REPLACED"]);
}
