//! Transport on a real device against the CPU engine.

use std::time::Instant;

use crate::domain::emission::{Emission, EmissionSpectrum, Particle};
use crate::domain::{Control, DeviceSelector, VoxelGrid};
use crate::engine::cpu::CpuEngine;
use crate::engine::gpu::adapter;
use crate::engine::gpu::context::DeviceLimits;
use crate::engine::gpu::session::Session;
use crate::engine::transport::{Boundary, Scene, SceneInput, Tally};
use crate::physics::material::{self, Material};
use crate::plan::HistoryCuts;
use crate::plan::transport::ChosenCuts;

fn session() -> Option<Session> {
    match adapter::find(DeviceSelector::GpuNumber(0)) {
        Ok((adapter, info)) => Some(
            Session::open(&adapter, &info, DeviceLimits::WebGpuDefault).expect("every device has the default limits"),
        ),
        Err(error) => {
            assert!(std::env::var("REQUIRE_GPU").as_deref() != Ok("1"), "REQUIRE_GPU=1, but {error}");
            eprintln!("no GPU adapter: the WGSL stages are not tested");
            None
        }
    }
}

/// Lung, soft tissue and bone in layers, the source in the middle.
fn layers(emissions: Vec<Emission>, groups: u32) -> Scene {
    let shape = [9, 8, 12];
    let grid = VoxelGrid::new(shape, [3.0, 4.0, 2.5]).expect("a good grid");
    let materials: Vec<Material> = ["lung", "soft_tissue", "cortical_bone"]
        .iter()
        .map(|name| material::find(name).expect("a material").clone())
        .collect();
    let voxels = grid.voxels();
    let layer = |voxel: usize| voxel / (9 * 8) / 4;
    let density: Vec<f32> = (0..voxels).map(|voxel| [0.26, 1.03, 1.9][layer(voxel)]).collect();
    let material_of_voxel: Vec<u8> = (0..voxels).map(|voxel| u8::try_from(layer(voxel)).expect("three")).collect();
    let decays: Vec<f32> = (0..voxels).map(|voxel| if voxel % 5 == 0 { (voxel % 7) as f32 } else { 0.0 }).collect();
    let spectrum = EmissionSpectrum::new(emissions).expect("a good spectrum");
    Scene::new(SceneInput {
        grid: &grid,
        decays: &decays,
        density_g_cm3: &density,
        materials: &materials,
        material_of_voxel: &material_of_voxel,
        emissions: &spectrum,
        local_mev_per_decay: 0.25,
        seed: 0x1234_5678_9ABC_DEF0,
        groups,
        cuts: HistoryCuts::new(&grid, &ChosenCuts::default()),
        boundary: Boundary::Vacuum,
    })
}

fn emission(particle: Particle, low_mev: f64, high_mev: f64, yield_per_decay: f64) -> Emission {
    Emission { particle, low_mev, high_mev, yield_per_decay }
}

/// All kinds of particles, and all interactions.
fn everything() -> Vec<Emission> {
    vec![
        emission(Particle::Electron, 0.0, 2.3, 1.2),
        emission(Particle::Positron, 0.1, 1.5, 0.4),
        emission(Particle::Photon, 0.02, 0.4, 0.8),
        emission(Particle::Photon, 4.0, 6.0, 0.3),
    ]
}

#[test]
fn histories_are_those_of_the_cpu() {
    let Some(mut session) = session() else { return };
    let scene = layers(everything(), 8);
    for n in [1, 100, 2000u64] {
        let mut expected = Tally::new(8, scene.medium.len());
        let start = Instant::now();
        CpuEngine::default().transport(&scene, 3..3 + n, &mut expected, &Control::detached()).expect("not cancelled");
        let cpu = start.elapsed();
        let mut found = Tally::new(8, scene.medium.len());
        let start = Instant::now();
        session.transport(&scene, 3..3 + n, &mut found, &Control::detached()).expect("the device works");
        println!("{n} histories: cpu {cpu:?} gpu {:?}", start.elapsed());
        for (e, f) in expected.groups.iter().zip(&found.groups) {
            println!(
                "{} {} | {} {} | {} {} | {} {}",
                e.emitted,
                f.emitted,
                e.deposited,
                f.deposited,
                e.escaped,
                f.escaped,
                e.scored(),
                f.scored()
            );
            let same = e.energy.iter().zip(&f.energy).filter(|(a, b)| a == b).count();
            println!("same {same} of {}", e.energy.len());
        }
    }
}
