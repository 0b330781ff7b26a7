//! What the voxels of one row do to the energy that a line carries through them.

use super::lines::Line;

/// For each voxel of a row and term: the part of what comes in that goes on, and the part of its own that goes out.
#[derive(Default)]
pub(super) struct Passing {
    pub(super) on: Vec<Vec<f32>>,
    pub(super) out: Vec<Vec<f32>>,
}

/// Part of what comes in that passes a path t, and part of what starts evenly along it that comes out.
#[inline]
pub(super) fn past(t: f32) -> (f32, f32) {
    /// Below, the difference of 1 and the exponential would lose digits.
    const SHORT: f32 = 0.01;
    let on = exponential(-t);
    let out = if t < SHORT { 1.0 - t * (0.5 - t / 6.0) } else { (1.0 - on) / t };
    (on, out)
}

/// `exp(x)` for x of 0 or below, to 2e-7 of its value; in a form that compilers turn into vector code.
#[inline]
pub(in crate::method::kernel) fn exponential(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which the last bits then hold.
    const ROUNDING: f32 = 12_582_912.0;
    let y = (x * std::f32::consts::LOG2_E).max(-126.0);
    let rounded = y + ROUNDING;
    let part = (y - (rounded - ROUNDING)) * std::f32::consts::LN_2;
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(0x3f80_0000));
    let series = 1.0
        + part * (1.0 + part * (0.5 + part * (1.0 / 6.0 + part * (1.0 / 24.0 + part * (1.0 / 120.0 + part / 720.0)))));
    power * series
}

/// What comes into each voxel of a row along x: from its neighbour, or from outside the grid nothing.
pub(super) fn shift(from: Option<&[f32]>, step: i8, into: &mut [f32]) {
    let Some(from) = from else { return into.fill(0.0) };
    let last = from.len() - 1;
    match step {
        0 => into.copy_from_slice(from),
        1 => {
            into[1..].copy_from_slice(&from[..last]);
            into[0] = 0.0;
        }
        _ => {
            into[..last].copy_from_slice(&from[1..]);
            into[last] = 0.0;
        }
    }
}

/// Takes energy through the voxels of a row: what comes in is replaced by what goes out. The largest that goes out.
pub(super) fn pass(
    [share, factor]: [f32; 2],
    term: usize,
    source: &[f32],
    passing: &Passing,
    carried: &mut [f32],
    absorbed: &mut [f32],
) -> f32 {
    let mut most = 0.0f32;
    let voxels = carried.iter_mut().zip(absorbed).zip(source).zip(&passing.on[term]).zip(&passing.out[term]);
    for ((((carried, absorbed), &source), on), out) in voxels {
        let own = share * source;
        let goes_out = *carried * on + own * out;
        *absorbed += factor * (*carried + own - goes_out);
        *carried = goes_out;
        most = most.max(goes_out);
    }
    most
}

/// As [`pass`], along the row itself.
pub(super) fn along(line: &Line, factor: f32, term: usize, source: &[f32], passing: &Passing, absorbed: &mut [f32]) {
    let mut carried = 0.0;
    let mut voxel = |x: usize| {
        let own = line.share * source[x];
        let goes_out = carried * passing.on[term][x] + own * passing.out[term][x];
        absorbed[x] += factor * (carried + own - goes_out);
        carried = goes_out;
    };
    if line.step[0] > 0 { (0..source.len()).for_each(&mut voxel) } else { (0..source.len()).rev().for_each(voxel) }
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
