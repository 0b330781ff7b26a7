//! The stages on a real device, line by line, against rustfft in `f64`.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use super::batch::Pass;
use super::context::DeviceLimits;
use super::lines::Lines;
use super::loose::{Looseness, loosened};
use super::pipeline::Source;
use super::session::Session;
use super::shader::{ConvolutionParams, FORWARD_Y, INVERSE_Y, Shader};
use super::{adapter, fft};
use crate::domain::{Control, DeviceSelector};

/// Rms error of a transform, relative to the rms of the values: a few units of single precision, growing with the
/// stages.
const FFT_RMS: f64 = 3e-7;
/// Lines that are transformed side by side; not a multiple of any tile.
const COLUMNS: usize = 5;

/// The first device. A test that needs it is ignored where `build/test_needs.rs` finds no driver.
pub(super) fn open(limits: DeviceLimits) -> Session {
    let (adapter, identity) =
        adapter::find(DeviceSelector::GpuNumber(0)).expect("a driver was found, and so has an adapter");
    Session::open(&adapter, &identity.info, limits).expect("every device has these limits")
}

/// Lines of a length as every device takes them.
fn lines(length: usize) -> Lines {
    Lines { length, tile: 1 << (2048 / length).min(8).ilog2(), max_lanes: 256 }
}

/// A stage with the text for lines of one length in it.
fn written(shader: &'static Shader, lines: Lines) -> &'static Shader {
    let Source { text, lanes } = Source::new(shader, Some(lines));
    let Shader { name, bindings, overrides, .. } = *shader;
    Box::leak(Box::new(Shader { name, source: String::leak(text.into_owned()), lanes, bindings, overrides }))
}

/// Runs one stage along y over one plane of `COLUMNS` columns, in place.
fn along_y(session: &mut Session, shader: &'static Shader, length: usize, values: &mut [Complex<f32>]) {
    let words: Vec<[f32; 2]> = values.iter().map(|value| [value.re, value.im]).collect();
    let context = &mut session.context;
    let spectrum = context.filled("spectrum", &words);
    let twiddles = context.filled("twiddles", &fft::twiddles(length));
    let lines = lines(length);
    let pipeline = context.pipeline(shader, Some(lines));
    let (params_buffer, done) = (session.batches.params(), session.batches.done());
    let buffers = [("params", params_buffer), ("done", done), ("twiddles", &twiddles), ("spectrum", &spectrum)];
    let [n, columns, tile] = [length, COLUMNS, lines.tile].map(|n| u32::try_from(n).expect("a short line"));
    let params = ConvolutionParams { n_y: n, padded_y: n, n_kx: columns, row_stride: columns, ..Default::default() };
    let bound = pipeline.bind(&context.device, &buffers);
    let pass = Pass { pipeline, bound, params, groups: columns.div_ceil(tile), group_cost: 1.0 };
    session.batches.run(&session.context, &[pass], &Control::detached(), |done| done).expect("the device works");
    let mut found = vec![0.0; 2 * values.len()];
    session.read(&spectrum, 0, 1.0, &mut found).expect("the device works");
    for (value, found) in values.iter_mut().zip(found.chunks_exact(2)) {
        *value = Complex::new(found[0], found[1]);
    }
}

/// Root of the sum of the squared differences over that of the squares.
fn rms_error(found: impl Iterator<Item = Complex<f64>>, expected: &[Complex<f64>]) -> f64 {
    let differences: f64 = found.zip(expected).map(|(found, expected)| (found - expected).norm_sqr()).sum();
    (differences / expected.iter().map(Complex::norm_sqr).sum::<f64>()).sqrt()
}

/// * `stages` – forward and inverse, along y
fn check_length(session: &mut Session, stages: [&'static Shader; 2], length: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(length as u64);
    let mut random = || rng.random::<f32>() - 0.5;
    let given: Vec<_> = (0..length * COLUMNS).map(|_| Complex::new(random(), random())).collect();
    let wide = |value: Complex<f32>| Complex::new(f64::from(value.re), f64::from(value.im));
    let column =
        |values: &[Complex<f32>], x: usize| -> Vec<_> { (0..length).map(|y| wide(values[y * COLUMNS + x])).collect() };

    let mut values = given.clone();
    along_y(session, stages[0], length, &mut values);
    let plan = FftPlanner::new().plan_fft_forward(length);
    for x in 0..COLUMNS {
        let mut expected = column(&given, x);
        plan.process(&mut expected);
        let found = column(&values, x);
        let error = rms_error(found.into_iter(), &expected);
        assert!(error < FFT_RMS, "forward, length {length}, column {x}: {error:.1e}");
    }

    along_y(session, stages[1], length, &mut values);
    for x in 0..COLUMNS {
        let found = column(&values, x).into_iter().map(|value| value / length as f64);
        let error = rms_error(found, &column(&given, x));
        assert!(error < FFT_RMS, "there and back, length {length}, column {x}: {error:.1e}");
    }
}

/// Every factor alone, two, three and four of them, and the lengths that clinical grids are padded to. Each is compiled
/// for the device, which takes a software driver a second or two; the order of values is tested for every length on the
/// host (`lines.rs`).
const LENGTHS: [usize; 25] =
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 16, 18, 35, 42, 75, 98, 160, 250, 288, 324, 729, 2048];

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn lines_are_transformed_there_and_back() {
    let mut session = open(DeviceLimits::WebGpuDefault);
    for length in LENGTHS {
        check_length(&mut session, [&FORWARD_Y, &INVERSE_Y], length);
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn lines_are_as_exact_where_products_are_joined_with_sums() {
    for looseness in [Looseness::Joined, Looseness::SomeJoined(1)] {
        for length in [42, 160, 288] {
            let stages = [&FORWARD_Y, &INVERSE_Y].map(|shader| {
                let (shader, places) = loosened(written(shader, lines(length)), looseness);
                assert!(places >= 10, "{looseness:?}: {places}");
                shader
            });
            check_length(&mut open(DeviceLimits::WebGpuDefault), stages, length);
        }
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn an_error_of_the_driver_is_a_named_error_and_not_a_panic() {
    let session = open(DeviceLimits::WebGpuDefault);
    let context = &session.context;
    let too_much = usize::try_from(context.device.limits().max_buffer_size / 4).expect("64 bits") + 1;
    drop(context.storage("a buffer over the limit", too_much));
    let error = context.faults.check().expect_err("the limit was passed").to_string();
    assert!(error.contains("the device refused") && error.contains("a buffer over the limit"), "{error}");
}
