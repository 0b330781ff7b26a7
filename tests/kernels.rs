//! Voxel S values against Monte Carlo, against sampled geometry, and against their own limits.

use std::f64::consts::TAU;
use std::fs;
use std::process::{Command, Output};
use std::sync::Arc;

use dosegrid::domain::Control;
use dosegrid::physics::kernel::{KernelSpec, RadialKernel, VoxelKernel, integrate, voxel_kernel};
use dosegrid::physics::nuclide::all;
use ndarray::Array3;

use crate::support::sources::kernel_spec;

/// Accuracy of the design: the voxel itself, its first neighbours, all others above [`FAINT`] of the voxel itself.
const SELF: f64 = 0.005;
const FIRST: f64 = 0.01;
const OTHER: f64 = 0.02;
const FAINT: f64 = 1e-4;

fn kernel(name: &str, spacing_mm: [f64; 3], half_width: [usize; 3], truncation_radius_mm: Option<f64>) -> VoxelKernel {
    let spec = kernel_spec(name, spacing_mm.map(|d| d / 10.0), half_width);
    let spec = KernelSpec { truncation_radius_cm: truncation_radius_mm.map(|r| r / 10.0), ..spec };
    integrate(&spec, &Control::detached()).expect("nobody cancels")
}

/// One row of `data/validation/s_values_*.csv`.
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
        let path = format!("{}/data/validation/s_values_{}_3mm.csv", env!("CARGO_MANIFEST_DIR"), nuclide.name);
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

#[test]
fn the_energy_of_the_radial_kernel_is_all_there() {
    const CLOSURE: f64 = 1e-3;
    for (name, spacing_mm, truncation_radius_mm) in [
        ("Lu-177", [0.05; 3], Some(1.3)),
        ("Y-90", [0.1, 0.1, 0.25], Some(2.0)),
        ("I-131", [0.5; 3], Some(20.0)),
        ("Y-90", [1.0, 2.0, 3.0], Some(30.0)),
        ("Lu-177", [3.0; 3], Some(7.6)),
        ("I-131", [3.0, 3.0, 5.0], None),
        ("Lu-177", [4.42; 3], None),
        ("Y-90", [10.0; 3], None),
        ("I-131", [25.0, 40.0, 10.0], None),
        ("I-131", [1000.0; 3], None),
    ] {
        let reach_mm = truncation_radius_mm.unwrap_or(400.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 400 mm / 3 mm, above 0")]
        let half_width = spacing_mm.map(|d: f64| (reach_mm / d).ceil() as usize);
        let kernel = kernel(name, spacing_mm, half_width, truncation_radius_mm);
        let sum = kernel.energy_in_cube_mev();
        let captured = kernel.spec.radial.cumulative_mev(reach_mm / 10.0);
        assert!((kernel.captured_mev / captured - 1.0).abs() < 1e-12, "{name}: the kernel ends at its truncation");
        assert!((sum / captured - 1.0).abs() < CLOSURE, "{name} {spacing_mm:?}: {sum} of {captured} MeV");
        assert!(kernel.octant.iter().all(|energy| *energy >= 0.0));
    }
}

/// Near its end a kernel is cut off; what is absorbed within must not change.
#[test]
fn truncation_leaves_the_inner_voxels_alone() {
    let whole = kernel("Y-90", [2.0, 2.0, 3.0], [5; 3], None);
    let cut = kernel("Y-90", [2.0, 2.0, 3.0], [5; 3], Some(9.0));
    for (index, &energy) in cut.octant.indexed_iter() {
        let (i, j, k) = index;
        let corner = |n: usize, d: f64| ((n as f64 + 1.0) * d).powi(2);
        let nearest = |n: usize, d: f64| ((n as f64 - 1.0).max(0.0) * d).powi(2);
        if corner(i, 2.0) + corner(j, 2.0) + corner(k, 3.0) < 81.0 {
            assert!((energy / whole.octant[index] - 1.0).abs() < 1e-3, "{index:?}");
        }
        if nearest(i, 2.0) + nearest(j, 2.0) + nearest(k, 3.0) > 81.0 {
            assert_eq!(energy, 0.0, "{index:?}");
        }
    }
}

/// Samples of each comparison with sampled geometry.
const SAMPLES: u32 = 4_000_000;

/// The share of the captured energy at each offset up to 4, mirrored ones together, by sampling decays and displacements with a Halton sequence. It
/// knows nothing of overlaps.
fn sampled_shares(radial: &RadialKernel, spacing_cm: [f64; 3]) -> Array3<f64> {
    let radii: Vec<f64> = (1..=40_000).map(|i| radial.end_cm() * 1e-6f64.powf(1.0 - f64::from(i) / 4e4)).collect();
    let shares_within: Vec<f64> = radii.iter().map(|r| radial.cumulative_mev(*r) / radial.captured_mev()).collect();
    let radius = |share: f64| {
        let i = shares_within.partition_point(|e| *e < share).clamp(1, radii.len() - 1);
        let (low, high) = (shares_within[i - 1], shares_within[i]);
        radii[i - 1] + (radii[i] - radii[i - 1]) * ((share - low) / (high - low)).clamp(0.0, 1.0)
    };
    let mut shares = Array3::zeros([5; 3]);
    for n in 1..=SAMPLES {
        let [x, y, z, cosine, azimuth, share] = [2, 3, 5, 7, 11, 13].map(|base| radical_inverse(n, base));
        let (r, cosine, azimuth) = (radius(share), 2.0 * cosine - 1.0, TAU * azimuth);
        let sine = (1.0 - cosine * cosine).sqrt();
        let (start, direction) = ([x, y, z], [sine * azimuth.cos(), sine * azimuth.sin(), cosine]);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 40 cm / 1 mm, above 0")]
        let offset = [0, 1, 2].map(|a| (start[a] + r * direction[a] / spacing_cm[a]).floor().abs() as usize);
        if let Some(share) = shares.get_mut(offset) {
            *share += 1.0 / f64::from(SAMPLES);
        }
    }
    shares
}

/// Digits of `n` behind the point, in reverse: the Halton sequence of one dimension.
fn radical_inverse(mut n: u32, base: u32) -> f64 {
    let (mut value, mut digit) = (0.0, 1.0 / f64::from(base));
    while n > 0 {
        value += f64::from(n % base) * digit;
        digit /= f64::from(base);
        n /= base;
    }
    value
}

#[test]
fn s_values_agree_with_sampled_geometry() {
    // Three standard errors of as many independent samples; this sequence is fixed.
    for (name, spacing_mm) in [
        ("Lu-177", [1.0; 3]),
        ("Lu-177", [3.0; 3]),
        ("Y-90", [4.42; 3]),
        ("Y-90", [2.21, 3.0, 1.5]),
        ("I-131", [0.98, 0.98, 5.0]),
    ] {
        let kernel = kernel(name, spacing_mm, [4; 3], None);
        let shares = sampled_shares(&kernel.spec.radial, kernel.spec.spacing_cm);
        let mut compared = 0;
        for ((i, j, k), energy) in kernel.octant.indexed_iter() {
            let mirrored = f64::from([i, j, k].map(|n| 1 + u32::from(n > 0)).iter().product::<u32>());
            let share = mirrored * energy / kernel.captured_mev;
            let sampled = shares[[i, j, k]];
            let tolerance = 3.0 * (share * (1.0 - share) / f64::from(SAMPLES)).sqrt();
            if share > 1e-3 {
                compared += 1;
                assert!(
                    (sampled - share).abs() < tolerance,
                    "{name} {spacing_mm:?} {i} {j} {k}: {share}, sampled {sampled} ± {tolerance}"
                );
            }
        }
        assert!(compared > 3, "{name} {spacing_mm:?}: only {compared} voxels were compared");
    }
}

/// A huge voxel keeps all but what crosses its faces: `1 − r̄ / 2` of its edge, with `r̄` the mean distance of the energy.
#[test]
fn a_huge_voxel_keeps_its_energy() {
    for nuclide in all() {
        let kernel = kernel(&nuclide.name, [1000.0; 3], [1; 3], None);
        let kept = kernel.octant[[0, 0, 0]] / kernel.captured_mev;
        // At most 40 cm of travel: 3 faces · ½ · 40 cm / 100 cm. Photons reach far, electrons nowhere.
        assert!((0.85..1.0).contains(&kept), "{}: {kept}", nuclide.name);
        let charged = nuclide.mean_energy_mev.charged() / nuclide.mean_energy_mev.total();
        assert!(kernel.octant[[1, 0, 0]] < 0.1 * kernel.captured_mev * (1.01 - charged) + 2e-3 * kernel.captured_mev);
    }
}

/// Far from a voxel much smaller than the distance, energy is density times volume.
#[test]
fn a_tiny_voxel_sees_the_point_kernel() {
    for nuclide in all() {
        let kernel = kernel(&nuclide.name, [0.2; 3], [100; 3], None);
        let radial = &kernel.spec.radial;
        for offset in [[100, 0, 0], [60, 60, 60], [3, 90, 17]] {
            let r_cm = offset.iter().map(|&n| (n as f64 * 0.02).powi(2)).sum::<f64>().sqrt();
            let point = radial.density_mev_per_cm3(r_cm) * 0.02f64.powi(3);
            assert!((kernel.octant[offset] / point - 1.0).abs() < 5e-3, "{} {offset:?}", nuclide.name);
        }
    }
}

#[test]
fn repeated_kernels_come_from_the_cache() {
    let spec = kernel_spec("Y-90", [0.123; 3], [3; 3]);
    let first = voxel_kernel(&spec, &Control::detached()).expect("nobody cancels");
    let again = voxel_kernel(&spec, &Control::detached()).expect("nobody cancels");
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(first.octant, integrate(&spec, &Control::detached()).expect("nobody cancels").octant);
}

fn dosegrid_kernel(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dosegrid")).arg("kernel").args(args).output().expect("the program starts")
}

#[test]
fn the_command_writes_s_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vsv.csv");
    let output = dosegrid_kernel(&[
        "--nuclide",
        "Y-90",
        "--spacing",
        "2.21,2.21,3.0",
        "--radius-voxels",
        "2",
        "--output",
        path.to_str().expect("a path"),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("0.934410 MeV per decay"));
    let text = fs::read_to_string(&path).expect("the table");
    let s = kernel("Y-90", [2.21, 2.21, 3.0], [2; 3], None).s_values_gy();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("i,j,k,s_gy_per_decay"));
    for ((i, j, k), value) in s.indexed_iter() {
        assert_eq!(lines.next(), Some(format!("{i},{j},{k},{value:e}").as_str()));
    }
    assert_eq!(lines.next(), None);
    let to_stdout = dosegrid_kernel(&["--nuclide", "Y-90", "--spacing", "2.21,2.21,3.0", "--radius-voxels", "2"]);
    assert_eq!(String::from_utf8_lossy(&to_stdout.stdout), text);
}

#[test]
fn the_command_names_every_fault() {
    let output = dosegrid_kernel(&["--nuclide", "Xx-1", "--spacing", "3,-1,2", "--radius-voxels", "999"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("nuclide: ") && errors.contains("spacing: ") && errors.contains("radius-voxels: "),
        "{errors}"
    );
    for spacing in ["0", "NaN", "inf", "1,2", "1,2,3,4", "x", "", "1e9", "-3"] {
        let output = dosegrid_kernel(&["--nuclide", "Y-90", "--spacing", spacing]);
        assert_eq!(output.status.code(), Some(2), "`{spacing}`");
    }
    for radius in ["-1", "1.5", "128", "x", "99999999999999999999"] {
        let output = dosegrid_kernel(&["--nuclide", "Y-90", "--spacing", "3", "--radius-voxels", radius]);
        assert_eq!(output.status.code(), Some(2), "`{radius}`");
    }
    let output = dosegrid_kernel(&["--nuclide", "Y-90", "--spacing", "3", "--output", "/nowhere/vsv.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write /nowhere/vsv.csv"));
}
