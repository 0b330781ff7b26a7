//! The GPU engine: within any limits, on a device that fails, and with the same bytes every time.

use std::thread;

use ndarray::{Array3, ShapeBuilder};
use tokio_util::sync::CancellationToken;

use dosegrid::domain::{Control, DeviceInfo, DeviceKind, DeviceSelector, DoseError, Stage, Volume};
use dosegrid::engine::gpu::{DeviceLimits, GpuEngine};
use dosegrid::engine::{Device, list_devices};
use dosegrid::physics::kernel::{KernelSpec, VoxelKernel};
use dosegrid::plan::ConvolutionPlan;
use dosegrid::validate::convolution::convolve_directly;

use crate::support::gpu;
use crate::support::sources::{self, hot_in_cold, random};

/// Rms difference of one engine from another, relative to the local value, in voxels down to `FLOOR` of the maximum.
const ENGINES_AGREE: f64 = 1e-5;
const FLOOR: f64 = 1e-5;
/// More memory than any test needs [bytes].
const AMPLE: u64 = 1 << 40;

/// The first GPU, within `limits`.
fn open(limits: DeviceLimits) -> GpuEngine {
    let selector = gpu().info().id.parse().expect("an id selects");
    GpuEngine::open_within(selector, limits).expect("a GPU that is listed can be opened")
}

fn plan(kernel: &VoxelKernel, source: &Volume<f32>, workspace_bytes: u64) -> ConvolutionPlan {
    ConvolutionPlan::new(source.grid(), &kernel.spec, workspace_bytes).expect("the workspace is ample")
}

fn convolve(engine: &mut GpuEngine, kernel: &VoxelKernel, source: &Volume<f32>) -> Volume<f32> {
    let plan = plan(kernel, source, AMPLE);
    engine.convolve(&plan, kernel, source, &Control::detached()).expect("the device works")
}

fn rms_difference(found: &[f32], expected: impl Iterator<Item = f64> + Clone) -> f64 {
    let floor = FLOOR * expected.clone().fold(0.0, f64::max);
    let compared = found.iter().zip(expected).filter(|(_, expected)| *expected > floor);
    let squares: Vec<f64> = compared.map(|(&found, expected)| (f64::from(found) / expected - 1.0).powi(2)).collect();
    assert!(!squares.is_empty(), "nothing to compare");
    (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
}

fn bits(volume: &Volume<f32>) -> Vec<u32> {
    volume.as_slice().iter().map(|value| value.to_bits()).collect()
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn the_gpu_agrees_with_the_cpu_and_repeats_its_bytes() {
    let mut gpu = gpu();
    let mut cpu = crate::support::cpu();
    let source = hot_in_cold([37, 41, 29], [2.0, 2.5, 4.0]);
    let kernel = sources::kernel("Lu-177", source.grid());
    let plan = plan(&kernel, &source, AMPLE);
    let run =
        |device: &mut Device| device.convolve(&plan, &kernel, &source, &Control::detached()).expect("the device works");
    let (expected, found) = (run(&mut cpu), run(&mut gpu));
    let rms = rms_difference(found.as_slice(), expected.as_slice().iter().copied().map(f64::from));
    assert!(rms <= ENGINES_AGREE, "{rms:.1e}");
    assert_eq!(bits(&found), bits(&run(&mut gpu)));
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn small_limits_change_the_cut_and_not_the_dose() {
    let source = random([26, 21, 19], [3.0, 4.0, 5.0], 3);
    let kernel = cropped(&sources::kernel("Lu-177", source.grid()), 3);
    let expected = convolve_directly(&kernel, &source);
    // Of the half spectrum, 16 columns of 24 × 19 complex values (58 kB), no more than 5 fit the small binding; of the
    // 19 planes (41 kB), 9.
    for limits in [DeviceLimits::WebGpuDefault, DeviceLimits::Binding(20_000)] {
        let mut engine = open(limits);
        let whole = plan(&kernel, &source, AMPLE);
        let blocks = plan_of_blocks(&whole, &kernel, &source);
        for plan in [whole, blocks] {
            let found = engine.convolve(&plan, &kernel, &source, &Control::detached()).expect("the device works");
            let rms = rms_difference(found.as_slice(), expected.iter().copied());
            assert!(rms <= ENGINES_AGREE, "{limits:?} in {} blocks: {rms:.1e}", plan.blocks.len());
        }
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_dose_needs_no_feature_that_a_device_may_lack() {
    // Convolution and transport run without any in the tests within the limits of every WebGPU device.
    let used = |limits| open(limits).portrait().features_used;
    assert_eq!(used(DeviceLimits::WebGpuDefault), [""; 0]);
    assert_eq!(used(DeviceLimits::Binding(20_000)), [""; 0]);
    // Where there are more, stages are timed.
    let more = used(DeviceLimits::Adapter);
    assert!(more.iter().all(|feature| feature == "TIMESTAMP_QUERY"), "{more:?}");
}

/// The kernel, no wider than `reach` on each side: only then do blocks need less than the whole.
fn cropped(kernel: &VoxelKernel, reach: usize) -> VoxelKernel {
    let half_width = kernel.spec.half_width.map(|h| h.min(reach));
    let [hx, hy, hz] = half_width;
    let octant = Array3::from_shape_fn((hx + 1, hy + 1, hz + 1).f(), |index| kernel.octant[index]);
    VoxelKernel { spec: KernelSpec { half_width, ..kernel.spec.clone() }, octant, ..kernel.clone() }
}

/// The same convolution with just too little memory for one block.
fn plan_of_blocks(whole: &ConvolutionPlan, kernel: &VoxelKernel, source: &Volume<f32>) -> ConvolutionPlan {
    let mut workspace_bytes = whole.blocks[0].spectrum_bytes();
    loop {
        workspace_bytes -= workspace_bytes / 16;
        let plan = plan(kernel, source, workspace_bytes);
        if plan.blocks.len() > 1 {
            return plan;
        }
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_lost_device_says_so_and_a_new_one_gives_the_same_bytes() {
    let mut engine = open(DeviceLimits::Adapter);
    let source = hot_in_cold([40, 40, 40], [4.0; 3]);
    let kernel = sources::kernel("Lu-177", source.grid());
    let before = bits(&convolve(&mut engine, &kernel, &source));

    let (control, mut progress) = Control::new(CancellationToken::new());
    let fail = engine.failure_switch();
    let watcher = thread::spawn(move || {
        while progress.borrow_and_update().stage != Stage::Dose {
            thread::yield_now();
        }
        fail();
    });
    let lost = |result: Result<Volume<f32>, DoseError>| matches!(result, Err(DoseError::DeviceLost(_)));
    let first = engine.convolve(&plan(&kernel, &source, AMPLE), &kernel, &source, &control);
    watcher.join().expect("the watcher only waits");
    // The switch may be too late for the first request. The next one must find the device gone in any case.
    assert!(lost(first.clone()) || first.is_ok_and(|result| bits(&result) == before));
    for _ in 0..2 {
        assert!(lost(engine.convolve(&plan(&kernel, &source, AMPLE), &kernel, &source, &Control::detached())));
    }
    let selector = engine.info().id.parse().expect("an id selects");
    let mut again = GpuEngine::open(selector).expect("the device is still there");
    assert_eq!(bits(&convolve(&mut again, &kernel, &source)), before);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_cancelled_request_ends_with_its_batch_and_the_next_is_not_affected() {
    let mut engine = open(DeviceLimits::Adapter);
    let source = random([64, 64, 64], [4.0; 3], 9);
    let kernel = sources::kernel("Lu-177", source.grid());
    let plan = plan(&kernel, &source, AMPLE);
    let before = bits(&convolve(&mut engine, &kernel, &source));
    let whole = Control::detached();
    engine.convolve(&plan, &kernel, &source, &whole).expect("the device works");
    let control = Control::gone_after(whole.times_asked() / 2);
    let result = engine.convolve(&plan, &kernel, &source, &control);
    assert_eq!(result.expect_err("it was cancelled in the middle"), DoseError::Cancelled);
    assert_eq!(control.times_asked(), whole.times_asked() / 2, "no batch begins after the caller has left");
    assert_eq!(bits(&convolve(&mut engine, &kernel, &source)), before);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn an_axis_too_long_for_the_device_is_refused_before_work() {
    let mut engine = open(DeviceLimits::WebGpuDefault);
    let longest = random([1, 1, 1024], [4.0; 3], 1);
    let kernel = sources::kernel("Lu-177", longest.grid());
    let rms = rms_difference(
        convolve(&mut engine, &kernel, &longest).as_slice(),
        convolve_directly(&kernel, &longest).iter().copied(),
    );
    assert!(rms <= ENGINES_AGREE, "{rms:.1e}");

    let too_long = random([1, 1, 1100], [4.0; 3], 1);
    let kernel = sources::kernel("Lu-177", too_long.grid());
    let (control, progress) = Control::new(CancellationToken::new());
    let result = engine.convolve(&plan(&kernel, &too_long, AMPLE), &kernel, &too_long, &control);
    assert!(matches!(result, Err(DoseError::TooLarge { limit_bytes: 16_384, .. })), "{result:?}");
    assert_eq!(progress.borrow().stage, Stage::Queued);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn every_scale_of_decays_and_energy_gives_the_same_dose() {
    let mut engine = open(DeviceLimits::Adapter);
    let source = random([12, 10, 8], [4.0; 3], 4);
    let kernel = sources::kernel("Lu-177", source.grid());
    let expected = convolve(&mut engine, &kernel, &source);
    for exponent in [-100, 60] {
        let factor = 2f32.powi(exponent);
        let scaled = convolve(&mut engine, &kernel, &source.map(|decays| decays * factor));
        assert_eq!(bits(&scaled), bits(&expected.map(|energy| energy * factor)), "2^{exponent}");
    }
    assert!(convolve(&mut engine, &kernel, &source.map(|_| 0.0)).as_slice().iter().all(|energy| *energy == 0.0));
}

#[test]
fn gpus_are_listed_by_number_hardware_first() {
    let infos: Vec<DeviceInfo> = list_devices();
    assert_eq!((infos[0].id.as_str(), infos[0].kind), ("cpu", DeviceKind::Cpu));
    let software: Vec<_> = infos[1..].iter().map(|info| info.kind == DeviceKind::SoftwareGpu).collect();
    assert!(software.is_sorted(), "{software:?}");
    for (number, info) in infos[1..].iter().enumerate() {
        assert_eq!(info.id, format!("gpu:{number}"));
        let opened = GpuEngine::open(DeviceSelector::GpuNumber(number)).expect("a GPU that is listed can be opened");
        assert_eq!(opened.info(), *info);
    }
    if software.iter().all(|software| *software) {
        assert!(matches!(GpuEngine::open(DeviceSelector::Gpu), Err(DoseError::DeviceUnavailable(_))));
        let auto = Device::open(DeviceSelector::Auto).expect("the CPU is always there");
        assert_eq!(auto.info().kind, DeviceKind::Cpu);
    }
}
