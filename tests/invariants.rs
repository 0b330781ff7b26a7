//! What holds for every convolution, whatever the map: linearity, shift, mirror, reciprocity.

#![expect(clippy::cast_possible_truncation, reason = "a test's own figures fit")]

use dosegrid::domain::{DeviceKind, Volume};
use dosegrid::engine::Device;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::on_each_engine;
use crate::support::sources::{self, AMPLE, convolve};

/// Largest difference relative to the largest value: rounding in single precision, a few times over.
const ROUNDING: f64 = 2e-6;

/// Maps tried on each engine.
const CASES: u32 = 16;

/// Lengths of an axis on a software GPU: one voxel, odd, even, prime, and none that pads to the same length as another.
/// Few, because it takes half a second to compile the stages for each length that an axis is padded to.
const FEW_LENGTHS: [u64; 5] = [1, 2, 6, 9, 13];
/// Voxels by which a map is shifted on a software GPU.
const FEW_SHIFTS: [usize; 3] = [0, 3, 4];

fn is_software(device: &Device) -> bool {
    device.info().kind == DeviceKind::SoftwareGpu
}

/// Small shapes, 1-voxel axes among them.
fn shapes(device: &Device) -> impl Strategy<Value = [u64; 3]> + use<> {
    let lengths = if is_software(device) { FEW_LENGTHS.to_vec() } else { (1..14).collect() };
    prop::array::uniform3(prop::sample::select(lengths))
}

/// Voxels by which a map is shifted along each axis.
fn shifts(device: &Device) -> impl Strategy<Value = [usize; 3]> + use<> {
    let shifts = if is_software(device) { FEW_SHIFTS.to_vec() } else { (0..6).collect() };
    prop::array::uniform3(prop::sample::select(shifts))
}

/// Spacings of clinical and preclinical scanners [mm].
fn spacings() -> impl Strategy<Value = [f64; 3]> {
    prop::array::uniform3(1.0f64..6.0)
}

fn nuclides() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["Lu-177", "Y-90", "I-131"])
}

/// Largest difference of two lists, relative to the largest value of the first.
fn difference(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let most = a.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs() / most)).fold(0.0, f64::max)
}

fn check<S: Strategy>(strategy: S, mut device: Device, mut property: impl FnMut(&mut Device, S::Value) -> f64) {
    let name = device.info().name;
    let found = std::cell::RefCell::new(|value| property(&mut device, value));
    let mut runner = TestRunner::new_with_rng(
        Config { cases: CASES, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let result = runner.run(&strategy, |value| {
        let difference = (*found.borrow_mut())(value);
        prop_assert!(difference < ROUNDING, "{difference:e}");
        Ok(())
    });
    if let Err(error) = result {
        panic!("{name}: {error}");
    }
}

/// `source` with every voxel moved to `place(index)`, on a grid of the same spacing.
fn moved(source: &Volume<f32>, shape: [usize; 3], place: impl Fn([usize; 3]) -> Option<[usize; 3]>) -> Volume<f32> {
    sources::volume(shape.map(|n| n as u64), source.grid().spacing_mm(), |index| {
        place(index).map_or(0.0, |from| source.data()[from])
    })
}

on_each_engine!(the_sum_of_two_sources_gives_the_sum_of_their_doses);
fn the_sum_of_two_sources_gives_the_sum_of_their_doses(device: Device) {
    check(
        (shapes(&device), spacings(), nuclides(), 0.1f32..10.0, any::<u64>()),
        device,
        |device, (shape, mm, nuclide, weight, seed)| {
            let (a, b) = (sources::random(shape, mm, seed), sources::random(shape, mm, seed ^ 1));
            let kernel = sources::kernel(nuclide, a.grid());
            let mut second = b.as_slice().iter();
            let both = a.map(|a| a + weight * second.next().expect("as many values"));
            let [a, b, both] = [a, b, both].map(|source| convolve(device, &kernel, &source, AMPLE));
            let sum: Vec<f32> = a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a + weight * b).collect();
            difference(both.as_slice(), &sum)
        },
    );
}

on_each_engine!(a_shifted_source_gives_a_shifted_dose);
fn a_shifted_source_gives_a_shifted_dose(device: Device) {
    check((shapes(&device), spacings(), nuclides(), shifts(&device)), device, |device, (shape, mm, nuclide, by)| {
        let source = sources::random(shape, mm, 17);
        let inner = source.grid().shape();
        let outer = [0, 1, 2].map(|axis| inner[axis] + by[axis]);
        let shifted = moved(&source, outer, |index| {
            let from = [0, 1, 2].map(|axis| index[axis].checked_sub(by[axis]));
            Some([from[0]?, from[1]?, from[2]?])
        });
        let dose = convolve(device, &sources::kernel(nuclide, source.grid()), &source, AMPLE);
        let shifted = convolve(device, &sources::kernel(nuclide, shifted.grid()), &shifted, AMPLE);
        let back = moved(&shifted, inner, |index| Some([0, 1, 2].map(|axis| index[axis] + by[axis])));
        difference(dose.as_slice(), back.as_slice())
    });
}

on_each_engine!(a_mirrored_source_gives_a_mirrored_dose);
fn a_mirrored_source_gives_a_mirrored_dose(device: Device) {
    check((shapes(&device), spacings(), nuclides(), 0usize..3), device, |device, (shape, mm, nuclide, axis)| {
        let source = sources::random(shape, mm, 23);
        let kernel = sources::kernel(nuclide, source.grid());
        let inner = source.grid().shape();
        let mirror = |mut index: [usize; 3]| {
            index[axis] = inner[axis] - 1 - index[axis];
            Some(index)
        };
        let dose = convolve(device, &kernel, &source, AMPLE);
        let mirrored = convolve(device, &kernel, &moved(&source, inner, mirror), AMPLE);
        difference(moved(&dose, inner, mirror).as_slice(), mirrored.as_slice())
    });
}

on_each_engine!(what_a_gives_b_is_what_b_gives_a);
fn what_a_gives_b_is_what_b_gives_a(device: Device) {
    let voxel = || prop::array::uniform3(any::<prop::sample::Index>());
    check((shapes(&device), spacings(), nuclides(), voxel(), voxel()), device, |device, (shape, mm, nuclide, a, b)| {
        let [a, b] = [a, b].map(|at| [0, 1, 2].map(|axis| at[axis].index(shape[axis] as usize)));
        let point = |at| sources::volume(shape, mm, |index| if index == at { 1e9 } else { 0.0 });
        let kernel = sources::kernel(nuclide, point(a).grid());
        let [from_a, from_b] = [a, b].map(|at| convolve(device, &kernel, &point(at), AMPLE));
        difference(&[from_a.data()[b], from_a.data()[a]], &[from_b.data()[a], from_b.data()[b]])
    });
}
