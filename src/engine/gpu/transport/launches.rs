//! How the histories of a call are divided into launches: some statistical groups and some ranks at a time.

use std::ops::Range;

use super::constants::MAX_LAUNCH_BITS;
use crate::domain::DoseError;

/// Bytes of a voxel's sum.
const SUM_BYTES: u64 = 8;

/// Groups whose tallies are on the device together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupBlock {
    pub(super) first: u32,
    /// As a power of two.
    pub(super) bits: u32,
}

impl GroupBlock {
    /// The groups, in order.
    pub(super) fn groups(&self) -> Range<u32> {
        self.first..self.first + (1 << self.bits)
    }
}

/// All groups in blocks, as large as the tally's binding allows.
///
/// # Errors
/// [`DoseError::TooLarge`] if not even one group fits.
pub(super) fn group_blocks(groups: u32, voxels: usize, binding_bytes: u64) -> Result<Vec<GroupBlock>, DoseError> {
    let group_bytes = voxels as u64 * SUM_BYTES;
    if group_bytes > binding_bytes {
        return Err(DoseError::TooLarge {
            what: "the tally of one statistical group in a binding of the device",
            needed_bytes: group_bytes,
            limit_bytes: binding_bytes,
        });
    }
    let fits = |bits: &u32| group_bytes << bits <= binding_bytes;
    let bits = (0..=groups.ilog2().min(MAX_LAUNCH_BITS)).rev().find(fits).unwrap_or(0);
    Ok((0..groups).step_by(1 << bits).map(|first| GroupBlock { first, bits }).collect())
}

/// The ranks of a range of histories, in pieces whose emissions fit in a launch.
///
/// * `items_per_rank` – slots of a decay times groups of a block
/// * `most_items` – most emissions of a launch
pub(super) fn rank_pieces(
    histories: &Range<u64>,
    groups: u32,
    items_per_rank: u64,
    most_items: u64,
) -> Vec<Range<u32>> {
    let rank = |number: u64| u32::try_from(number).expect("the number of histories is checked by the plan");
    let (first, end) = (histories.start / u64::from(groups), histories.end.div_ceil(u64::from(groups)));
    // A power of two, so that a piece has whole workgroups of ranks if there are enough.
    let piece = (most_items / items_per_rank.max(1)).max(1);
    let piece = usize::try_from(1u64 << piece.ilog2()).unwrap_or(usize::MAX);
    (first..end).step_by(piece).map(|start| rank(start)..rank(end.min(start + piece as u64))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_all_groups_within_a_binding() {
        for (groups, voxels, binding, expected) in
            [(32, 1000, 1 << 20, 1), (32, 1 << 20, 128 << 20, 2), (8, 1 << 24, 128 << 20, 8), (1, 5, 40, 1)]
        {
            let blocks = group_blocks(groups, voxels, binding).expect("one group fits");
            assert_eq!(blocks.len(), expected);
            let all: Vec<u32> = blocks.iter().flat_map(GroupBlock::groups).collect();
            assert_eq!(all, (0..groups).collect::<Vec<_>>());
        }
        let refused = group_blocks(8, (1 << 24) + 1, 128 << 20).expect_err("more than the binding");
        assert!(matches!(refused, DoseError::TooLarge { needed_bytes, .. } if needed_bytes == (128 << 20) + 8));
    }

    #[test]
    fn pieces_cover_all_ranks() {
        assert_eq!(
            rank_pieces(&(5..100), 8, 3 * 8, 1 << 31).iter().map(|ranks| (ranks.start, ranks.end)).collect::<Vec<_>>(),
            [(0, 13)]
        );
        assert!(rank_pieces(&(7..7), 8, 24, 1 << 31).iter().all(|ranks| ranks.len() <= 1));
        let pieces = rank_pieces(&(0..1 << 36), 32, 4 * 32, 1 << 31);
        assert_eq!((pieces.len(), pieces[0].len(), pieces.last().map(|last| last.end)), (128, 1 << 24, Some(1 << 31)));
    }
}
