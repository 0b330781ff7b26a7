//! Jobs within this process: a queue and volumes in memory, and the thread that owns the device.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{
    DeviceExecutor, DeviceState, Executor, JobQueue, JobSpec, MemoryQueue, MemoryVolumes, NewJob, Priority,
    Reservation, Running, WorkQueue, worker,
};
use crate::domain::{Checkpoints, DeviceInfo, DoseError, DoseRequest};
use crate::engine::Device;
use crate::plan::Limits;

/// How often a job of this process may begin: a lost device fails it, and its caller may send it again.
const ATTEMPTS: u32 = 1;

/// A queue in memory and the device behind it. Dropping it ends the thread after the jobs that were accepted.
#[derive(Debug)]
pub struct LocalJobs {
    queue: Arc<MemoryQueue>,
    /// The lane of small jobs, which has the device open a second time, if there is one.
    small: Option<Arc<MemoryQueue>>,
    volumes: Arc<MemoryVolumes>,
    device: DeviceInfo,
    /// What each thread says of the device; they share the time for which it has worked.
    states: Vec<DeviceState>,
}

impl LocalJobs {
    /// Starts the thread that owns `device` from now on.
    ///
    /// * `limits` – what one job may use
    /// * `length` – how many jobs may wait, beside the one that runs; at least 1
    ///
    /// # Errors
    /// [`DoseError::Io`] if the system has no thread left.
    pub fn start(device: Device, limits: Limits, length: usize) -> Result<Self, DoseError> {
        Self::start_with(Box::new(DeviceExecutor::new(device, limits)), length)
    }

    /// As [`LocalJobs::start`], with an executor in place of a device.
    ///
    /// # Errors
    /// As [`LocalJobs::start`].
    pub fn start_with(executor: Box<dyn Executor>, length: usize) -> Result<Self, DoseError> {
        let device = executor.device();
        let volumes = MemoryVolumes::new();
        let queue = Arc::new(MemoryQueue::new(length, volumes.clone()));
        let state = DeviceState::default();
        state.is_up.store(true, Ordering::Release);
        worker::start_worker(queue.clone(), volumes.clone(), executor, ATTEMPTS, state.clone())?;
        Ok(Self { queue, small: None, volumes, device, states: vec![state] })
    }

    /// As [`LocalJobs::start`], with a lane of small jobs beside that of all others. Who submits jobs to both sees to
    /// it that only one computes at a time.
    ///
    /// # Errors
    /// As [`LocalJobs::start`]; [`DoseError::DeviceUnavailable`] if the device cannot be opened twice.
    pub fn start_lanes(device: Device, limits: Limits, length: usize) -> Result<Self, DoseError> {
        let again = DeviceExecutor::new(Device::open_same(&device.identity())?, limits);
        let mut jobs = Self::start(device, limits, length)?;
        let small = Arc::new(MemoryQueue::new(length, jobs.volumes.clone()));
        let mut state = DeviceState::default();
        state.is_up.store(true, Ordering::Release);
        state.worked = jobs.states[0].worked.clone();
        worker::start_worker(small.clone(), jobs.volumes.clone(), Box::new(again), ATTEMPTS, state.clone())?;
        jobs.states.push(state);
        jobs.small = Some(small);
        Ok(jobs)
    }

    /// Whether small jobs have a lane of their own.
    pub fn has_lanes(&self) -> bool {
        self.small.is_some()
    }

    /// Whether the device is there, as far as is known: one that was lost is looked for until it is back.
    pub fn is_device_up(&self) -> bool {
        self.states.iter().all(|state| state.is_up.load(Ordering::Acquire))
    }

    /// How long the device has worked, on what it works on now as well.
    pub fn time_worked(&self) -> Duration {
        self.states[0].worked.time()
    }

    /// Whether a job has the device now.
    pub fn is_busy(&self) -> bool {
        [Some(&self.queue), self.small.as_ref()].into_iter().flatten().any(|queue| queue.is_busy())
    }

    /// The device that all jobs run on.
    pub fn device(&self) -> &DeviceInfo {
        &self.device
    }

    /// The queue.
    pub fn queue(&self) -> &dyn JobQueue {
        &*self.queue
    }

    /// Puts a request into the queue, for a caller who waits for it.
    ///
    /// * `owner` – whose it is
    /// * `memory` – what was reserved for it, given back as soon as its volumes are gone
    ///
    /// # Errors
    /// As [`JobQueue::submit`].
    pub fn submit(
        &self,
        request: DoseRequest,
        owner: &str,
        memory: Option<Arc<Reservation>>,
    ) -> Result<Running, DoseError> {
        self.submit_with(request, owner, memory, None)
    }

    /// As [`LocalJobs::submit`], for a job that keeps checkpoints.
    ///
    /// # Errors
    /// As [`JobQueue::submit`].
    pub fn submit_with(
        &self,
        request: DoseRequest,
        owner: &str,
        memory: Option<Arc<Reservation>>,
        checkpoints: Option<Arc<dyn Checkpoints>>,
    ) -> Result<Running, DoseError> {
        self.submit_to(&self.queue, request, owner, memory, checkpoints)
    }

    /// As [`LocalJobs::submit`], in the lane of small jobs if there is one.
    ///
    /// # Errors
    /// As [`JobQueue::submit`].
    pub fn submit_small(
        &self,
        request: DoseRequest,
        owner: &str,
        memory: Option<Arc<Reservation>>,
        checkpoints: Option<Arc<dyn Checkpoints>>,
    ) -> Result<Running, DoseError> {
        self.submit_to(self.small.as_ref().unwrap_or(&self.queue), request, owner, memory, checkpoints)
    }

    fn submit_to(
        &self,
        queue: &Arc<MemoryQueue>,
        request: DoseRequest,
        owner: &str,
        memory: Option<Arc<Reservation>>,
        checkpoints: Option<Arc<dyn Checkpoints>>,
    ) -> Result<Running, DoseError> {
        let memory_bytes = memory.as_ref().map_or(0, |memory| memory.bytes());
        // The queue's own hold takes over from this one.
        let (volumes, hold) = self.volumes.put_call(request.volumes(), memory);
        let spec = JobSpec { header: (**request.header()).clone(), volumes, priority: Priority::default() };
        drop(request);
        let new = NewJob { spec, owner: owner.to_owned(), memory_bytes };
        let job = queue.submit_with(new, checkpoints);
        drop(hold);
        let job = job?;
        let running = Running::new(queue.clone(), job.id);
        running.ok_or_else(|| DoseError::Internal("a job that was accepted is not there".into()))
    }
}

impl Drop for LocalJobs {
    fn drop(&mut self) {
        self.queue.close();
        self.small.iter().for_each(|queue| queue.close());
    }
}
