//! Monte Carlo transport on all cores: one statistical group a task, each with its own part of the tally.

mod charged;
mod collision;
mod deflection;
mod geometry;
mod history;
mod lookup;
mod photon;
mod random;
mod sampling;
mod scatter;
mod score;

use std::ops::Range;

use rayon::prelude::*;

use crate::domain::{Control, DoseError};
use crate::engine::transport::scene::Scene;
use crate::engine::transport::{GroupTally, Tally};
use history::History;
use score::Score;

/// Histories between looks at the caller: well below 50 ms even for energetic particles in small voxels.
const HISTORIES_BETWEEN_LOOKS: usize = 64;

/// See [`crate::engine::Device::transport`].
///
/// # Errors
/// [`DoseError::Cancelled`].
pub(super) fn transport(
    scene: &Scene,
    histories: Range<u64>,
    tally: &mut Tally,
    control: &Control,
) -> Result<(), DoseError> {
    if scene.source.is_empty() {
        return Ok(());
    }
    let groups: Vec<u32> = (0..scene.groups).collect();
    tally.groups.par_iter_mut().zip(groups).try_for_each(|(group_tally, group)| {
        let ranks = ranks(&histories, scene.groups, group);
        run_group(scene, group, ranks, group_tally, control)
    })
}

/// Ranks of the histories of a group in a range of histories.
fn ranks(histories: &Range<u64>, groups: u32, group: u32) -> Range<u32> {
    let below = |end: u64| {
        let ranks = end.saturating_sub(u64::from(group)).div_ceil(u64::from(groups));
        u32::try_from(ranks).expect("the number of histories is checked by the plan")
    };
    below(histories.start)..below(histories.end)
}

fn run_group(
    scene: &Scene,
    group: u32,
    ranks: Range<u32>,
    tally: &mut GroupTally,
    control: &Control,
) -> Result<(), DoseError> {
    let score = Score { energy: &mut tally.energy, emitted: 0, deposited: 0, escaped: 0 };
    let mut history = History::new(scene, group, score);
    for (number, rank) in ranks.clone().enumerate() {
        if number % HISTORIES_BETWEEN_LOOKS == 0 && control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        history.run(rank);
    }
    let Score { emitted, deposited, escaped, .. } = history.score;
    tally.histories += u64::from(ranks.end - ranks.start);
    tally.emitted += u128::from(emitted);
    tally.deposited += u128::from(deposited);
    tally.escaped += u128::from(escaped);
    Ok(())
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
