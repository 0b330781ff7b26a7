//! What the program says: figures for people, warnings, and faults in the user's own terms.

use std::fs;

use super::{FLOAT32, UINT8, dosegrid, flags, inputs, json, stderr, succeed, volume, write};

/// Figure of an organ in `result.json` [Gy].
fn organ(result: &serde_json::Value, figure: &str) -> f64 {
    result["organs"][0][figure].as_f64().expect("a number")
}

#[test]
fn the_dose_of_an_organ_is_energy_over_mass() {
    let folder = inputs();
    // A hollow organ: a voxel of wall and nine of gas, each with the same decays.
    let is_organ = |i: usize| (100..110).contains(&i);
    write(&folder, "activity.nii", &volume(FLOAT32, |i| if is_organ(i) { 1e6 } else { 0.0 }).bytes());
    write(&folder, "density.nii", &volume(FLOAT32, |i| if (101..110).contains(&i) { 0.06 } else { 1.05 }).bytes());
    write(&folder, "labels.nii", &volume(UINT8, |i| if is_organ(i) { 3.0 } else { 0.0 }).bytes());
    let with = ["--density=density.nii"];
    let printed = succeed(folder.path(), flags(&["density"], &with));
    let result = json(&folder.path().join("result.json"));
    let energy_j = result["energy"]["deposited_mev"].as_f64().expect("a number") * 1.602_176_634e-13;
    let mass_kg = (1.05 + 9.0 * 0.06) * 0.4 * 0.4 * 0.5 * 1e-3;
    let (by_mass, by_volume) = (organ(&result, "mean_by_mass_gy"), organ(&result, "mean_gy"));
    assert!((by_mass * mass_kg / energy_j - 1.0).abs() < 1e-6, "{by_mass} Gy, {energy_j} J in {mass_kg} kg");
    let ratio = (1.0 / 1.05 + 9.0 / 0.06) / 10.0 * (1.05 + 9.0 * 0.06) / 10.0;
    assert!((by_volume / by_mass / ratio - 1.0).abs() < 1e-6, "{by_volume} {by_mass}");
    let row = printed.lines().find(|line| line.contains("label_3")).expect("the organ has a row");
    let words: Vec<&str> = row.split_whitespace().collect();
    let figure = |column: usize| words[column].parse::<f64>().expect("a number");
    assert!((figure(4) / (by_mass * 1e3) - 1.0).abs() < 1e-3, "{printed}");
    assert!((figure(6) / (by_volume * 1e3) - 1.0).abs() < 1e-3 && printed.contains("Doses in mGy"), "{printed}");
    let table = fs::read_to_string(folder.path().join("organs.csv")).expect("the table was written");
    assert!(table.starts_with("label,name,voxels,mass_g,mean_by_mass_gy,mean_gy,"), "{table}");
}

#[test]
fn names_of_absent_labels_are_warned_of() {
    let folder = inputs();
    write(&folder, "names.csv", b"# of a template\n0,background\n1,tumour\n7,left kidney\n4,liver\n");
    let output = dosegrid(folder.path(), flags(&[], &["--label-names=names.csv"]));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let warnings: Vec<&str> = said.lines().filter(|line| line.starts_with("warning: label-names: ")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("7 (left kidney)") && !said.contains("liver"), "{said}");
}

#[test]
fn small_doses_have_digits_and_a_unit_that_fits() {
    let folder = inputs();
    for (decays, unit) in [(1e9, "Gy"), (1e6, "mGy"), (1e3, "µGy"), (1.0, "µGy")] {
        write(&folder, "activity.nii", &volume(FLOAT32, |i| if i == 100 { decays } else { 0.0 }).bytes());
        let printed = succeed(folder.path(), flags(&[], &[]));
        let line = printed.lines().find(|line| line.starts_with("dose ")).expect("a line of the dose");
        let figures: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert!(figures.len() == 2 && figures.iter().all(|figure| *figure > 0.0), "{line}");
        assert!(line.contains(&format!(" {unit} over")) && printed.contains(&format!("Doses in {unit}.")), "{printed}");
        assert!(!printed.contains(" 0.0000 "), "{printed}");
    }
}

#[test]
fn the_device_is_said_before_the_run_and_drivers_say_nothing() {
    let folder = inputs();
    for (with, why) in [("--device=cpu", "as requested"), ("--device=auto", "found")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dosegrid"));
        command.current_dir(folder.path()).env_remove("XDG_RUNTIME_DIR").args(flags(&[], &[with]));
        let output = command.output().expect("the binary is built with the tests");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let first = said.lines().next().expect("a line");
        assert!(first.starts_with("device ") && first.ends_with(why), "{said}");
        assert!(!said.contains("XDG_RUNTIME_DIR") && !said.contains("error"), "{said}");
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dosegrid"));
    let output = command.env_remove("XDG_RUNTIME_DIR").arg("devices").output().expect("the binary is built");
    assert!(output.stderr.is_empty() && output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_gpu_that_is_not_there_is_a_fault_of_its_flag() {
    let folder = inputs();
    let devices = succeed(folder.path(), ["devices"]);
    let gpus = || devices.lines().filter(|line| line.starts_with("gpu:"));
    if gpus().any(|line| !line.contains("software")) {
        return; // a machine with a GPU has nothing to refuse
    }
    let output = dosegrid(folder.path(), flags(&[], &["--device=gpu"]));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("error: device: ") && said.contains("`cpu`"), "{said}");
    for line in gpus() {
        let id = line.split_whitespace().next().expect("an id");
        assert!(said.contains(&format!("`{id}` (")), "{said}");
    }
}
