//! Lengths for mixed-radix Fourier transforms: products of 2, 3, 5 and 7.

/// Whether `n` has no prime factor above 7.
pub fn is_smooth(mut n: usize) -> bool {
    for radix in [2, 3, 5, 7] {
        while n.is_multiple_of(radix) && n > 0 {
            n /= radix;
        }
    }
    n == 1
}

/// The smallest multiple of `step` (1 or 2) that is at least `n` and has no prime factor above 7.
pub fn next_smooth(n: usize, step: usize) -> usize {
    (n.max(1)..).find(|&m| m.is_multiple_of(step) && is_smooth(m)).expect("powers of two are smooth and unbounded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_next_products_of_2_3_5_and_7() {
        for (n, step, expected) in
            [(1, 1, 1), (1, 2, 2), (11, 1, 12), (287, 2, 288), (245, 2, 250), (245, 1, 245), (513, 1, 525)]
        {
            assert_eq!(next_smooth(n, step), expected, "{n} {step}");
        }
        assert!(!is_smooth(0) && !is_smooth(11) && !is_smooth(26) && is_smooth(2 * 3 * 5 * 7));
    }
}
