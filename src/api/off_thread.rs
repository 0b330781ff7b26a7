//! Slow work, on a thread that serves no connection.

use crate::domain::DoseError;

/// Runs work on a thread of its own and waits for it. If the caller goes away, the work is finished and its result
/// dropped.
///
/// # Errors
/// Those of the work; [`DoseError::Internal`] if it panicked.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DoseError> + Send + 'static,
) -> Result<T, DoseError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| DoseError::Internal("a part of the request ended without a result".into()))?
}
