//! What a launch left: its counters, its accounts and the sums of its voxels, checked before they count.

use std::ops::Range;

use super::buffers::{ACCOUNT_WORDS, TransportBuffers};
use super::launches::GroupBlock;
use super::sums::SumsReader;
use crate::domain::{Control, DoseError, EnergySums, GroupTally, Tally};
use crate::engine::gpu::session::Session;
use crate::engine::gpu::shader::TransportCounters;
use crate::prepare::transport::{Scene, ranks};

impl Session {
    /// Fetches the counters once more, with `len` words that follow them. They must be what they were.
    ///
    /// # Errors
    /// [`DoseError::DeviceLost`], also if they are not.
    pub(super) fn read_counters(
        &mut self,
        buffers: &TransportBuffers,
        last: &[u32; TransportCounters::WORDS],
        len: usize,
    ) -> Result<Vec<u32>, DoseError> {
        let mut words = vec![0; last.len() + len];
        self.read_as(&buffers.counters, 0, &mut words, |word| word)?;
        let rest = words.split_off(last.len());
        if words == last {
            return Ok(rest);
        }
        Err(DoseError::DeviceLost("the counters read back differ from one time to the next".to_owned()))
    }

    /// Fetches the sums of a block of groups, adds them to the tally, one group after another, and checks that they are
    /// complete.
    pub(super) fn fetch(
        &mut self,
        (buffers, accounts): (&TransportBuffers, &Accounts),
        scene: &Scene,
        histories: &Range<u64>,
        block: &GroupBlock,
        tally: &mut Tally,
        control: &Control,
    ) -> Result<(), DoseError> {
        let mut sums = SumsReader::new(&buffers.tally, (scene.medium.len() as u64) << block.bits);
        let voxels = scene.medium.len();
        let firsts = (0u64..).step_by(voxels);
        let groups = block.groups().zip(firsts).enumerate();
        let first_left = tally.first_without(histories);
        for (place, (group, first)) in groups.filter(|(_, (group, _))| *group as usize >= first_left) {
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            let ranks = ranks(histories, scene.groups, group);
            let book = accounts.book(place, u64::from(ranks.end - ranks.start));
            tally.add_group(histories, |tally| {
                tally.add_book(&book);
                let found = self.add_energy(&mut sums, first, &mut tally.energy)?;
                check_complete(&book, found, accounts.scored(place))
            })?;
        }
        Ok(())
    }

    /// Adds the sums of a group's voxels, the first of which is the block's `first`; gives the sum of all.
    fn add_energy(
        &mut self,
        sums: &mut SumsReader<'_>,
        first: u64,
        energy: &mut EnergySums,
    ) -> Result<u128, DoseError> {
        let (voxels, mut found) = (energy.len(), 0);
        for done in (0..voxels).step_by(self.transfer_limit()) {
            let len = self.transfer_limit().min(voxels - done);
            let (low, high) = sums.words(self, first + done as u64, len)?;
            for (voxel, (&low, &high)) in low.iter().zip(high).enumerate() {
                let units = u64::from(high) << 32 | u64::from(low);
                if units != 0 {
                    found += u128::from(units);
                    energy.add_sum(done + voxel, units);
                }
            }
        }
        Ok(found)
    }
}

/// What the device counted for the groups of a block.
#[derive(Debug)]
pub(super) struct Accounts {
    /// Emitted, deposited, escaped and scored energy of each group, two words each.
    energies: Vec<u32>,
    /// Rejection loops of each that reached their bound.
    exhausted: Vec<u32>,
}

impl Accounts {
    /// * `words` – as they lie behind the counters
    /// * `bits` – groups, as a power of two
    pub(super) fn new(words: &[u32], bits: u32) -> Self {
        let (energies, exhausted) = words.split_at(ACCOUNT_WORDS << bits);
        Self { energies: energies.to_vec(), exhausted: exhausted.to_vec() }
    }

    /// Energy that a group added to voxels [units].
    pub(super) fn scored(&self, group: usize) -> u128 {
        self.energy(group, 3)
    }

    /// What a group has, without the energy of its voxels.
    pub(super) fn book(&self, group: usize, histories: u64) -> GroupTally {
        GroupTally {
            histories,
            emitted: self.energy(group, 0),
            deposited: self.energy(group, 1),
            escaped: self.energy(group, 2),
            exhausted_rejections: self.exhausted[group].into(),
            energy: EnergySums::default(),
        }
    }

    fn energy(&self, group: usize, number: usize) -> u128 {
        let low = ACCOUNT_WORDS * group + 2 * number;
        u128::from(self.energies[low + 1]) << 32 | u128::from(self.energies[low])
    }
}

/// The voxels must hold what was scored, and the emitted energy must be deposited or have escaped.
///
/// * `book` – the account of a group
/// * `found`, `scored` – energy in its voxels, and what the device added to them
pub(super) fn check_complete(book: &GroupTally, found: u128, scored: u128) -> Result<(), DoseError> {
    if found == scored { check_balance(book) } else { Err(incomplete()) }
}

/// The emitted energy must be deposited or have escaped.
///
/// * `book` – the account of a group
pub(super) fn check_balance(book: &GroupTally) -> Result<(), DoseError> {
    /// Part of the emitted energy that rounding may lose: deposits are rounded, and energies are in single precision.
    const ROUNDING: u128 = 100_000;
    let difference = book.emitted.abs_diff(book.deposited + book.escaped);
    let is_balanced = difference <= book.emitted / ROUNDING + u128::from(book.histories);
    if is_balanced { Ok(()) } else { Err(incomplete()) }
}

/// What was read back cannot be what the device added.
pub(super) fn incomplete() -> DoseError {
    DoseError::DeviceLost("the sums read back are not what the device added".to_owned())
}
