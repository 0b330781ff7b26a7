//! `dosegrid bed`, `budget` and `integrate` with `--server`: the bytes of this process.

use std::fs;

use tempfile::TempDir;

use super::same;
use crate::cli::grids::{cube, radius, stack, write};
use crate::support::command::{Server, dosegrid, stderr};
use crate::support::nifti::{FLOAT32, UINT8};

const REGIONS: &str = r#"
    nuclide = "Lu-177"
    [[region]]
    name = "kidneys"
    label = 1
    alpha_beta_gy = 2.6
    repair = [{ fraction = 0.4, half_time_h = 0.5 }, { fraction = 0.6, half_time_h = inf }]
    alpha_per_gy = 0.1
    [[region.cycle]]
    #dose_gy = 5.2
    effective_half_life_h = 50
    sessions = [{ start_h = 24, duration_h = 4, clearance_half_time_h = 3 }]
    [[region.cycle]]
    #dose_gy = 4.0
    start_h = 60
    infusion_h = 0.5
    dose_rate_terms = [{ amplitude_gy_per_h = 2, rate_per_h = 0.01 }, { amplitude_gy_per_h = -1, rate_per_h = 0.5 }]
    removals = [{ time_h = 48, fraction = 0.2 }]
    [[region]]
    name = "label_2"
    label = 2
    alpha_beta_gy = 10
    repair_half_time_h = 1.5
    geud_exponent = -5
    [[region.cycle]]
    #dose_gy = 20
    effective_half_life_h = 80
    [[region.cycle]]
    #dose_gy = 15
    start_h = 1344
    effective_half_life_h = 70
"#;

const BUDGETS: &str = r#"
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
    [[region]]
    name = "tumour"
    volume_cm3 = 2
    recovery = { spheres = [{ volume_cm3 = 1, recovery_coefficient = 0.3 },
        { volume_cm3 = 10, recovery_coefficient = 0.6 }, { volume_cm3 = 30, recovery_coefficient = 0.8 }] }
"#;

fn put(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).expect("a writable folder");
}

#[test]
fn a_server_gives_the_beds_and_budgets_of_this_process() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    put(&folder, "plan.toml", &REGIONS.replace('#', ""));
    put(&folder, "budget.toml", BUDGETS);
    same(&folder, &["bed", "plan.toml"], &at_server, &[]);
    same(&folder, &["bed", "plan.toml", "--csv=bed.csv", "--json=bed.json"], &at_server, &["bed.csv", "bed.json"]);
    same(&folder, &["budget", "budget.toml"], &at_server, &[]);
    same(&folder, &["budget", "budget.toml", "--csv=b.csv", "--json=b.json"], &at_server, &["b.csv", "b.json"]);
    // By voxel: overlapping masks too, which are sent in volumes of their own.
    put(&folder, "maps.toml", REGIONS);
    for (name, file) in [
        ("first.nii", cube(4.0, FLOAT32, |at| 9.0 - radius(at) / 5.0)),
        ("second.nii", cube(4.0, FLOAT32, |[x, y, _]| 1.0 + (x + y) / 50.0)),
        ("density.nii", cube(4.0, FLOAT32, |[x, ..]| if x < 5.0 { 0.01 } else { 1.05 })),
        ("map.nii", cube(4.0, UINT8, |at| if radius(at) < 9.0 { 2.0 } else { f64::from(u8::from(at[2] < 4.0)) })),
        ("stack.nii", stack()),
    ] {
        write(&folder, name, &file);
    }
    let maps = ["bed", "maps.toml", "--dose=first.nii", "--dose=second.nii", "--density=density.nii", "--json=v.json"];
    let outputs = ["--output=bed.nii", "--eqd2-output=eqd2.nii"];
    for labels in ["--labels=map.nii", "--labels=stack.nii"] {
        let args = [&maps[..], &outputs, &[labels]].concat();
        same(&folder, &args, &at_server, &["v.json", "bed.nii", "eqd2.nii"]);
    }
    // What is wrong is told in the words of the file before anything is sent.
    put(&folder, "plan.toml", &REGIONS.replace("alpha_beta_gy = 2.6", ""));
    let output = dosegrid(folder.path(), ["bed", "plan.toml", &at_server]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("error: region.kidneys.alpha_beta_gy: "), "{}", stderr(&output));
}

#[test]
fn a_server_integrates_maps_as_this_process_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    let mut series = String::from("nuclide = 'Lu-177'\nunit = 'mbq'\nadministered_activity_mbq = 7400\n");
    series += "injection = '2026-03-02T09:00:00'\n";
    let days = ["02T13:00:00", "03T09:00:00", "06T09:00:00", "09T09:00:00"];
    for ((time_h, day), noise) in [4.0, 24.0, 96.0, 168.0].into_iter().zip(days).zip([1.02, 0.97, 1.01, 0.99]) {
        let value = move |[x, y, z]: [f64; 3]| {
            let rate = if y < 10.0 { 0.0133 } else { 0.0050 + 0.0001 * z };
            if x < 4.0 { 0.0 } else { noise * (1.0 + x) * f64::exp(-rate * time_h) }
        };
        write(&folder, &format!("{time_h}.nii"), &cube(4.0, FLOAT32, value));
        series += &format!("[[scan]]\nfile = '{time_h}.nii'\ntime = '2026-03-{day}'\nduration_h = 0.5\n");
    }
    write(&folder, "labels.nii", &cube(4.0, UINT8, |[_, y, _]| f64::from(u8::from(y < 10.0)) * 7.0));
    put(&folder, "series.toml", &series);
    let written = ["out/curves.json", "out/tia.nii.gz", "out/tia_sigma.nii.gz"];
    let common = ["integrate", "--series=series.toml", "--output=out", "--json"];
    for (more, kinds) in [
        (&["--labels=labels.nii"][..], false),
        (&["--labels=labels.nii", "--activity-sigma=0.04", "--reference-time=96", "--model=trapezoid_tail"], false),
        (&["--between=linear", "--before-first=from_zero", "--weighting=none"], false),
        (&["--by=voxel", "--activity-sigma=0.1"], true),
    ] {
        let written: Vec<&str> = written.into_iter().chain(kinds.then_some("out/kinds.nii.gz")).collect();
        same(&folder, &[&common[..], more].concat(), &at_server, &written);
    }
    // Voxels have no σ of their own accord.
    same(&folder, &[&common[..], &["--by=voxel"]].concat(), &at_server, &["out/tia.nii.gz", "out/kinds.nii.gz"]);
    let output = dosegrid(folder.path(), ["integrate", "--table=x.csv", "--nuclide=Lu-177", &at_server]);
    assert!(stderr(&output).contains("error: server: has no effect without --series"), "{}", stderr(&output));
}
