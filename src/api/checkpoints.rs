//! Checkpoints of a job's run, at its desk.

use std::io::BufReader;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::gate;
use crate::domain::{Checkpoints, Helpers, Helping, Invalid, RunPoint, Tally};
use crate::formats::tally::{decode_checkpoint, encode_checkpoint};
use crate::store::StoreError;

/// A checkpoint takes at most this part of the time.
const LARGEST_PART: u32 = 20;

/// The checkpoints of one attempt.
#[derive(Debug)]
pub(super) struct JobCheckpoints {
    desk: Arc<dyn Desk>,
    /// Cancelled when the run has to end.
    stop: CancellationToken,
    /// The device of a large job, which others may have between two batches.
    device: Option<gate::Shared>,
    began: Instant,
    due: Mutex<Instant>,
}

impl JobCheckpoints {
    /// * `stop` – asks the run to end after its batch
    /// * `device` – what others may have between two batches; none of a small job
    pub(super) fn new(desk: Arc<dyn Desk>, stop: CancellationToken, device: Option<gate::Shared>) -> Arc<Self> {
        let began = Instant::now();
        let due = Mutex::new(began + desk.task().checkpoint);
        Arc::new(Self { desk, stop, device, began, due })
    }

    /// How long others had the device in all.
    pub(super) fn away(&self) -> Duration {
        self.device.as_ref().map_or(Duration::ZERO, gate::Shared::away)
    }

    fn write(&self, point: &RunPoint, tally: &Tally) -> Result<bool, StoreError> {
        let mut file = self.desk.new_file()?;
        encode_checkpoint(&mut file, point, tally).map_err(|error| {
            tracing::warn!(%error, "a checkpoint cannot be written");
            StoreError::Full
        })?;
        let spent = self.began.elapsed().saturating_sub(self.away());
        self.desk.keep_checkpoint(file.finish()?, spent.as_secs_f64())
    }
}

impl Checkpoints for JobCheckpoints {
    fn load(&self) -> Option<(RunPoint, Tally)> {
        let file = self.desk.checkpoint().ok()??;
        match decode_checkpoint(BufReader::with_capacity(1 << 20, file)) {
            Ok(read) => Some(read),
            Err(Invalid(reason)) => {
                tracing::error!(reason, "a checkpoint is not used: the job begins anew");
                None
            }
        }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= *self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn must_stop(&self) -> bool {
        self.stop.is_cancelled()
    }

    fn keep(&self, point: &RunPoint, tally: &Tally) {
        let begun = Instant::now();
        if let Err(error) = self.write(point, tally) {
            tracing::warn!(%error, "the job goes on without a new checkpoint");
        }
        let pause = self.desk.task().checkpoint.max(begun.elapsed() * LARGEST_PART);
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + pause;
    }

    fn let_others_in(&self) -> Duration {
        self.device.as_ref().map_or(Duration::ZERO, gate::Shared::let_others_in)
    }

    fn helpers(&self) -> Option<&dyn Helpers> {
        self.desk.helpers()
    }

    fn helping(&self) -> Option<&dyn Helping> {
        self.desk.helping()
    }
}
