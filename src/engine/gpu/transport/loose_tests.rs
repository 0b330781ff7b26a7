//! Transport with quotients, roots and sums as loose as WGSL lets them be: every history ends, no energy is lost, and
//! no dose moves by a thousandth.

use super::constants;
use super::device_tests::{everything, layers, run};
use super::{TRANSPORT_CHARGED, TRANSPORT_EMISSION, TRANSPORT_PHOTON, TRANSPORT_SCHEDULE};
use crate::domain::{GroupTally, Tally};
use crate::engine::gpu::context::DeviceLimits;
use crate::engine::gpu::device_tests::open;
use crate::engine::gpu::loose::{Looseness, loosened};
use crate::engine::gpu::pipeline::Pipeline;
use crate::engine::gpu::session::Session;

const GROUPS: u32 = 32;
const HISTORIES: u64 = 32_000;
/// What a dose may move by.
const MOST: f64 = 1e-3;
/// Lung, soft tissue, bone: voxels of each.
const LAYER: usize = 9 * 8 * 4;

/// Puts other stages in place of those of a session, and says how many of their places are other.
fn loosen(session: &mut Session, looseness: Looseness) -> usize {
    let stages = session.transport.as_mut().expect("compiled before");
    let all = [
        (&mut stages.schedule, &TRANSPORT_SCHEDULE),
        (&mut stages.emission, &TRANSPORT_EMISSION),
        (&mut stages.charged, &TRANSPORT_CHARGED),
        (&mut stages.photon, &TRANSPORT_PHOTON),
    ];
    let mut places = 0;
    for (stage, shader) in all {
        let (shader, of_stage) = loosened(shader, looseness);
        *stage = Pipeline::compile(&session.context.device, shader, &constants());
        places += of_stage;
    }
    session.context.faults.check().expect("it is a stage still");
    places
}

fn of_voxel(tally: &Tally, voxel: usize) -> u64 {
    tally.groups.iter().map(|group| group.energy.get(voxel)).sum()
}

/// Energy in each layer, by group.
fn of_layers(tally: &Tally) -> Vec<[f64; 3]> {
    let of = |group: &GroupTally, layer: usize| {
        (layer * LAYER..(layer + 1) * LAYER).map(|voxel| group.energy.get(voxel) as f64).sum()
    };
    tally.groups.iter().map(|group| std::array::from_fn(|layer| of(group, layer))).collect()
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn no_dose_moves_with_what_wgsl_leaves_open() {
    let mut session = open(DeviceLimits::WebGpuDefault);
    let scene = layers(everything(), GROUPS);
    let exact = run(&mut session, &scene, 0..HISTORIES);
    let expected = of_layers(&exact);
    for (looseness, least_places) in [
        (Looseness::Above, 60),
        (Looseness::Below, 60),
        (Looseness::Either(1), 60),
        (Looseness::Joined, 60),
        (Looseness::SomeJoined(2), 30),
        (Looseness::Regrouped, 20),
        (Looseness::SomeRegrouped(3), 10),
    ] {
        let places = loosen(&mut session, looseness);
        let found = run(&mut session, &scene, 0..HISTORIES);
        assert_eq!(found.histories(), exact.histories());
        for (group, before) in found.groups.iter().zip(&exact.groups) {
            let emitted = group.emitted.abs_diff(before.emitted) as f64 / before.emitted as f64;
            let balance = group.emitted.abs_diff(group.deposited + group.escaped) as f64 / group.emitted as f64;
            assert!(emitted < 1e-5 && balance < 1e-5, "{looseness:?}: {emitted:e} {balance:e}");
        }
        let layers = of_layers(&found);
        let moved: [[f64; 2]; 3] = std::array::from_fn(|layer| {
            let total: f64 = expected.iter().map(|energy| energy[layer]).sum();
            let differences: Vec<f64> = layers.iter().zip(&expected).map(|(a, b)| a[layer] - b[layer]).collect();
            let sum: f64 = differences.iter().sum();
            let mean = sum / differences.len() as f64;
            let variance: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
            [sum / total, variance.sqrt() / total]
        });
        let other = (0..scene.medium.len()).filter(|&voxel| of_voxel(&found, voxel) != of_voxel(&exact, voxel)).count();
        println!("{looseness:?}: {places} places, {other} voxels are other, layers moved by (part, its σ) {moved:?}");
        assert!(other > scene.medium.len() / 2, "{other}");
        assert!(places >= least_places, "{places}");
        assert!(moved.iter().all(|[moved, _]| moved.abs() < MOST), "{looseness:?}: {moved:?}");
    }
}
