//! What holds for transport with any physics: energy balance, linearity, mirror symmetry, periodic and odd grids.

use dosegrid::constants::ELECTRON_REST_ENERGY_MEV;
use dosegrid::domain::Tally;
use dosegrid::domain::{EmissionSpectrum, Particle};
use dosegrid::engine::Device;
use dosegrid::physics::material;
use dosegrid::prepare::transport::Boundary;
use dosegrid::validate::phantom::{Phantom, line};
use dosegrid::validate::statistics::Binned;

use crate::support::on_each_engine;
use crate::support::transport::{Agreement, histories, run, spectrum};

/// Largest part of the emitted energy that may be missing.
const BALANCE: f64 = 1e-5;

fn balance(tally: &Tally) -> f64 {
    let found = tally.sum_mev(|group| group.deposited) + tally.sum_mev(|group| group.escaped);
    found / tally.sum_mev(|group| group.emitted)
}

/// Layers of lung, bone, vacuum and soft tissue across the longest axis, with decays in every voxel that has mass.
fn layers(shape: [u64; 3], spacing_mm: [f64; 3], spectrum: EmissionSpectrum) -> Phantom {
    let mut phantom = Phantom::uniform(shape, spacing_mm, "lung", 0.26, spectrum);
    let of =
        ["lung", "cortical_bone", "soft_tissue"].map(|name| material::find(name).expect("a known material").clone());
    phantom.materials = of.to_vec();
    let axis = (0..3).max_by_key(|&axis| shape[axis]).expect("three axes");
    for voxel in 0..phantom.grid.voxels() {
        let (material, density) = [(0, 0.26), (1, 1.92), (2, 0.0), (2, 1.0)][phantom.index(voxel)[axis] % 4];
        phantom.material_of_voxel[voxel] = material;
        phantom.density_g_cm3[voxel] = density;
        phantom.decays[voxel] = if density > 0.0 { 1.0 } else { 0.0 };
    }
    phantom
}

on_each_engine!(energy_is_conserved_in_any_medium_and_grid);
fn energy_is_conserved_in_any_medium_and_grid(mut device: Device) {
    let sources = [
        ("electrons", line(Particle::Electron, 1.5)),
        ("positrons", line(Particle::Positron, 0.63)),
        ("photons", line(Particle::Photon, 3.0)),
        ("I-131", spectrum("I-131")),
    ];
    let grids: [([u64; 3], [f64; 3]); 4] =
        [([8, 6, 9], [2.0, 3.0, 5.0]), ([1, 1, 12], [4.0; 3]), ([16, 1, 5], [0.5, 8.0, 1.0]), ([1, 1, 1], [3.0; 3])];
    // Of photons of 3 MeV, one in 500 stays in the smallest grid.
    let n = histories(&device, 10_000).max(5_000);
    for (name, spectrum) in &sources {
        for (shape, spacing_mm) in grids {
            let tally = run(&mut device, &layers(shape, spacing_mm, spectrum.clone()), 0..n);
            let case = format!("{} {name} {shape:?}", device.info().name);
            assert!((balance(&tally) - 1.0).abs() < BALANCE, "{case}: {}", balance(&tally));
            assert_eq!(tally.histories(), n, "{case}");
            assert!(tally.sum_mev(|group| group.escaped) > 0.0, "{case}: some leave");
            assert!(tally.sum_mev(|group| group.deposited) > 0.0, "{case}: some stay");
            for (voxel, density) in layers(shape, spacing_mm, spectrum.clone()).density_g_cm3.iter().enumerate() {
                let energy: u64 = tally.groups.iter().map(|group| group.energy.get(voxel)).sum();
                assert!(*density > 0.0 || energy == 0, "{case}: energy in vacuum");
            }
        }
    }
}

on_each_engine!(what_is_emitted_is_what_the_spectrum_says);
fn what_is_emitted_is_what_the_spectrum_says(mut device: Device) {
    for (particle, mev) in [(Particle::Electron, 0.3), (Particle::Positron, 0.6), (Particle::Photon, 0.7)] {
        let phantom = Phantom::uniform([3; 3], [5.0; 3], "water", 1.0, line(particle, mev)).with_source_at([1; 3]);
        let tally = run(&mut device, &phantom, 0..1000);
        let rest_mev = if particle == Particle::Positron { 2.0 * ELECTRON_REST_ENERGY_MEV } else { 0.0 };
        let emitted = tally.sum_mev(|group| group.emitted) / 1000.0;
        assert!((emitted / (mev + rest_mev) - 1.0).abs() < 1e-6, "{particle:?}: {emitted}");
    }
}

on_each_engine!(nothing_leaves_a_periodic_grid);
fn nothing_leaves_a_periodic_grid(mut device: Device) {
    let mut phantom = layers([6, 5, 8], [3.0, 4.0, 5.0], spectrum("I-131"));
    phantom.boundary = Boundary::Periodic;
    let tally = run(&mut device, &phantom, 0..5000);
    assert_eq!(tally.sum_mev(|group| group.escaped), 0.0, "{}", device.info().name);
    assert!((balance(&tally) - 1.0).abs() < BALANCE);
}

on_each_engine!(a_map_four_times_as_active_is_the_same_map);
fn a_map_four_times_as_active_is_the_same_map(mut device: Device) {
    let phantom = layers([8, 6, 9], [3.0; 3], spectrum("Lu-177"));
    let more = Phantom { decays: phantom.decays.iter().map(|decays| 4.0 * decays).collect(), ..phantom.clone() };
    assert_eq!(run(&mut device, &phantom, 0..2000), run(&mut device, &more, 0..2000), "{}", device.info().name);
}

on_each_engine!(two_sources_give_the_sum_of_their_doses);
fn two_sources_give_the_sum_of_their_doses(mut device: Device) {
    let n = histories(&device, 200_000);
    let phantom = || layers([7, 7, 9], [3.0; 3], spectrum("Y-90"));
    let only = |weights: [f32; 2]| {
        let mut phantom = phantom();
        phantom.decays.fill(0.0);
        for (at, weight) in [[2, 3, 3], [4, 3, 4]].into_iter().zip(weights) {
            let voxel = phantom.voxel(at);
            phantom.decays[voxel] = weight;
        }
        phantom
    };
    let sample = phantom();
    let layer = |voxel: usize| Some(sample.index(voxel)[2]);
    let mut tally = |weights| Binned::new(&run(&mut device, &only(weights), 0..n), 9, layer);
    let (first, second, both) = (tally([1.0, 0.0]), tally([0.0, 1.0]), tally([3.0, 1.0]));
    for z in [1, 3, 4, 5] {
        let (a, b) = (first.mean(z).scaled(0.75), second.mean(z).scaled(0.25));
        let sum = dosegrid::validate::statistics::Estimate { mean: a.mean + b.mean, sigma: a.sigma.hypot(b.sigma) };
        Agreement::new(&device, both.mean(z), sum, 0.08).assert(&format!("{} layer {z}", device.info().name));
    }
}

on_each_engine!(a_mirrored_phantom_has_the_mirrored_dose);
fn a_mirrored_phantom_has_the_mirrored_dose(mut device: Device) {
    let n = histories(&device, 300_000);
    for axis in 0..3 {
        let mut phantom = layers([9, 7, 8], [3.0, 4.0, 5.0], spectrum("Y-90"));
        // Decays in one corner only.
        for voxel in 0..phantom.grid.voxels() {
            if phantom.index(voxel).iter().any(|&index| index > 3) {
                phantom.decays[voxel] = 0.0;
            }
        }
        let shape = phantom.grid.shape();
        let mirror = |voxel: usize| {
            let mut index = phantom.index(voxel);
            index[axis] = shape[axis] - 1 - index[axis];
            phantom.voxel(index)
        };
        let of = |voxel: usize| mirror(voxel);
        let voxels = 0..phantom.grid.voxels();
        let mirrored = Phantom {
            decays: voxels.clone().map(|voxel| phantom.decays[of(voxel)]).collect(),
            density_g_cm3: voxels.clone().map(|voxel| phantom.density_g_cm3[of(voxel)]).collect(),
            material_of_voxel: voxels.map(|voxel| phantom.material_of_voxel[of(voxel)]).collect(),
            seed: phantom.seed + 1,
            ..phantom.clone()
        };
        let shape_of_bin = |voxel: usize| phantom.index(voxel)[axis];
        let direct = Binned::new(&run(&mut device, &phantom, 0..n), shape[axis], |voxel| Some(shape_of_bin(voxel)));
        let tally = run(&mut device, &mirrored, 0..n);
        let back = Binned::new(&tally, shape[axis], |voxel| Some(shape_of_bin(mirror(voxel))));
        for slab in 0..5 {
            let what = format!("{} axis {axis} slab {slab}", device.info().name);
            // In a slab of nothing, only particles stop that were about to.
            let has_mass = |voxel: usize| shape_of_bin(voxel) == slab && phantom.density_g_cm3[voxel] > 0.0;
            if (0..phantom.grid.voxels()).any(has_mass) {
                // The source ends at the fourth slab: less reaches the fifth.
                let detects = if slab < 4 { 0.06 } else { 0.12 };
                Agreement::new(&device, direct.mean(slab), back.mean(slab), detects).assert(&what);
            }
        }
    }
}

on_each_engine!(a_map_without_activity_leaves_nothing);
fn a_map_without_activity_leaves_nothing(mut device: Device) {
    let phantom = Phantom::uniform([3; 3], [4.0; 3], "water", 1.0, spectrum("Lu-177"));
    let tally = run(&mut device, &phantom, 0..1000);
    assert_eq!(tally, Tally::new(phantom.groups, 27), "{}", device.info().name);
}
