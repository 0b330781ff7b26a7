//! A job in the hands of the caller who waits for it.

use std::sync::Arc;

use super::{JobId, JobQueue, JobWatch};
use crate::domain::{DoseError, DoseResult, Progress};

/// A job that its caller waits for. Dropping it cancels the job and takes it out of the queue; if it has not begun, its
/// memory is free at once.
#[derive(Debug)]
pub struct Running {
    id: JobId,
    queue: Arc<dyn JobQueue>,
    watch: JobWatch,
}

impl Running {
    /// Waits for a job that is in a queue; none if there is no such job.
    pub fn new(queue: Arc<dyn JobQueue>, id: JobId) -> Option<Self> {
        let watch = queue.watch(&id)?;
        Some(Self { id, queue, watch })
    }

    /// The job's name.
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// Tells, whenever it is asked, how many jobs have a device before this one, as [`JobQueue::ahead`].
    pub fn place(&self) -> impl Fn() -> Option<usize> + Send + Sync + use<> {
        let (queue, id) = (self.queue.clone(), self.id.clone());
        move || queue.ahead(&id)
    }

    /// Waits for the result, and passes on progress as it comes, beginning with the wait in the queue. The latest value
    /// wins, and the job never waits for a listener.
    ///
    /// # Errors
    /// The job's own, or [`DoseError::Internal`] if it ended without a result.
    pub async fn follow(&mut self, mut on_progress: impl FnMut(Progress)) -> Result<DoseResult, DoseError> {
        let JobWatch { job, progress } = &mut self.watch;
        on_progress(*progress.borrow_and_update());
        loop {
            tokio::select! {
                biased;
                _ = job.wait_for(|job| job.state().is_final()) => {
                    let ended_without = || Err(DoseError::Internal("the computation ended without a result".into()));
                    return self.queue.claim(&self.id).unwrap_or_else(ended_without);
                }
                Ok(()) = progress.changed() => on_progress(*progress.borrow_and_update()),
            }
        }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// As [`Running::follow`].
    pub async fn finished(&mut self) -> Result<DoseResult, DoseError> {
        self.follow(|_| {}).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.queue.cancel(&self.id).is_some() {
            // Nobody will ask for what it gave.
            drop(self.queue.claim(&self.id));
        }
    }
}
