//! Convolution on every engine, against a direct sum in `f64`, and what must not change it: blocks, threads, scale.

#![expect(clippy::cast_possible_truncation, reason = "a test's own figures fit")]

use std::sync::Arc;

use dosegrid::domain::{Checkpoints, Control, RunPoint, Tally, Volume};
use dosegrid::engine::Device;
use dosegrid::plan::ConvolutionPlan;
use dosegrid::validate::convolution::{RMS_BY_DECADE, convolve_directly, rms_by_decade as rms_of_decades};

use crate::support::on_each_engine;
use crate::support::sources::{self, AMPLE, convolve};

/// The design's measure, 0 for a decade without a voxel.
fn rms_by_decade(found: &[f32], expected: &[f64]) -> [f64; 7] {
    rms_of_decades(found, expected).map(|rms| rms.unwrap_or(0.0))
}

/// Largest difference of two results, relative to the largest value.
fn largest_difference(a: &Volume<f32>, b: &Volume<f32>) -> f64 {
    let most = a.as_slice().iter().copied().fold(0.0, f32::max);
    let pairs = a.as_slice().iter().zip(b.as_slice());
    pairs.map(|(a, b)| f64::from((a - b).abs() / most)).fold(0.0, f64::max)
}

on_each_engine!(every_engine_agrees_with_a_direct_sum);
fn every_engine_agrees_with_a_direct_sum(mut device: Device) {
    let cases: [(&str, [u64; 3], [f64; 3]); 9] = [
        ("Lu-177", [24, 20, 18], [4.0; 3]),
        ("Lu-177", [31, 29, 23], [3.9063, 3.9063, 4.4196]),
        ("I-131", [17, 1, 13], [2.0, 5.0, 3.0]),
        ("Y-90", [23, 26, 19], [2.0; 3]),
        ("Y-90", [29, 30, 31], [4.42, 4.42, 3.0]),
        ("Y-90", [27, 22, 25], [1.0, 2.0, 1.5]),
        ("I-131", [1, 1, 37], [2.4; 3]),
        ("Y-90", [41, 1, 1], [4.8; 3]),
        ("Lu-177", [1, 1, 1], [4.8; 3]),
    ];
    let name = device.info().name;
    for (nuclide, shape, spacing_mm) in cases {
        for (map, source) in sources::all(shape, spacing_mm) {
            let kernel = sources::kernel(nuclide, source.grid());
            let found = convolve(&mut device, &kernel, &source, AMPLE);
            let rms = rms_by_decade(found.as_slice(), &convolve_directly(&kernel, &source));
            let case = format!("{name} {nuclide} {shape:?} {spacing_mm:?} {map}");
            println!("{case}: {}", rms.map(|rms| format!("{rms:.0e}")).join(" "));
            for (decade, (rms, limit)) in rms.into_iter().zip(RMS_BY_DECADE).enumerate() {
                assert!(rms <= limit, "{case}: rms {rms:.1e} at decade {decade}");
            }
        }
    }
}

on_each_engine!(a_truncated_kernel_is_a_narrow_one);
fn a_truncated_kernel_is_a_narrow_one(mut device: Device) {
    let source = sources::random([21, 34, 27], [3.0, 4.0, 5.0], 8);
    let kernel = sources::kernel_of("Y-90", source.grid(), [3, 0, 5]);
    let found = convolve(&mut device, &kernel, &source, AMPLE);
    let rms = rms_by_decade(found.as_slice(), &convolve_directly(&kernel, &source));
    assert!(rms.into_iter().all(|rms| rms < 1e-6), "{}: {rms:?}", device.info().name);
}

on_each_engine!(blocks_do_not_change_the_result);
fn blocks_do_not_change_the_result(mut device: Device) {
    let source = sources::random([22, 19, 64], [4.0; 3], 3);
    let kernel = sources::kernel_of("I-131", source.grid(), [21, 18, 9]);
    let whole = convolve(&mut device, &kernel, &source, AMPLE);
    for workspace_bytes in [300_000, 500_000] {
        let plan = ConvolutionPlan::new(source.grid(), &kernel.spec, workspace_bytes).expect("blocks fit");
        assert!(plan.blocks.len() > 1, "{plan:?}");
        let cut = convolve(&mut device, &kernel, &source, workspace_bytes);
        let difference = largest_difference(&whole, &cut);
        assert!(difference < 1e-6, "{} {workspace_bytes}: {difference:e}", device.info().name);
    }
}

on_each_engine!(any_scale_of_activity_is_convolved);
fn any_scale_of_activity_is_convolved(mut device: Device) {
    let source = sources::hot_in_cold([20, 21, 22], [4.0; 3]);
    let kernel = sources::kernel("Lu-177", source.grid());
    let expected = convolve(&mut device, &kernel, &source, AMPLE);
    // Up to 1e24 decays in a voxel, and down to where single precision ends.
    for power in [49, -40, -140] {
        let scale = 2f64.powi(power);
        let scaled = source.map(|&decays| (f64::from(decays) * scale) as f32);
        let found = convolve(&mut device, &kernel, &scaled, AMPLE);
        let back = found.map(|&energy| (f64::from(energy) / scale) as f32);
        let difference = largest_difference(&expected, &back);
        assert!(difference < 1e-6, "{} 2^{power}: {difference:e}", device.info().name);
    }
    let nothing = source.map(|_| 0.0);
    assert!(convolve(&mut device, &kernel, &nothing, AMPLE).as_slice().iter().all(|&energy| energy == 0.0));
}

on_each_engine!(slabs_of_a_kernel_as_wide_as_the_grid_do_not_change_the_result);
fn slabs_of_a_kernel_as_wide_as_the_grid_do_not_change_the_result(mut device: Device) {
    let source = sources::hot_in_cold([40, 23, 26], [4.0; 3]);
    let kernel = sources::kernel("I-131", source.grid());
    let whole = convolve(&mut device, &kernel, &source, AMPLE);
    let workspace_bytes = 300_000;
    let plan = ConvolutionPlan::new(source.grid(), &kernel.spec, workspace_bytes).expect("slabs fit");
    assert!(plan.blocks.len() == 1 && plan.ky_slabs > 2, "{plan:?}");
    let cut = convolve(&mut device, &kernel, &source, workspace_bytes);
    let difference = largest_difference(&whole, &cut);
    assert!(difference < 1e-6, "{}: {difference:e}", device.info().name);
}

/// Counts how often others are let in.
#[derive(Debug, Default)]
struct Counting(std::sync::atomic::AtomicU64);

impl Checkpoints for Counting {
    fn load(&self) -> Option<(RunPoint, Tally)> {
        None
    }

    fn is_due(&self) -> bool {
        false
    }

    fn must_stop(&self) -> bool {
        false
    }

    fn keep(&self, _point: &RunPoint, _tally: &Tally) {}

    fn let_others_in(&self) -> std::time::Duration {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::time::Duration::ZERO
    }
}

on_each_engine!(others_are_let_in_between_blocks);
fn others_are_let_in_between_blocks(mut device: Device) {
    let source = sources::random([22, 19, 64], [4.0; 3], 3);
    let kernel = sources::kernel_of("I-131", source.grid(), [21, 18, 9]);
    let plan = ConvolutionPlan::new(source.grid(), &kernel.spec, 300_000).expect("blocks fit");
    assert!(plan.blocks.len() > 1, "{plan:?}");
    let counting = Arc::new(Counting::default());
    let control = Control::detached().with_checkpoints(counting.clone());
    device.convolve(&plan, &kernel, &source, &control).expect("a good plan");
    let let_in = counting.0.load(std::sync::atomic::Ordering::Relaxed);
    assert!(let_in >= plan.blocks.len() as u64, "{let_in} of {}", plan.blocks.len());
}

on_each_engine!(the_same_bytes_on_every_run);
fn the_same_bytes_on_every_run(mut device: Device) {
    let source = sources::random([33, 31, 29], [4.0; 3], 4);
    let kernel = sources::kernel("Lu-177", source.grid());
    let first = convolve(&mut device, &kernel, &source, AMPLE);
    let other = sources::random([15, 40, 12], [4.0; 3], 6);
    convolve(&mut device, &sources::kernel("Y-90", other.grid()), &other, AMPLE);
    assert_eq!(first, convolve(&mut device, &kernel, &source, AMPLE), "{}", device.info().name);
}

#[test]
fn the_number_of_threads_does_not_change_the_result() {
    let source = sources::random([33, 31, 29], [4.0; 3], 4);
    let kernel = sources::kernel("Y-90", source.grid());
    let [one, four] = [1, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
        let mut device = crate::support::cpu();
        pool.install(|| convolve(&mut device, &kernel, &source, AMPLE))
    });
    assert_eq!(one, four);
}
