//! The histories of a job that this worker leads, of which others run a part. Each is counted once: what is claimed and
//! does not come is taken back, and what comes after that is not used.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::messages::{Asked, Told, Versioned, heard, lead_of};
use super::desk::download;
use super::task::Doing;
use super::{REST, Worker};
use crate::domain::{Helpers, SharedPart, Stretch, Tally};
use crate::formats::tally::decode_checkpoint;
use crate::jobs::{Budget, Reservation};
use crate::store::StoredFile;

/// After so long a silent helper is taken to be gone.
const SILENCE: Duration = Duration::from_secs(10);
/// How long to wait for a part between two looks at whether to go on.
const MOMENT: Duration = Duration::from_millis(50);
/// Fewest histories that are given away.
const LEAST: u64 = 4096;

/// Most bytes of a sum of a voxel: of 32 bits, and what is carried.
const SUM_BYTES: u64 = 8;

/// The histories of a job, and who has them.
#[derive(Debug)]
pub(super) struct Lead {
    pool: Mutex<Pool>,
    came: Condvar,
    /// What parts that wait to be added take is a part of the memory for jobs.
    budget: Arc<Budget>,
}

#[derive(Debug, Default)]
struct Pool {
    stretch: Option<Stretch>,
    /// Taken by nobody, between what the lead has from the front and helpers from the back.
    open: Range<u64>,
    /// Claimed and taken back.
    back: Vec<Range<u64>>,
    /// By the first history.
    claims: BTreeMap<u64, Claim>,
    parts: VecDeque<(Tally, Reservation)>,
    /// Of the part that is being added.
    adding: Option<Reservation>,
    helpers: HashMap<String, Instant>,
    /// Parts that were added, of all stretches.
    added: u64,
}

#[derive(Debug)]
struct Claim {
    end: u64,
    helper: String,
    heard: Instant,
}

/// Most bytes of a tally of some histories.
fn tally_bytes(stretch: &Stretch) -> u64 {
    (stretch.groups as u64).saturating_mul(stretch.voxels as u64).saturating_mul(SUM_BYTES)
}

impl Pool {
    /// Forgets all histories.
    fn clear(&mut self) {
        let (helpers, added) = (std::mem::take(&mut self.helpers), self.added);
        *self = Self { helpers, added, ..Self::default() };
    }

    fn count(&mut self) -> usize {
        let now = Instant::now();
        self.helpers.retain(|_, heard| *heard + SILENCE > now);
        self.helpers.len()
    }

    fn take_back(&mut self) {
        let now = Instant::now();
        let silent = |claim: &Claim| claim.heard + SILENCE <= now;
        let gone: Vec<u64> = self.claims.iter().filter(|(_, claim)| silent(claim)).map(|(first, _)| *first).collect();
        for first in gone {
            if let Some(claim) = self.claims.remove(&first) {
                self.back.push(first..claim.end);
            }
        }
    }

    fn claim(&mut self, helper: &str, scene_sha256: &str, most: u64) -> Told {
        self.helpers.insert(helper.to_owned(), Instant::now());
        let others = self.count() as u64;
        let Some(stretch) = &self.stretch else { return Told::Wait };
        if stretch.scene_sha256 != scene_sha256 {
            return Told::Over;
        }
        // Less and less, so that all end together.
        let length = ((self.open.end - self.open.start) / (2 * (others + 1))).min(most);
        if length < LEAST {
            return Told::Wait;
        }
        self.open.end -= length;
        let (first, end) = (self.open.end, self.open.end + length);
        self.claims.insert(first, Claim { end, helper: helper.to_owned(), heard: Instant::now() });
        Told::Run(first..end)
    }

    /// Whether a helper still has a claim. It does so by asking.
    fn renew(&mut self, helper: &str, first: u64) -> bool {
        self.helpers.insert(helper.to_owned(), Instant::now());
        let claim = self.claims.get_mut(&first).filter(|claim| claim.helper == helper);
        claim.map(|claim| claim.heard = Instant::now()).is_some()
    }

    fn fits(&self, first: u64, helper: &str, scene_sha256: &str, tally: &Tally) -> bool {
        let claim = self.claims.get(&first).filter(|claim| claim.helper == helper);
        self.stretch.as_ref().zip(claim).is_some_and(|(stretch, claim)| {
            scene_sha256 == stretch.scene_sha256
                && (tally.groups.len(), tally.voxels()) == (stretch.groups, stretch.voxels)
                && tally.histories() == claim.end - first
        })
    }
}

impl Lead {
    /// * `budget` – memory for all jobs
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { pool: Mutex::default(), came: Condvar::new(), budget }
    }

    /// How many parts of helpers were added.
    pub(super) fn added(&self) -> u64 {
        self.lock().added
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory for a part; none if it is taken now. What was claimed is then run here.
    fn room(&self, first: u64) -> Option<Reservation> {
        let mut pool = self.lock();
        let bytes = tally_bytes(pool.stretch.as_ref()?);
        let room = self.budget.reserve(bytes);
        if room.is_err()
            && let Some(claim) = pool.claims.remove(&first)
        {
            tracing::debug!("there is no memory for a part of a helper: it is run here");
            pool.back.push(first..claim.end);
            self.came.notify_all();
        }
        room.ok()
    }

    /// Takes what a helper has done, if its claim still holds.
    fn accept(&self, first: u64, helper: &str, file: &StoredFile) {
        let Some(room) = self.room(first) else { return };
        let read = file.open().ok().and_then(|file| decode_checkpoint(std::io::BufReader::new(file)).ok());
        let mut pool = self.lock();
        match read {
            Some((point, tally))
                if point.first_history == first && pool.fits(first, helper, &point.scene_sha256, &tally) =>
            {
                pool.claims.remove(&first);
                pool.parts.push_back((tally, room));
                self.came.notify_all();
            }
            _ => tracing::debug!("a part of a helper is not used"),
        }
    }
}

impl Helpers for Lead {
    fn count(&self) -> usize {
        self.lock().count()
    }

    fn offer(&self, stretch: Stretch) {
        let mut pool = self.lock();
        pool.clear();
        (pool.open, pool.stretch) = (stretch.histories.clone(), Some(stretch));
    }

    fn take(&self, most: u64) -> Option<Range<u64>> {
        let mut pool = self.lock();
        if let Some(mut range) = pool.back.pop() {
            let end = range.end.min(range.start.saturating_add(most));
            let taken = range.start..end;
            range.start = end;
            if !range.is_empty() {
                pool.back.push(range);
            }
            return Some(taken);
        }
        let start = pool.open.start;
        let end = pool.open.end.min(start.saturating_add(most));
        pool.open.start = end;
        (start < end).then_some(start..end)
    }

    fn part(&self, waits: bool) -> SharedPart {
        let mut pool = self.lock();
        for _ in 0..2 {
            pool.take_back();
            pool.adding = None;
            if let Some((tally, room)) = pool.parts.pop_front() {
                (pool.added, pool.adding) = (pool.added + 1, Some(room));
                return SharedPart::Done(tally);
            }
            if pool.claims.is_empty() {
                let is_all = pool.back.is_empty() && pool.open.is_empty();
                return if is_all { SharedPart::All } else { SharedPart::Pending };
            }
            if !waits {
                break;
            }
            pool = self.came.wait_timeout(pool, MOMENT).unwrap_or_else(PoisonError::into_inner).0;
        }
        SharedPart::Pending
    }

    fn withdraw(&self) {
        self.lock().clear();
    }
}

/// Answers helpers for as long as it is polled.
pub(super) async fn answer(worker: &Arc<Worker>, doing: &Arc<Doing>, lead: &Arc<Lead>) -> Infallible {
    loop {
        if let Ok(mut words) = worker.broker.hear(&lead_of(doing.lease())).await {
            while let Some(said) = words.next().await {
                let Some(asked) = heard::<Asked>(&said) else { continue };
                let told = if asked.device() == worker.device_key { reply(worker, lead, asked) } else { Told::Over };
                said.answer(&Versioned::new(told)).await;
            }
        }
        tokio::time::sleep(REST).await;
    }
}

fn reply(worker: &Arc<Worker>, lead: &Arc<Lead>, asked: Asked) -> Told {
    match asked {
        Asked::Next { helper, scene_sha256, most, .. } => lead.lock().claim(&helper, &scene_sha256, most),
        Asked::Alive { helper, first, .. } => {
            if lead.lock().renew(&helper, first) {
                Told::Wait
            } else {
                Told::Over
            }
        }
        Asked::Done { helper, first, made, .. } => {
            let is_claimed = lead.lock().renew(&helper, first);
            let (worker, lead) = (worker.clone(), lead.clone());
            drop(tokio::spawn(async move {
                let file = if is_claimed { download(&worker, &made.object).await } else { None };
                if let Some(file) = file.filter(|file| file.digest() == made.digest) {
                    let accepted = tokio::task::spawn_blocking(move || lead.accept(first, &helper, &file));
                    let _ = accepted.await;
                }
                // What stays is found by the janitor.
                let _ = worker.broker.remove(&made.object).await;
            }));
            Told::Wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{GroupTally, RunPoint};
    use crate::formats::tally::encode_checkpoint;
    use crate::store::{NewFile, StoreKeys};

    fn lead(histories: Range<u64>) -> Lead {
        let lead = Lead::new(Budget::new(100));
        lead.lock().helpers.insert("a".into(), Instant::now());
        lead.offer(Stretch { scene_sha256: "scene".into(), histories, groups: 1, voxels: 2 });
        lead
    }

    fn run(told: Told) -> Range<u64> {
        match told {
            Told::Run(range) => range,
            Told::Wait | Told::Over => panic!("no histories"),
        }
    }

    #[test]
    fn each_history_is_run_once_whoever_is_lost() {
        let lead = lead(1000..101_000);
        let first = run(lead.lock().claim("a", "scene", 1_000_000));
        let second = run(lead.lock().claim("b", "scene", 5000));
        assert_eq!((first.clone(), second.clone()), (76_000..101_000, 71_000..76_000));
        assert!(matches!(lead.lock().claim("a", "another", 1_000_000), Told::Over));
        let tally =
            |histories| Tally::of(vec![GroupTally { histories, energy: [1, 2].into(), ..GroupTally::default() }]);
        {
            let pool = lead.lock();
            assert!(pool.fits(76_000, "a", "scene", &tally(25_000)));
            assert!(!pool.fits(76_000, "b", "scene", &tally(25_000)) && !pool.fits(76_000, "a", "scene", &tally(1)));
        }
        // One is lost: what it had is taken back.
        let long_ago = Instant::now().checked_sub(SILENCE * 2).expect("the machine has run for long enough");
        lead.lock().claims.get_mut(&76_000).expect("it is claimed").heard = long_ago;
        let mut own = 0;
        let mut seen = vec![second.clone()];
        while let Some(range) = lead.take(10_000) {
            own += range.end - range.start;
            seen.push(range);
            assert!(matches!(lead.part(false), SharedPart::Pending));
        }
        assert_eq!(own, 95_000);
        assert!(!lead.lock().renew("a", 76_000), "it comes too late");
        seen.sort_by_key(|range| range.start);
        assert!(seen.windows(2).all(|pair| pair[0].end == pair[1].start), "{seen:?}");
        assert!(matches!(lead.part(true), SharedPart::Pending), "the other still works");
        lead.lock().claims.remove(&second.start);
        let room = lead.budget.reserve(16).expect("it is free");
        lead.lock().parts.push_back((tally(5000), room));
        assert!(matches!(lead.part(true), SharedPart::Done(_)) && matches!(lead.part(true), SharedPart::All));
        lead.withdraw();
        assert!(lead.take(1).is_none() && lead.count() == 2);
    }

    #[test]
    fn parts_stand_in_the_memory_of_the_worker_until_they_are_added() {
        let lead = lead(0..200_000);
        let tally = |histories| {
            let group = GroupTally { histories, energy: [1, 2].into(), ..GroupTally::default() };
            Tally::of(vec![group])
        };
        let give = |lead: &Lead, claim: Range<u64>| {
            let folder = tempfile::tempdir().expect("a folder");
            let mut file = NewFile::within(folder.path(), &StoreKeys::default()).expect("a file");
            let point = RunPoint {
                scene_sha256: "scene".into(),
                engine: "test".into(),
                first_history: claim.start,
                histories: claim.end - claim.start,
                next_look: None,
                relative_sigma: None,
                seen_at: 0,
                spent_s: 0.0,
            };
            encode_checkpoint(&mut file, &point, &tally(claim.end - claim.start)).expect("room");
            lead.accept(claim.start, "a", &file.finish().expect("room"));
        };
        // Two voxels are 16 bytes.
        let others = lead.budget.reserve(100 - 40).expect("it is free");
        let claims = [(); 3].map(|()| run(lead.lock().claim("a", "scene", 10_000)));
        for claim in claims.clone() {
            give(&lead, claim);
        }
        assert_eq!(lead.budget.free_bytes(), 40 - 2 * 16, "there was memory for two");
        assert_eq!(lead.take(u64::MAX), Some(claims[2].clone()), "the third is run here");
        assert!(matches!(lead.part(false), SharedPart::Done(_)) && matches!(lead.part(false), SharedPart::Done(_)));
        assert_eq!(lead.budget.free_bytes(), 40 - 16, "one is being added");
        lead.part(false);
        assert_eq!(lead.budget.free_bytes(), 40);
        let claim = run(lead.lock().claim("a", "scene", 10_000));
        give(&lead, claim);
        lead.withdraw();
        drop(others);
        assert_eq!(lead.budget.free_bytes(), 100, "what is not wanted any more takes no memory");
    }
}
