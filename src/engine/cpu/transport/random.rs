//! Random numbers by counting: a history gets the same words wherever and in whatever order it runs.
//! Twin: `shaders/shared/random.wgsl`.
//!
//! Threefry4x32 with 13 rounds, one more than the twelve that pass all of BigCrush (Salmon, Moraes, Dror & Shaw, Proc.
//! SC11 (2011), art. 16, table 2).

/// Rotations of Threefry4x32, by round modulo 8, of the two pairs of words.
///
/// Source: Salmon, Moraes, Dror & Shaw, Proc. SC11 (2011), art. 16, table 3 (Skein's constants for 4×32 bits).
const ROTATIONS: [[u32; 2]; 8] = [[10, 26], [11, 21], [13, 27], [23, 5], [6, 20], [17, 11], [25, 10], [18, 20]];
/// Parity of the key schedule, 32-bit words.
const PARITY: u32 = 0x1BD1_1BDA;

/// Four random words for a key and a counter.
#[inline]
pub(crate) fn threefry(key: [u32; 4], counter: [u32; 4]) -> [u32; 4] {
    threefry_lanes(key, counter.map(|word| [word])).map(|[word]| word)
}

/// The same for several counters side by side, in vector registers.
///
/// * `counters` – word by word, of all lanes
#[inline(always)]
fn threefry_lanes<const LANES: usize>(key: [u32; 4], counters: [[u32; LANES]; 4]) -> [[u32; LANES]; 4] {
    let schedule = [key[0], key[1], key[2], key[3], PARITY ^ key[0] ^ key[1] ^ key[2] ^ key[3]];
    let mut x = counters;
    inject(&mut x, [schedule[0], schedule[1], schedule[2], schedule[3]]);
    four_rounds(&mut x, [ROTATIONS[0], ROTATIONS[1], ROTATIONS[2], ROTATIONS[3]]);
    inject(&mut x, [schedule[1], schedule[2], schedule[3], schedule[4].wrapping_add(1)]);
    four_rounds(&mut x, [ROTATIONS[4], ROTATIONS[5], ROTATIONS[6], ROTATIONS[7]]);
    inject(&mut x, [schedule[2], schedule[3], schedule[4], schedule[0].wrapping_add(2)]);
    four_rounds(&mut x, [ROTATIONS[0], ROTATIONS[1], ROTATIONS[2], ROTATIONS[3]]);
    inject(&mut x, [schedule[3], schedule[4], schedule[0], schedule[1].wrapping_add(3)]);
    even_round(&mut x, ROTATIONS[4]);
    x
}

#[inline(always)]
fn four_rounds<const LANES: usize>(x: &mut [[u32; LANES]; 4], rotations: [[u32; 2]; 4]) {
    even_round(x, rotations[0]);
    odd_round(x, rotations[1]);
    even_round(x, rotations[2]);
    odd_round(x, rotations[3]);
}

#[inline(always)]
fn even_round<const LANES: usize>(x: &mut [[u32; LANES]; 4], [a, b]: [u32; 2]) {
    mix(x, [0, 1], a);
    mix(x, [2, 3], b);
}

#[inline(always)]
fn odd_round<const LANES: usize>(x: &mut [[u32; LANES]; 4], [a, b]: [u32; 2]) {
    mix(x, [0, 3], a);
    mix(x, [2, 1], b);
}

/// Mixes two words.
#[inline(always)]
fn mix<const LANES: usize>(x: &mut [[u32; LANES]; 4], [first, second]: [usize; 2], bits: u32) {
    x[first] = std::array::from_fn(|lane| x[first][lane].wrapping_add(x[second][lane]));
    x[second] = std::array::from_fn(|lane| x[second][lane].rotate_left(bits) ^ x[first][lane]);
}

/// Adds words of the key's schedule.
#[inline(always)]
fn inject<const LANES: usize>(x: &mut [[u32; LANES]; 4], words: [u32; 4]) {
    for (lanes, word) in x.iter_mut().zip(words) {
        *lanes = lanes.map(|lane| lane.wrapping_add(word));
    }
}

/// The key of a history.
#[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
pub(crate) fn history_key(seed: u64, history: [u32; 2]) -> [u32; 4] {
    [seed as u32, (seed >> 32) as u32, history[0], history[1]]
}

/// Words that a stream makes at a time, after its first four.
const AT_A_TIME: usize = 16;

/// The random words of one particle of a history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stream {
    key: [u32; 4],
    /// Which particle of the history it is.
    id: u32,
    /// The next block of four words to be made.
    next_block: u32,
    /// The next of `words` to be drawn.
    next: usize,
    words: [u32; AT_A_TIME],
    /// Rejection loops that reached their bound.
    exhausted: u32,
}

impl Stream {
    /// * `key` – seed and history, low words first
    /// * `id` – the particle, by a number that no other particle of the history has
    pub(crate) fn new(key: [u32; 4], id: u32) -> Self {
        Self { key, id, next_block: 0, next: AT_A_TIME, words: [0; AT_A_TIME], exhausted: 0 }
    }

    /// The history's key, for its other particles.
    pub(crate) fn key(&self) -> [u32; 4] {
        self.key
    }

    /// Words drawn so far.
    pub(crate) fn drawn(&self) -> u32 {
        let left = u32::try_from(AT_A_TIME - self.next).expect("few");
        4 * self.next_block - left
    }

    /// Rejection loops that reached their bound.
    pub(crate) fn exhausted(&self) -> u32 {
        self.exhausted
    }

    /// Counts a rejection loop that reached its bound.
    #[cold]
    pub(crate) fn count_exhausted(&mut self) {
        self.exhausted += 1;
    }

    /// The next word.
    #[inline]
    pub(crate) fn next_word(&mut self) -> u32 {
        if self.next >= AT_A_TIME {
            self.make_words();
        }
        let word = self.words[self.next % AT_A_TIME];
        self.next += 1;
        word
    }

    /// Makes one block of words, since most particles need no more, and after that four blocks at a time.
    #[inline(never)]
    fn make_words(&mut self) {
        const ONE_BLOCK: usize = AT_A_TIME - 4;
        if self.next_block == 0 {
            self.words[ONE_BLOCK..].copy_from_slice(&threefry(self.key, [0, self.id, 0, 0]));
            (self.next, self.next_block) = (ONE_BLOCK, 1);
            return;
        }
        let blocks = [0, 1, 2, 3].map(|block| self.next_block + block);
        let words = threefry_lanes(self.key, [blocks, [self.id; 4], [0; 4], [0; 4]]);
        self.words = std::array::from_fn(|i| words[i % 4][i / 4]);
        (self.next, self.next_block) = (0, self.next_block + 4);
    }

    /// The next number, above 0 and below 1.
    #[inline]
    pub(crate) fn next_uniform(&mut self) -> f32 {
        unit_interval(self.next_word())
    }
}

/// The middle of one of 2²³ equal parts of the unit interval: never 0, never 1.
#[inline]
pub(crate) fn unit_interval(word: u32) -> f32 {
    ((word >> 9) as f32 + 0.5) * (1.0 / 8_388_608.0)
}

/// Two numbers above 0 and below 1 from the halves of one word, for what needs no more than 2¹⁶ values.
#[inline]
pub(crate) fn unit_pair(word: u32) -> [f32; 2] {
    [word & 0xFFFF, word >> 16].map(|half| (half as f32 + 0.5) * (1.0 / 65_536.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The authors' own known answers for 13 rounds (Random123, `kat_vectors`).
    #[test]
    fn words_are_those_of_the_authors() {
        let pi =
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344, 0xa409_3822, 0x299f_31d0, 0x082e_fa98, 0xec4e_6c89];
        let all = u32::MAX;
        for (key, counter, expected) in [
            ([0; 4], [0; 4], [0x531c_7e4f, 0x3949_1ee5, 0x2c85_5a92, 0x3d6a_bf9a]),
            ([all; 4], [all; 4], [0xc418_9358, 0x1c9c_c83a, 0xd588_1c67, 0x6a0a_89e0]),
            (
                [pi[4], pi[5], pi[6], pi[7]],
                [pi[0], pi[1], pi[2], pi[3]],
                [0x4aa7_1d8f, 0x7347_38c2, 0x431f_c6a8, 0xae6d_ebf1],
            ),
        ] {
            assert_eq!(threefry(key, counter), expected, "{key:x?}");
        }
    }

    #[test]
    fn a_stream_is_the_words_of_its_counters() {
        let key = [1, 2, 3, 4];
        let mut stream = Stream::new(key, 77);
        let drawn: Vec<u32> = (0..40).map(|_| stream.next_word()).collect();
        let counted: Vec<u32> = (0..10).flat_map(|block| threefry(key, [block, 77, 0, 0])).collect();
        assert_eq!(drawn, counted);
        assert_ne!(drawn[0], Stream::new(key, 78).next_word());
    }

    #[test]
    fn numbers_are_inside_the_unit_interval() {
        assert!(unit_interval(0) > 0.0 && unit_interval(u32::MAX) < 1.0);
        let ends = [unit_pair(0), unit_pair(u32::MAX)].concat();
        assert!(ends.iter().all(|&part| part > 0.0 && part < 1.0), "{ends:?}");
        assert_eq!(unit_pair(0x8000_0001), [1.5 / 65_536.0, 0.5 + 0.5 / 65_536.0]);
        let mut stream = Stream::new([5, 0, 9, 0], 1);
        let mean = (0..1_000_000).map(|_| f64::from(stream.next_uniform())).sum::<f64>() / 1e6;
        // 1σ is 0.00029.
        assert!((mean - 0.5).abs() < 0.0015, "{mean}");
    }
}
