//! Who has the device: one job at a time. A small job takes it from a large one between two batches.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::{Checkpoints, DoseError, RunPoint, Tally};
use crate::jobs::retry_after;

/// Of the device's time while small jobs wait, large ones get one part for so many of theirs.
const PARTS_OF_SMALL: u32 = 3;

/// The way to a device. Those who wait have it in the order in which they came.
#[derive(Debug)]
pub(super) struct Gate {
    device: Arc<Semaphore>,
    /// Of the one large job that may be begun.
    large: Arc<Semaphore>,
    /// How many calls wait.
    calls: AtomicUsize,
    /// How many wait for the device itself.
    device_waiting: AtomicUsize,
    /// Whether small jobs have a thread of their own, so that a large one may wait for them.
    has_lanes: bool,
}

impl Checkpoints for Shared {
    fn load(&self) -> Option<(RunPoint, Tally)> {
        None
    }

    fn is_due(&self) -> bool {
        false
    }

    fn must_stop(&self) -> bool {
        false
    }

    fn keep(&self, _point: &RunPoint, _tally: &Tally) {}

    fn let_others_in(&self) -> Duration {
        Shared::let_others_in(self)
    }
}

/// The device, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _device: OwnedSemaphorePermit,
}

impl Gate {
    /// * `has_lanes` – whether small jobs have a thread of their own
    pub(super) fn new(has_lanes: bool) -> Arc<Self> {
        let [device, large] = [(); 2].map(|()| Arc::new(Semaphore::new(1)));
        let [calls, device_waiting] = [(); 2].map(|()| AtomicUsize::new(0));
        Arc::new(Self { device, large, calls, device_waiting, has_lanes })
    }

    fn device_waiting(&self) -> usize {
        self.device_waiting.load(Ordering::Acquire)
    }

    /// A place for a call that will wait, until it has the device.
    ///
    /// * `most` – how many may wait, beside the one that has the device next if nothing has it
    ///
    /// # Errors
    /// [`DoseError::Busy`] at once if there is none.
    pub(super) fn place(&self, most: usize) -> Result<Counted<'_>, DoseError> {
        let most = most.saturating_add(self.device.available_permits());
        let one_more = |waiting: usize| (waiting < most).then_some(waiting + 1);
        let taken = self.calls.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        taken.map_err(|waiting| DoseError::Busy { what: "the queue", retry_after: retry_after(waiting) })?;
        Ok(Counted(&self.calls))
    }

    /// Waits for the device, and lets others in now and then from then on. One large job is begun at a time.
    ///
    /// # Errors
    /// As [`Gate::enter`].
    pub(super) async fn enter_large(self: &Arc<Self>) -> Result<Shared, DoseError> {
        let large = self.large.clone().acquire_owned().await.map_err(|_| DoseError::ShuttingDown)?;
        let turn = Some(self.enter().await?);
        let held = Held { turn, since: Instant::now(), last_away: Duration::ZERO };
        Ok(Shared { gate: self.clone(), held: Mutex::new(held), away: Mutex::default(), _large: large })
    }

    /// Waits for the device.
    ///
    /// # Errors
    /// [`DoseError::ShuttingDown`] never comes while the gate is there.
    pub(super) async fn enter(&self) -> Result<Turn, DoseError> {
        let _counted = Counted::new(&self.device_waiting);
        let device = self.device.clone().acquire_owned().await.map_err(|_| DoseError::ShuttingDown)?;
        Ok(Turn { _device: device })
    }
}

/// Counts one who waits, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The device in the hands of a large job, which lets others in now and then.
#[derive(Debug)]
pub(super) struct Shared {
    gate: Arc<Gate>,
    /// Locked as long as others have the device.
    held: Mutex<Held>,
    /// Locked for a moment.
    away: Mutex<Away>,
    _large: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Held {
    turn: Option<Turn>,
    since: Instant,
    /// How long others had it the last time.
    last_away: Duration,
}

/// How long others had the device.
#[derive(Debug, Default)]
struct Away {
    /// The times before.
    before: Duration,
    /// Since when they have it now.
    left: Option<Instant>,
}

impl Shared {
    /// Lets those in who wait, unless the job has not had its part of the time yet. How long they had the device.
    /// Called on the thread that computes, which waits.
    pub(super) fn let_others_in(&self) -> Duration {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Large ones that wait cannot begin now.
        let is_wanted = self.gate.has_lanes && self.gate.device_waiting() > 0;
        if !is_wanted || held.since.elapsed() * PARTS_OF_SMALL < held.last_away {
            return Duration::ZERO;
        }
        let left = Instant::now();
        self.lock_away().left = Some(left);
        drop(held.turn.take());
        held.turn = pollster::block_on(self.gate.enter()).ok();
        held.since = Instant::now();
        held.last_away = held.since - left;
        let mut away = self.lock_away();
        *away = Away { before: away.before + held.last_away, left: None };
        held.last_away
    }

    fn lock_away(&self) -> MutexGuard<'_, Away> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long others had the device in all. It does not wait for them.
    pub(super) fn away(&self) -> Duration {
        let away = self.lock_away();
        away.before + away.left.map_or(Duration::ZERO, |left| left.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_calls_wait_than_may() {
        let gate = Gate::new(true);
        let next = gate.place(2).expect("it has the device next");
        let turn = gate.enter().await.expect("it is free");
        drop(next);
        let waiting = [gate.place(2), gate.place(2)].map(|place| place.expect("room"));
        assert!(matches!(gate.place(2), Err(DoseError::Busy { what: "the queue", .. })));
        drop(turn);
        assert!(gate.place(2).is_ok() && gate.place(3).is_ok());
        drop(waiting);
        assert_eq!(gate.calls.load(Ordering::Acquire), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_large_job_lets_small_ones_in_and_gets_its_part() {
        let gate = Gate::new(true);
        let large = Arc::new(gate.enter_large().await.expect("it is free"));
        assert_eq!(large.let_others_in(), Duration::ZERO, "nobody waits");
        let small = |gate: Arc<Gate>| {
            tokio::spawn(async move {
                let turn = gate.enter().await.expect("it comes");
                tokio::time::sleep(Duration::from_millis(60)).await;
                drop(turn);
            })
        };
        let first = small(gate.clone());
        while gate.device_waiting() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let computing = large.clone();
        let away = tokio::task::spawn_blocking(move || computing.let_others_in()).await.expect("no panic");
        first.await.expect("it had the device");
        assert!(away >= Duration::from_millis(60) && large.away() == away);
        let second = small(gate.clone());
        while gate.device_waiting() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let computing = large.clone();
        let given = tokio::task::spawn_blocking(move || {
            let mut given = Vec::new();
            while given.last().is_none_or(Duration::is_zero) {
                given.push(computing.let_others_in());
            }
            given
        });
        let given = given.await.expect("no panic");
        second.await.expect("it had the device");
        assert!(given.len() > 1, "the large job has its part first");
    }
}
