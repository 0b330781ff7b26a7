//! A queue under test, and small jobs for it.

use std::sync::Arc;

use crate::compute::compute;
use crate::domain::{
    ActivityUnit, Control, DensityMap, DeviceSelector, DoseRequest, DoseResult, Emission, EmissionSpectrum,
    LocalOptions, Method, Particle, RequestVolumes, Source, TimeIntegratedActivity, Volume, VoxelGrid,
};
use crate::engine::Device;
use crate::jobs::{
    Hold, Job, JobQueue, JobSpec, JobState, JobVolume, Lease, MemoryQueue, MemoryVolumes, NewJob, Priority,
    VolumeStore, WorkQueue,
};
use crate::plan::Limits;

/// A queue under test.
pub(in crate::jobs) struct Subject {
    pub(in crate::jobs) callers: Arc<dyn JobQueue>,
    pub(in crate::jobs) workers: Arc<dyn WorkQueue>,
    pub(in crate::jobs) volumes: Arc<dyn VolumeStore>,
    /// Stores the volumes of a request under names that are used once.
    pub(in crate::jobs) put: Put,
    /// Stores the volumes of a request under their digests.
    pub(in crate::jobs) put_content: Put,
}

/// Stores the volumes of a request.
type Put = Box<dyn Fn(&RequestVolumes) -> (Vec<JobVolume>, Hold)>;

/// A dose to two voxels by local deposition.
pub(in crate::jobs) fn request() -> DoseRequest {
    let grid = Arc::new(VoxelGrid::new([2, 1, 1], [4.0; 3]).expect("a good grid"));
    let volume = |values: Vec<f32>| Volume::from_vec(grid.clone(), values).expect("two voxels");
    let activity = TimeIntegratedActivity::new(volume(vec![1e9, 3e9]), ActivityUnit::BqS).expect("good");
    let density = DensityMap::new(volume(vec![1.0, 1.06])).expect("good");
    let line = Emission { particle: Particle::Electron, low_mev: 0.1, high_mev: 0.1, yield_per_decay: 1.0 };
    let source = Source::with_emissions(None, EmissionSpectrum::new(vec![line]).expect("good")).expect("a source");
    DoseRequest::new(activity, Some(density), source, Method::Local(LocalOptions::default())).expect("good")
}

/// The volumes of [`request`].
pub(in crate::jobs) fn volumes() -> RequestVolumes {
    request().volumes().clone()
}

/// The dose of [`request`].
pub(in crate::jobs) fn dose() -> DoseResult {
    let mut device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
    compute(&request(), &mut device, &Limits::default(), &Control::detached()).expect("a dose")
}

impl Subject {
    /// The queue and the volumes of one process.
    pub(in crate::jobs) fn in_memory(length: usize) -> Self {
        let volumes = MemoryVolumes::new();
        let queue = Arc::new(MemoryQueue::new(length, volumes.clone()));
        let [calls, content] = [volumes.clone(), volumes.clone()];
        Self {
            callers: queue.clone(),
            workers: queue,
            volumes,
            put: Box::new(move |volumes| calls.put_call(volumes, None)),
            put_content: Box::new(move |volumes| content.put_content(volumes, None)),
        }
    }

    /// A job to submit, and what holds its volumes until the queue does.
    pub(in crate::jobs) fn new_job(&self, owner: &str, priority: Priority) -> (NewJob, Hold) {
        let request = request();
        let (volumes, hold) = (self.put)(request.volumes());
        let spec = JobSpec { header: (**request.header()).clone(), volumes, priority };
        (NewJob { spec, owner: owner.to_owned(), memory_bytes: 1 << 20 }, hold)
    }

    /// Submits a job where there is room.
    pub(in crate::jobs) fn submit(&self, owner: &str) -> Job {
        let (new, _hold) = self.new_job(owner, Priority::Normal);
        self.callers.submit(new).expect("there is room")
    }

    /// Takes a job where one waits.
    pub(in crate::jobs) fn take(&self) -> Lease {
        assert!(self.callers.waiting() > 0, "no job waits");
        self.workers.take().expect("one waits")
    }

    pub(in crate::jobs) fn state(&self, job: &Job) -> JobState {
        self.callers.get(&job.id).expect("it is there").state()
    }

    /// Whether any of a job's volumes is still held.
    pub(in crate::jobs) fn holds_volumes_of(&self, job: &Job) -> bool {
        job.spec.volumes.iter().any(|volume| self.volumes.get(volume).is_some())
    }
}
