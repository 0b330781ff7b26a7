//! Between asynchronous callers and the device: a memory budget, a bounded queue, and the one thread that owns the device.
//!
//! `async` ends here. A caller reserves memory from the [`Budget`], submits work to the [`Queue`], and holds the [`Running`]
//! work; dropping that stops it. Nothing waits for room: what does not fit is refused at once with [`crate::domain::DoseError::Busy`].

mod budget;
mod queue;
mod worker;

pub use budget::{Budget, Reservation};
pub use queue::{Queue, Running};

/// When a caller that found the queue or the memory taken should try again.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_millis(500);
