//! The workers that live, and the attempts that they hold.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::super::messages::{Beat, Lease};
use super::choice::Candidate;
use crate::domain::Progress;
use crate::store::{Attempt, Lane};

/// Shortest and longest time that a worker may ask to be silent [s].
const LEASES: [f64; 2] = [1.0, 3600.0];

/// Time without a look at leases after which workers may have spoken and not been heard.
const STANDSTILL: Duration = Duration::from_secs(2);

/// The method of jobs that several workers may share.
const SHARED_METHOD: &str = "monte-carlo";

/// An attempt in the hands of a worker.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) attempt: Attempt,
    /// Its worker; empty until it is known.
    pub(super) worker: String,
    /// When it is taken back, unless the worker is heard before.
    until: Instant,
    /// Whether its order is on its way. Its lease begins after that.
    is_sent: bool,
    /// Whether its final report is being dealt with.
    is_ending: bool,
}

impl Held {
    /// Whether a worker holds it, as far as is known. After a release, another worker may have the same attempt.
    fn is_of(&self, worker: &str) -> bool {
        self.worker.is_empty() || self.worker == worker
    }

    /// Whether its worker, which takes no more orders, did not take this one.
    fn is_left_by(&self, beat: &Beat) -> bool {
        let lease = Lease::of(&self.attempt);
        beat.is_draining
            && self.worker == beat.worker
            && self.is_sent
            && !self.is_ending
            && beat.tasks.iter().all(|(taken, _)| *taken != lease)
    }
}

/// A worker that lives.
struct Known {
    beat: Beat,
    seen: Instant,
}

impl Known {
    fn lease(&self) -> Duration {
        let [least, most] = LEASES;
        // `max` and `min` take the other number in place of one that is none.
        Duration::from_secs_f64(self.beat.lease_s.max(least).min(most))
    }

    fn is_silent(&self, now: Instant) -> bool {
        self.seen + self.lease() <= now
    }

    /// Whether new work is given to it. It says every third of its lease that it lives: one that has not for two may
    /// be gone.
    fn takes_work(&self, now: Instant) -> bool {
        !self.beat.is_draining && self.seen + self.lease() * 2 / 3 > now
    }
}

/// What follows from what a worker says.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// What of its work is not its own any more.
    pub(super) gone: Vec<Lease>,
    /// Whether it may have room now.
    pub(super) has_room: bool,
    /// What it was given and did not take before it was asked to end.
    pub(super) left: Vec<Held>,
}

#[derive(Default)]
struct Inner {
    workers: BTreeMap<String, Known>,
    held: HashMap<Uuid, Held>,
    /// Objects that are on their way to the broker.
    supplied: HashSet<String>,
}

pub(super) struct Fleet {
    inner: Mutex<Inner>,
    /// Of an attempt whose worker has not been heard.
    pub(super) lease: Duration,
}

impl Fleet {
    /// * `lease` – of an attempt whose worker has not been heard
    pub(super) fn new(lease: Duration) -> Self {
        Self { inner: Mutex::default(), lease }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over attempts that ran when the store was left, or when this gateway stood back: their workers may be at
    /// work.
    pub(super) fn adopt(&self, attempts: Vec<Attempt>) {
        let until = Instant::now() + self.lease;
        let mut inner = self.lock();
        for attempt in attempts {
            let held = Held { attempt, worker: String::new(), until, is_sent: true, is_ending: false };
            inner.held.entry(held.attempt.job.id).or_insert(held);
        }
    }

    /// Notes that a worker will get an attempt.
    pub(super) fn hold(&self, attempt: Attempt, worker: String) -> Held {
        let held = Held { attempt, worker, until: Instant::now(), is_sent: false, is_ending: false };
        self.lock().held.insert(held.attempt.job.id, held.clone());
        held
    }

    /// Notes that an order is with the broker: its lease begins. The attempt, if its worker leaves without it.
    pub(super) fn sent(&self, lease: Lease) -> Option<Held> {
        let mut inner = self.lock();
        let held = inner.of(lease)?;
        held.is_sent = true;
        held.until = held.until.max(Instant::now() + self.lease);
        let held = held.clone();
        inner.workers.get(&held.worker).is_some_and(|worker| held.is_left_by(&worker.beat)).then_some(held)
    }

    /// An attempt that is held.
    pub(super) fn get(&self, lease: Lease) -> Option<Held> {
        self.lock().of(lease).map(|held| held.clone())
    }

    /// An attempt that this worker holds.
    pub(super) fn of_worker(&self, lease: Lease, worker: &str) -> Option<Held> {
        let mut inner = self.lock();
        let held = inner.of(lease).filter(|held| held.is_of(worker))?;
        worker.clone_into(&mut held.worker);
        Some(held.clone())
    }

    /// Begins to deal with a final report. False if another is being dealt with.
    pub(super) fn begin_end(&self, lease: Lease) -> bool {
        let mut inner = self.lock();
        inner.of(lease).is_some_and(|held| !std::mem::replace(&mut held.is_ending, true))
    }

    /// A final report could not be used: its worker sends it again.
    pub(super) fn cancel_end(&self, lease: Lease) {
        let mut inner = self.lock();
        if let Some(held) = inner.of(lease) {
            held.is_ending = false;
        }
    }

    pub(super) fn remove(&self, lease: Lease) {
        let mut inner = self.lock();
        if inner.of(lease).is_some() {
            inner.held.remove(&lease.job);
        }
    }

    /// Removes attempts that are over.
    pub(super) fn remove_unless(&self, is_current: impl Fn(&Held) -> bool) -> Vec<Held> {
        let all: Vec<Held> = self.lock().held.values().cloned().collect();
        let left: Vec<Held> = all.into_iter().filter(|held| !held.is_ending && !is_current(held)).collect();
        left.iter().for_each(|held| self.remove(Lease::of(&held.attempt)));
        left
    }

    /// Attempts whose workers are silent: for their own lease, where they are known, whether they took the order or
    /// not. They stay held until they are removed.
    pub(super) fn expired(&self) -> Vec<Held> {
        let now = Instant::now();
        let inner = self.lock();
        let is_silent = |name: &String| inner.workers.get(name).is_some_and(|worker| worker.is_silent(now));
        let is_over = |held: &&Held| held.is_sent && !held.is_ending && (held.until <= now || is_silent(&held.worker));
        inner.held.values().filter(is_over).cloned().collect()
    }

    /// As [`Fleet::expired`]. If it was not asked for long, this process stood still, and what workers said meanwhile
    /// is yet to be heard: all leases begin anew.
    ///
    /// * `since` – time since it was asked last
    pub(super) fn expired_after(&self, since: Duration) -> Vec<Held> {
        if since > STANDSTILL {
            tracing::warn!(seconds = since.as_secs_f64(), "this gateway stood still; all leases begin anew");
            self.renew_all();
            return Vec::new();
        }
        self.expired()
    }

    /// Begins all leases anew.
    pub(super) fn renew_all(&self) {
        let now = Instant::now();
        let mut inner = self.lock();
        let Inner { workers, held, .. } = &mut *inner;
        for held in held.values_mut() {
            held.until = now + workers.get(&held.worker).map_or(self.lease, Known::lease);
        }
        workers.values_mut().for_each(|worker| worker.seen = now);
    }

    /// Hears that a worker lives.
    ///
    /// * `note` – takes the progress of each job
    pub(super) fn hear(&self, beat: Beat, note: &dyn Fn(Uuid, Option<Progress>)) -> Heard {
        let now = Instant::now();
        let mut known = Known { beat, seen: now };
        let until = now + known.lease();
        let mut inner = self.lock();
        let mut gone = Vec::new();
        for (lease, progress) in &known.beat.tasks {
            match inner.of(*lease).filter(|held| held.is_of(&known.beat.worker)) {
                Some(held) => {
                    held.worker.clone_from(&known.beat.worker);
                    held.until = until;
                    if progress.is_some() {
                        note(lease.job, *progress);
                    }
                }
                None => gone.push(*lease),
            }
        }
        let left = inner.held.values().filter(|held| held.is_left_by(&known.beat)).cloned().collect();
        // One that ends does not begin again: what it said of its work meanwhile may have come later.
        known.beat.is_draining |= inner.workers.get(&known.beat.worker).is_some_and(|before| before.beat.is_draining);
        let has_room = !known.beat.is_draining && known.beat.tasks.len() < Lane::ALL.len();
        inner.workers.insert(known.beat.worker.clone(), known);
        Heard { gone, has_room, left }
    }

    /// The workers that could be given a job.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let now = Instant::now();
        let inner = self.lock();
        let candidate = |known: &Known| {
            let worker = known.beat.worker.clone();
            let is_busy = |lane: Lane| {
                inner.held.values().any(|held| held.worker == worker && Lane::of(&held.attempt.job) == lane)
            };
            let free = Lane::ALL.map(|lane| !is_busy(lane));
            let holds = known.beat.holds.iter().copied().collect();
            let (device, memory_bytes) = (known.beat.device.clone(), known.beat.memory_bytes);
            Candidate { worker, device, memory_bytes, holds, free }
        };
        inner.workers.values().filter(|worker| worker.takes_work(now)).map(candidate).collect()
    }

    /// Attempts of large jobs with workers that could help: they have nothing else to do, and the same kind of device.
    pub(super) fn helpers(&self) -> Vec<(Held, String)> {
        let now = Instant::now();
        let inner = self.lock();
        let mut found = Vec::new();
        let idle = |name: &str, worker: &Known| {
            worker.takes_work(now)
                && worker.beat.helps.is_none()
                && !inner.held.values().any(|held| held.worker == *name)
        };
        let large = |held: &&Held| {
            let job = &held.attempt.job;
            held.is_sent && !held.is_ending && Lane::of(job) == Lane::Large && job.method == SHARED_METHOD
        };
        let mut counts: HashMap<Uuid, usize> = HashMap::new();
        for lease in inner.workers.values().filter_map(|worker| worker.beat.helps) {
            *counts.entry(lease.job).or_default() += 1;
        }
        for (name, worker) in inner.workers.iter().filter(|(name, worker)| idle(name, worker)) {
            let same = |held: &&Held| {
                let lead = inner.workers.get(&held.worker);
                lead.is_some_and(|lead| lead.takes_work(now) && lead.beat.device_key == worker.beat.device_key)
                    && worker.beat.memory_bytes >= held.attempt.job.estimate.memory_bytes
            };
            let least = |held: &&Held| (counts.get(&held.attempt.job.id).copied().unwrap_or(0), held.attempt.job.id);
            if let Some(held) = inner.held.values().filter(large).filter(same).min_by_key(least) {
                *counts.entry(held.attempt.job.id).or_default() += 1;
                found.push((held.clone(), name.clone()));
            }
        }
        found
    }

    /// How many workers there are in each state. Those that were silent for long are forgotten.
    pub(super) fn counts(&self) -> [(&'static str, u64); 4] {
        let now = Instant::now();
        let mut inner = self.lock();
        let Inner { workers, held, .. } = &mut *inner;
        workers.retain(|_, worker| worker.seen + worker.lease() * 10 > now);
        let mut counts = [("idle", 0), ("busy", 0), ("draining", 0), ("silent", 0)];
        for (name, worker) in workers.iter() {
            let state = match worker {
                silent if silent.is_silent(now) => 3,
                draining if draining.beat.is_draining => 2,
                other => usize::from(other.beat.helps.is_some() || held.values().any(|held| held.worker == *name)),
            };
            counts[state].1 += 1;
        }
        counts
    }

    /// The names of all workers that are not forgotten.
    pub(super) fn names(&self) -> HashSet<String> {
        self.lock().workers.keys().cloned().collect()
    }

    /// All attempts that are held.
    pub(super) fn held(&self) -> Vec<Held> {
        self.lock().held.values().cloned().collect()
    }

    /// Begins to send an object to the broker. False if it is on its way.
    pub(super) fn begin_supply(&self, object: &str) -> bool {
        self.lock().supplied.insert(object.to_owned())
    }

    pub(super) fn end_supply(&self, object: &str) {
        self.lock().supplied.remove(object);
    }
}

impl Inner {
    fn of(&mut self, lease: Lease) -> Option<&mut Held> {
        self.held.get_mut(&lease.job).filter(|held| Lease::of(&held.attempt) == lease)
    }
}

#[cfg(test)]
mod tests;
