//! What a Monte Carlo run needs to go on after what computed it was lost, with the same bytes at its end.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tally::Tally;

/// Where a run stands after a whole batch, beside its tally.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunPoint {
    /// SHA-256 of the scene, maps included, in hexadecimal.
    pub scene_sha256: String,
    /// Number of the first history.
    pub first_history: u64,
    /// Histories done.
    pub histories: u64,
    /// Number of histories at which the uncertainty is computed next; none if no target is set.
    pub next_look: Option<u64>,
    /// The uncertainty when it was last computed.
    pub relative_sigma: Option<f64>,
    /// Number of histories then.
    pub seen_at: u64,
    /// Time that the run has taken [s].
    pub spent_s: f64,
}

/// Where a run keeps its checkpoints. What fails there fails nothing here: the run goes on without.
pub trait Checkpoints: Send + Sync + fmt::Debug {
    /// The newest checkpoint, if there is one that can be read.
    fn load(&self) -> Option<(RunPoint, Tally)>;

    /// Whether it is time for another one.
    fn is_due(&self) -> bool;

    /// Whether the run has to end after this batch, to go on elsewhere or later.
    fn must_stop(&self) -> bool;

    /// Keeps a checkpoint in place of the one before.
    fn keep(&self, point: &RunPoint, tally: &Tally);

    /// Lets others have the device between two batches. The time that they had it.
    fn let_others_in(&self) -> Duration;
}
