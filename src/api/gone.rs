//! Whether somebody still waits for the work of a call, and how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::math::watch::{Interrupted, Watch};

/// Set once the call has ended.
#[derive(Debug, Default)]
pub(super) struct Gone(Arc<AtomicBool>);

impl Gone {
    /// What is set.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Tells the call how far the work is, and the work that the call has ended.
#[derive(Debug)]
pub(super) struct Watcher {
    fraction: watch::Sender<f64>,
    is_gone: Arc<AtomicBool>,
}

impl Watcher {
    /// For a call, and where it hears of the part that is done, 0 to 1.
    pub(super) fn new(gone: &Gone) -> (Self, watch::Receiver<f64>) {
        let (fraction, seen) = watch::channel(0.0);
        (Self { fraction, is_gone: gone.flag() }, seen)
    }
}

impl Watch for Watcher {
    fn check(&self) -> Result<(), Interrupted> {
        if self.is_gone.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
    }

    fn report(&self, fraction: f64) -> Result<(), Interrupted> {
        self.fraction.send_replace(fraction);
        self.check()
    }
}
