//! What the transforms in `shaders/shared/fft.wgsl` need from the host: factors, twiddles, and the order they leave
//! values in.

/// Most stages of the shader.
pub(super) const MAX_STAGES: usize = 8;

/// The factors of a length in the order of the forward transform: powers of two first, then the odd ones, which read
/// memory banks evenly where neighbouring values are one factor apart. None if a prime factor is above 7 or there are
/// too many factors.
pub(super) fn radices(length: usize) -> Option<Vec<u32>> {
    let mut rest = length;
    let mut radices = Vec::new();
    for radix in [8_u32, 4, 2, 7, 5, 3] {
        while rest.is_multiple_of(radix as usize) && rest > 0 {
            rest /= radix as usize;
            radices.push(radix);
        }
    }
    (rest == 1 && radices.len() <= MAX_STAGES).then_some(radices)
}

/// `frequencies(n)[p]` is the frequency that the forward transform leaves at position `p`: its digits, last factor
/// first.
pub(super) fn frequencies(length: usize, radices: &[u32]) -> Vec<u32> {
    let frequency = |position: usize| {
        let (mut rest, mut span, mut weight, mut frequency) = (position, length, 1, 0);
        for &radix in radices {
            span /= radix as usize;
            frequency += rest / span * weight;
            rest %= span;
            weight *= radix as usize;
        }
        u32::try_from(frequency).expect("a line is shorter than 2^32")
    };
    (0..length).map(frequency).collect()
}

/// `positions(frequencies)[k]` is where frequency `k` lies: the inverse of the permutation.
pub(super) fn positions(frequencies: &[u32]) -> Vec<u32> {
    let mut positions = vec![0; frequencies.len()];
    for (position, &frequency) in (0_u32..).zip(frequencies) {
        positions[frequency as usize] = position;
    }
    positions
}

/// The frequency at each position, or its mirror image if that is lower.
pub(super) fn folded(frequencies: &[u32]) -> Vec<u32> {
    let length = u32::try_from(frequencies.len()).expect("a line is shorter than 2^32");
    frequencies.iter().map(|&k| k.min(length - k)).collect()
}

/// `exp(−2πi k / length)`, real and imaginary part after one another, computed in f64.
pub(super) fn twiddles(length: usize) -> Vec<f32> {
    let angle = |k: usize| -std::f64::consts::TAU * k as f64 / length as f64;
    #[expect(clippy::cast_possible_truncation, reason = "rounded once, from f64")]
    (0..length).flat_map(|k| [angle(k).cos() as f32, angle(k).sin() as f32]).collect()
}

#[cfg(test)]
mod tests {
    use rustfft::num_complex::Complex;

    use super::*;

    #[test]
    fn every_smooth_length_up_to_6144_has_stages_enough() {
        for length in (1..=6144).filter(|&n| crate::math::smooth::is_smooth(n)) {
            let radices = radices(length).expect("a smooth length");
            assert_eq!(radices.iter().product::<u32>() as usize, length);
        }
        assert_eq!((radices(11), radices(26), radices(0)), (None, None, None));
    }

    /// The forward transform, stage by stage as in `shaders/shared/fft.wgsl`, with plain sums for butterflies.
    fn forward(values: &mut [Complex<f64>], radices: &[u32]) {
        let length = values.len();
        let root = |k: usize, n: usize| Complex::from_polar(1.0, -std::f64::consts::TAU * (k % n) as f64 / n as f64);
        let mut span = length;
        for radix in radices.iter().map(|&radix| radix as usize) {
            let step = span / radix;
            for first in (0..length).filter(|point| point % span < step) {
                let taken: Vec<_> = (0..radix).map(|q| values[first + q * step]).collect();
                for q in 0..radix {
                    let sum: Complex<f64> = taken.iter().enumerate().map(|(p, value)| value * root(p * q, radix)).sum();
                    values[first + q * step] = sum * root(first % span * q, span);
                }
            }
            span = step;
        }
    }

    #[test]
    fn every_length_up_to_300_comes_out_in_the_stated_order() {
        for length in (1..=300).filter(|&n| crate::math::smooth::is_smooth(n)) {
            let radices = radices(length).expect("a smooth length");
            let frequencies = frequencies(length, &radices);
            let mut values: Vec<_> =
                (0..length).map(|n| Complex::new((n * n % 17) as f64, (n * 7 % 11) as f64)).collect();
            let mut expected = values.clone();
            rustfft::FftPlanner::new().plan_fft_forward(length).process(&mut expected);
            forward(&mut values, &radices);
            for (k, &position) in positions(&frequencies).iter().enumerate() {
                let found = values[position as usize];
                assert!((found - expected[k]).norm() < 1e-9 * length as f64, "{length}: {k}");
                assert_eq!(frequencies[position as usize] as usize, k);
            }
            assert!(folded(&frequencies).iter().all(|&k| k as usize <= length / 2));
        }
    }
}
