//! Monte Carlo transport on all cores: one statistical group a task, each with its own part of the tally.

pub(crate) mod absorption;
mod charged;
pub(crate) mod collision;
pub(crate) mod deflection;
pub(crate) mod elementary;
pub(crate) mod geometry;
pub(crate) mod history;
pub(crate) mod lookup;
mod photon;
pub(crate) mod point;
pub(crate) mod random;
pub(crate) mod sampling;
pub(crate) mod scatter;
pub(crate) mod score;
pub(crate) mod step;

use std::ops::Range;

use rayon::prelude::*;

use crate::domain::{Control, DoseError};
use crate::domain::{GroupTally, Tally};
use crate::prepare::transport::ranks;
use crate::prepare::transport::scene::Scene;
use history::History;
use score::Score;

/// Histories between checks for cancellation: well below 50 ms even for energetic particles in small voxels.
const HISTORIES_BETWEEN_CHECKS: usize = 64;

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

/// The instructions of a history are counted here (`benches/instructions.py`).
#[inline(never)]
fn run_group(
    scene: &Scene,
    group: u32,
    ranks: Range<u32>,
    tally: &mut GroupTally,
    control: &Control,
) -> Result<(), DoseError> {
    let score = Score { energy: &mut tally.energy, emitted: 0, deposited: 0, escaped: 0, exhausted: 0 };
    let mut history = History::new(scene, group, score);
    for (number, rank) in ranks.clone().enumerate() {
        if number % HISTORIES_BETWEEN_CHECKS == 0 && control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        history.run(rank);
    }
    let Score { emitted, deposited, escaped, exhausted, .. } = history.score;
    tally.histories += u64::from(ranks.end - ranks.start);
    tally.emitted += u128::from(emitted);
    tally.deposited += u128::from(deposited);
    tally.escaped += u128::from(escaped);
    tally.exhausted_rejections += exhausted;
    Ok(())
}
