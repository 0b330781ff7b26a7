//! One attempt at a job: its volumes are read, its dose is computed, its results are stored.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::aftermath::{Aftermath, Findings};
use super::checkpoints::JobCheckpoints;
use super::chunks::of_volume;
use super::desk::{Desk, at};
use super::gate::Turn;
use super::job_spec::{self, CheckedHeader};
use super::off_thread::for_header;
use super::runner::fault;
use super::service::Shared;
use super::status::compute_limit;
use super::stored_volumes::{StoredVolume, read_all};
use super::{pb, wire};
use crate::domain::{Checkpoints, Checks, Control, DoseError, DoseResult, Progress, Stage, TallyRecord, Volume};
use crate::formats;
use crate::intake::Assembled;
use crate::jobs::{Reservation, Running};
use crate::store::{NewFile, Outcome, StoreError, StoredFile};

/// How long it waits for memory or a place in the queue between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// How long results wait for room on the disk between two tries.
const FULL_PAUSE: Duration = Duration::from_secs(1);
const STORE_FULL: &str = "STORE_FULL";

/// Why an attempt ends without a result.
enum Ending {
    /// The job went on without it: cancelled, or deleted.
    Left,
    /// The server drains, or the device is not there: the job has not begun, and waits again.
    Released,
    /// It took too long.
    Limit(Duration),
    /// It failed.
    Failed(Status),
    /// The device was lost.
    DeviceLost,
}

impl From<DoseError> for Ending {
    fn from(error: DoseError) -> Self {
        if matches!(error, DoseError::DeviceLost(_)) {
            Self::DeviceLost
        } else if matches!(error, DoseError::ShuttingDown | DoseError::DeviceUnavailable(_)) {
            Self::Released
        } else {
            Self::Failed(error.into())
        }
    }
}

impl From<Status> for Ending {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}

/// Computes a job. What came of it, none if the job went on without this attempt; and time on the device [s].
pub(super) async fn perform(shared: &Arc<Shared>, desk: &Arc<dyn Desk>) -> (Option<Outcome>, f64) {
    let mut work = Work { shared, desk, on_device: Duration::ZERO };
    let outcome = match work.run().await {
        Ok(outcome) => Some(outcome),
        Err(Ending::Left) => None,
        Err(Ending::Released) => Some(Outcome::Released),
        Err(Ending::DeviceLost) => Some(Outcome::Lost { cause: "device" }),
        Err(Ending::Failed(status)) => Some(Outcome::Failed(fault(&status))),
        Err(Ending::Limit(limit)) => Some(Outcome::Failed(fault(&compute_limit(limit)))),
    };
    (outcome, work.on_device.as_secs_f64())
}

/// A job on its way over the device.
struct OnDevice {
    running: Running,
    /// Asks it to end after its batch.
    stop: CancellationToken,
    checkpoints: Arc<JobCheckpoints>,
    _turn: Option<Turn>,
}

struct Work<'a> {
    shared: &'a Arc<Shared>,
    desk: &'a Arc<dyn Desk>,
    on_device: Duration,
}

impl Work<'_> {
    async fn run(&mut self) -> Result<Outcome, Ending> {
        let spec = at(self.desk, |desk| desk.spec()).await?;
        let damaged = |_| DoseError::Internal("the job's specification is not understood".into());
        let header = pb::JobSpec::decode(&*spec).map_err(damaged)?.compute.unwrap_or_default();
        let shared = self.shared.clone();
        let checked = for_header(header.emissions.len(), move |control| {
            job_spec::check(&shared, &header, Checks::new(), control)
        })
        .await?;
        let memory = self.memory(&checked).await?;
        let (checked, assembled) = self.assemble(checked).await?;
        let on_device = self.submit(&assembled, &memory).await?;
        let result = self.compute(on_device).await?;
        let after = Aftermath::new(checked.intake, assembled);
        let (findings, result) = after.findings(result).await?;
        let made = Arc::new(Made::new(findings, result));
        let write = || {
            let made = made.clone();
            at(self.desk, move |desk| made.store(desk))
        };
        let check = || match self.desk.waits_for_room() {
            true => self.check(),
            false => Err(Ending::Failed(StoreError::Full.into())),
        };
        let (result, volumes) = when_there_is_room(FULL_PAUSE, check, write).await?;
        drop(memory);
        Ok(Outcome::Succeeded { result: Arc::from(result.encode_to_vec()), volumes })
    }

    /// Whether the job still is this attempt's, and the server takes work.
    fn check(&self) -> Result<(), Ending> {
        if !self.desk.is_current() {
            return Err(Ending::Left);
        }
        if self.shared.draining.is_cancelled() { Err(Ending::Released) } else { Ok(()) }
    }

    /// Waits for the memory that the job needs.
    async fn memory(&self, checked: &CheckedHeader) -> Result<Arc<Reservation>, Ending> {
        let bytes = checked.plan.host_bytes.saturating_add(checked.intake.host_bytes());
        loop {
            self.check()?;
            match self.shared.budget.reserve(bytes) {
                Ok(memory) => return Ok(Arc::new(memory)),
                Err(DoseError::Busy { .. }) => sleep(PAUSE).await,
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Reads all volumes, and makes the request of them.
    async fn assemble(&self, checked: CheckedHeader) -> Result<(CheckedHeader, Assembled), Ending> {
        let stored = checked.intake.arrivals().iter().zip(&checked.names).map(|((role, header), name)| {
            let name = name.ok_or_else(|| DoseError::Internal("a volume of a job has no name".into()))?;
            Ok(StoredVolume { role: *role, header: header.clone(), name })
        });
        let stored: Vec<StoredVolume> = stored.collect::<Result<_, DoseError>>()?;
        let left = CancellationToken::new();
        let (control, _progress) = Control::new(left.clone());
        // The volumes of a job that is cancelled are put together for nobody.
        let _left = left.drop_guard();
        let work = move |desk: &dyn Desk| -> Result<Result<(CheckedHeader, Assembled), DoseError>, StoreError> {
            let volumes = match read_all(desk, &stored)? {
                Ok(volumes) => volumes,
                Err(error) => return Ok(Err(error)),
            };
            let assembled = checked.intake.assemble(volumes, &control).and_then(|assembled| {
                assembled.check_if_strict()?;
                Ok(assembled)
            });
            Ok(assembled.map(|assembled| (checked, assembled)))
        };
        Ok(self.wait(async { Ok(at(self.desk, work).await) }).await???)
    }

    /// Waits for the device.
    async fn wait<T>(&self, entering: impl Future<Output = Result<T, DoseError>>) -> Result<T, Ending> {
        let mut entering = std::pin::pin!(entering);
        loop {
            self.check()?;
            tokio::select! {
                turn = &mut entering => return Ok(turn?),
                () = sleep(PAUSE) => {}
            }
        }
    }

    /// Puts the request into the queue of the device. A large job lets small ones in between its batches.
    async fn submit(&self, assembled: &Assembled, memory: &Arc<Reservation>) -> Result<OnDevice, Ending> {
        let gate = &self.shared.gate;
        let (jobs, task, stop) = (&self.shared.jobs, self.desk.task(), CancellationToken::new());
        let (request, memory) = (assembled.request.clone(), Some(memory.clone()));
        let is_small = task.is_small;
        let (turn, device) = match is_small {
            true => (Some(self.wait(gate.enter()).await?), None),
            false => (None, Some(self.wait(gate.enter_large()).await?)),
        };
        let checkpoints = JobCheckpoints::new(self.desk.clone(), stop.clone(), device);
        let kept: Option<Arc<dyn Checkpoints>> = Some(checkpoints.clone());
        let running = match is_small {
            true => jobs.submit_small(request, &task.owner, memory, kept)?,
            false => jobs.submit_with(request, &task.owner, memory, kept)?,
        };
        Ok(OnDevice { running, stop, checkpoints, _turn: turn })
    }

    /// Waits for the dose. Leaving early stops the computation.
    async fn compute(&mut self, on_device: OnDevice) -> Result<DoseResult, Ending> {
        let OnDevice { mut running, stop, checkpoints, _turn } = on_device;
        let desk = self.desk.clone();
        let mut changes = desk.changes();
        let limit = desk.task().compute_limit;
        let before = Duration::try_from_secs_f64(desk.task().device_s).unwrap_or_default();
        let began = std::sync::Mutex::new(None::<Instant>);
        let note = |progress: Progress| {
            if progress.stage != Stage::Queued {
                began.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert_with(Instant::now);
            }
            desk.note_progress(progress);
        };
        let spent = || {
            let began = *began.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let away = checkpoints.away();
            began.map_or(Duration::ZERO, |began| began.elapsed().saturating_sub(away))
        };
        let outcome = {
            let mut follow = std::pin::pin!(running.follow(note));
            let mut looks = interval(PAUSE);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                // Before it waits, too: a job that was cancelled before changes were heard of is told of by none.
                if !desk.is_current() {
                    break Err(Ending::Left);
                }
                tokio::select! {
                    biased;
                    result = &mut follow => break result.map_err(Ending::from),
                    () = self.shared.abort.cancelled() => break Err(Ending::Released),
                    // Checkpoints are kept at the next batch; what has none gets the time of the drain.
                    () = self.shared.draining.cancelled(), if !stop.is_cancelled() => stop.cancel(),
                    changed = changes.changed() => if changed.is_err() { break Err(Ending::Left) },
                    _ = looks.tick() => if before + spent() >= limit { break Err(Ending::Limit(limit)) },
                }
            }
        };
        self.on_device = spent();
        match outcome {
            // It stopped after its batch, as it was asked to.
            Err(Ending::Failed(status)) if stop.is_cancelled() && status.code() == Code::Cancelled => {
                Err(Ending::Released)
            }
            other => other,
        }
    }
}

/// Stores something, again and again while the disk is full: a job does not fail for want of it.
///
/// * `pause` – between two tries
/// * `check` – whether to go on
async fn when_there_is_room<T, F: Future<Output = Result<T, Status>>>(
    pause: Duration,
    check: impl Fn() -> Result<(), Ending>,
    mut write: impl FnMut() -> F,
) -> Result<T, Ending> {
    loop {
        match write().await {
            Err(status) if fault(&status).reason == STORE_FULL => {
                tracing::warn!("the results of a job wait for room on the disk of the store");
                sleep(pause).await;
                check()?;
            }
            done => return Ok(done?),
        }
    }
}

/// What a computation made.
struct Made {
    findings: Findings,
    result: DoseResult,
    tally: Option<Box<TallyRecord>>,
}

impl Made {
    fn new(findings: Findings, mut result: DoseResult) -> Self {
        let tally = result.tally.take();
        Self { findings, result, tally }
    }

    /// Stores all volumes, and names them in the result.
    fn store(&self, desk: &dyn Desk) -> Result<(pb::ComputeResult, Vec<StoredFile>), StoreError> {
        let Self { findings, result, tally } = self;
        let mut files = Vec::new();
        let mut add = |write: &dyn Fn(&mut NewFile) -> std::io::Result<()>| -> Result<(String, u64), StoreError> {
            let mut file = desk.new_file()?;
            write(&mut file).map_err(|error| StoreError::of_io("writing a result", &error))?;
            let file = file.finish()?;
            let (name, size) = (file.digest().to_string(), file.size_bytes());
            files.push(file);
            Ok((name, size))
        };
        let mut add_volume = |volume: Option<&Volume<f32>>| {
            volume.map(|volume| add(&|file| write_volume(file, volume)).map(|(name, _)| name)).transpose()
        };
        let dose = add_volume(Some(&result.dose))?;
        let uncertainty = add_volume(result.uncertainty.as_ref())?;
        let weighted = add_volume(result.weighted.as_ref())?;
        let on_ct = add_volume(findings.dose_on_ct.as_ref())?;
        let tally = tally.as_ref().map(|record| add(&|file| formats::tally::encode(file, record))).transpose()?;
        let mut message = wire::result::encode(result, findings, tally.as_ref().map(|(_, size)| *size));
        message.tally_digest = tally.map(|(name, _)| name).unwrap_or_default();
        let named = [
            (&mut message.dose, dose),
            (&mut message.uncertainty, uncertainty),
            (&mut message.weighted_dose, weighted),
            (&mut message.dose_on_ct, on_ct),
        ];
        for (volume, name) in named {
            if let (Some(volume), Some(name)) = (volume.as_mut(), name) {
                volume.digest = name;
            }
        }
        Ok((message, files))
    }
}

fn write_volume(file: &mut NewFile, volume: &Volume<f32>) -> std::io::Result<()> {
    of_volume(pb::VolumeRole::Dose, 0, volume).try_for_each(|chunk| file.write_all(&chunk.data))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn results_wait_for_room_as_long_as_the_job_is_wanted() {
        let tries = Cell::new(0);
        let full = || async {
            tries.set(tries.get() + 1);
            if tries.get() < 4 { Err(Status::from(StoreError::Full)) } else { Ok(tries.get()) }
        };
        assert!(matches!(when_there_is_room(Duration::ZERO, || Ok(()), full).await, Ok(4)));
        tries.set(0);
        let left = || if tries.get() < 2 { Ok(()) } else { Err(Ending::Left) };
        assert!(matches!(when_there_is_room(Duration::ZERO, left, full).await, Err(Ending::Left)));
        let broken = || async { Err::<(), _>(Status::from(StoreError::Unavailable)) };
        let ended = when_there_is_room(Duration::ZERO, || Ok(()), broken).await;
        assert!(matches!(ended, Err(Ending::Failed(_))));
    }

    #[test]
    fn a_job_whose_device_is_not_there_waits_again() {
        assert!(matches!(Ending::from(DoseError::DeviceUnavailable("gpu:0".into())), Ending::Released));
        assert!(matches!(Ending::from(DoseError::DeviceLost("mid-job".into())), Ending::DeviceLost));
        assert!(matches!(Ending::from(DoseError::Internal("a fault".into())), Ending::Failed(_)));
    }
}
