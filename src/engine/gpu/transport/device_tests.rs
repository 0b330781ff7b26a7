//! Transport on a real device against the CPU engine: histories, bytes, limits, failures.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::step_rate::{Quota, StepRate};
use crate::domain::Material;
use crate::domain::emission::{Emission, EmissionSpectrum, Particle};
use crate::domain::{Control, DoseError, VoxelGrid};
use crate::domain::{GroupTally, Tally};
use crate::engine::cpu::CpuEngine;
use crate::engine::gpu::context::DeviceLimits;
use crate::engine::gpu::device_tests::open;
use crate::engine::gpu::played::Fault;
use crate::engine::gpu::session::Session;
use crate::engine::measures::TransportWork;
use crate::physics::material::{self};
use crate::plan::HistoryCuts;
use crate::plan::transport::ChosenCuts;
use crate::prepare::transport::{Boundary, Scene, SceneInput, StepLimits};

/// One session for all tests, within the limits of every WebGPU device: a software driver takes long to compile the
/// stages.
pub(super) struct Shared(MutexGuard<'static, Option<Session>>);

impl std::ops::Deref for Shared {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.0.as_ref().expect("it was opened")
    }
}

impl std::ops::DerefMut for Shared {
    fn deref_mut(&mut self) -> &mut Session {
        self.0.as_mut().expect("it was opened")
    }
}

pub(super) fn shared_session() -> Shared {
    static SESSION: Mutex<Option<Session>> = Mutex::new(None);
    let mut session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    session.get_or_insert_with(|| open(DeviceLimits::WebGpuDefault));
    Shared(session)
}

fn layers_within(emissions: Vec<Emission>, groups: u32, boundary: Boundary) -> Scene {
    let shape = [9, 8, 12];
    let grid = VoxelGrid::new(shape, [3.0, 4.0, 2.5]).expect("a good grid");
    let material = |name: &&str| material::find(name).expect("a material").clone();
    let materials: Vec<Material> = ["lung", "soft_tissue", "cortical_bone"].iter().map(material).collect();
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
        seed: 0x1234_5678_9ABC_DEF0,
        groups,
        cuts: HistoryCuts::new(&grid, &ChosenCuts::default()),
        steps: StepLimits::default(),
        boundary,
    })
}

/// Lung, soft tissue and bone in layers, decays in every fifth voxel.
pub(super) fn layers(emissions: Vec<Emission>, groups: u32) -> Scene {
    layers_within(emissions, groups, Boundary::Vacuum)
}

/// All kinds of particles, and all interactions.
pub(super) fn everything() -> Vec<Emission> {
    let emission =
        |particle, low_mev, high_mev, yield_per_decay| Emission { particle, low_mev, high_mev, yield_per_decay };
    vec![
        emission(Particle::Electron, 0.0, 2.3, 1.2),
        emission(Particle::Positron, 0.1, 1.5, 0.4),
        emission(Particle::Photon, 0.02, 0.4, 0.8),
        emission(Particle::Photon, 4.0, 6.0, 0.3),
    ]
}

pub(super) fn run(session: &mut Session, scene: &Scene, histories: Range<u64>) -> Tally {
    let mut tally = Tally::new(scene.groups, scene.medium.len());
    session.transport(scene, histories, &mut tally, &Control::detached()).expect("the device works");
    tally
}

pub(super) fn run_on_cpu(scene: &Scene, histories: Range<u64>) -> Tally {
    let mut tally = Tally::new(scene.groups, scene.medium.len());
    CpuEngine::default().transport(scene, histories, &mut tally, &Control::detached()).expect("not cancelled");
    tally
}

/// Runs with another quota than the device's own, with nothing known of its speed.
fn run_within(session: &mut Session, quota: Quota, scene: &Scene, histories: Range<u64>) -> Tally {
    let stages = session.transport.as_mut().expect("compiled before");
    let own = std::mem::replace(&mut stages.quota, quota);
    stages.step_rate = StepRate::new(true);
    let tally = run(session, scene, histories);
    session.transport.as_mut().expect("kept").quota = own;
    tally
}

/// Emitted energy that is neither deposited nor escaped, as a part of it.
fn imbalance(group: &GroupTally) -> f64 {
    let difference = group.emitted.abs_diff(group.deposited + group.escaped);
    difference as f64 / (group.emitted as f64).max(1.0)
}

/// Both ran as many histories and emitted the same energy. A driver may join a product and a sum into one operation,
/// which rounds once where two do: an energy may differ by one unit in the last place of single precision.
fn assert_emits_alike(found: &GroupTally, expected: &GroupTally) {
    assert_eq!(found.histories, expected.histories);
    let difference = found.emitted.abs_diff(expected.emitted) as f64;
    assert!(difference <= f64::from(f32::EPSILON) * expected.emitted as f64, "{} {}", found.emitted, expected.emitted);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn single_histories_are_those_of_the_cpu() {
    let mut session = shared_session();
    // One history in each group.
    let scene = layers(everything(), 32);
    for first in [0, 32 * 12_345_678] {
        let (expected, found) = (run_on_cpu(&scene, first..first + 32), run(&mut session, &scene, first..first + 32));
        let mut same = 0;
        for (expected, found) in expected.groups.iter().zip(&found.groups) {
            assert_emits_alike(found, expected);
            assert!(imbalance(found) < 1e-5, "{found:?}");
            let is_close = |(a, b): (u64, u64)| a.abs_diff(b) <= 64 + a / 10_000;
            same += u32::from(expected.energy.iter().zip(found.energy.iter()).all(is_close));
        }
        println!("{same} of 32 histories took the same path");
        // Where a value lies within rounding of a threshold, the two histories part.
        assert!(same >= 29, "{same}");
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_run_is_that_of_the_cpu_within_its_statistics() {
    let mut session = shared_session();
    for boundary in [Boundary::Vacuum, Boundary::Periodic] {
        let scene = layers_within(everything(), 8, boundary);
        let expected = run_on_cpu(&scene, 5..2005);
        let found = run(&mut session, &scene, 5..2005);
        let (mut squares, mut voxels) = (0.0, 0);
        for voxel in 0..scene.medium.len() {
            let energies =
                |tally: &Tally| tally.groups.iter().map(|g| g.energy.get(voxel) as f64).collect::<Vec<f64>>();
            let (a, b) = (energies(&expected), energies(&found));
            let mean = a.iter().sum::<f64>() / 8.0;
            let variance = a.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (7.0 * 8.0);
            let difference = mean - b.iter().sum::<f64>() / 8.0;
            squares += difference * difference / variance.max(1.0);
            voxels += 1;
        }
        // Two runs of different histories differ by 1.4σ. The same histories differ by the few that part.
        let rms = (squares / f64::from(voxels)).sqrt();
        println!("{boundary:?}: voxels differ by {rms:.3} σ");
        assert!(rms < 0.5, "{boundary:?}: {rms}");
        for (expected, found) in expected.groups.iter().zip(&found.groups) {
            assert_emits_alike(found, expected);
            let part = found.deposited as f64 / expected.deposited as f64;
            assert!((part - 1.0).abs() < 0.01 && imbalance(found) < 1e-5, "{part} {}", imbalance(found));
        }
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn bytes_do_not_depend_on_queues_batches_and_ranges() {
    let mut session = shared_session();
    let scene = layers(everything(), 8);
    let expected = run(&mut session, &scene, 10..170);
    assert_eq!(run(&mut session, &scene, 10..170), expected);
    let own = session.transport.as_ref().expect("compiled").quota;
    for quota in [
        // One step per cycle; queues that are always full; one group and a few ranks per launch.
        Quota { capacity: 4096, charged_steps: 1, photon_steps: 1, ..own },
        Quota { capacity: 80, ..own },
        Quota { capacity: 200, charged_steps: 3, photon_steps: 5, tally_bytes: 1, items: 100 },
        Quota { capacity: 1000, tally_bytes: 4 * 8 * scene.medium.len() as u64, ..own },
    ] {
        let quota = Quota { tally_bytes: quota.tally_bytes.max(8 * scene.medium.len() as u64), ..quota };
        assert_eq!(run_within(&mut session, quota, &scene, 10..170), expected, "{quota:?}");
    }
    let mut parts = run(&mut session, &scene, 100..170);
    for histories in [10..11, 11..11, 11..100] {
        parts.add(&run(&mut session, &scene, histories));
    }
    assert_eq!(parts, expected);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn lanes_without_a_particle_are_not_dispatched() {
    let mut session = shared_session();
    let scene = layers(everything(), 1);
    run(&mut session, &scene, 0..1);
    let stages = session.transport.as_mut().expect("compiled");
    // There is room for thousands of lanes in each dispatch.
    stages.step_rate = StepRate::new(false);
    stages.done = TransportWork::default();
    run(&mut session, &scene, 7..8);
    let done = session.transport.as_ref().expect("kept").done;
    // The decays of a slot are padded to a workgroup. One history never has as many particles as a workgroup has lanes.
    let most = scene.emissions.slots.len() as u64 + 2 * done.cycles;
    assert!(done.cycles > 0 && (1..=most).contains(&done.workgroups), "{done:?}");
    assert!(done.moving <= done.lanes && done.lanes <= 2 * 64 * done.cycles, "{done:?}");
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn full_queues_do_not_hold_up_the_particles_in_them() {
    /// Far more than the decays below take, and far fewer than they took where few particles of a full queue moved.
    const MOST_CYCLES: u64 = 400;
    let mut session = shared_session();
    let beta = Emission { particle: Particle::Electron, low_mev: 2.0, high_mev: 2.2, yield_per_decay: 1.0 };
    let rare = Emission { particle: Particle::Positron, low_mev: 0.1, high_mev: 1.5, yield_per_decay: 1e-3 };
    let scene = layers(vec![beta, rare], 8);
    let expected = run(&mut session, &scene, 0..4000);
    let stages = session.transport.as_mut().expect("compiled");
    let own = std::mem::replace(&mut stages.quota.capacity, 2048);
    // Nothing but the queue bounds the lanes.
    stages.step_rate = StepRate::new(false);
    stages.done = TransportWork::default();
    let found = run(&mut session, &scene, 0..4000);
    let stages = session.transport.as_mut().expect("kept");
    stages.quota.capacity = own;
    println!("{:?}", stages.done);
    assert!(stages.done.cycles < MOST_CYCLES, "{:?}", stages.done);
    assert_eq!(found, expected);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_stage_that_does_nothing_is_noticed_where_it_has_something_to_do() {
    let mut session = shared_session();
    let scene = layers(everything(), 8);
    let expected = run(&mut session, &scene, 0..100);
    for stage in ["transport_schedule", "transport_emission", "transport_charged", "transport_photon"] {
        let mut noticed = 0;
        for passes in [0, 1, 2, 4] {
            session.context.played.ask(Fault::Idle(stage), passes);
            let mut tally = Tally::new(scene.groups, scene.medium.len());
            let outcome = session.transport(&scene, 0..100, &mut tally, &Control::detached());
            assert!(session.context.played.end(), "{stage} is dispatched more often than {passes} times");
            match outcome {
                Ok(()) => assert_eq!(tally, expected, "{stage} after {passes}"),
                Err(error) => {
                    assert!(matches!(error, DoseError::DeviceLost(_)), "{stage} after {passes}: {error}");
                    noticed += 1;
                }
            }
        }
        assert!(noticed > 0, "{stage}");
    }
    assert_eq!(run(&mut session, &scene, 0..100), expected);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn decays_that_emit_nothing_leave_an_empty_tally() {
    let mut session = shared_session();
    let mut scene = layers(everything(), 4);
    scene.emissions.slots.clear();
    let (expected, found) = (run_on_cpu(&scene, 0..1000), run(&mut session, &scene, 0..1000));
    assert_eq!(found, expected);
    assert_eq!((found.histories(), found.sum_mev(GroupTally::scored)), (1000, 0.0));
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_cancelled_run_ends_with_its_batch_and_leaves_the_tally() {
    let mut session = shared_session();
    let scene = layers(everything(), 8);
    let before = run(&mut session, &scene, 0..100);
    for leaves_at in [1, 2, 7] {
        let control = Control::gone_after(leaves_at);
        let mut tally = before.clone();
        assert_eq!(session.transport(&scene, 0..1 << 30, &mut tally, &control), Err(DoseError::Cancelled));
        assert_eq!(control.times_asked(), leaves_at, "no batch begins after the caller has left");
        assert_eq!(tally, before);
    }
    assert_eq!(run(&mut session, &scene, 0..100), before);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_device_lost_in_the_middle_loses_nothing_but_time() {
    let mut session = shared_session();
    let scene = layers(everything(), 8);
    let before = run(&mut session, &scene, 0..200);
    let device = session.context.device.clone();
    let watcher = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        device.destroy();
    });
    let mut tally = before.clone();
    let mut outcome = session.transport(&scene, 0..1 << 30, &mut tally, &Control::detached());
    watcher.join().expect("the watcher only waits");
    for _ in 0..2 {
        assert!(matches!(outcome, Err(DoseError::DeviceLost(_))), "{outcome:?}");
        assert_eq!(tally, before);
        outcome = session.transport(&scene, 0..200, &mut tally, &Control::detached());
    }
    *session = open(DeviceLimits::WebGpuDefault);
    assert_eq!(run(&mut session, &scene, 0..200), before);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_run_that_was_cut_short_is_finished_by_the_same_call() {
    let mut session = shared_session();
    let scene = layers(everything(), 32);
    let histories = 0..500;
    let whole = run(&mut session, &scene, histories.clone());
    let mut tally = Tally::new(32, scene.medium.len());
    for group in &whole.groups[..13] {
        let add = |tally: &mut GroupTally| {
            tally.add(group);
            Ok::<(), DoseError>(())
        };
        tally.add_group(&histories, add).expect("nothing fails");
    }
    session.transport(&scene, histories, &mut tally, &Control::detached()).expect("the device works");
    assert_eq!(tally, whole);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_grid_beyond_the_device_is_refused_by_name() {
    let mut session = open(DeviceLimits::Binding(20_000));
    let mut scene = layers(everything(), 8);
    scene.medium.resize(4096, scene.medium[0]);
    let mut tally = Tally::new(8, scene.medium.len());
    let refused =
        session.transport(&scene, 0..10, &mut tally, &Control::detached()).expect_err("4096 voxels are 32 kB");
    assert!(matches!(refused, DoseError::TooLarge { needed_bytes: 32_768, limit_bytes: 20_000, .. }), "{refused}");
}

#[test]
fn sums_that_read_back_as_zeros_are_noticed() {
    let group = GroupTally {
        histories: 1,
        emitted: 1000,
        deposited: 600,
        escaped: 400,
        exhausted_rejections: 0,
        ..GroupTally::default()
    };
    assert_eq!(super::fetch::check_complete(&group, 600, 600), Ok(()));
    let lost = GroupTally { deposited: 0, escaped: 0, ..group.clone() };
    for (group, found) in [(group, 0), (lost, 600)] {
        assert!(matches!(super::fetch::check_complete(&group, found, 600), Err(DoseError::DeviceLost(_))));
    }
}
