//! Between asynchronous callers and the device: jobs as data, a bounded queue, a memory budget, and the one thread that
//! owns the device.
//!
//! `async` ends here. A caller reserves memory from the [`Budget`], submits a request to [`LocalJobs`], and holds the
//! [`Running`] job; dropping that cancels it. Nothing waits for room: what does not fit is refused at once with
//! [`crate::domain::DoseError::Busy`].
//!
//! A [`Job`] is plain data: a header, the names of its volumes, an owner and a state. The queue is an interface,
//! [`JobQueue`] for callers and [`WorkQueue`] for workers; [`MemoryQueue`] implements it.

mod budget;
#[cfg(test)]
pub(crate) mod conformance;
mod job;
mod life;
mod local;
mod memory;
mod memory_volumes;
mod queue;
mod running;
mod volume_name;
mod volumes;
mod worked;
mod worker;

pub use budget::{Budget, Reservation};
pub use job::{Job, JobError, JobFilter, JobId, JobSpec, NewJob, Priority};
pub use life::{JobEvent, JobState, Life, Refused};
pub use local::LocalJobs;
pub use memory::MemoryQueue;
pub use memory_volumes::MemoryVolumes;
pub use queue::{JobQueue, JobWatch, Lease, NoJob, WorkQueue};
pub use running::Running;
pub use volume_name::VolumeName;
pub use volumes::{Hold, InputVolume, JobVolume, VolumeStore};
pub use worker::{DeviceExecutor, DeviceState, Executor, start_worker};

/// When a caller that found the queue or the memory taken should try again: the later, the more wait already, from 1 to
/// 60 s.
pub(crate) fn retry_after(waiting: usize) -> std::time::Duration {
    std::time::Duration::from_secs((waiting as u64 / WAITING_A_SECOND).clamp(1, MOST_RETRY_S))
}

/// How many of those who wait may be gone after a second.
const WAITING_A_SECOND: u64 = 8;
/// Longest time after which a caller is asked to come again [s].
const MOST_RETRY_S: u64 = 60;
