//! The bounded queue in front of a device.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::sync::{oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    RETRY_AFTER,
    worker::{self, DeviceState},
};
use crate::domain::{Control, DeviceInfo, DoseError, DoseResult, Progress};
use crate::engine::Device;

/// Work for the thread that owns the device, or for nobody if the device could not be opened again.
pub(super) type Work = Box<dyn FnOnce(Result<&mut Device, DoseError>) -> DeviceState + Send>;

/// Work submitted to a [`Queue`]. Dropping it cancels the work; if that has not begun, its memory is free at once.
#[derive(Debug)]
pub struct Running<T = DoseResult> {
    /// How far it is: the latest value wins, and the work never waits for a listener.
    pub progress: watch::Receiver<Progress>,
    /// What it gave. Closed without a value if the work panicked.
    pub result: oneshot::Receiver<Result<T, DoseError>>,
    _cancel_on_drop: CancelOnDrop,
}

impl<T> Running<T> {
    /// Waits for the result, and hands over progress as it comes, the waiting in the queue first.
    ///
    /// # Errors
    /// The work's own, or [`DoseError::Internal`] if it panicked.
    pub async fn follow(&mut self, mut on_progress: impl FnMut(Progress)) -> Result<T, DoseError> {
        on_progress(*self.progress.borrow_and_update());
        loop {
            tokio::select! {
                biased;
                outcome = &mut self.result => {
                    return outcome
                        .unwrap_or_else(|_| Err(DoseError::Internal("the computation ended without a result".into())));
                }
                Ok(()) = self.progress.changed() => on_progress(*self.progress.borrow_and_update()),
            }
        }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// As [`Running::follow`].
    pub async fn finished(&mut self) -> Result<T, DoseError> {
        self.follow(|_| {}).await
    }
}

/// The queue and the device behind it. Dropping it stops the thread after the work that was accepted.
#[derive(Debug)]
pub struct Queue {
    line: Arc<Line>,
    length: usize,
    device: DeviceInfo,
}

impl Queue {
    /// Starts the thread that owns `device` from now on.
    ///
    /// * `length` – how much work may wait, beside what runs; at least 1
    ///
    /// # Errors
    /// [`DoseError::Io`] if the system has no thread left.
    pub fn start(device: Device, length: usize) -> Result<Self, DoseError> {
        let info = device.info();
        let line = Arc::new(Line::default());
        let behind = line.clone();
        thread::Builder::new()
            .name(format!("compute {}", info.id))
            .spawn(move || worker::run(&behind, device))
            .map_err(|error| DoseError::Io(format!("no thread for the device: {error}")))?;
        Ok(Self { line, length: length.max(1), device: info })
    }

    /// The device that all work runs on.
    pub fn device(&self) -> &DeviceInfo {
        &self.device
    }

    /// How much work waits, beside what runs.
    pub fn waiting(&self) -> usize {
        self.line.lock().jobs.len()
    }

    /// # Errors
    /// [`DoseError::Busy`] if work submitted now would be refused.
    pub fn check_room(&self) -> Result<(), DoseError> {
        self.room(&self.line.lock())
    }

    /// Puts work at the end of the queue.
    ///
    /// # Errors
    /// [`DoseError::Busy`] if the queue is full.
    pub fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Device, &Control) -> Result<T, DoseError> + Send + 'static,
    ) -> Result<Running<T>, DoseError> {
        let cancel = CancellationToken::new();
        let (control, progress) = Control::new(cancel.clone());
        let (sender, result) = oneshot::channel();
        let span = tracing::Span::current();
        let work: Work = Box::new(move |device| {
            let _entered = span.enter();
            let outcome = match device {
                Ok(_) if control.is_cancelled() => Err(DoseError::Cancelled),
                Ok(device) => work(device, &control),
                Err(error) => Err(error),
            };
            let state = DeviceState::after(&outcome);
            // A caller who has gone does not take the result.
            let _ = sender.send(outcome);
            state
        });
        let mut waiting = self.line.lock();
        self.room(&waiting)?;
        let id = waiting.push(work);
        drop(waiting);
        self.line.changed.notify_one();
        let guard = CancelOnDrop { _cancel: cancel.drop_guard(), line: self.line.clone(), id };
        Ok(Running { progress, result, _cancel_on_drop: guard })
    }

    fn room(&self, waiting: &Waiting) -> Result<(), DoseError> {
        if waiting.jobs.len() < self.length {
            Ok(())
        } else {
            Err(DoseError::Busy { what: "the queue", retry_after: RETRY_AFTER })
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.line.lock().closed = true;
        self.line.changed.notify_one();
    }
}

/// Work that waits, and the signal that something changed.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Line {
    /// The next work; none once the queue is gone and empty. Blocks.
    pub(super) fn next(&self) -> Option<Work> {
        let mut waiting = self.lock();
        loop {
            if let Some((_, work)) = waiting.jobs.pop_front() {
                return Some(work);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No user code runs under the lock, so a poisoned one still guards a sound queue.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<(u64, Work)>,
    submitted: u64,
    closed: bool,
}

impl Waiting {
    fn push(&mut self, work: Work) -> u64 {
        self.submitted += 1;
        self.jobs.push_back((self.submitted, work));
        self.submitted
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("jobs", &self.jobs.len()).field("closed", &self.closed).finish()
    }
}

/// Cancels running work, and takes waiting work out of the queue.
#[derive(Debug)]
struct CancelOnDrop {
    _cancel: DropGuard,
    line: Arc<Line>,
    id: u64,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let mut waiting = self.line.lock();
        let position = waiting.jobs.iter().position(|(id, _)| *id == self.id);
        let removed = position.and_then(|position| waiting.jobs.remove(position));
        drop(waiting);
        // The volumes it holds are freed without the lock.
        drop(removed);
    }
}
