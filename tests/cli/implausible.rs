//! Maps that are probably not what their flags say.

use super::{FLOAT32, INT16, dosegrid, flags, inputs, stderr, volume, write};

/// The warnings of a run that succeeds.
fn warnings(folder: &tempfile::TempDir, without: &[&str], with: &[&str]) -> Vec<String> {
    let output = dosegrid(folder.path(), flags(without, with));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    said.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect()
}

#[test]
fn attenuation_coefficients_as_density_are_warned_of() {
    let folder = inputs();
    assert_eq!(warnings(&folder, &[], &[]), [""; 0]);
    write(&folder, "mu.nii", &volume(FLOAT32, |i| if i < 4 { 0.0 } else { 0.154 }).bytes());
    let warned = warnings(&folder, &["density"], &["--density=mu.nii"]);
    let is_meant = warned[0].starts_with("warning: density: ") && warned[0].contains("attenuation");
    assert!(warned.len() == 1 && is_meant && warned[0].contains("0.154"), "{warned:?}");
}

#[test]
fn maps_of_nothing_are_warned_of() {
    let folder = inputs();
    write(&folder, "zero.nii", &volume(FLOAT32, |_| 0.0).bytes());
    let warned = warnings(&folder, &["activity"], &["--activity=zero.nii"]);
    assert!(warned.len() == 1 && warned[0].starts_with("warning: activity: every voxel is 0"), "{warned:?}");
    let output = dosegrid(folder.path(), flags(&["density"], &["--density=zero.nii"]));
    assert!(stderr(&output).contains("warning: density: every voxel has density 0"), "{}", stderr(&output));
}

#[test]
fn metal_on_a_ct_is_warned_of() {
    let folder = inputs();
    let ct = |i| match i {
        0..4 => -1000.0,
        100 | 200 => 30_000.0,
        _ => 18.0,
    };
    write(&folder, "ct.nii", &volume(INT16, ct).bytes());
    let warned = warnings(&folder, &["density"], &["--ct=ct.nii"]);
    assert!(warned.len() == 1 && warned[0].starts_with("warning: ct: 2 voxels above"), "{warned:?}");
    // 1 GBq·s in voxel 100: energy over the mass of cobalt-chromium alloy, not of gold.
    let dense = super::dose(&folder, "dose.nii.gz")[100];
    write(&folder, "ct.nii", &volume(INT16, |i| if i < 4 { -1000.0 } else { 18.0 }).bytes());
    assert_eq!(warnings(&folder, &["density"], &["--ct=ct.nii"]), [""; 0]);
    let water = super::dose(&folder, "dose.nii.gz")[100];
    assert!((water / dense / (8.3 / 1.03) - 1.0).abs() < 1e-5, "{water} Gy, {dense} Gy");
}
