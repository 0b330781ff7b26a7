//! Progress out of, and cancellation into, a running computation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::DoseError;

/// What a computation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Waiting for the device.
    Queued,
    /// Integrating voxel S values and their spectrum.
    Kernel,
    /// Tabulating the materials and the source for transport.
    Tables,
    /// Convolution, local deposition, or transport.
    Dose,
    /// Division by mass, checks.
    Finish,
}

impl Stage {
    /// Name on the wire and on the terminal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Kernel => "kernel",
            Self::Tables => "tables",
            Self::Dose => "dose",
            Self::Finish => "finish",
        }
    }
}

/// How far a computation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// How much of that stage is done, 0 to 1.
    pub fraction: f64,
    /// How far the transport is, while it runs.
    pub transport: Option<TransportProgress>,
}

/// How far Monte Carlo transport is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransportProgress {
    /// Histories done.
    pub histories: u64,
    /// Mean relative 1σ in the region of the target, once it was looked at.
    pub relative_sigma: Option<f64>,
    /// Time until a rule will stop it, by what was seen so far [s].
    pub time_left_s: Option<f64>,
}

impl Progress {
    /// Of a stage without histories.
    pub fn new(stage: Stage, fraction: f64) -> Self {
        Self { stage, fraction, transport: None }
    }
}

/// The two strings by which a caller holds a computation. Dropping the receiver of the progress does not stop it.
#[derive(Clone, Debug)]
pub struct Control {
    cancel: CancellationToken,
    progress: watch::Sender<Progress>,
    asked: Arc<AtomicU64>,
    gone_after: u64,
}

impl Control {
    /// A control, and the receiver of its progress (the latest value wins: a computation never waits for a listener).
    pub fn new(cancel: CancellationToken) -> (Self, watch::Receiver<Progress>) {
        let (progress, receiver) = watch::channel(Progress::new(Stage::Queued, 0.0));
        (Self { cancel, progress, asked: Arc::default(), gone_after: u64::MAX }, receiver)
    }

    /// A control whose caller goes away when it is asked for the `asks`-th time whether to go on. With
    /// [`Control::times_asked`], a test sees how much is still done then.
    pub fn gone_after(asks: u64) -> Self {
        Self { gone_after: asks, ..Self::detached() }
    }

    /// How often a computation has asked whether to go on.
    pub fn times_asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// A control that nobody listens to and nobody cancels.
    pub fn detached() -> Self {
        Self::new(CancellationToken::new()).0
    }

    /// Reports progress and asks whether to go on. Engines call it between batches of at most 50 to 100 ms.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`] once the caller has gone.
    pub fn checkpoint(&self, stage: Stage, fraction: f64) -> Result<(), DoseError> {
        self.report(Progress::new(stage, fraction))
    }

    /// As [`Control::checkpoint`], with all that is known.
    ///
    /// # Errors
    /// As [`Control::checkpoint`].
    pub fn report(&self, progress: Progress) -> Result<(), DoseError> {
        self.progress.send_replace(progress);
        if self.is_cancelled() { Err(DoseError::Cancelled) } else { Ok(()) }
    }

    /// Whether the caller has gone; for inner loops on many threads.
    pub fn is_cancelled(&self) -> bool {
        if self.asked.fetch_add(1, Ordering::Relaxed) + 1 == self.gone_after {
            self.cancel.cancel();
        }
        self.cancel.is_cancelled()
    }
}
