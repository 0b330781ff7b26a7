//! A caller who goes away: how much is still done then, in work and not in time.
//!
//! A computation asks at every checkpoint whether to go on. What it does after its caller has gone is bounded by how
//! often it still asks, and by how much lies between two asks.

use dosegrid::clinic::{
    Frames, Moment, PointDraft, SeriesDraft, ValueRefersTo, VoxelOptions, integrate_voxels_watched,
};
use dosegrid::domain::{
    ActivityUnit, ChosenCuts, Control, DensityMap, DoseError, DoseRequest, LocalOptions, Method, MonteCarloOptions,
    Particle, Stage, StopRule, Tally, TimeIntegratedActivity,
};
use dosegrid::engine::Device;
use dosegrid::physics::kernel::integrate;
use dosegrid::physics::nuclide;
use dosegrid::plan::{ConvolutionPlan, Limits};
use dosegrid::validate::phantom::{Phantom, line};

use crate::support::sources::{self, AMPLE, kernel_spec};
use crate::support::{cpu, on_each_engine};

/// Threads of the pool that computes: those of the process are busy with other tests.
const THREADS: u64 = 2;
/// How often each thread may still ask: to end the task it is in, and to refuse the next.
const ASKS_A_THREAD: u64 = 2;

fn on_own_threads<T: Send>(compute: impl FnOnce() -> T + Send) -> T {
    let threads = usize::try_from(THREADS).expect("a few");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    pool.install(compute)
}

/// Runs to the end twice, for the first run prepares what later ones keep; then with a caller who leaves at the
/// beginning, in the middle and near the end.
///
/// * `expected` – asks of a whole run, at least
/// * `more` – asks that may follow the one at which the caller leaves
fn check(expected: u64, more: u64, mut compute: impl FnMut(&Control) -> Result<(), DoseError>) {
    compute(&Control::detached()).expect("nobody cancels");
    let whole = Control::detached();
    compute(&whole).expect("nobody cancels");
    let asks = whole.times_asked();
    println!("a whole run asks {asks} times");
    assert!(asks >= expected, "a whole run asks {asks} times: too much lies between two of them");
    for leaves_at in [1, asks / 3, asks * 2 / 3] {
        let control = Control::gone_after(leaves_at);
        assert_eq!(compute(&control), Err(DoseError::Cancelled), "at {leaves_at} of {asks}");
        let late = control.times_asked() - leaves_at;
        println!("at {leaves_at}: {late} more");
        assert!(late <= more, "asked {late} times more after the caller had left at {leaves_at} of {asks}");
    }
}

#[test]
fn a_convolution_on_the_cpu_ends_within_a_plane() {
    let mut device = cpu();
    let source = sources::random([256, 256, 200], [2.0; 3], 9);
    let kernel = sources::kernel_of("Y-90", source.grid(), [31; 3]);
    let plan = ConvolutionPlan::new(source.grid(), &kernel.spec, AMPLE).expect("the workspace is ample");
    // No more than a plane of 256 × 256 voxels lies between two asks.
    check(200, ASKS_A_THREAD * THREADS, |control| {
        on_own_threads(|| device.convolve(&plan, &kernel, &source, control).map(drop))
    });
}

#[test]
fn the_integration_of_a_kernel_ends_within_a_row() {
    let spec = kernel_spec("Lu-177", [0.2, 0.25, 0.3], [24, 20, 16]);
    check(17 * 21, ASKS_A_THREAD * THREADS, |control| {
        on_own_threads(|| integrate(&spec, &control.at_stage(Stage::Kernel)).map(drop)).map_err(DoseError::from)
    });
}

/// A device is told to stop between two batches, of which none is in flight beside the one that runs.
fn convolution_ends_with_the_batch(mut device: Device) {
    let source = sources::random([48, 40, 36], [4.0; 3], 9);
    let kernel = sources::kernel("Lu-177", source.grid());
    let plan = ConvolutionPlan::new(source.grid(), &kernel.spec, AMPLE).expect("the workspace is ample");
    check(5, ASKS_A_THREAD * THREADS, |control| {
        on_own_threads(|| device.convolve(&plan, &kernel, &source, control).map(drop))
    });
}
on_each_engine!(convolution_ends_with_the_batch);

/// A group of histories that has not begun is refused at its first history.
fn transport_ends_within_some_histories(mut device: Device) {
    let phantom = Phantom::uniform([10; 3], [3.0; 3], "water", 1.0, line(Particle::Electron, 0.5));
    let scene = phantom.with_source_at([5; 3]).scene();
    check(u64::from(scene.groups), u64::from(scene.groups), |control| {
        let mut tally = Tally::new(scene.groups, scene.medium.len());
        on_own_threads(|| device.transport(&scene, 0..8_000, &mut tally, control))
    });
}
on_each_engine!(transport_ends_within_some_histories);

/// A request without a voxel of which nothing is known, on a grid of some millions of them.
fn simple(method: Method) -> DoseRequest {
    let source = sources::random([256, 128, 96], [2.0; 3], 9);
    let density = source.map(|decays| 0.9 + 1e-10 * decays);
    let activity = TimeIntegratedActivity::new(source, ActivityUnit::BqS).expect("good");
    let density = DensityMap::new(density).expect("good");
    DoseRequest::new(activity, Some(density), nuclide::find("Lu-177").expect("known"), method).expect("good")
}

/// Monte Carlo of a few histories, with tables that no other run has.
fn few_histories(number: u32) -> Method {
    let cuts = ChosenCuts { photon_mev: Some(0.005 + 1e-7 * f64::from(number)), ..ChosenCuts::default() };
    let stop = StopRule { histories: Some(100), ..StopRule::default() };
    Method::MonteCarlo(Box::new(MonteCarloOptions { cuts, stop, ..MonteCarloOptions::default() }))
}

/// A request for a few histories in adipose and soft tissue.
fn few_decays(shape: [u64; 3], method: Method) -> DoseRequest {
    let source = sources::random(shape, [3.0; 3], 9);
    let density = source.map(|decays| 0.95 + 1e-10 * decays);
    let activity = TimeIntegratedActivity::new(source, ActivityUnit::BqS).expect("good");
    let density = DensityMap::new(density).expect("good");
    DoseRequest::new(activity, Some(density), nuclide::find("Lu-177").expect("known"), method).expect("good")
}

/// Energies at which a quantity of a material is tabulated.
const ENERGIES: u64 = 1025;

#[test]
fn tables_of_transport_end_within_an_energy() {
    let (mut device, mut number) = (cpu(), 0);
    // A thread that is in the tables of electrons also refuses those of photons, and the next material.
    check(2 * 10 * ENERGIES, 3 * THREADS, |control| {
        number += 1;
        let request = few_decays([4, 4, 4], few_histories(number));
        on_own_threads(|| dosegrid::compute(&request, &mut device, &Limits::default(), control).map(drop))
    });
}

#[test]
fn the_voxels_of_a_scene_end_within_some_of_them() {
    let (request, mut device) = (few_decays([128, 128, 96], few_histories(0)), cpu());
    let limits = Limits::default();
    // Materials, medium and source are passed in pieces of 2¹⁸ voxels, of which there are six, the maps for the digest
    // in pieces of 2¹⁶. What leaves in the middle of the histories refuses the groups that are left.
    check(5 * 6 + 2 * 24, 64, |control| {
        on_own_threads(|| dosegrid::compute(&request, &mut device, &limits, control).map(drop))
    });
}

#[test]
fn local_deposition_ends_within_a_million_voxels() {
    let (request, mut device) = (simple(Method::Local(LocalOptions::default())), cpu());
    // Three million voxels, which are passed twice: energy, and dose.
    check(6, 0, |control| dosegrid::compute(&request, &mut device, &Limits::default(), control).map(drop));
}

#[test]
fn voxels_of_a_time_series_end_within_a_task() {
    let maps: Vec<Vec<f32>> = (1u8..4).map(|day| vec![100.0 / f32::from(day); 40_000]).collect();
    let slices: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
    let point = |day: u32| PointDraft {
        time: Moment::Hours(f64::from(24 * day)),
        activity_mbq: 1.0,
        sigma_mbq: None,
        duration_h: None,
    };
    let draft = SeriesDraft {
        points: (1..4).map(point).collect(),
        injection: None,
        physical_half_life_h: 160.0,
        administered_activity_mbq: Some(7400.0),
        infusion_h: 0.0,
        refers_to: ValueRefersTo::AcquisitionMean,
    };
    let frames = Frames::new(&draft).expect("good times");
    check(20, 2 * ASKS_A_THREAD * THREADS, |control| {
        let watch = control.at_stage(Stage::Dose);
        on_own_threads(|| integrate_voxels_watched(&frames, &slices, &VoxelOptions::default(), &watch).map(drop))
    });
}
