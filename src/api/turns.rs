//! Work on the CPU beside the device and its queue: one piece at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::off_thread::standing_back;
use crate::domain::DoseError;
use crate::jobs::retry_after;

/// Runs one piece of work at a time. A bounded number of callers may wait.
#[derive(Debug)]
pub(super) struct Turns {
    /// Of those who wait and the one that runs.
    places: Arc<Semaphore>,
    length: usize,
    turn: Arc<Semaphore>,
}

/// A place among those who wait or run, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    turn: Arc<Semaphore>,
    _place: OwnedSemaphorePermit,
}

impl Turns {
    /// * `length` – how many callers may wait, beside the one whose work runs
    pub(super) fn new(length: usize) -> Self {
        let places = Arc::new(Semaphore::new(length.max(1) + 1));
        Self { places, length, turn: Arc::new(Semaphore::new(1)) }
    }

    /// A place for a caller.
    ///
    /// # Errors
    /// [`DoseError::Busy`] at once if too many callers wait.
    pub(super) fn place(&self) -> Result<Place, DoseError> {
        let busy = |_| DoseError::Busy { what: "the queue", retry_after: retry_after(self.length) };
        let place = self.places.clone().try_acquire_owned().map_err(busy)?;
        Ok(Place { turn: self.turn.clone(), _place: place })
    }
}

impl Place {
    /// Waits for the turn and runs the work. Once it has begun, it keeps its turn and all that it owns until it ends,
    /// even if its caller has left.
    ///
    /// # Errors
    /// Those of the work; [`DoseError::Internal`] if it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, DoseError> + Send + 'static,
    ) -> Result<T, DoseError> {
        let turn = self.turn.clone().acquire_owned().await.map_err(|_| DoseError::ShuttingDown)?;
        standing_back(move || {
            let _turn = turn;
            work()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_to_a_full_queue_is_told_at_once() {
        let turns = Turns::new(1);
        let places = [turns.place(), turns.place()].map(|place| place.expect("one runs, one waits"));
        assert!(matches!(turns.place(), Err(DoseError::Busy { what: "the queue", .. })));
        assert_eq!(places[0].run(|| Ok(7)).await, Ok(7));
        drop(places);
        assert!(turns.place().is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn work_keeps_its_turn_when_its_caller_leaves() {
        let turns = Turns::new(1);
        let (left, next) = (turns.place().expect("room"), turns.place().expect("room"));
        let (begun, begins) = std::sync::mpsc::channel();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let ending = ended.clone();
        let caller = tokio::spawn(async move {
            let work = move || {
                begun.send(()).expect("the test listens");
                let _ = held.recv();
                ending.store(true, std::sync::atomic::Ordering::SeqCst);
                Ok(())
            };
            left.run(work).await
        });
        tokio::task::spawn_blocking(move || begins.recv()).await.expect("no panic").expect("it begins");
        caller.abort();
        let after = next.run(move || Ok(ended.load(std::sync::atomic::Ordering::SeqCst)));
        let (after, ()) = tokio::join!(after, async { drop(release) });
        assert_eq!(after, Ok(true));
    }
}
