//! What a Monte Carlo run needs to go on after what computed it was lost, with the same bytes at its end.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tally::Tally;

/// Where a run stands after a whole batch, beside its tally.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunPoint {
    /// SHA-256 of the scene, maps included, in hexadecimal.
    pub scene_sha256: String,
    /// What ran it: kind of device, version and commit. Another may round or draw otherwise, and a run has the bytes of
    /// one.
    pub engine: String,
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

    /// Others who may run a part of the histories elsewhere.
    fn helpers(&self) -> Option<&dyn Helpers> {
        None
    }

    /// Whose histories are run here, if only a part of the histories of another run is wanted.
    fn helping(&self) -> Option<&dyn Helping> {
        None
    }
}

/// Others who run histories of the same run elsewhere, on the same kind of device. What they have done is added
/// exactly; one that fails costs time and nothing else.
pub trait Helpers: Send + Sync + fmt::Debug {
    /// How many there are now.
    fn count(&self) -> usize;

    /// Offers histories to them, in place of what was offered before.
    fn offer(&self, stretch: Stretch);

    /// The next histories for whoever offered them, from their beginning on; none if all are taken.
    ///
    /// * `most` – how many
    fn take(&self, most: u64) -> Option<Range<u64>>;

    /// What a helper has done.
    ///
    /// * `waits` – whether to wait a moment for it
    fn part(&self, waits: bool) -> SharedPart;

    /// Ends the offer: what is not done yet is not used.
    fn withdraw(&self);
}

/// Histories that are offered, and what they belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// SHA-256 of the scene, maps included, in hexadecimal.
    pub scene_sha256: String,
    /// Their numbers.
    pub histories: Range<u64>,
    /// Statistical groups of a tally.
    pub groups: usize,
    /// Voxels of a tally.
    pub voxels: usize,
}

/// What helpers have to give.
#[derive(Debug)]
pub enum SharedPart {
    /// A tally of some of the histories, given once.
    Done(Tally),
    /// They are not ready.
    Pending,
    /// There is nothing to wait for: all histories are taken by the caller, or given.
    All,
}

/// A run elsewhere, of which some histories are run here.
pub trait Helping: Send + Sync + fmt::Debug {
    /// Waits for the next histories; none when there are no more.
    ///
    /// * `scene_sha256` – of the scene here, which must be that of the run
    /// * `per_second` – histories a second here, if they are known
    fn next(&self, scene_sha256: &str, per_second: Option<f64>) -> Option<Range<u64>>;

    /// Gives what came of them.
    fn give(&self, point: &RunPoint, tally: &Tally);
}
