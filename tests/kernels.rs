//! Voxel S values against Monte Carlo, against sampled geometry, and against their own limits.

use std::f64::consts::{PI, TAU};
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use dosegrid::domain::{Emission, EmissionSpectrum, KernelMedium, Particle, Source};
use dosegrid::math::watch::Unwatched;
use dosegrid::physics::energy_grid::energies;
use dosegrid::physics::kernel::{
    KernelSpec, RadialKernel, VoxelKernel, integrate, radial_kernel, radial_parts, voxel_kernel,
};
use dosegrid::physics::material;
use dosegrid::physics::nuclide::{self, find};
use dosegrid::physics::photon::PhotonTables;
use ndarray::Array3;

use crate::support::command::dosegrid;
use crate::support::sources::kernel_spec;

/// Nuclides of all kinds: betas of short and long range, photons, positrons, conversion electrons, alpha particles
/// alone and with other emissions.
const KINDS: [&str; 8] = ["Lu-177", "Y-90", "I-131", "Ga-68", "Tc-99m", "At-211", "Tl-208", "Po-212"];

fn kernel(name: &str, spacing_mm: [f64; 3], half_width: [usize; 3], truncation_radius_mm: Option<f64>) -> VoxelKernel {
    let spec = kernel_spec(name, spacing_mm.map(|d| d / 10.0), half_width);
    let spec = KernelSpec { truncation_radius_cm: truncation_radius_mm.map(|r| r / 10.0), ..spec };
    integrate(&spec, &Unwatched).expect("nobody cancels")
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
        ("I-131", [3.0, 3.0, 5.0], Some(400.0)),
        ("Lu-177", [4.42; 3], Some(600.0)),
        ("Y-90", [10.0; 3], None),
        ("I-131", [25.0, 40.0, 10.0], None),
        ("I-131", [1000.0; 3], None),
    ] {
        let spectrum = nuclide::emissions(find(name).expect("a known nuclide"));
        let end_cm = radial_kernel(spectrum, KernelMedium::Water).expect("energies that kernels have").end_cm();
        let reach_mm = truncation_radius_mm.unwrap_or(10.0 * end_cm);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2 m / 10 mm, above 0")]
        let half_width = spacing_mm.map(|d: f64| (reach_mm / d).ceil() as usize);
        let kernel = kernel(name, spacing_mm, half_width, truncation_radius_mm);
        let sum = kernel.energy_in_cube_mev();
        let captured = kernel.spec.radial.cumulative_mev(reach_mm / 10.0);
        assert!((kernel.captured_mev / captured - 1.0).abs() < 1e-12, "{name}: the kernel ends at its truncation");
        assert!((sum / captured - 1.0).abs() < CLOSURE, "{name} {spacing_mm:?}: {sum} of {captured} MeV");
        assert!(kernel.octant.iter().all(|energy| *energy >= 0.0));
    }
}

/// A truncation cuts off the end of a kernel; the energy absorbed inside it must not change.
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

/// The share of the captured energy at each offset up to 4, mirrored offsets added, by sampling decays and
/// displacements with a Halton sequence. This does not use the overlap of voxels.
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

/// The digits of `n` in reverse behind the point: the Halton sequence of one dimension.
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

/// A voxel as large as the kernel keeps all energy except what crosses its faces: of what travels r in direction u,
/// `Π_a (1 − |r u_a| / d)` stays. With x = r/d the mean over directions is `1 − 3/2 x + 2/π x² − x³/4π`.
#[test]
fn a_huge_voxel_keeps_its_energy() {
    const EDGE_CM: f64 = 100.0;
    for name in KINDS {
        let kernel = kernel(name, [10.0 * EDGE_CM; 3], [1; 3], Some(10.0 * EDGE_CM));
        let stays = |x: f64| 1.0 - 1.5 * x + 2.0 / PI * x * x - x.powi(3) / (4.0 * PI);
        let within = |i: u32| kernel.spec.radial.cumulative_mev(EDGE_CM * f64::from(i) / 1e4);
        let travels = (1..=10_000).map(|i| (within(i) - within(i - 1)) * stays((f64::from(i) - 0.5) / 1e4));
        let expected = kernel.spec.local_mev + travels.sum::<f64>();
        assert!((kernel.octant[[0, 0, 0]] / expected - 1.0).abs() < 1e-3, "{name}: {expected}");
    }
}

/// Far from a voxel much smaller than the distance, energy is density times volume.
#[test]
fn a_tiny_voxel_sees_the_point_kernel() {
    for name in KINDS {
        let kernel = kernel(name, [0.2; 3], [100; 3], None);
        let radial = &kernel.spec.radial;
        for offset in [[100, 0, 0], [60, 60, 60], [3, 90, 17]] {
            let r_cm = offset.iter().map(|&n| (n as f64 * 0.02).powi(2)).sum::<f64>().sqrt();
            let point = radial.density_mev_per_cm3(r_cm) * 0.02f64.powi(3);
            assert!((kernel.octant[offset] - point).abs() <= 5e-3 * point, "{name} {offset:?}");
        }
    }
}

#[test]
fn repeated_kernels_come_from_the_cache() {
    let spec = kernel_spec("Y-90", [0.123; 3], [3; 3]);
    let first = voxel_kernel(&spec, &Unwatched).expect("nobody cancels");
    let again = voxel_kernel(&spec, &Unwatched).expect("nobody cancels");
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(first.octant, integrate(&spec, &Unwatched).expect("nobody cancels").octant);
}

fn dosegrid_kernel(args: &[&str]) -> Output {
    dosegrid(Path::new("."), ["kernel"].iter().chain(args))
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
    let emitted = format!("{:.6} MeV per decay", Source::from(find("Y-90").expect("a known nuclide")).released_mev());
    assert!(String::from_utf8_lossy(&output.stdout).contains(&emitted));
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
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("output: cannot be written: it is no file name"));
}

/// Charged particles and photons together are the whole, and first collisions are less than all.
#[test]
fn parts_of_a_radial_kernel_make_the_whole() {
    for name in ["Lu-177", "Y-90", "I-131", "In-111", "I-124"] {
        let emissions = nuclide::emissions(nuclide::find(name).expect("a known nuclide"));
        let whole = radial_kernel(emissions, KernelMedium::Water).expect("energies that kernels have");
        let parts = radial_parts(emissions, KernelMedium::Water).expect("energies that kernels have");
        for r in [0.01, 0.1, 0.5, 2.0, 10.0, 50.0] {
            let sum = parts.charged.cumulative_mev(r) + parts.photons.cumulative_mev(r);
            let whole = whole.cumulative_mev(r);
            assert!((sum / whole - 1.0).abs() < 1e-5, "{name} {r} cm: {sum} {whole}");
            let (primary, photons) = (parts.primary.cumulative_mev(r), parts.photons.cumulative_mev(r));
            assert!(r < 1.0 || primary < photons * 1.01, "{name} {r} cm: {primary} {photons}");
        }
    }
}

/// Photons of one energy that hardly change it leave energy in bone and water as their coefficients say.
#[test]
fn bone_in_water_absorbs_by_its_own_coefficient() {
    let tables = |name: &str| PhotonTables::new(material::find(name).expect("a known material"), energies());
    let (water, bone) = (tables("water"), tables("cortical_bone"));
    for (energy_mev, tolerance) in [(0.015, 0.05), (0.02, 0.05), (1.5, 0.1)] {
        let photon =
            Emission { particle: Particle::Photon, low_mev: energy_mev, high_mev: energy_mev, yield_per_decay: 1.0 };
        let spectrum = EmissionSpectrum::new(vec![photon]).expect("a spectrum");
        let parts = radial_parts(&spectrum, KernelMedium::Water).expect("energies that kernels have");
        let in_bone = parts.in_bone.as_ref().expect("the library of water has bone");
        // Near the source, where nearly all collisions are first ones.
        let near = 0.5 / water.total.value(energy_mev);
        let found = in_bone.cumulative_mev(near) / parts.photons.cumulative_mev(near);
        let expected = bone.energy_absorption.value(energy_mev) / water.energy_absorption.value(energy_mev);
        assert!((found / expected - 1.0).abs() < tolerance, "{energy_mev} MeV: {found}, coefficients {expected}");
    }
}
