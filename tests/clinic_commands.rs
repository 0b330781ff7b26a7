//! `dosegrid bed`, `budget`, `cycles` and `next-cycle`, run as a user runs them.

use std::fs;
use std::path::Path;

use dosegrid::formats::volume_file::read_volume;
use serde_json::Value;

use crate::support::command::{dosegrid, stderr, succeed};
use crate::support::nifti::{FLOAT32, NiftiBytes, UINT8};

/// Closed forms, and figures written with all their digits.
const CLOSED: f64 = 1e-9;
/// Of a map in single precision.
const SINGLE: f64 = 1e-6;

const KIDNEYS: &str = r#"
    nuclide = "Lu-177"
    [[region]]
    name = "kidneys"
    alpha_beta_gy = 2.6
    repair_half_time_h = 2.8
    [[region.cycle]]
    dose_gy = 5.2
    effective_half_life_h = 50
    [[region.cycle]]
    dose_gy = 4.0
    start_h = 1344
    effective_half_life_h = 40
"#;

const NEXT: &str = r#"
    administered_gbq = [7.4, 7.0]
    dose_per_gbq_from = "last"
    planned_gbq = 7.4
    [[organ]]
    name = "kidneys"
    doses_gy = [5.2, 4.2]
    random_relative_sigma = 0.05
    systematic_relative_sigma = 0.1
    alpha_beta_gy = 2.6
    repair_half_time_h = 2.8
    effective_half_lives_h = [50, 50]
    limits = { cumulative_gy = 18, cumulative_bed_gy = 13 }
    [[organ]]
    name = "marrow"
    doses_gy = [0.1, 0.1]
    limits = { per_cycle_gy = 2 }
"#;

fn put(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("a writable folder");
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(name)).expect("it was written")).expect("JSON")
}

fn near(found: &Value, expected: f64, tolerance: f64) -> bool {
    found.as_f64().is_some_and(|found| (found / expected - 1.0).abs() < tolerance)
}

/// What a command that must refuse its input says.
fn refusal(folder: &Path, args: &[&str]) -> String {
    let output = dosegrid(folder, args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
    stderr(&output)
}

#[test]
fn bed_of_regions_is_the_closed_form() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "plan.toml", KIDNEYS);
    succeed(folder.path(), ["bed", "plan.toml", "--json=bed.json", "--csv=bed.csv"]);
    let bed = |dose: f64, half_life_h: f64| dose + 2.8 / (2.8 + half_life_h) * dose * dose / 2.6;
    let expected = bed(5.2, 50.0) + bed(4.0, 40.0);
    let region = json(folder.path(), "bed.json")["regions"][0].clone();
    assert!(near(&region["bed_gy"], expected, CLOSED), "{region}");
    assert!(near(&region["eqd2_gy"], expected / (1.0 + 2.0 / 2.6), CLOSED));
    assert!(near(&region["cycles"][1]["lea_catcheside_factor"], 2.8 / 42.8, CLOSED));
    assert_eq!(region["cycles_overlap"], false);
    let table = fs::read_to_string(folder.path().join("bed.csv")).expect("it was written");
    assert!(table.lines().nth(1).is_some_and(|row| row.starts_with("kidneys,2.6,9.2,")), "{table}");
}

#[test]
fn doses_may_come_from_organ_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "plan.toml", &KIDNEYS.replace("dose_gy = 5.2", "").replace("dose_gy = 4.0", ""));
    put(folder.path(), "a.csv", "label,name,mean_by_mass_gy\n1,kidneys,5.2\n2,liver,1\n");
    put(folder.path(), "b.csv", "name,mean_by_mass_gy\nliver,1\nkidneys,4.0\n");
    let printed = succeed(folder.path(), ["bed", "plan.toml", "--organs=a.csv", "--organs=b.csv"]);
    let answer: Value = serde_json::from_str(&printed).expect("JSON");
    assert!(near(&answer["regions"][0]["dose_gy"], 9.2, CLOSED), "{printed}");
    let missing = refusal(folder.path(), &["bed", "plan.toml", "--organs=a.csv"]);
    assert!(missing.contains("region.kidneys.cycle: has 2 cycles, but there are 1 organ tables"), "{missing}");
}

#[test]
fn names_of_organs_are_told_by_neither_case_nor_blanks() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "a.csv", "name,mean_by_mass_gy\nKidneys,5.2\n");
    put(folder.path(), "b.csv", "name,mean_by_mass_gy\nliver,1\nkidneys ,4.0\n");
    put(folder.path(), "plan.toml", &KIDNEYS.replace("dose_gy = 5.2", "").replace("dose_gy = 4.0", ""));
    let printed = succeed(folder.path(), ["bed", "plan.toml", "--organs=a.csv", "--organs=b.csv"]);
    let answer: Value = serde_json::from_str(&printed).expect("JSON");
    assert!(near(&answer["regions"][0]["dose_gy"], 9.2, CLOSED), "{printed}");
    succeed(folder.path(), ["cycles", "a.csv", "b.csv", "--json=sum.json"]);
    let sums = json(folder.path(), "sum.json");
    assert!(sums["organs"][0]["name"] == "Kidneys" && near(&sums["organs"][0]["dose_gy"], 9.2, CLOSED), "{sums}");
    let of_tables = NEXT.replace("doses_gy = [5.2, 4.2]", "");
    put(folder.path(), "next.toml", &of_tables);
    succeed(folder.path(), ["next-cycle", "next.toml", "--organs=a.csv", "--organs=b.csv", "--json=next.json"]);
    let used = json(folder.path(), "next.json")["bounds"].clone();
    let bounds = used.as_array().into_iter().flatten();
    let kidneys: Vec<&Value> = bounds.filter(|bound| bound["limit"] == "cumulative_gy").collect();
    assert!(matches!(kidneys.as_slice(), [one] if near(&one["used_gy"], 9.2, CLOSED)), "{used}");
    put(folder.path(), "a.csv", "name,mean_by_mass_gy\nKidneys,5.2\nkidneys,5.0\n");
    let said = refusal(folder.path(), &["cycles", "a.csv", "b.csv"]);
    assert!(said.contains("a.csv: two organs, Kidneys and kidneys, have names that"), "{said}");
}

#[test]
fn nothing_of_a_bed_is_guessed() {
    let folder = tempfile::tempdir().expect("a folder");
    let bare = KIDNEYS.replace("alpha_beta_gy = 2.6", "").replace("repair_half_time_h = 2.8", "");
    put(folder.path(), "plan.toml", &bare.replace("effective_half_life_h = 40", ""));
    let said = refusal(folder.path(), &["bed", "plan.toml"]);
    for field in ["kidneys.alpha_beta_gy", "kidneys.repair", "kidneys.cycle[1].effective_half_life_h"] {
        assert!(said.contains(&format!("error: region.{field}: ")), "{field}: {said}");
    }
    put(folder.path(), "plan.toml", &KIDNEYS.replace("Lu-177", "Ac-225"));
    let said = refusal(folder.path(), &["bed", "plan.toml"]);
    assert!(said.contains("rbe: Ac-225 emits alpha particles"), "{said}");
    put(folder.path(), "plan.toml", &format!("rbe = 5\nmixed_field = true\n{}", KIDNEYS.replace("Lu-177", "Ac-225")));
    let said = refusal(folder.path(), &["bed", "plan.toml"]);
    assert!(said.contains("alpha_dose_gy: is needed"), "{said}");
}

#[test]
fn alpha_particles_count_by_their_rbe_and_are_not_repaired() {
    let folder = tempfile::tempdir().expect("a folder");
    let mixed = KIDNEYS.replace("Lu-177", "Ac-225").replace("dose_gy = 5.2", "dose_gy = 0.1\nalpha_dose_gy = 2");
    let mixed = mixed.replace("dose_gy = 4.0", "dose_gy = 0.1\nalpha_dose_gy = 1");
    put(folder.path(), "plan.toml", &format!("rbe = 5\nmixed_field = true\n{mixed}"));
    succeed(folder.path(), ["bed", "plan.toml", "--json=bed.json"]);
    let low = |half_life_h: f64| 0.1 + 2.8 / (2.8 + half_life_h) * 0.01 / 2.6;
    let expected = 15.0 + low(50.0) + low(40.0);
    assert!(near(&json(folder.path(), "bed.json")["regions"][0]["bed_gy"], expected, CLOSED));
}

#[test]
fn bed_maps_hold_the_bed_of_each_voxel() {
    let folder = tempfile::tempdir().expect("a folder");
    let volume = |datatype: i16, values: [f64; 6]| NiftiBytes::new([6, 1, 1], [4.0; 3], datatype, &values).bytes();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).expect("a writable folder");
    write("first.nii", volume(FLOAT32, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    write("second.nii", volume(FLOAT32, [2.0, 2.0, 1.0, 1.0, 7.0, 7.0]));
    write("labels.nii", volume(UINT8, [3.0, 3.0, 3.0, 0.0, 3.0, 5.0]));
    write("density.nii", volume(FLOAT32, [1.0, 2.0, 1.0, 1.0, 0.01, 1.0]));
    let plan = KIDNEYS.replace("dose_gy = 5.2", "").replace("dose_gy = 4.0", "");
    let plan =
        plan.replace("name = \"kidneys\"", "name = \"kidneys\"\nlabel = 3\nalpha_per_gy = 0.3\ngeud_exponent = 2");
    put(folder.path(), "plan.toml", &plan);
    let maps = ["--dose=first.nii", "--dose=second.nii", "--labels=labels.nii", "--density=density.nii"];
    let outputs = ["--output=bed.nii", "--json=bed.json"];
    succeed(folder.path(), ["bed", "plan.toml"].iter().chain(&maps).chain(&outputs));
    let bed =
        |first: f64, second: f64| first + second + (2.8 / 52.8 * first * first + 2.8 / 42.8 * second * second) / 2.6;
    let expected = [bed(1.0, 2.0), bed(2.0, 2.0), bed(3.0, 1.0)];
    let found = dosegrid::formats::nifti::read(&folder.path().join("bed.nii")).expect("a map").volume.into_vec();
    for (found, expected) in found.iter().zip(expected.iter().copied().chain([0.0; 3])) {
        assert!((f64::from(*found) - expected).abs() <= SINGLE * expected, "{found} {expected}");
    }
    let answer = json(folder.path(), "bed.json");
    let region = &answer["regions"][0];
    // Voxels of 1, 2 and 1 g; the thin one does not count.
    let mean = (expected[0] + 2.0 * expected[1] + expected[2]) / 4.0;
    let survival: f64 = expected.iter().zip([0.25, 0.5, 0.25]).map(|(bed, part)| part * (-0.3 * bed).exp()).sum();
    assert!(near(&region["bed_gy"], mean, SINGLE), "{region}");
    assert!(near(&region["equivalent_uniform_bed_gy"], -survival.ln() / 0.3, SINGLE));
    assert!(near(&region["excluded_volume_cm3"], 0.064, SINGLE) && near(&region["mass_g"], 0.256, SINGLE));
    assert!(near(&region["generalised_eud_gy"], f64::sqrt((9.0 + 2.0 * 16.0 + 16.0) / 4.0), SINGLE));
    assert_eq!((&answer["voxels_without_bed"], &region["equivalent_uniform_dose_gy"]), (&Value::from(2), &Value::Null));
}

#[test]
fn a_budget_has_a_line_for_each_part_and_its_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = r#"
        [[region]]
        name = "kidneys"
        volume_cm3 = 160
        outline = { voxel_width_mm = 0.98, fwhm_mm = 1.5, operator_edge_sigma_mm = 1.0 }
        activity_fwhm_mm = 11
        recovery = { b1_cm3 = 3.1, b2 = 0.82, covariance = [[0.16, -0.012], [-0.012, 0.0025]] }
        calibration_relative_sigma = 0.03
        fit_relative_sigma = 0.015
        dose_factor_exponent = 0.97
        doses_gy = [5.0, 5.0]
        one_outline = true
    "#;
    put(folder.path(), "plan.toml", plan);
    let printed = succeed(folder.path(), ["budget", "plan.toml"]);
    let sources = ["calibration", "given", "volume", "computed", "monte_carlo", "not given", "a lower bound"];
    assert!(sources.iter().all(|word| printed.contains(word)), "{printed}");
    succeed(folder.path(), ["budget", "plan.toml", "--json=budget.json", "--csv=budget.csv"]);
    let region = json(folder.path(), "budget.json")["regions"][0].clone();
    let total = region["dose_relative_sigma"].as_f64().expect("a number");
    let systematic = (total * total - 0.015f64.powi(2)).sqrt();
    let sum = (100.0 * systematic * systematic + 2.0 * (5.0 * 0.015f64).powi(2)).sqrt();
    assert!(near(&region["sum"]["dose_sigma_gy"], sum, CLOSED), "{region}");
    assert_eq!(region["is_lower_bound"], true);
    let table = fs::read_to_string(folder.path().join("budget.csv")).expect("it was written");
    assert!(table.contains("kidneys,calibration,0.03,given\n") && table.contains("kidneys,density,,not given\n"));
    put(folder.path(), "plan.toml", &plan.replace("activity_fwhm_mm = 11", "").replace("one_outline = true", ""));
    let said = refusal(folder.path(), &["budget", "plan.toml"]);
    assert!(said.contains("region.kidneys.one_outline"), "{said}");
}

#[test]
fn the_next_cycle_stays_within_the_limits_that_are_given() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "plan.toml", NEXT);
    let printed = succeed(folder.path(), ["next-cycle", "plan.toml"]);
    assert!(printed.contains("kidneys decides") && printed.contains("NOT within the limits"), "{printed}");
    assert!(printed.contains("A physician decides."), "{printed}");
    succeed(folder.path(), ["next-cycle", "plan.toml", "--json=next.json", "--csv=next.csv"]);
    let answer = json(folder.path(), "next.json");
    // 0.6 Gy/GBq; BED of the cycles so far, and the dose whose BED is what is left.
    let factor = 2.8 / 52.8 / 2.6;
    let left = 13.0 - (9.4 + factor * (5.2 * 5.2 + 4.2 * 4.2));
    let dose = (f64::sqrt(1.0 + 4.0 * factor * left) - 1.0) / (2.0 * factor);
    assert!(near(&answer["activity_gbq"], dose / 0.6, CLOSED), "{answer}");
    assert_eq!(
        (&answer["bounds"][0]["organ"], &answer["bounds"][0]["limit"]),
        (&"kidneys".into(), &"cumulative_bed_gy".into())
    );
    let [low, high] = [0, 1].map(|end| answer["bounds"][0]["interval_68_gbq"][end].as_f64().expect("an end"));
    assert!(low < dose / 0.6 && high > dose / 0.6);
    put(folder.path(), "plan.toml", &NEXT.replace("limits = {", "# limits = {"));
    let said = refusal(folder.path(), &["next-cycle", "plan.toml"]);
    assert!(said.contains("organ.limits: no organ has a limit, and none is built in"), "{said}");
    put(folder.path(), "plan.toml", &NEXT.replace("[5.2, 4.2]", "[5.2]"));
    let said = refusal(folder.path(), &["next-cycle", "plan.toml"]);
    assert!(said.contains("organ.kidneys.doses_gy"), "{said}");
}

#[test]
fn cycles_add_by_the_names_of_organs() {
    let folder = tempfile::tempdir().expect("a folder");
    let head = "name,mean_by_mass_gy,mean_by_mass_sigma_gy,time_integrated_activity_mbq_h\n";
    put(folder.path(), "a.csv", &format!("{head}liver,3,0.3,100\ntumour,20,,50\n"));
    put(folder.path(), "b.csv", &format!("{head}liver,4,0.4,120\n"));
    succeed(folder.path(), ["cycles", "a.csv", "b.csv", "--csv=sum.csv", "--json=sum.json"]);
    let table = fs::read_to_string(folder.path().join("sum.csv")).expect("it was written");
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows, ["liver,2,true,7.0,0.5,220.0", "tumour,1,false,20.0,,50.0"]);
    assert_eq!(json(folder.path(), "sum.json")["organs"][0]["doses_gy"], serde_json::json!([3.0, 4.0]));
    let incomplete = dosegrid(folder.path(), ["cycles", "a.csv", "b.csv"]);
    assert!(stderr(&incomplete).contains("tumour: not every cycle has a dose of it"));
    put(folder.path(), "c.csv", "name,mean_by_mass_gy\nliver,x\n");
    assert!(refusal(folder.path(), &["cycles", "c.csv"]).contains("c.csv: line 2"));
}

#[test]
fn maps_of_cycles_add_on_the_grid_of_the_first() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let map = |name: &str, shape: [i16; 3], spacing: [f32; 3], gy: f64| {
        let voxels: i16 = shape.iter().product();
        let values: Vec<f64> = (0..voxels).map(|i| gy * f64::from(i % 7)).collect();
        let bytes = NiftiBytes::new(shape, spacing, FLOAT32, &values).bytes();
        fs::write(folder.path().join(name), bytes).expect("a writable folder");
    };
    map("a.nii", [8, 7, 6], [4.0; 3], 1.0);
    map("b.nii", [8, 7, 6], [4.0; 3], 0.5);
    map("coarse.nii", [4, 4, 3], [8.0; 3], 1.0);
    let maps = ["cycles", "--dose=a.nii", "--dose=b.nii", "--dose-output=sum.nii"];
    let sigmas = ["--uncertainty=a.nii", "--uncertainty=b.nii", "--uncertainty-output=sigma.nii"];
    succeed(folder.path(), [&maps[..], &sigmas[..]].concat());
    let read = |name: &str| read_volume(&folder.path().join(name)).expect("a map").volume.into_vec();
    let (sum, sigma) = (read("sum.nii"), read("sigma.nii"));
    for (i, (sum, sigma)) in (0u16..).zip(sum.into_iter().zip(sigma)) {
        let one = f64::from(i % 7);
        assert!((f64::from(sum) - 1.5 * one).abs() < 1e-6 && (f64::from(sigma) - 1.25f64.sqrt() * one).abs() < 1e-6);
    }
    let other = ["cycles", "--dose=a.nii", "--dose=coarse.nii", "--dose-output=other.nii"];
    assert!(refusal(folder.path(), &other).contains("dose coarse.nii: lies on another grid"));
    succeed(folder.path(), [&other[..], &["--resample"]].concat());
    let few = refusal(folder.path(), &["cycles", "--dose=a.nii", "--dose-output=x.dcm", "--uncertainty=b.nii"]);
    for fault in ["dose: is needed once", "uncertainty: has no effect", "reference: is needed"] {
        assert!(few.contains(fault), "{fault}: {few}");
    }
}

#[test]
fn results_never_replace_what_they_are_made_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let organs = "name,mean_by_mass_gy\nkidneys,5.2\n";
    put(folder.path(), "plan.toml", KIDNEYS);
    put(folder.path(), "next.toml", NEXT);
    put(folder.path(), "budget.toml", "[[region]]\nname = 'kidneys'\nvolume_cm3 = 160\n");
    put(folder.path(), "a.csv", organs);
    for args in [
        ["cycles", "a.csv", "--csv=a.csv", "--json=sum.json"],
        ["bed", "plan.toml", "--json=plan.toml", "--csv=bed.csv"],
        ["budget", "budget.toml", "--json=budget.toml", "--csv=budget.csv"],
        ["next-cycle", "next.toml", "--csv=next.toml", "--json=next.json"],
        ["bed", "plan.toml", "--json=bed.json", "--csv=./bed.json"],
    ] {
        let said = refusal(folder.path(), &args);
        assert!(said.contains("is also the path of another file of this run"), "{args:?}: {said}");
    }
    let dose = NiftiBytes::new([2, 1, 1], [4.0; 3], FLOAT32, &[1.0, 2.0]);
    fs::write(folder.path().join("dose.nii"), dose.bytes()).expect("a writable folder");
    let said =
        refusal(folder.path(), &["bed", "plan.toml", "--dose=dose.nii", "--labels=dose.nii", "--output=dose.nii"]);
    assert!(said.contains("output: is also the path of another file"), "{said}");
    let kept = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it is there");
    assert_eq!((kept("a.csv"), kept("plan.toml")), (organs.to_owned(), KIDNEYS.to_owned()));
}

#[test]
fn what_is_implausible_of_cycles_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let warned = |args: &[&str]| {
        let output = dosegrid(folder.path(), args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stderr(&output)
    };
    put(folder.path(), "plan.toml", KIDNEYS);
    assert_eq!(warned(&["bed", "plan.toml"]), "");
    // Half-lives in minutes make a BED that is nearly the dose.
    put(folder.path(), "plan.toml", &KIDNEYS.replace("half_life_h = 50", "half_life_h = 3000"));
    let said = warned(&["bed", "plan.toml", "--json=bed.json"]);
    assert!(said.starts_with("warning: region.kidneys.cycle[0]: 3000.00 h is longer than the physical"), "{said}");
    assert_eq!(json(folder.path(), "bed.json")["warnings"][0]["reason"], "HALF_LIFE_ABOVE_PHYSICAL");
    put(folder.path(), "next.toml", NEXT);
    assert_eq!(warned(&["next-cycle", "next.toml"]), "");
    // MBq in place of GBq would let a thousand times the activity through.
    put(folder.path(), "next.toml", &NEXT.replace("[7.4, 7.0]", "[7400, 7000]"));
    let said = warned(&["next-cycle", "next.toml"]);
    assert!(said.starts_with("warning: administered_gbq: 7.4") && said.contains("(ACTIVITY_HIGH)"), "{said}");
    // Percentages in place of parts.
    put(folder.path(), "budget.toml", "[[region]]\nname = 'kidneys'\nvolume_cm3 = 160\nfit_relative_sigma = 5\n");
    let said = warned(&["budget", "budget.toml", "--json=budget.json"]);
    assert!(
        said.starts_with("warning: region.kidneys.fit_relative_sigma: ") && said.contains("is 500 % of it"),
        "{said}"
    );
    assert_eq!(json(folder.path(), "budget.json")["warnings"][0]["reason"], "SIGMA_HIGH");
    put(folder.path(), "a.csv", "name,mean_by_mass_gy\nkidneys,5.2\n");
    put(folder.path(), "b.csv", "name,mean_by_mass_gy\nkidneys,5.2\n");
    let said = warned(&["cycles", "a.csv", "b.csv"]);
    assert_eq!(said, "warning: b.csv: holds the same as a.csv; is it one cycle twice?\n");
}

#[test]
fn an_organ_is_listed_once_and_has_no_dose_below_0() {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "next.toml", &NEXT.replace("marrow", "kidneys"));
    let said = refusal(folder.path(), &["next-cycle", "next.toml"]);
    assert!(said.contains("organ.kidneys: is there twice"), "{said}");
    put(folder.path(), "next.toml", &NEXT.replace("marrow", " Kidneys"));
    let said = refusal(folder.path(), &["next-cycle", "next.toml"]);
    assert!(said.contains("organ. Kidneys: is there twice; case and blanks make no other name"), "{said}");
    put(folder.path(), "a.csv", "name,mean_by_mass_gy\nkidneys,-5.2\n");
    let said = refusal(folder.path(), &["cycles", "a.csv"]);
    assert!(said.contains("kidneys: mean_by_mass_gy is below 0 or not finite"), "{said}");
}
