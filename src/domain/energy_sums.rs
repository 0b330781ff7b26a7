//! Sums of energy by voxel: 32 bits for each, and more only where more is needed.
//!
//! Most sums of a run stay below 2³² units, which is 64 MeV. What exceeds that is carried into words of 16 bits, of
//! which a block of neighbouring voxels gets all at once, when one of them needs one. Memory that holds only zeros is
//! not touched: the system gives it out page by page when something is added.

/// Voxels that get their words together.
const BLOCK: usize = 64;
/// Bits of the words that every voxel has.
const LOW_BITS: u32 = u32::BITS;
/// Bits of the words into which sums are carried.
const CARRIED_BITS: u32 = u16::BITS;
/// Why a sum cannot be too large.
const NO_OVERFLOW: &str = "the number of histories is bounded so that no tally overflows";

/// A sum of 64 bits for each voxel, in units of `1 / UNITS_PER_MEV` MeV, x fastest.
#[derive(Clone, Debug, Default)]
pub struct EnergySums {
    /// The lowest 32 bits.
    low: Vec<u32>,
    /// Bits 32 to 47, and 48 to 63.
    carried: [Carried; 2],
}

/// Words of 16 bits for some blocks of voxels.
#[derive(Clone, Debug, Default)]
struct Carried {
    /// For each block, the number of its words in `words`, counted from 1; 0 if they are all 0. Empty as long as that
    /// holds for all blocks.
    block: Vec<u32>,
    words: Vec<[u16; BLOCK]>,
}

impl EnergySums {
    /// All 0.
    pub fn new(voxels: usize) -> Self {
        Self { low: vec![0; voxels], carried: Default::default() }
    }

    /// Number of voxels.
    pub fn len(&self) -> usize {
        self.low.len()
    }

    /// Whether there are no voxels.
    pub fn is_empty(&self) -> bool {
        self.low.is_empty()
    }

    /// The sum of a voxel.
    #[inline]
    pub fn get(&self, voxel: usize) -> u64 {
        let [middle, top] = &self.carried;
        let above = u64::from(middle.get(voxel)) | u64::from(top.get(voxel)) << CARRIED_BITS;
        u64::from(self.low[voxel]) | above << LOW_BITS
    }

    /// The sums of all voxels.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        (0..self.len()).map(|voxel| self.get(voxel))
    }

    /// Adds to the sum of a voxel.
    ///
    /// # Panics
    /// If the sum overflows 64 bits. Callers bound the number of histories.
    #[inline]
    pub fn add(&mut self, voxel: usize, units: u32) {
        let low = &mut self.low[voxel];
        let (sum, is_carried) = low.overflowing_add(units);
        *low = sum;
        if is_carried {
            self.carry(voxel, 1);
        }
    }

    /// Adds a whole sum to that of a voxel.
    ///
    /// # Panics
    /// As [`Self::add`].
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
    pub fn add_sum(&mut self, voxel: usize, units: u64) {
        self.add(voxel, units as u32);
        if units >> LOW_BITS != 0 {
            self.carry(voxel, (units >> LOW_BITS) as u32);
        }
    }

    /// Adds the sums of others.
    ///
    /// # Panics
    /// As [`Self::add`], or if the two have not the same voxels.
    pub fn add_all(&mut self, other: &Self) {
        assert_eq!(self.len(), other.len(), "tallies that are added have the same voxels");
        for (voxel, units) in other.iter().enumerate().filter(|(_, units)| *units > 0) {
            self.add_sum(voxel, units);
        }
    }

    /// Adds to the bits of a voxel from 32 on.
    #[cold]
    #[expect(clippy::cast_possible_truncation, reason = "16 bits at a time")]
    fn carry(&mut self, voxel: usize, words: u32) {
        let blocks = self.len().div_ceil(BLOCK);
        let mut left = words;
        for carried in &mut self.carried {
            if left == 0 {
                return;
            }
            left = (left >> CARRIED_BITS) + u32::from(carried.add(voxel, left as u16, blocks));
        }
        assert!(left == 0, "{NO_OVERFLOW}");
    }
}

impl Carried {
    #[inline]
    fn get(&self, voxel: usize) -> u16 {
        match self.block.get(voxel / BLOCK) {
            None | Some(0) => 0,
            Some(&number) => self.words[number as usize - 1][voxel % BLOCK],
        }
    }

    /// Adds to a voxel's word. True: something is carried out of it.
    fn add(&mut self, voxel: usize, word: u16, blocks: usize) -> bool {
        if word == 0 {
            return false;
        }
        if self.block.is_empty() {
            self.block = vec![0; blocks];
        }
        let number = &mut self.block[voxel / BLOCK];
        if *number == 0 {
            self.words.push([0; BLOCK]);
            *number = u32::try_from(self.words.len()).expect("fewer blocks than voxels, which are counted in 32 bits");
        }
        let sum = &mut self.words[*number as usize - 1][voxel % BLOCK];
        let (added, is_carried) = sum.overflowing_add(word);
        *sum = added;
        is_carried
    }
}

/// Most bytes of the sums of a grid.
///
/// * `groups` – how often there are such sums
/// * `above_low` – most sums, of all groups, that are above 32 bits
pub fn energy_sums_bytes(voxels: u64, groups: u64, above_low: u64) -> u64 {
    let blocks = groups.saturating_mul(voxels.div_ceil(BLOCK as u64));
    let low = groups.saturating_mul(voxels).saturating_mul(u64::from(LOW_BITS / 8));
    let a_block = u64::from(CARRIED_BITS / 8) * BLOCK as u64;
    let tables = blocks.saturating_mul(size_of::<u32>() as u64);
    low.saturating_add(tables).saturating_add(blocks.min(above_low).saturating_mul(a_block))
}

impl PartialEq for EnergySums {
    /// Whether all sums are equal; how they are stored also depends on the order in which they grew.
    fn eq(&self, other: &Self) -> bool {
        self.low == other.low && self.iter().eq(other.iter())
    }
}

impl Eq for EnergySums {}

impl FromIterator<u64> for EnergySums {
    #[expect(clippy::cast_possible_truncation, reason = "the lowest 32 bits; the others follow")]
    fn from_iter<I: IntoIterator<Item = u64>>(sums: I) -> Self {
        let mut above = Vec::new();
        let low = sums.into_iter().enumerate().map(|(voxel, units)| {
            if units >> LOW_BITS != 0 {
                above.push((voxel, (units >> LOW_BITS) as u32));
            }
            units as u32
        });
        let mut all = Self { low: low.collect(), carried: Default::default() };
        above.into_iter().for_each(|(voxel, words)| all.carry(voxel, words));
        all
    }
}

impl<const N: usize> From<[u64; N]> for EnergySums {
    fn from(sums: [u64; N]) -> Self {
        sums.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words whose sums cross the 32nd and the 48th bit now and then.
    fn terms() -> impl Iterator<Item = (usize, u64)> {
        let mut state = 5u64;
        (0..20_000).map(move |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let voxel = usize::try_from(state >> 33).expect("31 bits") % 300;
            // Of 8 to 54 bits.
            (voxel, state >> (10 + state % 47))
        })
    }

    #[test]
    fn sums_are_those_of_wide_words_in_any_order() {
        let mut expected = vec![0u64; 300];
        let (mut forward, mut backward) = (EnergySums::new(300), EnergySums::new(300));
        let all: Vec<(usize, u64)> = terms().collect();
        for &(voxel, units) in &all {
            expected[voxel] += units;
            forward.add_sum(voxel, units);
        }
        all.iter().rev().for_each(|&(voxel, units)| backward.add_sum(voxel, units));
        assert!(forward.iter().eq(expected.iter().copied()));
        assert_eq!(forward, backward);
        assert_eq!(forward, expected.iter().copied().collect());
        let mut twice = forward.clone();
        twice.add_all(&backward);
        assert!(twice.iter().eq(expected.iter().map(|units| 2 * units)));
        assert_ne!(twice, forward);
    }

    #[test]
    fn every_bit_counts_in_a_comparison() {
        for bit in 0..u64::BITS {
            let (mut zeros, mut one) = (EnergySums::new(130), EnergySums::new(130));
            one.add_sum(129, 1 << bit);
            assert_eq!((one.get(129), one.get(128)), (1 << bit, 0));
            assert_ne!(zeros, one, "bit {bit}");
            zeros.add_all(&one);
            assert_eq!(zeros, one, "bit {bit}");
        }
    }

    #[test]
    fn words_are_added_where_they_are_needed_alone() {
        let mut sums = EnergySums::new(1000);
        sums.add(5, u32::MAX);
        assert!(sums.carried.iter().all(|carried| carried.block.is_empty()));
        sums.add(5, 1);
        assert_eq!((sums.carried[0].words.len(), sums.carried[1].words.len()), (1, 0));
        sums.add_sum(999, u64::MAX);
        assert_eq!((sums.carried[0].words.len(), sums.carried[1].words.len()), (2, 1));
        assert_eq!((sums.get(5), sums.get(999)), (1 << 32, u64::MAX));
        // 1000 sums of 4 bytes, a table of 16 blocks, and one block of 64 words.
        assert_eq!(energy_sums_bytes(1000, 2, 1), 2 * (4000 + 64) + 128);
        assert_eq!(energy_sums_bytes(1000, 2, u64::MAX), 2 * (4000 + 64 + 16 * 128));
        assert_eq!(energy_sums_bytes(u64::MAX, 8, 0), u64::MAX);
    }

    #[test]
    #[should_panic(expected = "no tally overflows")]
    fn a_sum_beyond_64_bits_is_noticed() {
        EnergySums::from([1, u64::MAX]).add(1, 1);
    }
}
