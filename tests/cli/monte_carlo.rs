//! `compute --method monte-carlo` and `merge`, run as a user runs them.

use std::fs;
use std::path::Path;

use dosegrid::formats::nifti;
use tempfile::TempDir;

use super::{flags, inputs, json, refused, volume, write};
use crate::support::command::{Server, dosegrid, stderr, succeed};
use crate::support::nifti::{FLOAT32, NiftiBytes, UINT8};

const EMISSIONS: &[u8] = b"# a line and a bin\ncharge,low,high,yield\n-1,0.1,0.1,1\n0,0.05,0.15,0.5\n";
const TABLE: &[u8] = b"[[material]]\nlabel = 0\nname = \"water\"\n\n[[material]]\nlabel = 1\nname = \"plastic\"\n\
                       nominal_density_g_cm3 = 1.05\nmean_excitation_energy_ev = 68.7\nmass_fractions = { H = 0.0774, C = 0.9226 }\n";

/// The good flags of a short transport, without those of these names, and with these in addition.
fn transport(without: &[&str], with: &[&str]) -> Vec<String> {
    let without = [without, &["method"]].concat();
    let with = [&["--method=monte-carlo", "--device=cpu", "--histories=2000"][..], with].concat();
    flags(&without, &with)
}

fn bytes(folder: &TempDir, name: &str) -> Vec<u8> {
    fs::read(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn all_inputs() -> TempDir {
    let folder = inputs();
    write(&folder, "emissions.csv", EMISSIONS);
    write(&folder, "table.toml", TABLE);
    write(&folder, "materials.nii", &volume(UINT8, |i| if i % 3 == 0 { 1.0 } else { 0.0 }).bytes());
    folder
}

#[test]
fn a_dose_comes_with_its_uncertainty_and_its_account() {
    let folder = all_inputs();
    let stdout = succeed(folder.path(), transport(&[], &["--uncertainty-output=sigma.nii.gz", "--seed=7"]));
    assert!(stdout.contains("2000 histories, seed 7, stopped by histories"), "{stdout}");
    let read = |name: &str| nifti::read(&folder.path().join(name)).expect("a volume").volume;
    let (dose, sigma) = (read("dose.nii.gz"), read("sigma.nii.gz"));
    assert_eq!(dose.grid(), sigma.grid());
    let relative = sigma.as_slice()[100] / dose.as_slice()[100];
    assert!((1e-4..0.1).contains(&relative), "{relative}");
    let result = json(&folder.path().join("result.json"));
    let account = &result["monte_carlo"];
    assert_eq!((&account["seed"], &account["histories"], &account["groups"]), (&7.into(), &2000.into(), &32.into()));
    assert_eq!((&account["stopped_by"], &account["medium"]), (&"histories".into(), &"by-density".into()));
    for cut in ["absorption_mev", "collision_mev", "photon_mev", "track_length_mev"] {
        assert!(account["cuts"][cut].as_f64().is_some(), "{cut}: {account}");
    }
    let energy = |field: &str| result["energy"][field].as_f64().expect("a number");
    let balance = energy("deposited_mev") + energy("escaped_mev");
    assert!((balance / energy("emitted_mev") - 1.0).abs() < 1e-5);
    // The columns of the uncertainties are those of the account, and every organ says what noise did to its figures.
    let table = String::from_utf8(bytes(&folder, "organs.csv")).expect("text");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let cell = |name: &str| rows[1][rows[0].iter().position(|column| *column == name).expect("a column")];
    let number = |name: &str| cell(name).parse::<f64>().expect("a number");
    for (name, field) in [("mean_sigma_gy", "sigma_gy"), ("mean_by_mass_sigma_gy", "sigma_by_mass_gy")] {
        assert_eq!(number(name), account["regions"][0][field].as_f64().expect("a number"), "{name}");
        assert!(number(name) > 0.0, "{name}");
    }
    for figure in ["min_noise_gy", "d98_noise_gy", "d95_noise_gy", "d2_noise_gy", "max_noise_gy"] {
        assert!(number(figure).is_finite(), "{figure}");
    }
}

#[test]
fn without_a_method_it_is_monte_carlo() {
    let folder = all_inputs();
    let named = transport(&[], &["--target-uncertainty=0.05"]).into_iter().filter(|flag| flag != "--histories=2000");
    let named: Vec<String> = named.collect();
    let stdout = succeed(folder.path(), &named);
    assert!(stdout.contains("the target of 5 % is reached"), "{stdout}");
    let expected = bytes(&folder, "dose.nii.gz");
    let unnamed = named.into_iter().filter(|flag| !flag.starts_with("--method"));
    succeed(folder.path(), unnamed);
    assert!(bytes(&folder, "dose.nii.gz") == expected);
}

#[test]
fn a_server_gives_the_same_bytes() {
    let folder = all_inputs();
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    let with = [
        "--uncertainty-output=sigma.nii",
        "--tally-output=run.tally",
        "--emissions=emissions.csv",
        "--material-map=materials.nii",
        "--material-table=table.toml",
        "--target-uncertainty=0.001",
        "--target-label=4",
        "--time-limit=10min",
        "--absorption-energy=20keV",
        "--track-length-below=0MeV",
    ];
    let files = ["dose.nii.gz", "sigma.nii", "run.tally", "organs.csv"];
    succeed(folder.path(), transport(&["nuclide"], &with));
    let expected = files.map(|name| bytes(&folder, name));
    let on_server: Vec<String> =
        transport(&["nuclide"], &with).into_iter().filter(|flag| flag != "--device=cpu").chain([at_server]).collect();
    succeed(folder.path(), on_server);
    for (name, expected) in files.iter().zip(expected) {
        assert!(bytes(&folder, name) == expected, "{name} differs");
    }
    let result = json(&folder.path().join("result.json"));
    assert_eq!((&result["nuclide"], &result["monte_carlo"]["emissions"]["custom"]), (&"custom".into(), &true.into()));
    assert_eq!(result["nuclide_data_sha256"], result["monte_carlo"]["emissions"]["sha256"]);
    assert_eq!(result["monte_carlo"]["cuts"]["absorption_mev"], 0.02);
    assert_eq!(result["monte_carlo"]["materials"][0]["name"], "water");
}

fn merged(tallies: &[&str], with: &[&str]) -> Vec<String> {
    let fixed = ["--output=merged.nii.gz", "--uncertainty-output=merged_sigma.nii.gz"];
    ["merge"].iter().chain(tallies).chain(&fixed).chain(with).map(ToString::to_string).collect()
}

#[test]
fn merged_ranges_are_the_run_in_one_piece() {
    let folder = all_inputs();
    let run = |first: &str, histories: &str, name: &str| {
        let [first, tally] = [format!("--first-history={first}"), format!("--tally-output={name}")];
        let mut flags = transport(&[], &["--uncertainty-output=sigma.nii.gz", &first, &tally]);
        flags.retain(|flag| flag != "--histories=2000");
        flags.push(format!("--histories={histories}"));
        succeed(folder.path(), flags);
    };
    run("1200", "8e2", "b.tally");
    run("0", "1200", "a.tally");
    run("0", "2e3", "whole.tally");
    let with = ["--labels=labels.nii", "--organs-output=merged.csv", "--json=merged.json", "--tally-output=sum.tally"];
    let stdout = succeed(folder.path(), merged(&["b.tally", "a.tally"], &with));
    assert!(stdout.contains("2000 histories") && stdout.contains("merged"), "{stdout}");
    for (merged, whole) in [
        ("merged.nii.gz", "dose.nii.gz"),
        ("merged_sigma.nii.gz", "sigma.nii.gz"),
        ("merged.csv", "organs.csv"),
        ("sum.tally", "whole.tally"),
    ] {
        assert!(bytes(&folder, merged) == bytes(&folder, whole), "{merged} differs from {whole}");
    }
    let result = json(&folder.path().join("merged.json"));
    assert_eq!(result["monte_carlo"]["runs"][0]["histories"], 2000);
    assert_eq!(result["monte_carlo"]["stopped_by"], "merged");
}

#[test]
fn what_cannot_be_merged_is_named_all_at_once() {
    let folder = all_inputs();
    let run = |name: &str, with: &[&str]| {
        let tally = format!("--tally-output={name}");
        succeed(folder.path(), transport(&[], &[&[tally.as_str()], with].concat()));
    };
    run("good.tally", &[]);
    run("overlap.tally", &["--first-history=1999"]);
    run("other.tally", &["--first-history=2000", "--seed=5"]);
    let good = bytes(&folder, "good.tally");
    write(&folder, "cut.tally", &good[..good.len() / 2]);
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    write(&folder, "damaged.tally", &damaged);
    let tallies =
        ["good.tally", "overlap.tally", "other.tally", "cut.tally", "damaged.tally", "absent.tally", "names.csv"];
    let with = ["--labels=absent.nii", "--json=nowhere/x.json"];
    let output = dosegrid(folder.path(), merged(&tallies, &with));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for (name, word) in [
        ("overlap.tally", "1999 to 1999"),
        ("other.tally", "seed"),
        ("cut.tally", "truncated"),
        ("damaged.tally", "digest"),
        ("absent.tally", "opened"),
        ("names.csv", "no tally"),
        ("labels", "opened"),
        ("json", "folder"),
    ] {
        let named = said.lines().any(|line| line.starts_with(&format!("error: {name}: ")) && line.contains(word));
        assert!(named, "{name}, {word} is not named:\n{said}");
    }
    assert!(!folder.path().join("merged.nii.gz").exists());
    let output = dosegrid(folder.path(), merged(&[], &[]));
    assert!(stderr(&output).contains("error: tallies: at least one"), "{}", stderr(&output));
    let elsewhere = NiftiBytes::new([8, 7, 5], super::SPACING, UINT8, &[1.0; 280]);
    write(&folder, "small.nii", &elsewhere.bytes());
    let output = dosegrid(folder.path(), merged(&["good.tally"], &["--labels=small.nii", "--organs-output=o.csv"]));
    assert!(stderr(&output).contains("error: labels: has shape"), "{}", stderr(&output));
}

/// Flags to leave out, flags to add, the field that is named and a word of the reason.
const BAD: [(&[&str], &[&str], &str, &str); 34] = [
    (&[], &["--histories=-5"], "histories", "whole number"),
    (&[], &["--histories=1.5"], "histories", "whole number"),
    (&[], &["--histories=10"], "histories", "at least 32"),
    (&[], &["--histories=1e15"], "histories", "at most"),
    (&[], &["--first-history=x"], "first-history", "whole number"),
    (&[], &["--first-history=18446744073709551615"], "first-history", "below"),
    (&[], &["--seed=-1"], "seed", "whole number"),
    (&[], &["--target-uncertainty=1"], "target-uncertainty", "below 1"),
    (&[], &["--target-uncertainty=nan"], "target-uncertainty", "below 1"),
    (&[], &["--target-uncertainty=1%"], "target-uncertainty", "number"),
    (&[], &["--target-fraction=0.5"], "target-fraction", "without --target-uncertainty"),
    (&[], &["--target-uncertainty=0.1", "--target-fraction=1.5"], "target-fraction", "at most 1"),
    (
        &["labels", "organs-output"],
        &["--target-uncertainty=0.1", "--target-label=1"],
        "target-label",
        "without --labels",
    ),
    (&[], &["--target-uncertainty=0.1", "--target-label=0"], "target-label", "above 0"),
    (&[], &["--target-uncertainty=0.1", "--target-label=9"], "labels", "label 9"),
    (&[], &["--time-limit=5"], "time-limit", "unit"),
    (&[], &["--time-limit=-5s"], "time-limit", "above 0"),
    (&[], &["--absorption-energy=10"], "absorption-energy", "unit"),
    (&[], &["--collision-cut=0.5keV"], "collision-cut", "0.001"),
    (&[], &["--photon-cut=1GeV"], "photon-cut", "unit"),
    (&[], &["--track-length-below=-1keV"], "track-length-below", "0 for never"),
    (&[], &["--material=lead"], "material", "cortical_bone"),
    (&[], &["--material=absent.toml"], "material", "opened"),
    (&[], &["--material-map=materials.nii"], "material-map", "--material-table"),
    (&[], &["--material-table=table.toml"], "material-table", "without --material-map"),
    (&[], &["--material=water", "--material-map=materials.nii", "--material-table=table.toml"], "material", "only one"),
    (&[], &["--material-map=labels.nii", "--material-table=table.toml"], "material-map", "no material: 4"),
    (&[], &["--emissions=names.csv"], "emissions", "line 2"),
    (&[], &["--density-correction=water"], "density-correction", "no effect"),
    (&[], &["--uncertainty-output=sigma.txt"], "uncertainty-output", ".nii.gz"),
    (&[], &["--tally-output=activity.nii"], "tally-output", "another file"),
    (&["density"], &[], "density", "--density or --ct"),
    (&["nuclide"], &[], "nuclide", "--nuclide is needed"),
    (
        &["nuclide", "activity-unit"],
        &["--emissions=emissions.csv", "--activity-unit=bq", "--effective-half-life=physical"],
        "effective-half-life",
        "needs --nuclide",
    ),
];

#[test]
fn bad_flags_are_refused_with_their_name() {
    let folder = all_inputs();
    for (without, with, field, word) in BAD {
        let mut flags = transport(without, with);
        if with.iter().any(|flag| flag.starts_with("--histories")) {
            flags.retain(|flag| flag != "--histories=2000");
        }
        refused(&folder, flags, field, word);
    }
}

#[test]
fn flags_of_a_transport_have_no_effect_elsewhere() {
    let folder = all_inputs();
    let with = [
        "--histories=100",
        "--target-uncertainty=0.1",
        "--seed=1",
        "--material=water",
        "--photon-cut=5keV",
        "--uncertainty-output=s.nii",
        "--tally-output=t.tally",
    ];
    let output = dosegrid(folder.path(), flags(&[], &with));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for flag in
        ["histories", "target-uncertainty", "seed", "material", "photon-cut", "uncertainty-output", "tally-output"]
    {
        assert!(said.contains(&format!("error: {flag}: has no effect with --method local")), "{flag}:\n{said}");
    }
}

#[test]
fn a_half_life_may_come_from_a_nuclide_beside_its_emissions() {
    let folder = all_inputs();
    write(&folder, "activity.nii", &volume(FLOAT32, |i| if i == 100 { 1e6 } else { 0.0 }).bytes());
    let with = ["--activity-unit=bq", "--effective-half-life=physical", "--emissions=emissions.csv"];
    succeed(folder.path(), transport(&["activity-unit"], &with));
    let result = json(&folder.path().join("result.json"));
    assert_eq!((&result["nuclide"], &result["monte_carlo"]["emissions"]["custom"]), (&"Lu-177".into(), &true.into()));
    assert_eq!(result["monte_carlo"]["emissions"]["electron_mev"], 0.1);
}

#[test]
fn the_method_has_help() {
    let help = succeed(Path::new("."), ["compute", "--help"]);
    for flag in ["--histories", "--target-uncertainty", "--emissions", "--material-table", "--tally-output", "10keV"] {
        assert!(help.contains(flag), "{flag}");
    }
}
