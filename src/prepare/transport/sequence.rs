//! Two numbers for each rank of a history, which fill the square more evenly than chance does: Sobol's sequence in base
//! 2.
//!
//! In any 2ⁿ successive ranks, every rectangle of area 2⁻ⁿ with edges on whole powers of 2 holds one point. So a
//! voxel's decays are spread over the spectrum as evenly as all decays are over the voxels. (Multiples of irrational
//! numbers, tried first, resonate: in 125 equal voxels the mean energy of a voxel's decays varied ten times more than
//! by chance.) The numbers of each group are shifted at random, bit by bit: every single number is then uniform, and
//! the groups are independent.
//!
//! Source: Sobol', USSR Comput. Math. Math. Phys. 7 (1967) 86; digital shift: L'Ecuyer & Lemieux, in Modeling
//! Uncertainty (2002), 419.
//! Twin: `shaders/shared/sequence.wgsl`.

/// Place on the cumulative activity, in 2⁻⁶⁴: the rank's bits in reverse (van der Corput's sequence).
#[inline]
pub(crate) fn activity_place(rank: u32, shift: u64) -> u64 {
    (u64::from(rank.reverse_bits()) << 32) ^ shift
}

/// Place in a slot of the emissions, in 2⁻³²: the same after Pascal's triangle modulo 2.
#[inline]
pub(crate) fn emission_place(rank: u32, shift: u32) -> u32 {
    pascal(rank).reverse_bits() ^ shift
}

/// Bit j of the result is the sum, modulo 2, of the bits i for which the binomial coefficient C(i, j) is odd.
#[inline]
fn pascal(bits: u32) -> u32 {
    let bits = bits ^ (bits >> 1 & 0x5555_5555);
    let bits = bits ^ (bits >> 2 & 0x3333_3333);
    let bits = bits ^ (bits >> 4 & 0x0F0F_0F0F);
    let bits = bits ^ (bits >> 8 & 0x00FF_00FF);
    bits ^ (bits >> 16 & 0x0000_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rectangle_holds_one_point() {
        for first in [0u32, 3 << 10, 0xABC0_0000] {
            for shift in [0u32, 0x9E37_79B9] {
                for bits in 0..=10 {
                    // 2¹⁰ points, cut into 2^bits columns and 2^(10 − bits) rows.
                    let mut held = vec![0u32; 1 << 10];
                    for rank in first..first + (1 << 10) {
                        let x = u32::try_from(activity_place(rank, u64::from(shift) << 32) >> 32).expect("32 bits");
                        let y = emission_place(rank, !shift);
                        let column = x.checked_shr(32 - bits).unwrap_or(0);
                        let row = y.checked_shr(22 + bits).unwrap_or(0);
                        held[(column << (10 - bits) | row) as usize] += 1;
                    }
                    assert!(held.iter().all(|&count| count == 1), "{first} {shift} {bits}");
                }
            }
        }
    }

    #[test]
    fn the_first_points_are_those_published() {
        let half = 1u32 << 31;
        let points: Vec<(u64, u32)> =
            (0..4).map(|rank| (activity_place(rank, 0) >> 32, emission_place(rank, 0))).collect();
        let (half64, quarter) = (u64::from(half), half / 2);
        let quarter64 = u64::from(quarter);
        assert_eq!(points, [(0, 0), (half64, half), (quarter64, half + quarter), (half64 + quarter64, quarter)]);
    }
}
