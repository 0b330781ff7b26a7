//! Histories that stay on the device: what is asked of them is what their tally says, and little is sent and fetched.

use std::sync::Arc;

use super::device_tests::{everything, layers, run, shared_session};
use crate::compute;
use crate::domain::summed::FULL_WEIGHT;
use crate::domain::{
    ActivityUnit, Control, DensityMap, DeviceSelector, DoseError, DoseRequest, Extras, GroupTally, LabelMap, LabelMaps,
    Method, MonteCarloOptions, Region, Regions, StopReason, StopRule, Summed, Tally, TargetUncertainty,
    TimeIntegratedActivity, Volume, VoxelGrid,
};
use crate::engine::Device;
use crate::engine::gpu::GpuEngine;
use crate::engine::gpu::context::DeviceLimits;
use crate::engine::gpu::device_tests::open;
use crate::engine::gpu::played::Fault;
use crate::engine::gpu::session::Session;
use crate::physics::nuclide;
use crate::plan::Limits;
use crate::prepare::transport::Scene;

/// The layers, with a digest by which a device knows them.
fn scene(groups: u32, sha256: &str) -> Scene {
    Scene { sha256: Some(sha256.to_owned()), ..layers(everything(), groups) }
}

/// Stripes of two regions, and voxels outside of both.
fn stripes(scene: &Scene) -> Regions {
    let of_voxel = (0..scene.medium.len()).map(|voxel| [1, 1, 1, 0, 2][voxel / 7 % 5]).collect();
    let weights = (0..scene.medium.len()).map(|voxel| FULL_WEIGHT / (1 + u32::try_from(voxel % 37).expect("few")));
    Regions { labels: vec![3, 70], of_voxel, weights: weights.collect() }
}

fn free(session: &mut Session) {
    session.transport.iter_mut().for_each(super::TransportStages::free);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn what_is_summed_up_is_what_the_tally_says() {
    let mut session = shared_session();
    let none = Control::detached();
    // As many histories in each group; one more in some; none in some.
    for (groups, histories) in [(32, 0..640), (8, 5..1003), (32, 3..20)] {
        let scene = scene(groups, &format!("{groups} {histories:?}"));
        let regions = stripes(&scene);
        let tally = run(&mut session, &scene, histories.clone());
        let books = session.hold(&scene, &histories, &none).expect("the device works");
        let without_energy = |group: &GroupTally| GroupTally { energy: Default::default(), ..group.clone() };
        assert_eq!(books, tally.groups.iter().map(without_energy).collect::<Vec<_>>());
        let summed = session.summed(&scene, &histories, &regions, &none).expect("the device works");
        assert_eq!(summed, Summed::of(&tally, &regions), "{histories:?}");
        assert_eq!(session.collect(&scene, &histories, &none).expect("the device works"), tally);
    }
}

/// Sums nearly as large as a tally can hold, so that every carry occurs.
#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn large_sums_are_summed_up_exactly() {
    let mut session = shared_session();
    let scene = scene(8, "large sums");
    let (voxels, histories, none) = (scene.medium.len(), 0..27, Control::detached());
    session.hold(&scene, &histories, &none).expect("the device works");
    let mut stages = session.transport.take().expect("compiled");
    let held = stages.held.take().expect("held");
    let mut state = 3u64;
    let mut next = |bits: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // As many bits as there may be, and fewer.
        (state >> 4) >> (64 - 4 - bits + u32::try_from(state >> 40 & 31).expect("five bits").min(bits))
    };
    let sums: Vec<Vec<u64>> = (0..8).map(|_| (0..voxels).map(|_| next(54)).collect()).collect();
    let words = |half: u32| sums.iter().flatten().map(move |sum| super::low(sum >> (32 * half)));
    let words: Vec<u32> = words(0).chain(words(1)).collect();
    session.context.send(&held.buffers.tally, 0, bytemuck::cast_slice(&words));
    let of_group = |(group, sums): (usize, Vec<u64>)| GroupTally {
        histories: held.counts()[group],
        energy: sums.into_iter().collect(),
        ..GroupTally::default()
    };
    let tally = Tally::of(sums.into_iter().enumerate().map(of_group).collect());
    let regions = stripes(&scene);
    let summed = session.sum_up_unchecked(&mut stages, &held, &regions).expect("the device works");
    let expected = Summed::of(&tally, &regions);
    assert_eq!(summed.squares.len(), 2, "some groups have one more");
    assert_eq!(summed, expected);
    assert!(expected.squares.iter().all(|(_, squares)| squares.iter().any(|square| *square > 2f32.powi(100))));
    session.transport = Some(stages);
    free(&mut session);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn held_histories_go_on_and_are_run_again_where_they_are_gone() {
    let mut session = shared_session();
    let none = Control::detached();
    let scene = scene(8, "goes on");
    let expected = run(&mut session, &scene, 10..300);
    for (end, is_gone) in [(50, false), (51, false), (200, true), (300, false)] {
        session.hold(&scene, &(10..end), &none).expect("the device works");
        if is_gone {
            run(&mut session, &layers(everything(), 8), 0..8);
        }
    }
    assert_eq!(session.collect(&scene, &(10..300), &none).expect("the device works"), expected);
    // Fewer than are held, or others: from the beginning.
    for histories in [10..100, 11..300] {
        let found = session.collect(&scene, &histories, &none).expect("the device works");
        assert_eq!(found, run(&mut session, &scene, histories));
    }
}

/// What is sent and fetched for a request that looks at its uncertainty three times.
#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn little_is_sent_and_fetched() {
    let mut session = shared_session();
    free(&mut session);
    let none = Control::detached();
    let (scene, groups) = (scene(32, "traffic"), 32);
    let (voxels, regions) = (scene.medium.len() as u64, stripes(&scene));
    let look = |session: &mut Session, end: u64| {
        session.context.traffic.take();
        session.hold(&scene, &(0..end), &none).expect("the device works");
        let of_histories = session.context.traffic.take();
        session.summed(&scene, &(0..end), &regions, &none).expect("the device works");
        (of_histories, session.context.traffic.take())
    };
    let first = look(&mut session, 64);
    let (second, of_look) = look(&mut session, 128);
    // Tables and densities once; then only the parameters of each batch.
    assert!(10 * second.sent_bytes < first.0.sent_bytes, "{first:?} {second:?}");
    // Twelve bytes a voxel and the regions, in place of eight for each group.
    assert!(of_look.fetched_bytes < 12 * voxels + 4000, "{of_look:?}");
    assert_eq!((of_look.waits, of_look.sent_bytes / voxels), (5, 8), "{of_look:?}");
    assert!(of_look.fetched_bytes * 10 < 8 * groups * voxels, "{of_look:?}");
    // The scene is still there for the next request, whatever its histories.
    session.context.traffic.take();
    session.hold(&scene, &(640..672), &none).expect("the device works");
    assert!(10 * session.context.traffic.take().sent_bytes < first.0.sent_bytes);
    println!("histories {second:?}, a look {of_look:?}");
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn no_fault_of_a_driver_gives_other_sums() {
    let mut session = open(DeviceLimits::WebGpuDefault);
    let none = Control::detached();
    let scene = scene(8, "faults");
    let (histories, regions) = (0..40, stripes(&scene));
    let expected = session.summed(&scene, &histories, &regions, &none).expect("the device works");
    let faults = [
        Fault::NoMemory,
        Fault::NoMap,
        Fault::Idle("summary_voxels"),
        Fault::Idle("summary_regions"),
        Fault::LostAt("summary_voxels"),
        Fault::Zeros { for_good: false },
        Fault::Zeros { for_good: true },
        Fault::Flipped { word: 0, bit: 0 },
        Fault::Flipped { word: 1000, bit: 31 },
        Fault::Flipped { word: 3, bit: 7 },
    ];
    for fault in faults {
        let mut struck = 0;
        for passes in 0..4 {
            session.hold(&scene, &histories, &none).expect("the device works");
            session.context.played.ask(fault, passes);
            let outcome = session.summed(&scene, &histories, &regions, &none);
            let has_struck = session.context.played.end();
            struck += usize::from(has_struck);
            match outcome {
                Ok(summed) => assert_eq!(summed, expected, "{fault:?} after {passes}"),
                Err(error) => assert!(has_struck, "{fault:?} after {passes}: {error}"),
            }
            if matches!(session.context.faults.check(), Err(DoseError::DeviceLost(_))) {
                session = open(DeviceLimits::WebGpuDefault);
            }
        }
        assert!(struck > 0, "no occasion for {fault:?}");
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn queues_are_shorter_where_memory_is_short() {
    let mut session = shared_session();
    let scene = scene(8, "short of memory");
    let expected = run(&mut session, &scene, 0..100);
    free(&mut session);
    // Parameters, tally, counters and queues: each may be the one for which there is no room.
    let mut shorter = 0;
    for passes in 0..12 {
        free(&mut session);
        session.context.played.ask(Fault::NoMemory, passes);
        let mut tally = Tally::new(8, scene.medium.len());
        let outcome = session.transport(&scene, 0..100, &mut tally, &Control::detached());
        let has_struck = session.context.played.end();
        match outcome {
            Ok(()) => {
                assert_eq!(tally, expected);
                shorter += usize::from(has_struck);
            }
            Err(error) => assert!(has_struck && matches!(error, DoseError::DeviceOutOfMemory(_)), "{error}"),
        }
    }
    assert!(shorter >= 3, "{shorter}");
}

/// Two organs in water, of which one takes up activity: one is held to its voxels, the other to its mean.
fn organs() -> DoseRequest {
    let grid = Arc::new(VoxelGrid::new([9, 8, 7], [4.0; 3]).expect("a good grid"));
    let volume = |of: &dyn Fn(usize) -> f32| {
        Volume::from_vec(Arc::clone(&grid), (0..grid.voxels()).map(of).collect()).expect("one value a voxel")
    };
    let decays = volume(&|voxel| if voxel < 200 { 1e6 * (1 + voxel % 7) as f32 } else { 0.0 });
    let labels = volume(&|voxel| [1.0, 0.0, 2.0][(voxel / 150).min(2)]);
    let target = TargetUncertainty { relative: 0.05, region: Region::AllRegions };
    let stop = StopRule { target: Some(target), histories: Some(1 << 20), ..StopRule::default() };
    let extras = Extras { uncertainty: true, ..Extras::default() };
    let options = MonteCarloOptions { stop, extras, ..MonteCarloOptions::default() };
    let activity = TimeIntegratedActivity::new(decays, ActivityUnit::BqS).expect("an activity");
    let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
    let maps = LabelMaps { regions: Some(LabelMap::new(&labels).expect("labels")), materials: None };
    let builder = DoseRequest::builder(activity, nuclide, Method::MonteCarlo(Box::new(options)));
    let density = DensityMap::new(volume(&|_| 1.0)).expect("a density");
    builder.density(density).labels(maps).build().expect("a good request")
}

/// A run that stops at a target has the same histories and bytes wherever its energy was meanwhile. A device whose work
/// is recorded holds nothing.
#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_run_ends_where_its_tally_says() {
    let mut device = open_device(DeviceSelector::GpuNumber(0));
    let request = organs();
    let mut dose = |is_held: bool| {
        let Device::Gpu(engine) = &mut device else { panic!("a GPU was opened") };
        if !is_held {
            engine.record();
        }
        let result = compute(&request, &mut device, &Limits::default(), &Control::detached()).expect("a dose");
        device.take_recording();
        let account = result.provenance.monte_carlo.expect("of Monte Carlo");
        let sigma = result.uncertainty.expect("asked for").as_slice().to_vec();
        let of_run = (account.histories, account.relative_sigma.map(f64::to_bits), account.stopped_by);
        (result.dose.as_slice().to_vec(), sigma, of_run, account.regions)
    };
    let (held, fetched) = (dose(true), dose(false));
    assert_eq!(held.2.2, StopReason::TargetUncertainty);
    assert_eq!(held, fetched);
}

fn open_device(selector: DeviceSelector) -> Device {
    let engine = GpuEngine::open_within(selector, DeviceLimits::WebGpuDefault).expect("a driver was found");
    Device::Gpu(Box::new(engine))
}
