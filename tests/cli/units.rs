//! Units of activity maps, and the times that belong to them.

use super::{FLOAT32, MEV_PER_G_IN_GY, dose, flags, inputs, json, json_of_nuclide, succeed, volume, write};

/// How well the same activity in another unit must give the same dose.
const SAME: f64 = 1e-6;

#[test]
fn every_unit_of_the_same_activity_gives_the_same_dose() {
    let folder = inputs();
    succeed(folder.path(), flags(&[], &[]));
    let expected = dose(&folder, "dose.nii.gz")[100];
    let half_life_s = 3600.0 * std::f64::consts::LN_2;
    // Two half-lives after the injection a quarter of the activity is left.
    let (half_life, after) = (format!("--effective-half-life={half_life_s}s"), format!("{}s", 2.0 * half_life_s));
    let (moment, later) = ([half_life.clone()], [half_life, format!("--imaged-after={after}")]);
    let voxel_ml = 0.4 * 0.4 * 0.5;
    let units: [(&str, f64, &[String]); 13] = [
        ("bq-s", 1.0, &[]),
        ("bq-h", 3.6e3, &[]),
        ("kbq-s", 1e3, &[]),
        ("mbq-s", 1e6, &[]),
        ("mbq-h", 3.6e9, &[]),
        ("bq", 3.6e3, &moment),
        ("kbq", 3.6e6, &moment),
        ("mbq", 3.6e9, &moment),
        ("bq-per-ml", 3.6e3 * voxel_ml, &moment),
        ("kbq-per-ml", 3.6e6 * voxel_ml, &moment),
        ("mbq-per-ml", 3.6e9 * voxel_ml, &moment),
        ("bq", 4.0 * 3.6e3, &later),
        ("kbq-per-ml", 4.0 * 3.6e6 * voxel_ml, &later),
    ];
    for (unit, bq_s_per_unit, times) in units {
        let activity = |i| if i == 100 { 1e9 / bq_s_per_unit } else { 0.0 };
        write(&folder, "other.nii", &volume(FLOAT32, activity).bytes());
        let unit = format!("--activity-unit={unit}");
        let mut with = vec!["--activity=other.nii", &unit, "--output=other_dose.nii"];
        with.extend(times.iter().map(String::as_str));
        succeed(folder.path(), flags(&["activity", "activity-unit", "output"], &with));
        assert_eq!(json(&folder.path().join("result.json"))["inputs"]["activity_unit"], unit[16..]);
        let found = dose(&folder, "other_dose.nii")[100];
        assert!((found / expected - 1.0).abs() < 1e-6, "{unit}: {found} {expected}");
    }
}

#[test]
fn without_a_density_the_mass_is_that_of_the_medium() {
    let folder = inputs();
    let found = |medium: &str| {
        let medium = format!("--kernel-medium={medium}");
        let with = ["--method=kernel", "--density-correction=water", medium.as_str()];
        succeed(folder.path(), flags(&["method", "density"], &with));
        let organ = json(&folder.path().join("result.json"))["organs"][0].clone();
        ["mass_g", "counted_mass_g"].map(|name| organ[name].as_f64().expect("a mass"))
    };
    // One voxel of 0.08 cm³.
    for (medium, density_g_cm3) in [("water", 1.0), ("lung", 0.26), ("cortical_bone", 1.92)] {
        for mass_g in found(medium) {
            assert!((mass_g / (0.08 * density_g_cm3) - 1.0).abs() < 1e-5, "{medium}: {mass_g} g");
        }
    }
}

#[test]
fn a_concentration_as_scanners_write_it() {
    let folder = inputs();
    // 1 MBq/mL in tissue of 1 g/mL: 1 GBq/kg, whatever the voxels.
    write(&folder, "water.nii", &volume(FLOAT32, |_| 1.0).bytes());
    write(&folder, "spect.nii", &volume(FLOAT32, |i| if i == 100 { 1e6 } else { 0.0 }).bytes());
    let with =
        ["--activity=spect.nii", "--activity-unit=bq-per-ml", "--effective-half-life=50h", "--density=water.nii"];
    succeed(folder.path(), flags(&["activity", "activity-unit", "density"], &with));
    let decays_per_g = 1e6 * 50.0 * 3600.0 / std::f64::consts::LN_2;
    let expected = decays_per_g * json_of_nuclide("electron") * MEV_PER_G_IN_GY;
    let found = f64::from(dose(&folder, "dose.nii.gz")[100]);
    assert!((found / expected - 1.0).abs() < SAME, "{found} {expected}");
    assert!((found / 6.1505 - 1.0).abs() < 1e-4, "{found}");
}

#[test]
fn a_concentration_keeps_its_total_on_another_grid() {
    let folder = inputs();
    let decays = |with: &[&str]| {
        let half_life = "--effective-half-life=50h";
        let with = [&["--activity-unit=kbq-per-ml", half_life][..], with].concat();
        succeed(folder.path(), flags(&["activity-unit"], &with));
        let result = json(&folder.path().join("result.json"));
        (result["decays"].as_f64().expect("a number"), result["inputs"]["grids"]["activity"].clone())
    };
    let (expected, _) = decays(&[]);
    let (found, totals) = decays(&["--dose-grid=3"]);
    assert!((found / expected - 1.0).abs() < SAME, "{found} {expected}");
    // 1.5e9 kBq/mL in voxels of 0.08 mL.
    assert!((totals[0].as_f64().expect("a number") / 1.2e8 - 1.0).abs() < SAME, "{totals}");
}

#[test]
fn a_map_that_was_corrected_to_the_injection_counts_once() {
    let folder = inputs();
    let after = ["--activity-unit=bq", "--imaged-after=50h"];
    let decays = |with: &[&str]| {
        let with = [&after[..], with].concat();
        let said = succeed(folder.path(), flags(&["activity-unit"], &with));
        (json(&folder.path().join("result.json"))["decays"].as_f64().expect("a number"), said)
    };
    // Corrected by the same half-life with which it falls: the map holds what was there at the injection.
    let (corrected, said) = decays(&["--effective-half-life=physical", "--decay-corrected-to=injection"]);
    let half_life_s = half_life_of_lu_177();
    assert!((corrected / (1.5e9 * half_life_s / std::f64::consts::LN_2) - 1.0).abs() < SAME, "{corrected}");
    assert!(said.contains("physical half-life") && said.contains("corrected to the injection"), "{said}");
    // With an effective half-life the physical decay before the image is undone first.
    let (corrected, said) = decays(&["--effective-half-life=25h", "--decay-corrected-to=injection"]);
    let at_scan = 1.5e9 * (-50.0 * 3600.0 / half_life_s).exp2();
    let expected = at_scan * 4.0 * 25.0 * 3600.0 / std::f64::consts::LN_2;
    assert!((corrected / expected - 1.0).abs() < SAME, "{corrected} {expected}");
    assert!(said.contains("effective half-life of 25.00 h"), "{said}");
    let (at_image, _) = decays(&["--effective-half-life=25h"]);
    assert!((at_image / corrected - 1.5e9 / at_scan).abs() < SAME, "{at_image}");
}

fn half_life_of_lu_177() -> f64 {
    dosegrid::physics::nuclide::find("Lu-177").expect("a known nuclide").half_life_s
}

#[test]
fn what_a_person_recognises_is_told_first() {
    let folder = inputs();
    let with = ["--activity-unit=bq", "--effective-half-life=50h", "--imaged-after=50h", "--injected-activity=6GBq"];
    let said = succeed(folder.path(), flags(&["activity-unit"], &with));
    // 1.5 GBq at the image, 3 GBq at the injection: half of what was injected, with a mean life of 72.13 h.
    let first: Vec<&str> = said.lines().take(3).collect();
    assert!(first[0].starts_with("activity   1.500 GBq in the map at the image, 3.000 GBq at the injection"), "{said}");
    assert!(first[1].starts_with("decays     7.7906e14"), "{said}");
    assert!(first[2].contains("6.000 GBq: 1.2984e14 decays per GBq") && first[2].contains("36.0674 h"), "{said}");
    let account = json(&folder.path().join("result.json"))["activity"].clone();
    let figure = |key: &str| account[key].as_f64().expect(key);
    assert!((figure("time_integrated_activity_coefficient_h") / 36.067_376_022 - 1.0).abs() < SAME, "{account}");
    assert!((figure("at_injection_bq") / 3e9 - 1.0).abs() < SAME && figure("injected_bq") == 6e9, "{account}");
    assert_eq!((&account["half_life"], &account["decay_corrected_to"]), (&"effective".into(), &"scan".into()));
    // A map that is time-integrated: the activity whose complete decay makes as many decays.
    let said = succeed(folder.path(), flags(&[], &[]));
    let kbq = 1.5e9 * std::f64::consts::LN_2 / half_life_of_lu_177() / 1e3;
    assert!(said.starts_with(&format!("activity   time-integrated: as many decays as {kbq:.3} kBq")), "{said}");
    assert!(!succeed(folder.path(), flags(&[], &["--quiet"])).contains("activity"));
}
