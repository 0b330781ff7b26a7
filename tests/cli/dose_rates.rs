//! A dose by way of dose-rates: one map of each scan, then their integral.

use std::fs;

use dosegrid::formats::volume_file::read_volume;

use super::grids::{cube, radius, write};
use crate::support::command::{dosegrid, stderr, succeed};
use crate::support::nifti::FLOAT32;

const TIMES_H: [f64; 3] = [24.0, 72.0, 168.0];
/// Part of the largest dose: two convolutions in single precision.
const TOLERANCE: f64 = 1e-5;

/// Activities that fall, grow and stay [MBq], and a body.
fn scans() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut activities, mut rates) = (String::from("unit = 'mbq'\n"), String::from("unit = 'gy-per-h'\n"));
    for time_h in TIMES_H {
        let value = |at: [f64; 3]| match at {
            at if radius(at) > 18.0 => 0.0,
            [x, ..] if x < 0.0 => 2.0 * f64::exp(-0.012 * time_h),
            [_, y, _] if y < 0.0 => 0.5 + 0.002 * time_h,
            _ => 1.0,
        };
        write(&folder, &format!("{time_h}.nii"), &cube(4.0, FLOAT32, |at| value(at) * 1e6));
        write(&folder, &format!("mbq-{time_h}.nii"), &cube(4.0, FLOAT32, value));
        activities += &format!("[[scan]]\nfile = 'mbq-{time_h}.nii'\ntime = {time_h}\n");
        rates += &format!("[[scan]]\nfile = 'rate-{time_h}.nii'\ntime = {time_h}\n");
    }
    write(&folder, "density.nii", &cube(4.0, FLOAT32, |at| if radius(at) < 22.0 { 1.05 } else { 0.3 }));
    fs::write(folder.path().join("activities.toml"), activities).expect("a writable folder");
    fs::write(folder.path().join("rates.toml"), rates).expect("a writable folder");
    folder
}

#[test]
fn dose_rates_integrate_to_the_dose_of_integrated_activity() {
    let folder = scans();
    let compute = |activity: &str, unit: &str, output: &str| {
        let args =
            ["compute", "--activity", activity, "--activity-unit", unit, "--nuclide", "Lu-177", "--output", output];
        let more = ["--density", "density.nii", "--method", "kernel", "--device", "cpu", "--quiet"];
        succeed(folder.path(), args.iter().chain(&more));
    };
    let linear = ["--by", "voxel", "--model", "trapezoid_tail", "--between", "linear", "--nuclide", "Lu-177"];
    let integrate = |series: &str, output: &str| {
        let args = ["integrate", "--series", series, "--output", output, "--json"];
        let text = succeed(folder.path(), args.iter().chain(&linear));
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    integrate("activities.toml", "activity");
    compute("activity/tia.nii.gz", "bq-s", "dose.nii");
    for time_h in TIMES_H {
        compute(&format!("{time_h}.nii"), "bq-h", &format!("rate-{time_h}.nii"));
    }
    let said = integrate("rates.toml", "rates");
    assert_eq!(said["voxel_kinds"][4]["voxels"], 12 * 12 * 12, "{said}");
    assert!(said["map_tia_mbq_h"].is_null() && said["voxel_kinds"][0]["tia_mbq_h"].is_null(), "{said}");
    let read = |name: &str| read_volume(&folder.path().join(name)).expect("a dose").volume;
    let (dose, by_rates) = (read("dose.nii"), read("rates/dose.nii.gz"));
    let most = f64::from(dose.as_slice().iter().copied().fold(0.0, f32::max));
    assert!(most > 1.0, "{most} Gy");
    for (by_activity, by_rate) in dose.as_slice().iter().zip(by_rates.as_slice()) {
        assert!((f64::from(*by_activity) - f64::from(*by_rate)).abs() < TOLERANCE * most, "{by_activity} {by_rate}");
    }
    assert!(!folder.path().join("rates/tia.nii.gz").exists());
}

#[test]
fn a_dose_rate_has_no_region_and_no_server() {
    let folder = scans();
    let output = dosegrid(
        folder.path(),
        ["integrate", "--series", "rates.toml", "--nuclide", "Lu-177", "--server", "http://127.0.0.1:1"],
    );
    assert_eq!(output.status.code(), Some(2));
    for words in ["error: by: must be voxel for maps of dose-rate", "error: server: integrates activity"] {
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}
