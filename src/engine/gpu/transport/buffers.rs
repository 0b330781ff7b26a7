//! The buffers of a call on the device, and the cycles over them.

use super::constants::MAX_LAUNCH_BITS;
use super::device_scene::DeviceScene;
use super::step_rate::Batch;
use super::{QUEUE_BYTES, TransportStages};
use crate::domain::DoseError;
use crate::engine::gpu::context::{Context, Workgroups};
use crate::engine::gpu::pipeline::{Bound, Pipeline};
use crate::engine::gpu::record::LaunchBuffers;
use crate::engine::gpu::shader::{TransportCounters, TransportParams};

/// Words of the accounts of a group: emitted, deposited, escaped, scored, two each.
pub(super) const ACCOUNT_WORDS: usize = 8;
/// Words of a group in all: its accounts, and its rejection loops that reached their bound.
pub(super) const GROUP_WORDS: usize = ACCOUNT_WORDS + 1;

/// Stages of a cycle whose workgroups the first one plans.
const PLANNED_STAGES: usize = 3;
/// Words of the workgroups of a dispatch: along x, y and z.
const DISPATCH_WORDS: usize = 3;

/// Fewest particles of a queue for which it is worth looking for memory.
const LEAST_CAPACITY: u32 = 1 << 12;

/// Buffers that serve every scene, kept from one call to the next.
#[derive(Debug, Default)]
pub(super) struct KeptBuffers {
    queues: Option<wgpu::Buffer>,
    tally: Option<wgpu::Buffer>,
}

impl KeptBuffers {
    /// The buffer that is kept if it has so many bytes, or another one.
    fn take(kept: &mut Option<wgpu::Buffer>, context: &Context, label: &str, bytes: u64) -> wgpu::Buffer {
        kept.take().filter(|buffer| buffer.size() == bytes).unwrap_or_else(|| {
            let words = usize::try_from(bytes / 4).expect("what one binding holds");
            context.storage(label, words)
        })
    }
}

/// The buffers of a call, bound to the stages.
#[derive(Debug)]
pub(super) struct TransportBuffers {
    /// Particles of a queue.
    pub(super) capacity: u32,
    params: wgpu::Buffer,
    pub(super) tally: wgpu::Buffer,
    pub(super) counters: wgpu::Buffer,
    queues: wgpu::Buffer,
    /// Workgroups of the stages after the plan.
    dispatches: wgpu::Buffer,
    schedule: Bound,
    emission: Bound,
    charged: Bound,
    photon: Bound,
}

impl TransportBuffers {
    /// Buffers with queues as long as there is memory for: shorter ones take longer, and give the same bytes.
    ///
    /// * `launch_bits` – groups of a launch, as a power of two
    ///
    /// # Errors
    /// [`DoseError::DeviceOutOfMemory`] if there is not even room for short ones; [`DoseError::DeviceLost`].
    pub(super) fn fitting(
        context: &Context,
        stages: &mut TransportStages,
        scene: &DeviceScene,
        launch_bits: u32,
    ) -> Result<Self, DoseError> {
        let mut capacity = stages.quota.capacity;
        loop {
            let buffers = Self::new(context, stages, scene, launch_bits, capacity);
            match context.faults.check() {
                Ok(()) => {
                    let KeptBuffers { queues, tally } = &mut stages.kept;
                    (*queues, *tally) = (Some(buffers.queues.clone()), Some(buffers.tally.clone()));
                    return Ok(buffers);
                }
                Err(DoseError::DeviceOutOfMemory(reason)) if capacity > LEAST_CAPACITY => {
                    stages.scenes.clear();
                    capacity = (capacity / 4).max(LEAST_CAPACITY);
                    tracing::warn!(capacity, "no room for the queues of particles ({reason}): shorter ones are tried");
                }
                Err(other) => return Err(other),
            }
        }
    }

    fn new(
        context: &Context,
        stages: &mut TransportStages,
        scene: &DeviceScene,
        launch_bits: u32,
        capacity: u32,
    ) -> Self {
        let words = scene.params.words().len();
        let params = context.buffer("params", words, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
        let kept = &mut stages.kept;
        let tally_bytes = (u64::from(scene.params.n_voxels) * 8) << launch_bits;
        let tally = KeptBuffers::take(&mut kept.tally, context, "tally", tally_bytes);
        let counters = context.storage("counters", TransportCounters::WORDS + (GROUP_WORDS << MAX_LAUNCH_BITS));
        let queue_bytes = QUEUE_BYTES * u64::from(capacity);
        let queues = KeptBuffers::take(&mut kept.queues, context, "queues", queue_bytes);
        let indirect = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::INDIRECT;
        let dispatches = context.buffer("dispatches", PLANNED_STAGES * DISPATCH_WORDS, indirect);
        let buffers = [
            ("params", &params),
            ("medium", &scene.medium),
            ("tables", &scene.tables),
            ("tally", &tally),
            ("queues", &queues),
            ("counters", &counters),
            ("dispatches", &dispatches),
            ("source_guide", &scene.source_guide),
            ("source_ends", &scene.source_ends),
            ("source_voxels", &scene.source_voxels),
        ];
        let bind = |stage: &Pipeline| stage.bind(&context.device, &buffers);
        let stages_bound = [&stages.schedule, &stages.emission, &stages.charged, &stages.photon].map(bind);
        let [schedule, emission, charged, photon] = stages_bound;
        Self { capacity, schedule, emission, charged, photon, params, tally, counters, queues, dispatches }
    }

    /// Sets all sums to zero.
    pub(super) fn clear(&self, context: &Context) {
        self.clear_parts(context, &[(&self.tally, None), (&self.counters, None)]);
    }

    /// Sets all counters to zero, except the accounts.
    pub(super) fn restart(&self, context: &Context) {
        self.clear_parts(context, &[(&self.counters, Some(4 * TransportCounters::WORDS as u64))]);
    }

    fn clear_parts(&self, context: &Context, parts: &[(&wgpu::Buffer, Option<u64>)]) {
        let label = wgpu::CommandEncoderDescriptor { label: Some("clear") };
        let mut encoder = context.device.create_command_encoder(&label);
        for (buffer, bytes) in parts {
            encoder.clear_buffer(buffer, 0, *bytes);
            context.recorder.iter().for_each(|recorder| recorder.clear(buffer, *bytes));
        }
        context.queue.submit([encoder.finish()]);
    }

    /// The stages of a cycle, in order: the plan, and those whose workgroups it plans.
    fn cycle<'a>(&'a self, stages: &'a TransportStages) -> [(&'a Pipeline, &'a Bound); 4] {
        [
            (&stages.schedule, &self.schedule),
            (&stages.emission, &self.emission),
            (&stages.charged, &self.charged),
            (&stages.photon, &self.photon),
        ]
    }

    /// The workgroups of a stage, by its place in a cycle.
    fn workgroups(&self, place: usize) -> Workgroups<'_> {
        match place.checked_sub(1) {
            Some(planned) => Workgroups::Planned(&self.dispatches, (planned * DISPATCH_WORDS * 4) as u64),
            None => Workgroups::Given([1, 1]),
        }
    }

    /// Keeps a launch with its rule, if what the device is given is kept.
    pub(super) fn record(&self, context: &Context, stages: &TransportStages, params: &TransportParams) {
        let Some(recorder) = &context.recorder else { return };
        let Self { params: uniform, counters, queues, dispatches, .. } = self;
        let buffers = LaunchBuffers { params: uniform, counters, queues, dispatches, queue_bytes: QUEUE_BYTES };
        recorder.launch(&buffers, params, self.cycle(stages));
    }

    /// Hands some cycles to the device.
    pub(super) fn submit(&self, context: &Context, stages: &TransportStages, params: TransportParams, batch: Batch) {
        let params = TransportParams { max_lanes: batch.lanes, ..params };
        context.send(&self.params, 0, bytemuck::cast_slice(&params.words()));
        let label = wgpu::CommandEncoderDescriptor { label: Some("cycles") };
        let mut encoder = context.device.create_command_encoder(&label);
        let cycle = self.cycle(stages);
        let dispatch = |pass: &mut wgpu::ComputePass<'_>, (place, stage): (usize, (&Pipeline, &Bound))| {
            context.dispatch(pass, stage, 0, self.workgroups(place));
        };
        let steps = (0..batch.cycles).flat_map(|_| cycle.into_iter().enumerate());
        match context.stopwatch.as_ref().filter(|stopwatch| stopwatch.is_watching()) {
            // Each stage in a pass of its own, whose ends are timed.
            Some(stopwatch) => steps.for_each(|step| {
                let timestamp_writes = stopwatch.next(step.1.0.shader.name);
                let descriptor = wgpu::ComputePassDescriptor { label: Some("cycle"), timestamp_writes };
                dispatch(&mut encoder.begin_compute_pass(&descriptor), step);
            }),
            None => {
                let descriptor = wgpu::ComputePassDescriptor { label: Some("cycles"), timestamp_writes: None };
                let mut pass = encoder.begin_compute_pass(&descriptor);
                steps.for_each(|step| dispatch(&mut pass, step));
            }
        }
        context.finish(encoder);
    }
}
