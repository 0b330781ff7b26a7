//! Complex transforms of a column, in place.

use std::f64::consts::TAU;

use fearless_simd::prelude::*;

use super::butterfly::transform;
use super::vector::{ColumnVector, Lane};

/// One stage: transforms of `radix` values that lie `stride` apart, in blocks of `radix · stride`.
#[derive(Debug)]
struct Stage {
    radix: usize,
    stride: usize,
    /// For each place within a stride, the factors of all values but the first.
    twiddles: Vec<[f32; 2]>,
}

/// A complex transform of one length, without a factor.
#[derive(Debug)]
pub(in crate::engine::cpu) struct ColumnTransform {
    stages: Vec<Stage>,
    frequency: Vec<usize>,
    position: Vec<usize>,
}

impl ColumnTransform {
    /// * `length` – without prime factors above 7
    pub(in crate::engine::cpu) fn new(length: usize) -> Self {
        let radices = radices(length);
        let mut block = length;
        let mut stages = Vec::new();
        for &radix in &radices {
            let stride = block / radix;
            let factor = |at: usize, k: usize| unit_root(at * k, block);
            let twiddles = (0..stride).flat_map(|at| (1..radix).map(move |k| factor(at, k))).collect();
            stages.push(Stage { radix, stride, twiddles });
            block = stride;
        }
        let frequency: Vec<usize> = (0..length).map(|position| frequency(position, length, &radices)).collect();
        let mut position = vec![0; length];
        frequency.iter().enumerate().for_each(|(at, &frequency)| position[frequency] = at);
        Self { stages, frequency, position }
    }

    /// The frequency at each position of a transformed column.
    pub(in crate::engine::cpu) fn frequency(&self) -> &[usize] {
        &self.frequency
    }

    /// The position of each frequency in a transformed column.
    pub(in crate::engine::cpu) fn position(&self) -> &[usize] {
        &self.position
    }

    /// Transforms a column of this length.
    #[inline(always)]
    pub(in crate::engine::cpu) fn forward<S: Simd>(&self, simd: S, column: &mut [Lane]) {
        for stage in &self.stages {
            run_stage::<S, false>(simd, column, stage);
        }
    }

    /// The reverse of [`Self::forward`], times the length.
    #[inline(always)]
    pub(in crate::engine::cpu) fn inverse<S: Simd>(&self, simd: S, column: &mut [Lane]) {
        for stage in self.stages.iter().rev() {
            run_stage::<S, true>(simd, column, stage);
        }
    }
}

/// exp(−2πi · n / length)
pub(super) fn unit_root(n: usize, length: usize) -> [f32; 2] {
    let angle = -TAU * (n % length) as f64 / length as f64;
    #[expect(clippy::cast_possible_truncation, reason = "the precision of the transform")]
    [angle.cos() as f32, angle.sin() as f32]
}

/// Radices whose product is `length`: sixes where there are threes, and the largest powers of two last, where no
/// factors are needed.
fn radices(length: usize) -> Vec<usize> {
    let mut left = length;
    let mut count = |prime: usize| {
        let mut count = 0;
        while left.is_multiple_of(prime) {
            (left, count) = (left / prime, count + 1);
        }
        count
    };
    let [twos, threes, fives, sevens] = [2, 3, 5, 7].map(&mut count);
    assert_eq!(left, 1, "{length} has a prime factor above 7");
    let sixes = usize::min(twos, threes);
    let twos = twos - sixes;
    // The number of eights that leaves fours only, where that can be.
    let eights = match twos % 3 {
        0 => twos / 3,
        1 if twos >= 4 => twos / 3 - 1,
        _ => twos / 3,
    };
    let rest = twos - 3 * eights;
    let repeated =
        [(7, sevens), (5, fives), (3, threes - sixes), (2, rest % 2), (6, sixes), (4, rest / 2), (8, eights)];
    repeated.into_iter().flat_map(|(radix, count)| std::iter::repeat_n(radix, count)).collect()
}

/// The frequency that decimation in frequency leaves at a position.
fn frequency(position: usize, length: usize, radices: &[usize]) -> usize {
    let (mut rest, mut block, mut step, mut frequency) = (position, length, 1, 0);
    for radix in radices {
        block /= radix;
        frequency += step * (rest / block);
        rest %= block;
        step *= radix;
    }
    frequency
}

#[inline(always)]
fn run_stage<S: Simd, const INVERSE: bool>(simd: S, column: &mut [Lane], stage: &Stage) {
    // A function of its own for each radix: one for all would be too large to be kept in registers.
    match stage.radix {
        2 => simd.vectorize(
            #[inline(always)]
            || run_radix::<S, 2, INVERSE>(simd, column, stage),
        ),
        3 => simd.vectorize(
            #[inline(always)]
            || run_radix::<S, 3, INVERSE>(simd, column, stage),
        ),
        4 => simd.vectorize(
            #[inline(always)]
            || run_radix::<S, 4, INVERSE>(simd, column, stage),
        ),
        5 => simd.vectorize(
            #[inline(always)]
            || run_radix::<S, 5, INVERSE>(simd, column, stage),
        ),
        6 => simd.vectorize(
            #[inline(always)]
            || run_radix::<S, 6, INVERSE>(simd, column, stage),
        ),
        7 => simd.vectorize(
            #[inline(always)]
            || run_radix::<S, 7, INVERSE>(simd, column, stage),
        ),
        8 => simd.vectorize(
            #[inline(always)]
            || run_radix::<S, 8, INVERSE>(simd, column, stage),
        ),
        _ => unreachable!("a transform is planned with these radices"),
    }
}

#[inline(always)]
fn run_radix<S: Simd, const R: usize, const INVERSE: bool>(simd: S, column: &mut [Lane], stage: &Stage) {
    for block in column.chunks_exact_mut(R * stage.stride) {
        butterfly::<S, R, INVERSE, false>(simd, block, [stage.stride, 0], &[]);
        for (at, factors) in stage.twiddles.chunks_exact(R - 1).enumerate().skip(1) {
            butterfly::<S, R, INVERSE, true>(simd, block, [stage.stride, at], factors);
        }
    }
}

/// One transform of `R` values, `stride` apart, the first at `at`.
#[inline(always)]
fn butterfly<S: Simd, const R: usize, const INVERSE: bool, const TWIDDLES: bool>(
    simd: S,
    block: &mut [Lane],
    [stride, at]: [usize; 2],
    factors: &[[f32; 2]],
) {
    // Loops, not closures: what is not inlined here is not vectorised.
    let mut values = [ColumnVector::load(simd, &block[at]); R];
    for k in 1..R {
        values[k] = ColumnVector::load(simd, &block[at + k * stride]);
        if INVERSE && TWIDDLES {
            values[k] = values[k].turn::<true>(simd, factors[k - 1]);
        }
    }
    let mut values = transform::<S, R, INVERSE>(simd, values);
    for k in 0..R {
        if !INVERSE && TWIDDLES && k > 0 {
            values[k] = values[k].turn::<false>(simd, factors[k - 1]);
        }
        values[k].store(&mut block[at + k * stride]);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rustfft::{FftPlanner, num_complex::Complex};

    use super::super::{LANES, with_vectors};
    use super::*;

    /// Relative rms of the rounding of a few stages, each of a few operations: three times 2⁻²⁴.
    const ROUNDING: f64 = 1.8e-7;

    /// Values without a pattern, between −1 and 1.
    pub(in crate::engine::cpu::fft) fn column(length: usize) -> Vec<Lane> {
        let value = |n: usize| (n.wrapping_mul(2_654_435_761) % 2003) as f32 / 1001.5 - 1.0;
        let lane = |n: usize| Lane {
            re: std::array::from_fn(|c| value(n * LANES + c)),
            im: std::array::from_fn(|c| value(n * LANES + c + 7919)),
        };
        (0..length).map(lane).collect()
    }

    #[test]
    fn it_is_the_transform_of_another_library_and_back() {
        // Every radix, alone and beside others, and the lengths of a clinic.
        for length in [1, 2, 3, 4, 5, 6, 7, 8, 14, 35, 49, 64, 81, 100, 126, 128, 144, 210, 240, 288, 343, 512, 720] {
            let (transform, before) = (ColumnTransform::new(length), column(length));
            let mut column = before.clone();
            with_vectors!(simd => transform.forward(simd, &mut column));
            let fft = FftPlanner::<f64>::new().plan_fft_forward(length);
            let (mut difference, mut size) = (0.0, 0.0);
            for c in 0..LANES {
                let mut expected: Vec<_> =
                    before.iter().map(|lane| Complex::new(f64::from(lane.re[c]), f64::from(lane.im[c]))).collect();
                fft.process(&mut expected);
                for (lane, &frequency) in column.iter().zip(transform.frequency()) {
                    let found = Complex::new(f64::from(lane.re[c]), f64::from(lane.im[c]));
                    difference += (found - expected[frequency]).norm_sqr();
                    size += expected[frequency].norm_sqr();
                    assert_eq!(transform.frequency()[transform.position()[frequency]], frequency);
                }
            }
            let rms = f64::sqrt(difference / size);
            assert!(rms < ROUNDING, "{length}: {rms:e}");
            with_vectors!(simd => transform.inverse(simd, &mut column));
            for (found, before) in column.iter().zip(&before) {
                for c in 0..LANES {
                    let back = [found.re[c], found.im[c]].map(|value| value / length as f32);
                    let difference = (back[0] - before.re[c]).abs().max((back[1] - before.im[c]).abs());
                    assert!(difference < 2e-6, "{length} {c}: {difference:e}");
                }
            }
        }
    }

    #[test]
    fn radices_multiply_to_the_length() {
        for length in [1, 2, 6, 16, 96, 243, 288, 1250, 2401, 4096] {
            assert_eq!(radices(length).into_iter().product::<usize>(), length);
        }
        assert_eq!(radices(288), [6, 6, 8]);
        assert_eq!(radices(128), [4, 4, 8]);
    }
}
