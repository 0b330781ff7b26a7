//! An answer that begins with its result and goes on in chunks.

use tonic::Streaming;

use super::broken;
use crate::api::status;
use crate::domain::DoseError;

/// What a message of an answer is to the order in which it may come.
pub(super) enum Said<R, C> {
    /// The result: once, before all chunks.
    Result(R),
    /// A piece of what the result announced.
    Chunk(C),
    /// Anything else, at any time: progress, or a kind of message that this client does not know.
    Aside,
}

/// Reads an answer to its end.
///
/// * `said` – what a message is
/// * `begin` – makes room for what a result announces
/// * `accept` – takes a chunk
///
/// # Errors
/// The server's own; [`DoseError::Remote`] for messages in another order; those of `begin` and `accept`.
pub(super) async fn gather<M, R, C, I>(
    mut answer: Streaming<M>,
    mut said: impl FnMut(M) -> Said<R, C>,
    begin: impl Fn(R) -> Result<I, DoseError>,
    mut accept: impl FnMut(&mut I, C) -> Result<(), DoseError>,
) -> Result<I, DoseError> {
    let mut incoming = None;
    while let Some(message) = answer.message().await.map_err(|status| status::to_error(&status))? {
        match (said(message), &mut incoming) {
            (Said::Result(result), None) => incoming = Some(begin(result)?),
            (Said::Chunk(chunk), Some(incoming)) => accept(incoming, chunk)?,
            (Said::Result(_), Some(_)) => return Err(broken("a second result")),
            (Said::Chunk(_), None) => return Err(broken("a chunk before the result")),
            (Said::Aside, _) => {}
        }
    }
    incoming.ok_or_else(|| broken("no result"))
}
