//! What both engines share of Monte Carlo transport: scenes, tables and samplers.

pub mod emissions;
mod kept_tables;
pub(crate) mod nodes;
pub mod scene;
pub(crate) mod sequence;
pub mod source;
pub mod tables;

use std::ops::Range;

pub use scene::{Scene, SceneInput};
pub use tables::StepLimits;

/// What happens to a particle that reaches the end of the grid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// It leaves and never comes back.
    #[default]
    Vacuum,
    /// It enters on the opposite side, as if the grid were repeated without end. For checks of the physics.
    Periodic,
}

/// Ranks of the histories of a group in a range of histories.
pub(crate) fn ranks(histories: &Range<u64>, groups: u32, group: u32) -> Range<u32> {
    let below = |end: u64| {
        let ranks = end.saturating_sub(u64::from(group)).div_ceil(u64::from(groups));
        u32::try_from(ranks).expect("the number of histories is checked by the plan")
    };
    below(histories.start)..below(histories.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_split_anywhere_has_the_same_ranks() {
        for split in [0, 1, 7, 8, 9, 63, 64, 100] {
            for group in 0..8 {
                let (whole, first, second) =
                    (ranks(&(0..100), 8, group), ranks(&(0..split), 8, group), ranks(&(split..100), 8, group));
                assert_eq!(
                    (whole.start, whole.end, first.end),
                    (first.start, second.end, second.start),
                    "{split} {group}"
                );
            }
        }
        let all: u32 =
            (0..8).map(|group| ranks(&(13..100), 8, group).len()).map(|n| u32::try_from(n).expect("few")).sum();
        assert_eq!(all, 87);
    }
}
