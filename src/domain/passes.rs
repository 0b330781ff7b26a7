//! Passes over the values of a map, block by block: each block is read from memory once, and what is summed does not
//! depend on how many threads take part.

use rayon::prelude::*;

/// Values of a block: 256 KiB, which stay in the cache of a core from one look to the next.
pub const BLOCK: usize = 1 << 16;

/// Sums that are kept side by side, so that compilers make vector code of them.
const LANES: usize = 8;

/// Bits of infinity: those of a number that is finite and not negative are below, apart from −0.
const INFINITY: u32 = f32::INFINITY.to_bits();

/// Sum of all values: of the sums of their blocks, in order.
pub fn sum(values: &[f32]) -> f64 {
    values.chunks(BLOCK).map(sum_of_block).sum()
}

/// As [`sum`], to the same bits, by the threads that compute.
pub fn sum_by_all(values: &[f32]) -> f64 {
    let blocks: Vec<f64> = values.par_chunks(BLOCK).map(sum_of_block).collect();
    blocks.iter().sum()
}

/// Sum of the values of one block.
pub fn sum_of_block(block: &[f32]) -> f64 {
    let (groups, rest) = block.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for group in groups {
        sums.iter_mut().zip(group).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value)).sum();
    sums.iter().sum::<f64>() + rest
}

/// The largest value, if all are finite and not negative; 0 of none.
pub fn largest(values: &[f32]) -> Option<f32> {
    let mut largest = 0.0;
    for block in values.chunks(BLOCK) {
        let bits = block.iter().fold(0, |most, value| most.max(value.to_bits()));
        if bits < INFINITY {
            largest = f32::max(largest, f32::from_bits(bits));
        } else if block.iter().all(|value| is_amount(*value)) {
            largest = block.iter().copied().fold(largest, f32::max); // there is −0
        } else {
            return None;
        }
    }
    Some(largest)
}

/// Whether a value is finite and not negative.
pub fn is_amount(value: f32) -> bool {
    value.is_finite() && value >= 0.0
}

/// Whether a block has NaN or a value below 0.
pub(super) fn has_no_amount(block: &[f32]) -> bool {
    block.iter().fold(0, |any, value| any | u32::from(value.is_nan()) | u32::from(*value < 0.0)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_counts_every_value_once() {
        for count in [0, 1, 7, 8, 9, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 13] {
            let values: Vec<f32> = (0..count).map(|n| (n % 1021) as f32).collect();
            let expected: usize = (0..count).map(|n| n % 1021).sum();
            assert_eq!(sum(&values), expected as f64, "{count}");
            assert_eq!(sum_by_all(&values), sum(&values), "{count}");
        }
    }

    #[test]
    fn the_largest_value_is_found_and_what_is_no_amount_too() {
        let mut values: Vec<f32> = (0..BLOCK + 100).map(|n| (n % 7) as f32).collect();
        assert_eq!(largest(&values), Some(6.0));
        values[BLOCK + 99] = 6.5;
        values[3] = -0.0;
        assert_eq!(largest(&values), Some(6.5));
        assert_eq!((largest(&[]), largest(&[-0.0])), (Some(0.0), Some(0.0)));
        assert_eq!(largest(&[f32::MAX, f32::from_bits(1)]), Some(f32::MAX));
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, -f32::from_bits(1)] {
            for place in [0, 5, BLOCK, BLOCK + 99] {
                let mut values = values.clone();
                values[place] = bad;
                assert_eq!(largest(&values), None, "{bad} at {place}");
            }
        }
    }

    #[test]
    fn zero_with_a_sign_is_an_amount() {
        assert!(!has_no_amount(&[0.0, -0.0, 1.0, f32::INFINITY]));
        assert!([f32::NAN, -1e-45, f32::NEG_INFINITY].iter().all(|bad| has_no_amount(&[1.0, *bad])));
    }
}
