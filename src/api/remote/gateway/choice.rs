//! Which worker gets a job.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::store::{JobRecord, Lane, VolumeDigest};

/// A worker that could be given a job.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) worker: String,
    pub(super) device: String,
    pub(super) memory_bytes: u64,
    pub(super) holds: HashSet<VolumeDigest>,
    pub(super) free: [bool; 2],
}

impl Candidate {
    /// Whether it has a free place for a job, and the memory.
    pub(super) fn can(&self, job: &JobRecord) -> bool {
        self.free[Lane::of(job) as usize] && self.memory_bytes >= job.estimate.memory_bytes
    }
}

/// The worker for a job: one with room and memory; among these one that holds most of its volumes, then one that has
/// nothing else to do. Its device, and its name.
pub(super) fn choose(candidates: &[Candidate], job: &JobRecord) -> Option<(String, String)> {
    let rank = |worker: &&Candidate| {
        let held = job.inputs.iter().filter(|volume| worker.holds.contains(*volume)).count();
        (held, worker.free.iter().filter(|is_free| **is_free).count(), Reverse(worker.worker.clone()))
    };
    let best = candidates.iter().filter(|worker| worker.can(job)).max_by_key(rank)?;
    Some((best.device.clone(), best.worker.clone()))
}
