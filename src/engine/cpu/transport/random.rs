//! Random numbers by counting: the same words for a history wherever and in whatever order it runs. Twin: `shaders/shared/random.wgsl`.

/// Rotations of Threefry4x32, by round modulo 8, of the two pairs of words.
///
/// Source: Salmon, Moraes, Dror & Shaw, Proc. SC11 (2011), art. 16, table 3 (Skein's constants for 4×32 bits).
const ROTATIONS: [[u32; 2]; 8] = [[10, 26], [11, 21], [13, 27], [23, 5], [6, 20], [17, 11], [25, 10], [18, 20]];
/// Parity of the key schedule, 32-bit words.
const PARITY: u32 = 0x1BD1_1BDA;
/// Rounds: one more than the twelve that pass all of BigCrush (Salmon et al. 2011, table 2).
const ROUNDS: usize = 13;

/// Four random words for a key and a counter.
pub(crate) fn threefry(key: [u32; 4], counter: [u32; 4]) -> [u32; 4] {
    let schedule = [key[0], key[1], key[2], key[3], PARITY ^ key[0] ^ key[1] ^ key[2] ^ key[3]];
    let mut x: [u32; 4] = std::array::from_fn(|i| counter[i].wrapping_add(schedule[i]));
    for round in 0..ROUNDS {
        let [a, b] = ROTATIONS[round % 8];
        let (p, q) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
        x[0] = x[0].wrapping_add(x[p]);
        x[p] = x[p].rotate_left(a) ^ x[0];
        x[2] = x[2].wrapping_add(x[q]);
        x[q] = x[q].rotate_left(b) ^ x[2];
        if round % 4 == 3 {
            let injection = round / 4 + 1;
            for (i, word) in x.iter_mut().enumerate() {
                *word = word.wrapping_add(schedule[(injection + i) % 5]);
            }
            #[expect(clippy::cast_possible_truncation, reason = "at most 3")]
            {
                x[3] = x[3].wrapping_add(injection as u32);
            }
        }
    }
    x
}

/// The random words of one particle of a history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stream {
    key: [u32; 4],
    /// Which particle of the history it is.
    id: u32,
    /// Words drawn so far.
    drawn: u32,
    block: [u32; 4],
}

impl Stream {
    /// * `key` – seed and history, low words first
    /// * `id` – the particle, by a number that no other of the history has
    pub(crate) fn new(key: [u32; 4], id: u32) -> Self {
        Self { key, id, drawn: 0, block: [0; 4] }
    }

    /// The history's key, for its other particles.
    pub(crate) fn key(&self) -> [u32; 4] {
        self.key
    }

    /// The next word.
    #[inline]
    pub(crate) fn word(&mut self) -> u32 {
        let lane = self.drawn % 4;
        if lane == 0 {
            self.block = threefry(self.key, [self.drawn / 4, self.id, 0, 0]);
        }
        self.drawn += 1;
        self.block[lane as usize]
    }

    /// The next number, above 0 and below 1.
    #[inline]
    pub(crate) fn uniform(&mut self) -> f32 {
        unit_interval(self.word())
    }
}

/// The middle of one of 2²³ equal parts of the unit interval: never 0, never 1.
#[inline]
pub(crate) fn unit_interval(word: u32) -> f32 {
    ((word >> 9) as f32 + 0.5) * (1.0 / 8_388_608.0)
}
