//! Six numbers for each rank of a history, which fill their space more evenly than chance does: Sobol's sequence in
//! base 2. The first is the place on the cumulative activity, the second that in the emissions; the others decide where
//! in the voxel the decay is and which way the particle goes.
//!
//! In any 2ⁿ successive ranks, every rectangle of the first two of area 2⁻ⁿ with edges on whole powers of 2 holds one
//! point. So a voxel's decays are spread over the spectrum as evenly as all decays are over the voxels. (Multiples of
//! irrational numbers, tried first, resonate: in 125 equal voxels the mean energy of a voxel's decays varied ten times
//! more than by chance.) Each group scrambles the numbers at random in its own way, and shifts them: every single
//! number is then uniform, and the groups share nothing. (Shifted alone, all groups had the same pattern of voxels with
//! one decay more or less, each elsewhere; where two patterns met, a whole map was off by up to 1.3 times its 1σ.)
//!
//! Source: Sobol', USSR Comput. Math. Math. Phys. 7 (1967) 86; nested scrambling: Owen, in Monte Carlo and Quasi-Monte
//! Carlo Methods in Scientific Computing (1995), 299; by a hash: Laine & Karras, Comput. Graph. Forum 30 (2011) 1265,
//! with the constants of Vegdahl (2021); digital shift: L'Ecuyer & Lemieux, in Modeling Uncertainty (2002), 419;
//! polynomials and first numbers: Joe & Kuo, SIAM J. Sci. Comput. 30 (2008) 2635, table of 21 201 dimensions.
//! Twin: `shaders/shared/sequence.wgsl`.

/// Place on the cumulative activity, in 2⁻⁶⁴: the rank's bits in reverse (van der Corput's sequence), scrambled by the
/// lower half of the shift, which stands below them.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half of a word")]
pub(crate) fn activity_place(rank: u32, shift: u64) -> u64 {
    (u64::from(scrambled(rank, shift as u32).reverse_bits()) << 32) ^ shift
}

/// Place in a slot of the emissions, in 2⁻³²: the same after Pascal's triangle modulo 2.
#[inline]
pub(crate) fn emission_place(rank: u32, scramble: u32, shift: u32) -> u32 {
    further_place(pascal(rank), scramble, shift)
}

/// Dimensions beyond the first two.
pub(crate) const FURTHER: usize = 4;

/// Polynomials of the third to the sixth dimension, without their first and last coefficient, and the first numbers of
/// each, as many as its degree.
///
/// Source: Joe & Kuo, SIAM J. Sci. Comput. 30 (2008) 2635, `new-joe-kuo-6.21201`, rows 3 to 6.
const POLYNOMIALS: [(u32, &[u32]); FURTHER] = [(1, &[1, 3]), (1, &[1, 3, 1]), (2, &[1, 1, 1]), (1, &[1, 1, 3, 3])];

/// For each bit of a rank, its digits in the third to the sixth dimension, the first digit in the lowest bit.
pub(crate) static FURTHER_DIGITS: [[u32; FURTHER]; 32] = further_digits_by_bit();

const fn further_digits_by_bit() -> [[u32; FURTHER]; 32] {
    let mut digits = [[0; FURTHER]; 32];
    let mut dimension = 0;
    while dimension < FURTHER {
        let (polynomial, first) = POLYNOMIALS[dimension];
        let degree = first.len();
        // Bit k has the number v = m/2ᵏ⁺¹, here as 32 digits, the first in the highest bit.
        let mut directions = [0u32; 32];
        let mut bit = 0;
        while bit < 32 {
            directions[bit] = if bit < degree {
                first[bit] << (31 - bit)
            } else {
                let mut direction = directions[bit - degree] ^ (directions[bit - degree] >> degree);
                let mut back = 1;
                while back < degree {
                    if polynomial >> (degree - 1 - back) & 1 == 1 {
                        direction ^= directions[bit - back];
                    }
                    back += 1;
                }
                direction
            };
            digits[bit][dimension] = directions[bit].reverse_bits();
            bit += 1;
        }
        dimension += 1;
    }
    digits
}

/// The digits of a rank in the third to the sixth dimension, not scrambled yet, the first digit in the lowest bit.
#[inline]
pub(crate) fn further_digits(rank: u32) -> [u32; FURTHER] {
    let (mut digits, mut left, mut bit) = ([0; FURTHER], rank, 0);
    while left != 0 {
        let taken = (left & 1).wrapping_neg();
        digits = std::array::from_fn(|dimension| digits[dimension] ^ (FURTHER_DIGITS[bit][dimension] & taken));
        left >>= 1;
        bit += 1;
    }
    digits
}

/// The number, in 2⁻³², that digits stand for once they are scrambled.
#[inline]
pub(crate) fn further_place(digits: u32, scramble: u32, shift: u32) -> u32 {
    scrambled(digits, scramble).reverse_bits() ^ shift
}

/// Changes each bit by what the bits below it and the scramble say. With its bits in reverse, a number then changes in
/// each digit by the digits before it, so that rectangles go on holding as many points.
#[inline]
fn scrambled(bits: u32, scramble: u32) -> u32 {
    let bits = bits ^ bits.wrapping_mul(0x3D20_ADEA);
    let bits = bits.wrapping_add(scramble).wrapping_mul(scramble >> 16 | 1);
    let bits = bits ^ bits.wrapping_mul(0x0552_6C56);
    bits ^ bits.wrapping_mul(0x53A2_2864)
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
            for (shift, scramble) in [(0u32, 0u32), (0x9E37_79B9, 0x243F_6A88), (0xB7E1_5162, 0x8AED_2A6A)] {
                for bits in 0..=10 {
                    // 2¹⁰ points, cut into 2^bits columns and 2^(10 − bits) rows.
                    let mut held = vec![0u32; 1 << 10];
                    for rank in first..first + (1 << 10) {
                        let x = u32::try_from(activity_place(rank, u64::from(shift) << 32 | u64::from(scramble)) >> 32);
                        let x = x.expect("32 bits");
                        let y = emission_place(rank, !scramble, !shift);
                        let column = x.checked_shr(32 - bits).unwrap_or(0);
                        let row = y.checked_shr(22 + bits).unwrap_or(0);
                        held[(column << (10 - bits) | row) as usize] += 1;
                    }
                    assert!(held.iter().all(|&count| count == 1), "{first} {shift} {scramble} {bits}");
                }
            }
        }
    }

    #[test]
    fn the_first_points_are_those_published() {
        let (half, quarter) = (1u32 << 31, 1u32 << 30);
        let points: Vec<(u32, u32)> =
            (0..4u32).map(|rank| (rank.reverse_bits(), pascal(rank).reverse_bits())).collect();
        assert_eq!(points, [(0, 0), (half, half), (quarter, half + quarter), (half + quarter, quarter)]);
    }

    /// The first numbers of the third and fourth dimension as published (Joe & Kuo 2008, their program's output, which
    /// goes by Gray's code), and every dimension alone: each of 2¹⁰ equal parts holds one of 2¹⁰ ranks.
    #[test]
    fn further_dimensions_are_those_published() {
        let eighths = |gray: u32| {
            let digits = further_digits(gray ^ gray >> 1);
            [0, 1].map(|dimension: usize| digits[dimension].reverse_bits() >> 29)
        };
        let found: Vec<[u32; 2]> = (0..8).map(eighths).collect();
        assert_eq!(found, [[0, 0], [4, 4], [2, 2], [6, 6], [5, 7], [1, 3], [7, 5], [3, 1]]);
        for first in [0u32, 0xABC0_0000] {
            let mut held = [[0u32; FURTHER]; 1 << 10];
            for rank in first..first + (1 << 10) {
                for (dimension, digits) in further_digits(rank).into_iter().enumerate() {
                    let part = further_place(digits, 0x243F_6A88, 0x9E37_79B9) >> 22;
                    held[part as usize][dimension] += 1;
                }
            }
            assert!(held.iter().flatten().all(|&count| count == 1));
        }
    }

    /// With the first two dimensions, each further one puts into each of 2⁹ equal boxes its part of 2¹³ ranks.
    #[test]
    fn boxes_of_three_dimensions_hold_their_parts() {
        for dimension in 0..FURTHER {
            let mut held = vec![0u32; 1 << 9];
            for rank in 0..1u32 << 13 {
                let x = activity_place(rank, 0x1234_5678_9ABC_DEF0) >> 61;
                let y = emission_place(rank, 0x9E37_79B9, 0x243F_6A88) >> 29;
                let z = further_place(further_digits(rank)[dimension], 0xB7E1_5162, 0x8AED_2A6A) >> 29;
                held[usize::try_from(x).expect("3 bits") << 6 | (y << 3 | z) as usize] += 1;
            }
            assert!(held.iter().all(|&count| count == 16), "{dimension}: {held:?}");
        }
    }

    /// 1.5·2¹⁶ ranks fill three quarters of 2¹⁷ equal cells. Two groups must not leave the same cells empty, nor
    /// different ones, more often than chance has it.
    #[test]
    fn groups_share_no_pattern() {
        let cells = |scramble: u32| {
            let mut held = vec![-1i32; 1 << 17];
            for rank in 0..3u32 << 15 {
                let place = activity_place(rank, u64::from(scramble) << 32 | u64::from(scramble.rotate_left(7)));
                held[usize::try_from(place >> 47).expect("17 bits")] += 2;
            }
            held
        };
        let groups: Vec<Vec<i32>> = (1..=12u32).map(|group| cells(group.wrapping_mul(0x9E37_79B9))).collect();
        let mean = f64::from(groups[0].iter().sum::<i32>()) / f64::from(1 << 17);
        for (number, one) in groups.iter().enumerate() {
            for other in &groups[..number] {
                let together: f64 =
                    one.iter().zip(other).map(|(a, b)| f64::from(a * b)).sum::<f64>() / f64::from(1 << 17);
                // Correlation of patterns with a variance of 1 − mean².
                let correlation = (together - mean * mean) / (1.0 - mean * mean);
                assert!(correlation.abs() < 0.1, "{number}: {correlation}");
            }
        }
    }
}
