//! Progress and cancellation, from many threads.

use std::sync::{Mutex, PoisonError};

use crate::domain::{Control, DoseError, Stage};

/// Counts the finished tasks of one convolution, and checks for cancellation after each.
pub(super) struct Tasks<'a> {
    control: &'a Control,
    total: usize,
    done: Mutex<usize>,
}

impl<'a> Tasks<'a> {
    pub(super) fn new(control: &'a Control, total: usize) -> Self {
        Self { control, total, done: Mutex::new(0) }
    }

    /// Reports one more task. The lock is held while reporting, so that progress never goes back.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn finish_one(&self) -> Result<(), DoseError> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done += 1;
        self.control.checkpoint(Stage::Dose, *done as f64 / self.total as f64)
    }

    /// Checks for cancellation, in loops of a task that may take long.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn go_on(&self) -> Result<(), DoseError> {
        if self.control.is_cancelled() { Err(DoseError::Cancelled) } else { Ok(()) }
    }
}
