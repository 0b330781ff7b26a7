//! How a long calculation reports its progress and learns that it should stop.

/// The calculation was stopped because nobody waits for its result any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the calculation was stopped")]
pub struct Interrupted;

/// What a long calculation asks and tells its caller. Many threads may do so at once.
pub trait Watch: Sync {
    /// Asks whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`] if not.
    fn check(&self) -> Result<(), Interrupted>;

    /// Reports the fraction that is done, from 0 to 1, and asks whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`] if not.
    fn report(&self, fraction: f64) -> Result<(), Interrupted>;
}

/// No caller is watching: the calculation runs to its end.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn check(&self) -> Result<(), Interrupted> {
        Ok(())
    }

    fn report(&self, _fraction: f64) -> Result<(), Interrupted> {
        Ok(())
    }
}
