//! The thread that owns a device and computes the jobs of a queue on it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::worked::Worked;
use super::{Job, Lease, NoJob, VolumeStore, WorkQueue, volumes};
use crate::compute::compute;
use crate::domain::{Control, DeviceInfo, DoseError, DoseRequest, DoseResult};
use crate::engine::{Device, DeviceIdentity};
use crate::faults::{Fault, Faults};
use crate::plan::Limits;
use crate::priority::stand_back;

/// How often a device that is gone is looked for.
const REOPEN_PAUSE: Duration = Duration::from_secs(2);

/// What a worker computes with. Tests put their own in place of a device.
pub trait Executor: Send {
    /// The device.
    fn device(&self) -> DeviceInfo;

    /// Computes one job.
    ///
    /// * `request` – the job's header and volumes
    ///
    /// # Errors
    /// [`DoseError::Cancelled`] soon after `control` says so; else what went wrong.
    fn execute(&mut self, job: &Job, request: &DoseRequest, control: &Control) -> Result<DoseResult, DoseError>;

    /// Opens the device again, after it was lost, its result was not physical, or a job panicked.
    ///
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] if it does not come back.
    fn reopen(&mut self) -> Result<(), DoseError>;
}

/// A device, and what a job on it may use.
#[derive(Debug)]
pub struct DeviceExecutor {
    identity: DeviceIdentity,
    /// None while it cannot be opened.
    device: Option<Device>,
    limits: Limits,
    faults: Faults,
}

impl DeviceExecutor {
    /// Takes over an open device.
    pub fn new(device: Device, limits: Limits) -> Self {
        Self { identity: device.identity(), device: Some(device), limits, faults: Faults::of_environment() }
    }
}

impl Executor for DeviceExecutor {
    fn device(&self) -> DeviceInfo {
        self.identity.info.clone()
    }

    fn execute(&mut self, _job: &Job, request: &DoseRequest, control: &Control) -> Result<DoseResult, DoseError> {
        let unavailable = || DoseError::DeviceUnavailable(self.identity.info.id.clone());
        let device = self.device.as_mut().ok_or_else(unavailable)?;
        let result = compute(request, device, &self.limits, control)?;
        let injected = || "an injected fault".to_owned();
        if self.faults.strikes(Fault::DeviceLost) {
            return Err(DoseError::DeviceLost(injected()));
        }
        if self.faults.strikes(Fault::OutOfMemory) {
            return Err(DoseError::DeviceOutOfMemory(injected()));
        }
        Ok(result)
    }

    fn reopen(&mut self) -> Result<(), DoseError> {
        // Closed first: two of the same may not fit.
        self.device = None;
        self.device = Some(Device::open_same(&self.identity)?);
        Ok(())
    }
}

/// What others see of a device while a thread has it.
#[derive(Clone, Debug, Default)]
pub struct DeviceState {
    /// False while the device is lost and has not come back.
    pub(super) is_up: Arc<AtomicBool>,
    /// How long it has worked.
    pub(super) worked: Worked,
}

/// Starts the thread that owns an executor from now on. It ends when the queue is closed and empty.
///
/// * `attempts` – how often a job may begin: one that loses its device goes back to the queue until it has used them up
/// * `state` – where it says how the device is
///
/// # Errors
/// [`DoseError::Io`] if the system has no thread left.
pub fn start_worker(
    queue: Arc<dyn WorkQueue>,
    volumes: Arc<dyn VolumeStore>,
    executor: Box<dyn Executor>,
    attempts: u32,
    state: DeviceState,
) -> Result<(), DoseError> {
    let mut worker = Worker { queue, volumes, executor, attempts, is_suspect: false, is_told: false, state };
    thread::Builder::new()
        .name(format!("compute {}", worker.executor.device().id))
        .spawn(move || {
            stand_back();
            worker.run();
        })
        .map(drop)
        .map_err(|error| DoseError::Io(format!("no thread for the device: {error}")))
}

struct Worker {
    queue: Arc<dyn WorkQueue>,
    volumes: Arc<dyn VolumeStore>,
    executor: Box<dyn Executor>,
    attempts: u32,
    /// Whether the device has to be opened again before the next job.
    is_suspect: bool,
    /// Whether the log says that it cannot be.
    is_told: bool,
    state: DeviceState,
}

impl Worker {
    fn run(&mut self) {
        loop {
            // A device that is gone is looked for even while no job asks for it.
            let taken = match self.reopen_if_suspect() {
                Ok(()) => self.queue.take().ok_or(NoJob::Closed),
                Err(_) => self.queue.take_within(REOPEN_PAUSE),
            };
            let lease = match taken {
                Ok(lease) => lease,
                Err(NoJob::Yet) => continue,
                Err(NoJob::Closed) => return,
            };
            let span = lease.span.clone();
            let _entered = span.enter();
            let outcome = self.reopen_if_suspect().and_then(|()| self.perform(&lease));
            if let Err(DoseError::DeviceLost(reason)) = &outcome
                && lease.job.life.attempts() < self.attempts
            {
                tracing::warn!(reason, "the job waits again");
                self.queue.put_back(&lease);
            } else {
                self.queue.finish(&lease, outcome);
            }
        }
    }

    fn reopen_if_suspect(&mut self) -> Result<(), DoseError> {
        if self.is_suspect {
            let device = self.executor.device().id;
            let reopened = self.executor.reopen();
            if reopened.is_err() && !self.is_told {
                tracing::error!(device, "the device cannot be opened again; it is looked for now and then");
            }
            self.is_told = reopened.is_err();
            self.state.is_up.store(reopened.is_ok(), Ordering::Release);
            reopened?;
            self.is_suspect = false;
        }
        Ok(())
    }

    /// Computes one job. Its volumes and the memory reserved for them are free before its outcome is reported.
    fn perform(&mut self, lease: &Lease) -> Result<DoseResult, DoseError> {
        let Lease { job, control, .. } = lease;
        if control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        let _hold = self.volumes.hold(&job.spec.volumes)?;
        let request = volumes::request(&job.spec.header, &job.spec.volumes, &*self.volumes)?;
        let execute = AssertUnwindSafe(|| self.executor.execute(job, &request, control));
        let _at_work = self.state.worked.begin();
        let outcome = catch_unwind(execute).unwrap_or_else(|_| {
            tracing::error!("a computation panicked; the device is opened again");
            self.is_suspect = true;
            Err(DoseError::Internal("the computation ended without a result".into()))
        });
        if let Err(DoseError::DeviceLost(_) | DoseError::NotPhysical(_) | DoseError::EnergyBalance { .. }) = &outcome {
            tracing::warn!("the device is opened again: it was lost, or its result was not physical");
            self.is_suspect = true;
            self.state.is_up.store(!matches!(outcome, Err(DoseError::DeviceLost(_))), Ordering::Release);
        }
        outcome
    }
}
