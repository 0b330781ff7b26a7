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
}

#[test]
fn a_server_integrates_one_map_as_this_process_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    write(&folder, "scan.nii", &cube(4.0, FLOAT32, |[x, y, _]| if x < -20.0 { -0.1 } else { 1.0 + y / 50.0 }));
    let labels = |[_, y, z]: [f64; 3]| if y > 10.0 { 7.0 } else { f64::from(u8::from(z > 0.0)) * 3.0 };
    write(&folder, "labels.nii", &cube(4.0, UINT8, labels));
    let series = "nuclide = 'Lu-177'\nunit = 'mbq'\ninjection = '2026-03-02T09:00:00'\n\
                  administered_activity_mbq = 7400\n[[scan]]\nfile = 'scan.nii'\ntime = '2026-03-02T09:30:00'\n";
    put(&folder, "series.toml", series);
    let curve = |half_life_h: f64| {
        let rate = std::f64::consts::LN_2 / half_life_h;
        serde_json::json!({ "model": "mono", "parameters": { "amplitude_1_mbq": 9.0, "rate_1_per_h": rate } })
    };
    let prior =
        serde_json::json!({ "regions": { "label_3": curve(40.0), "label_7": curve(60.0), "rest": curve(30.0) } });
    put(&folder, "prior.json", &prior.to_string());
    put(&folder, "part.json", &serde_json::json!({ "regions": { "label_3": curve(40.0) } }).to_string());
    let common = ["integrate", "--series=series.toml", "--output=out", "--json"];
    for more in [
        &["--labels=labels.nii", "--single-time-point=haenscheid"][..],
        &["--single-time-point=population_half_life", "--half-life=60", "--half-life-sd=0.2"],
        &["--labels=labels.nii", "--single-time-point=prior_curve", "--prior=prior.json"],
        &["--labels=labels.nii", "--single-time-point=physical", "--value-refers-to=injection"],
    ] {
        let written = ["out/curves.json", "out/curves.csv", "out/tia.nii.gz"];
        same(&folder, &[&common[..], more].concat(), &at_server, &written);
    }
    // What nothing is known of is refused in the same words.
    for more in [
        &["--labels=labels.nii", "--single-time-point=prior_curve", "--prior=part.json"][..],
        &["--labels=labels.nii"],
        &["--by=voxel"],
    ] {
        let args = [&common[..], more].concat();
        let here = dosegrid(folder.path(), &args);
        let there = dosegrid(folder.path(), [&args[..], &[&at_server]].concat());
        assert_eq!((here.status.code(), there.status.code()), (Some(2), Some(2)), "{args:?}");
        assert_eq!(stderr(&there), stderr(&here), "{args:?}");
    }
}

#[test]
fn a_server_integrates_a_table_as_this_process_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    let with_sigma = "region,time,activity,sigma,duration\nkidney,168,12.9,0.65,0.5\nkidney,24,106.1,5,0.5\n\
                      kidney,72,53,2.5,0.5\nkidney,120,25,1.3,0.5\nkidney,0.5,140,7,0.5\nuptake,2,20,1,0.4\n\
                      uptake,24,61,3,0.4\nuptake,72,48,2.4,0.4\nuptake,96,40,2,0.4\nuptake,168,25,1.2,0.4\n\
                      slow,24,40,2,0.5\nslow,96,38,2,0.5\nslow,168,37,2,0.5\nrising,4,31,1.6,\nrising,26,44,2.2,\n\
                      \"spleen, left\",96,20,1,0.5\nempty,24,-1,1,0\nempty,96,0,1,0\n";
    let by_clock = "region,time,activity\nkidney,2026-03-28T10:05:24,106\nkidney,2026-03-30T09:00:00,53\n\
                    kidney,2026-03-30T09:00:00,52\nkidney,2026-04-01T09:00:00,20\nspleen,2026-03-30T09:00:00,20\n";
    put(&folder, "sigma.csv", with_sigma);
    put(&folder, "clock.csv", by_clock);
    let written = ["out/curves.json", "out/curves.csv", "out/curves.png"];
    let common = ["integrate", "--nuclide=Lu-177", "--output=out", "--administered-activity=7400"];
    let population = ["--single-time-point=population_half_life", "--half-life=60", "--half-life-sd=0.2"];
    let clock = ["--table=clock.csv", "--injection=2026-03-27T09:30:00"];
    for args in [
        &[&["--table=sigma.csv", "--json"][..], &population].concat(),
        &[&["--table=sigma.csv", "--model=trapezoid_tail", "--between=linear"][..], &population].concat(),
        &[&["--table=sigma.csv", "--model=physical", "--weighting=none"][..], &population].concat(),
        &[&["--table=sigma.csv", "--infusion=0.25", "--value-refers-to=injection"][..], &population].concat(),
        &[&clock[..], &["--json", "--single-time-point=haenscheid"]].concat(),
        &[&clock[..], &["--single-time-point=physical", "--weighting=poisson"]].concat(),
        &[&clock[..], &["--single-time-point=prior_curve", "--prior=prior.json"]].concat(),
    ] {
        let prior = r#"{"regions": {"spleen": {"model": "bi_uptake",
            "parameters": {"amplitude_1_mbq": 9.0, "rate_1_per_h": 0.01, "rate_2_per_h": 0.2}}}}"#;
        put(&folder, "prior.json", prior);
        same(&folder, &[&common[..], args].concat(), &at_server, &written);
    }
    // What is wrong is told in the words of the table, whoever finds it.
    put(&folder, "bad.csv", "region,time,activity,sigma\nkidney,-2,10,1\nkidney,24,8,0\nliver,4,9,1\n");
    for args in [
        &["--table=bad.csv", "--infusion=-1"][..],
        &["--table=sigma.csv"],
        &["--table=clock.csv", "--injection=2026-03-27T09:30:00", "--model=bi_washout", "--weighting=sigma"],
    ] {
        let args = [&common[..], args].concat();
        let here = dosegrid(folder.path(), &args);
        let there = dosegrid(folder.path(), [&args[..], &[&at_server]].concat());
        assert_eq!((here.status.code(), there.status.code()), (Some(2), Some(2)), "{args:?}");
        assert_eq!(stderr(&there), stderr(&here), "{args:?}");
        assert!(stderr(&here).contains("error: table: "), "{}", stderr(&here));
    }
}
