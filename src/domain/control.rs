//! Progress out of, and cancellation into, a running computation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Checkpoints, DoseError};
use crate::math::watch::{Interrupted, Watch};

/// What a computation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

    /// Where the stage begins and ends in the whole, as a guess that holds for every method: 0 to 1.
    fn span(self) -> [f64; 2] {
        match self {
            Self::Queued => [0.0, 0.0],
            Self::Kernel | Self::Tables => [0.0, 0.1],
            Self::Dose => [0.1, 0.97],
            Self::Finish => [0.97, 1.0],
        }
    }
}

/// How far a computation has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// How much of that stage is done, 0 to 1.
    pub fraction: f64,
    /// How far the transport has come, while it runs.
    pub transport: Option<TransportProgress>,
}

/// How far Monte Carlo transport has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransportProgress {
    /// Histories done.
    pub histories: u64,
    /// Mean relative 1σ in the target region, once it has been computed.
    pub relative_sigma: Option<f64>,
    /// Estimated time until a stop rule ends it [s].
    pub time_left_s: Option<f64>,
}

impl Progress {
    /// The progress of a stage without histories.
    pub fn new(stage: Stage, fraction: f64) -> Self {
        Self { stage, fraction, transport: None }
    }

    /// How much of the whole is done, 0 to 1. It falls only where work begins again: of another map, or after a loss.
    pub fn overall_fraction(&self) -> f64 {
        let [begin, end] = self.stage.span();
        (begin + (end - begin) * self.fraction.clamp(0.0, 1.0)).min(1.0)
    }
}

/// How a caller follows and stops a computation. Dropping the receiver of the progress does not stop it.
#[derive(Clone, Debug)]
pub struct Control {
    cancel: CancellationToken,
    enough: CancellationToken,
    progress: watch::Sender<Progress>,
    asked: Arc<AtomicU64>,
    gone_after: u64,
    checkpoints: Option<Arc<dyn Checkpoints>>,
}

impl Control {
    /// A control, and the receiver of its progress. The latest value wins: a computation never waits for a listener.
    pub fn new(cancel: CancellationToken) -> (Self, watch::Receiver<Progress>) {
        let (progress, receiver) = watch::channel(Progress::new(Stage::Queued, 0.0));
        let (enough, asked) = (CancellationToken::new(), Arc::default());
        (Self { cancel, enough, progress, asked, gone_after: u64::MAX, checkpoints: None }, receiver)
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

    /// This control with a token by which the caller asks for the result of what is done so far.
    #[must_use]
    pub fn with_enough(self, enough: CancellationToken) -> Self {
        Self { enough, ..self }
    }

    /// This control with a place for checkpoints. Only Monte Carlo transport has any.
    #[must_use]
    pub fn with_checkpoints(self, checkpoints: Arc<dyn Checkpoints>) -> Self {
        Self { checkpoints: Some(checkpoints), ..self }
    }

    /// Where checkpoints are kept, if they are.
    pub fn checkpoints(&self) -> Option<&dyn Checkpoints> {
        self.checkpoints.as_deref()
    }

    /// Lets others have the device before the next piece of a computation, if somebody waits. Called where no part of
    /// it runs, on the thread that it was begun on.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`] once the caller has gone.
    pub fn give_way(&self) -> Result<(), DoseError> {
        if let Some(checkpoints) = self.checkpoints() {
            checkpoints.let_others_in();
        }
        if self.is_cancelled() { Err(DoseError::Cancelled) } else { Ok(()) }
    }

    /// Whether the caller is content with what is done so far. Only Monte Carlo transport has a result then.
    pub fn is_enough(&self) -> bool {
        self.enough.is_cancelled()
    }

    /// A control for another attempt at the same computation: the same listeners, and progress begins again.
    ///
    /// * `cancel` – stops the new attempt only
    #[must_use]
    pub fn again(&self, cancel: CancellationToken) -> Self {
        self.progress.send_replace(Progress::new(Stage::Queued, 0.0));
        Self { cancel, ..self.clone() }
    }

    /// Reports progress and stops if the caller has gone. Engines call it between batches of at most 50 to 100 ms.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`] once the caller has gone.
    pub fn checkpoint(&self, stage: Stage, fraction: f64) -> Result<(), DoseError> {
        self.report(Progress::new(stage, fraction))
    }

    /// As [`Control::checkpoint`], with every detail of the progress.
    ///
    /// # Errors
    /// As [`Control::checkpoint`].
    pub fn report(&self, progress: Progress) -> Result<(), DoseError> {
        if self.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        self.progress.send_replace(progress);
        Ok(())
    }

    /// This control as a calculation sees it that knows no stages: what it reports is the progress of one stage.
    pub fn at_stage(&self, stage: Stage) -> AtStage<'_> {
        AtStage { control: self, stage }
    }

    /// Whether the caller has gone; for inner loops on many threads.
    pub fn is_cancelled(&self) -> bool {
        if self.asked.fetch_add(1, Ordering::Relaxed) + 1 == self.gone_after {
            self.cancel.cancel();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_counted_and_none_is_passed_after_a_cancellation() {
        let cancel = CancellationToken::new();
        let (control, progress) = Control::new(cancel.clone());
        let other = control.clone();
        control.checkpoint(Stage::Dose, 0.25).expect("nobody has cancelled");
        cancel.cancel();
        assert_eq!(other.checkpoint(Stage::Dose, 0.5), Err(DoseError::Cancelled));
        assert_eq!((control.times_asked(), progress.borrow().fraction), (2, 0.25));
    }

    #[test]
    fn the_whole_rises_from_stage_to_stage() {
        let kernel = [(Stage::Queued, 0.0), (Stage::Kernel, 0.5), (Stage::Kernel, 1.0), (Stage::Dose, 0.0)];
        let rest = [(Stage::Dose, 0.5), (Stage::Dose, 1.0), (Stage::Finish, 0.0), (Stage::Finish, 1.0)];
        let whole = kernel.into_iter().chain(rest).map(|(stage, part)| Progress::new(stage, part).overall_fraction());
        let whole: Vec<f64> = whole.collect();
        assert!(whole.is_sorted(), "{whole:?}");
        assert_eq!((whole[0], whole[whole.len() - 1]), (0.0, 1.0));
        assert_eq!(Progress::new(Stage::Dose, 7.0).overall_fraction(), Stage::Finish.span()[0]);
    }

    #[test]
    fn another_attempt_has_the_same_listeners_and_its_own_cancellation() {
        let cancel = CancellationToken::new();
        let (control, progress) = Control::new(cancel.clone());
        control.checkpoint(Stage::Dose, 0.5).expect("nobody has cancelled");
        let again = control.again(CancellationToken::new());
        assert_eq!(*progress.borrow(), Progress::new(Stage::Queued, 0.0));
        cancel.cancel();
        again.checkpoint(Stage::Tables, 0.1).expect("only the first attempt was cancelled");
        assert_eq!((progress.borrow().stage, again.times_asked()), (Stage::Tables, 2));
    }
}
