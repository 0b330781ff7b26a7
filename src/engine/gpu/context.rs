//! An open wgpu device: its limits, its buffers, its pipelines.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::fault::Faults;
use super::lines::Lines;
use super::measure::Stopwatch;
use super::pipeline::{Bound, Pipeline, Source};
use super::played::Played;
use super::record::Recorder;
use super::shader::{ConvolutionParams, Shader};
use super::tiling::Bounds;
use super::traffic::TrafficCounter;
use crate::domain::DoseError;

/// Pipelines that are kept between requests; a request needs five.
const KEPT_PIPELINES: usize = 64;
/// A device that does not answer for this long counts as lost. A batch is meant to last 50 ms.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The limits that a device is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceLimits {
    /// All limits of the adapter.
    Adapter,
    /// Those of every WebGPU device: 16 KiB of workgroup memory, bindings of 128 MiB.
    WebGpuDefault,
    /// As `WebGpuDefault`, with smaller bindings [bytes], so that a small volume is treated like a large one.
    Binding(u64),
}

/// The features that are used where an adapter has them.
const USED: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY;

/// Limits without buffers whose bytes a compiler cannot count in 32 bits.
fn addressable(limits: wgpu::Limits) -> wgpu::Limits {
    /// A multiple of every alignment.
    const MOST_BYTES: u64 = (1 << 32) - 256;
    wgpu::Limits {
        max_buffer_size: limits.max_buffer_size.min(MOST_BYTES),
        max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size.min(MOST_BYTES),
        ..limits
    }
}

impl DeviceLimits {
    fn features(self) -> wgpu::Features {
        match self {
            Self::Adapter => USED,
            Self::WebGpuDefault | Self::Binding(_) => wgpu::Features::empty(),
        }
    }

    fn of(self, adapter: &wgpu::Adapter) -> wgpu::Limits {
        match self {
            Self::Adapter => addressable(adapter.limits()),
            Self::WebGpuDefault => wgpu::Limits::default(),
            Self::Binding(bytes) => wgpu::Limits {
                max_storage_buffer_binding_size: bytes,
                max_buffer_size: bytes,
                ..wgpu::Limits::default()
            },
        }
    }
}

/// The workgroups of a dispatch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Workgroups<'a> {
    /// So many along x and y.
    Given([u32; 2]),
    /// As many as a stage before left in a buffer, in the words from so many bytes on: along x, y and z.
    Planned(&'a wgpu::Buffer, u64),
}

/// An open device.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) faults: Faults,
    /// What tests make go wrong.
    pub(super) played: Played,
    /// What the adapter offers; the device has what is used of it.
    pub(super) offered: wgpu::Features,
    /// On a device with timestamps.
    pub(super) stopwatch: Option<Stopwatch>,
    /// What is sent and fetched.
    pub(super) traffic: TrafficCounter,
    /// While all that the device is given is kept.
    pub(super) recorder: Option<Recorder>,
    limits: wgpu::Limits,
    pipelines: HashMap<(&'static str, Option<Lines>), Arc<Pipeline>>,
}

impl Context {
    /// # Errors
    /// [`DoseError::DeviceUnavailable`] if the driver refuses.
    pub(super) fn open(adapter: &wgpu::Adapter, limits: DeviceLimits) -> Result<Self, DoseError> {
        let offered = adapter.features();
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("dosegrid"),
            required_features: limits.features() & offered,
            required_limits: limits.of(adapter),
            memory_hints: wgpu::MemoryHints::Performance,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|error| DoseError::DeviceUnavailable(format!("{}: {error}", adapter.get_info().name)))?;
        let faults = Faults::default();
        faults.watch(&device);
        let limits = device.limits();
        let stopwatch = Stopwatch::new(&device, &queue);
        let (played, recorder, pipelines) = (Played::default(), None, HashMap::new());
        let traffic = TrafficCounter::default();
        Ok(Self { device, queue, faults, played, offered, stopwatch, traffic, recorder, limits, pipelines })
    }

    /// The limits that decide how the work is divided.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            workgroup_bytes: u64::from(self.limits.max_compute_workgroup_storage_size),
            lanes: self.limits.max_compute_invocations_per_workgroup.min(self.limits.max_compute_workgroup_size_x),
            binding_bytes: self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size),
        }
    }

    /// Workgroups along one axis of a dispatch.
    pub(super) fn groups_per_axis(&self) -> u32 {
        self.limits.max_compute_workgroups_per_dimension
    }

    /// So many workgroups along two axes of a dispatch; there may be some more than that.
    pub(super) fn axes(&self, workgroups: u32) -> [u32; 2] {
        let x = workgroups.min(self.groups_per_axis()).max(1);
        [x, workgroups.div_ceil(x)]
    }

    /// Bytes from one set of parameters to the next in a uniform buffer.
    pub(super) fn params_stride(&self) -> usize {
        size_of_val(&ConvolutionParams::default().words())
            .next_multiple_of(self.limits.min_uniform_buffer_offset_alignment as usize)
    }

    /// A storage buffer for `len` values of 4 bytes; at least one, since an empty buffer cannot be bound.
    pub(super) fn storage(&self, label: &str, len: usize) -> wgpu::Buffer {
        use wgpu::BufferUsages as Usage;
        self.buffer(label, len, Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC)
    }

    /// A buffer for `len` values of 4 bytes.
    pub(super) fn buffer(&self, label: &str, len: usize, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let size = len.max(1) as u64 * 4;
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let buffer = self.device.create_buffer(&descriptor);
        self.played.allocated(label, &buffer, &self.faults);
        buffer
    }

    /// Adds a stage to a pass.
    ///
    /// * `offset` – of its parameters in their buffer [bytes]
    pub(super) fn dispatch(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        (pipeline, bound): (&Pipeline, &Bound),
        offset: u32,
        workgroups: Workgroups<'_>,
    ) {
        if self.played.dispatches(pipeline.shader.name, &self.device) {
            pass.set_pipeline(&pipeline.compute);
            pass.set_bind_group(0, &bound.group, &[offset]);
            match workgroups {
                Workgroups::Given([x, y]) => pass.dispatch_workgroups(x, y, 1),
                Workgroups::Planned(buffer, first_byte) => pass.dispatch_workgroups_indirect(buffer, first_byte),
            }
        }
    }

    /// A storage buffer that holds `values`.
    pub(super) fn filled<T: bytemuck::NoUninit>(&self, label: &str, values: &[T]) -> wgpu::Buffer {
        let buffer = self.storage(label, size_of_val(values) / 4);
        self.write(&buffer, 0, bytemuck::cast_slice(values));
        buffer
    }

    /// Writes data of a request into a buffer. A recording keeps it; parameters of a dispatch are
    /// kept with the dispatch ([`Self::send`]).
    pub(super) fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
        self.send(buffer, offset, bytes);
        if let Some(recorder) = &self.recorder {
            recorder.write(buffer, offset, bytes);
        }
    }

    /// Writes parameters of a dispatch into a buffer.
    pub(super) fn send(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
        self.traffic.sends(bytes.len());
        self.queue.write_buffer(buffer, offset, bytes);
    }

    /// Waits until the device has done all its work.
    ///
    /// # Errors
    /// As [`Faults::check`].
    pub(super) fn wait(&self) -> Result<(), DoseError> {
        self.traffic.waits();
        let all = wgpu::PollType::Wait { submission_index: None, timeout: Some(ANSWER_TIMEOUT) };
        // wgpu panics if the driver reports the loss of the device to the waiting thread itself.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(all))) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => self.faults.lost(format!("no answer: {error}")),
            Err(_) => self.faults.lost("the driver reported the loss while it was waited for".to_owned()),
        }
        self.faults.check()
    }

    /// Hands over what was encoded, with the times of its passes if they are taken.
    pub(super) fn finish(&self, mut encoder: wgpu::CommandEncoder) {
        if let Some(stopwatch) = &self.stopwatch {
            stopwatch.resolve(&mut encoder);
        }
        self.queue.submit([encoder.finish()]);
    }

    /// Adds up the times of the passes that were handed over last and are done, if they are taken.
    ///
    /// # Errors
    /// As [`Faults::check`].
    pub(super) fn collect_times(&self) -> Result<(), DoseError> {
        self.stopwatch.as_ref().map_or(Ok(()), |stopwatch| stopwatch.collect(self))
    }

    /// A stage for lines of one length, compiled once. Without lines for a stage that transforms nothing.
    pub(super) fn pipeline(&mut self, shader: &'static Shader, lines: Option<Lines>) -> Arc<Pipeline> {
        if let Some(kept) = self.pipelines.get(&(shader.name, lines)) {
            return Arc::clone(kept);
        }
        if self.pipelines.len() >= KEPT_PIPELINES {
            self.pipelines.clear();
        }
        let compiled = Arc::new(self.compile(shader, Source::new(shader, lines), &[]));
        // One that the driver refused is no use to the next request.
        if !self.faults.is_pending() {
            self.pipelines.insert((shader.name, lines), Arc::clone(&compiled));
        }
        compiled
    }

    /// Compiles a stage. The driver may refuse it.
    ///
    /// * `constants` – at least those of the stage
    pub(super) fn compile(&self, shader: &'static Shader, source: Source, constants: &[(String, f64)]) -> Pipeline {
        Pipeline::of_source(&self.device, shader, self.played.compiling(shader.name, source), constants)
    }

    /// Compiles all stages again when they are needed.
    #[cfg(test)]
    pub(super) fn forget_pipelines(&mut self) {
        self.pipelines.clear();
    }
}
