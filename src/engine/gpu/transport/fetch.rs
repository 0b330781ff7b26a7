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
        (buffers, accounts): (&TransportBuffers, &[u32]),
        scene: &Scene,
        histories: &Range<u64>,
        block: &GroupBlock,
        tally: &mut Tally,
        control: &Control,
    ) -> Result<(), DoseError> {
        let mut sums = SumsReader::new(&buffers.tally, (scene.medium.len() as u64) << block.bits);
        let voxels = scene.medium.len();
        let (accounts, exhausted) = accounts.split_at(ACCOUNT_WORDS << block.bits);
        let firsts = (0u64..).step_by(voxels);
        let groups = block.groups().zip(firsts).zip(accounts.chunks(ACCOUNT_WORDS).zip(exhausted));
        let first_left = tally.first_without(histories);
        for ((group, first), (accounts, &exhausted)) in groups.filter(|((group, _), _)| *group as usize >= first_left) {
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            let account = |number: usize| u64::from(accounts[2 * number + 1]) << 32 | u64::from(accounts[2 * number]);
            let ranks = ranks(histories, scene.groups, group);
            let book = GroupTally {
                histories: u64::from(ranks.end - ranks.start),
                emitted: account(0).into(),
                deposited: account(1).into(),
                escaped: account(2).into(),
                exhausted_rejections: exhausted.into(),
                energy: EnergySums::default(),
            };
            tally.add_group(histories, |tally| {
                tally.add_book(&book);
                let found = self.add_energy(&mut sums, first, &mut tally.energy)?;
                check_complete(&book, found, account(3).into())
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

/// The voxels must hold what was scored, and the emitted energy must be deposited or have escaped.
///
/// * `book` – the account of a group
/// * `found`, `scored` – energy in its voxels, and what the device added to them
pub(super) fn check_complete(book: &GroupTally, found: u128, scored: u128) -> Result<(), DoseError> {
    /// Part of the emitted energy that rounding may lose: deposits are rounded, and energies are in single precision.
    const ROUNDING: u128 = 100_000;
    let difference = book.emitted.abs_diff(book.deposited + book.escaped);
    if found == scored && difference <= book.emitted / ROUNDING + u128::from(book.histories) {
        return Ok(());
    }
    Err(DoseError::DeviceLost("the sums read back are not what the device added".to_owned()))
}
