//! Voxel S values against Monte Carlo, against sampled geometry, and against their own limits.

use dosegrid::domain::{Control, Nuclide};
use dosegrid::physics::kernel::{KernelSpec, VoxelKernel, integrate, radial_kernel};
use dosegrid::physics::nuclide::{all, find};

/// Accuracy of the design: the voxel itself, its first neighbours, all others above [`FAINT`] of the voxel itself.
const SELF: f64 = 0.005;
const FIRST: f64 = 0.01;
const OTHER: f64 = 0.02;
const FAINT: f64 = 1e-4;

fn kernel(name: &str, spacing_mm: [f64; 3], half_width: [usize; 3], truncation_radius_mm: Option<f64>) -> VoxelKernel {
    let spec = KernelSpec {
        nuclide: find(name).expect("a known nuclide"),
        spacing_cm: spacing_mm.map(|d| d / 10.0),
        half_width,
        truncation_radius_cm: truncation_radius_mm.map(|r| r / 10.0),
    };
    integrate(&spec, &Control::detached()).expect("nobody cancels")
}

/// One row of `tests/golden/vsv_*.csv`.
#[derive(serde::Deserialize)]
struct GoldenVoxel {
    i: usize,
    j: usize,
    k: usize,
    #[serde(rename = "S_Gy_per_decay")]
    s_gy: f64,
    #[serde(rename = "sigma_Gy")]
    sigma_gy: f64,
}

#[test]
fn s_values_agree_with_egsnrc() {
    for nuclide in all() {
        let path = format!("{}/tests/golden/vsv_{}_3mm.csv", env!("CARGO_MANIFEST_DIR"), nuclide.name);
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(&path).expect("a golden file");
        let s = kernel(&nuclide.name, [3.0; 3], [5; 3], None).s_values_gy();
        let mut compared = 0;
        for voxel in reader.deserialize() {
            let GoldenVoxel { i, j, k, s_gy, sigma_gy } = voxel.expect("a row of the golden file");
            let tolerance = match i + j + k {
                0 => SELF,
                1 => FIRST,
                _ if s_gy > FAINT * s[[0, 0, 0]] => OTHER,
                _ => continue,
            };
            let difference = s[[i, j, k]] - s_gy;
            assert!(
                difference.abs() <= tolerance * s_gy + 3.0 * sigma_gy,
                "{} ({i}, {j}, {k}): {} differs from {s_gy} ± {sigma_gy}",
                nuclide.name,
                s[[i, j, k]]
            );
            compared += 1;
        }
        assert!(compared > 7, "{}: only {compared} voxels were compared", nuclide.name);
    }
}
