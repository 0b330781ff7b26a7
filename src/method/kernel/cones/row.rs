//! What the voxels of one row do to the energy that a line carries through them.

use super::lines::Line;

/// Of a row, for one class of lines and one term: the part of what comes in that goes on, and the part of a voxel's own
/// that goes out.
#[derive(Clone, Copy)]
pub(super) struct Crossing<'a> {
    pub(super) on: &'a [f32],
    pub(super) out: &'a [f32],
}

/// Part of what comes in that passes a path t, and part of what starts evenly along it that comes out.
#[inline(always)]
pub(super) fn past(t: f32) -> (f32, f32) {
    /// Below, the difference of 1 and the exponential would lose digits.
    const SHORT: f32 = 0.01;
    let on = exponential(-t);
    // Both are computed, and one is taken: compilers turn that into vector code.
    let [short, long] = [1.0 - t * (0.5 - t / 6.0), (1.0 - on) / t];
    (on, if t < SHORT { short } else { long })
}

/// `exp(x)` for x of 0 or below, to 2e-7 of its value; in a form that compilers turn into vector code.
#[inline(always)]
pub(in crate::method::kernel) fn exponential(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which the last bits then hold.
    const ROUNDING: f32 = 12_582_912.0;
    let y = x * std::f32::consts::LOG2_E;
    let y = if y > -126.0 { y } else { -126.0 };
    let rounded = y + ROUNDING;
    let part = (y - (rounded - ROUNDING)) * std::f32::consts::LN_2;
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(0x3f80_0000));
    let series = 1.0
        + part * (1.0 + part * (0.5 + part * (1.0 / 6.0 + part * (1.0 / 24.0 + part * (1.0 / 120.0 + part / 720.0)))));
    power * series
}

/// Takes energy through the voxels of a row. Whether more than a faint energy goes out of any.
///
/// * `comes_in` – to each voxel; `goes_out` – of each
#[inline(always)]
pub(super) fn pass(
    [share, factor, faint]: [f32; 3],
    source: &[f32],
    crossing: Crossing,
    comes_in: &[f32],
    goes_out: &mut [f32],
    absorbed: &mut [f32],
) -> bool {
    let n = source.len();
    let (on, out, comes_in) = (&crossing.on[..n], &crossing.out[..n], &comes_in[..n]);
    let (goes_out, absorbed) = (&mut goes_out[..n], &mut absorbed[..n]);
    let mut live = 0;
    for x in 0..n {
        let own = share * source[x];
        let left = comes_in[x] * on[x] + own * out[x];
        absorbed[x] += factor * (comes_in[x] + own - left);
        goes_out[x] = left;
        live |= u32::from(left > faint);
    }
    live != 0
}

/// As [`pass`], along the row itself, for several terms side by side: each waits for its own voxel before.
///
/// * `factors` – of the terms; `crossings` – for each
#[inline(always)]
pub(super) fn along<const TERMS: usize>(
    line: &Line,
    factors: [f32; TERMS],
    source: &[f32],
    crossings: [Crossing; TERMS],
    absorbed: &mut [f32],
) {
    let n = source.len();
    let crossings = crossings.map(|Crossing { on, out }| Crossing { on: &on[..n], out: &out[..n] });
    let absorbed = &mut absorbed[..n];
    let mut carried = [0.0; TERMS];
    for step in 0..n {
        let x = if line.step[0] > 0 { step } else { n - 1 - step };
        let own = line.share * source[x];
        let mut sum = absorbed[x];
        for ((carried, factor), crossing) in carried.iter_mut().zip(factors).zip(crossings) {
            let goes_out = *carried * crossing.on[x] + own * crossing.out[x];
            sum += factor * (*carried + own - goes_out);
            *carried = goes_out;
        }
        absorbed[x] = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::exponential;

    #[test]
    fn the_exponential_is_one() {
        for i in 0..2000 {
            let x = -0.05 * i as f32;
            let error = f64::from(exponential(x)) / f64::from(x).exp() - 1.0;
            assert!(x < -87.0 || error.abs() < 4e-7 * f64::from(x.abs().max(1.0)), "{x}: {error}");
        }
    }
}
