//! Progress out of, and cancellation into, a running computation.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::DoseError;
use crate::math::watch::{Interrupted, Watch};

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
}

impl Control {
    /// A control, and the receiver of its progress (the latest value wins: a computation never waits for a listener).
    pub fn new(cancel: CancellationToken) -> (Self, watch::Receiver<Progress>) {
        let (progress, receiver) = watch::channel(Progress::new(Stage::Queued, 0.0));
        (Self { cancel, progress }, receiver)
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
        if self.cancel.is_cancelled() { Err(DoseError::Cancelled) } else { Ok(()) }
    }

    /// This control as a calculation sees it that knows no stages: what it reports is the progress of one stage.
    pub fn at_stage(&self, stage: Stage) -> AtStage<'_> {
        AtStage { control: self, stage }
    }

    /// Whether the caller has gone; for inner loops on many threads.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// A [`Control`] within one stage.
#[derive(Clone, Copy, Debug)]
pub struct AtStage<'a> {
    control: &'a Control,
    stage: Stage,
}

impl Watch for AtStage<'_> {
    fn check(&self) -> Result<(), Interrupted> {
        if self.control.is_cancelled() { Err(Interrupted) } else { Ok(()) }
    }

    fn report(&self, fraction: f64) -> Result<(), Interrupted> {
        self.control.checkpoint(self.stage, fraction).map_err(|_| Interrupted)
    }
}

impl From<Interrupted> for DoseError {
    fn from(_: Interrupted) -> Self {
        Self::Cancelled
    }
}
