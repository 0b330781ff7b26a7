//! What the engine gives a device and what the device answers, kept so that any other implementation of WebGPU can be
//! given the same. Work that the host divides by the speed of the device is kept with its rule, not as it was divided.

mod recording;

pub use recording::{PortableStage, Recording};

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::batch::Pass;
use super::pipeline::{Bound, Pipeline, Source};
use super::shader::{self, BindingKind, ConvolutionParams, Shader, TransportCounters, TransportParams};
use crate::digest::sha256_hex;
use recording::{
    RecordedBindings, RecordedBuffer, RecordedGrid, RecordedLaunch, RecordedPass, RecordedPipeline, RecordedSlot,
    RecordedStage, RecordedSums, RecordedTwins, Step,
};

/// Keeps what a device is given. It holds every buffer that occurs.
#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    recording: Recording,
    /// By name and source.
    stages: HashMap<(&'static str, Cow<'static, str>), usize>,
    pipelines: HashMap<wgpu::ComputePipeline, usize>,
    buffers: HashMap<wgpu::Buffer, usize>,
    bindings: HashMap<wgpu::BindGroup, usize>,
}

/// The buffers of a launch.
pub(super) struct LaunchBuffers<'a> {
    pub(super) params: &'a wgpu::Buffer,
    pub(super) counters: &'a wgpu::Buffer,
    pub(super) queues: &'a wgpu::Buffer,
    pub(super) dispatches: &'a wgpu::Buffer,
    /// Bytes of the queues for each particle of their capacity.
    pub(super) queue_bytes: u64,
}

/// Sums as a device left them.
pub(super) struct FoundSums<'a> {
    pub(super) tally: &'a wgpu::Buffer,
    pub(super) counters: &'a wgpu::Buffer,
    pub(super) account_words: usize,
    pub(super) groups: usize,
    pub(super) units_per_mev: f64,
    pub(super) medium: &'a [u32],
    pub(super) material_mask: u32,
    /// Low words of all sums, then high words, group by group.
    pub(super) words: &'a [u32],
}

/// Cases of the bodies of the transport.
pub(super) struct GivenTwins<'a> {
    pub(super) params: (&'a wgpu::Buffer, &'a [u32]),
    pub(super) stage: (&'a Pipeline, &'a Bound),
    pub(super) groups: u32,
    pub(super) outcomes: &'a wgpu::Buffer,
    pub(super) tests: Vec<String>,
    pub(super) cases: usize,
    /// What the CPU makes of them.
    pub(super) expected: &'a [u8],
}

impl Recorder {
    /// What was kept so far.
    pub(super) fn recording(&self) -> Recording {
        self.state().recording.clone()
    }

    /// The grid of the voxels.
    pub(super) fn grid(&self, shape: [usize; 3], spacing_mm: [f64; 3]) {
        self.state().recording.grid = Some(RecordedGrid { shape, spacing_mm });
    }

    /// Bytes that were written to a buffer.
    pub(super) fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
        let mut state = self.state();
        let (buffer, blob) = (state.buffer(buffer), state.recording.blob(bytes));
        state.recording.steps.push(Step::Write { buffer, offset, blob });
    }

    /// Zeros in the first bytes of a buffer, or in all of it.
    pub(super) fn clear(&self, buffer: &wgpu::Buffer, bytes: Option<u64>) {
        let mut state = self.state();
        let buffer = state.buffer(buffer);
        state.recording.steps.push(Step::Clear { buffer, bytes });
    }

    /// Passes of a convolution, in order.
    pub(super) fn passes(&self, params: &wgpu::Buffer, passes: &[Pass]) {
        let mut state = self.state();
        let params = state.buffer(params);
        let passes = passes.iter().map(|pass| RecordedPass {
            bindings: state.bindings(&pass.pipeline, &pass.bound),
            words: pass.params.words().to_vec(),
            groups: pass.groups,
            cost: pass.group_cost,
        });
        let passes = passes.collect();
        let word = |name| place_of(&ConvolutionParams::FIELDS, name);
        let (first_word, end_word) = (word("first_group"), word("end_group"));
        state.recording.steps.push(Step::Passes { params, first_word, end_word, passes });
    }

    /// A launch of transport.
    ///
    /// * `cycle` – its stages in order
    pub(super) fn launch(
        &self,
        buffers: &LaunchBuffers<'_>,
        params: &TransportParams,
        cycle: [(&Pipeline, &Bound); 4],
    ) {
        let mut state = self.state();
        let launch = RecordedLaunch {
            params: state.buffer(buffers.params),
            counters: state.buffer(buffers.counters),
            queues: state.buffer(buffers.queues),
            dispatches: state.buffer(buffers.dispatches),
            words: params.words().to_vec(),
            params_words: places(&TransportParams::FIELDS),
            counters_words: places(&TransportCounters::FIELDS),
            queue_bytes: buffers.queue_bytes,
            cycle: cycle.map(|(pipeline, bound)| state.bindings(pipeline, bound)).to_vec(),
        };
        state.recording.steps.push(Step::Launch(Box::new(launch)));
    }

    /// Values that a convolution left.
    ///
    /// * `first_voxel` – the voxel of the first
    pub(super) fn values(&self, buffer: &wgpu::Buffer, offset: u64, first_voxel: usize, values: &[f32]) {
        let mut state = self.state();
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let (buffer, blob, sha256) = (state.buffer(buffer), state.recording.blob(bytes), sha256_hex(bytes));
        state.recording.steps.push(Step::Values { buffer, offset, first_voxel, blob, sha256 });
    }

    /// Sums that transport left.
    pub(super) fn sums(&self, found: &FoundSums<'_>) {
        let mut state = self.state();
        let (energy, sigma) = statistics(found);
        let sums = RecordedSums {
            tally: state.buffer(found.tally),
            counters: state.buffer(found.counters),
            accounts_word: TransportCounters::WORDS,
            account_words: found.account_words,
            groups: found.groups,
            units_per_mev: found.units_per_mev,
            medium: state.recording.blob(bytemuck::cast_slice(found.medium)),
            material_mask: found.material_mask,
            energy: state.recording.blob(bytemuck::cast_slice(&energy)),
            sigma: state.recording.blob(bytemuck::cast_slice(&sigma)),
            sha256: sha256_hex(bytemuck::cast_slice::<u32, u8>(found.words)),
        };
        state.recording.steps.push(Step::Sums(sums));
    }

    /// Bodies of the transport, one by one.
    pub(super) fn twins(&self, given: GivenTwins<'_>) {
        let mut state = self.state();
        let (params, words) = given.params;
        let twins = RecordedTwins {
            params: state.buffer(params),
            words: words.to_vec(),
            bindings: state.bindings(given.stage.0, given.stage.1),
            groups: given.groups,
            outcomes: state.buffer(given.outcomes),
            tests: given.tests,
            cases: given.cases,
            expected: state.recording.blob(given.expected),
        };
        state.recording.steps.push(Step::Twins(twins));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn buffer(&mut self, buffer: &wgpu::Buffer) -> usize {
        let next = self.recording.buffers.len();
        let is = |usage| buffer.usage().contains(usage);
        let (is_uniform, is_indirect) = (is(wgpu::BufferUsages::UNIFORM), is(wgpu::BufferUsages::INDIRECT));
        *self.buffers.entry(buffer.clone()).or_insert_with(|| {
            self.recording.buffers.push(RecordedBuffer { bytes: buffer.size(), is_uniform, is_indirect });
            next
        })
    }

    fn stage(&mut self, pipeline: &Pipeline) -> usize {
        let next = self.recording.stages.len();
        *self.stages.entry((pipeline.shader.name, pipeline.source.text.clone())).or_insert_with(|| {
            self.recording.stages.push(stage_of(pipeline.shader, pipeline.source.clone()));
            next
        })
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> usize {
        if let Some(&known) = self.pipelines.get(&pipeline.compute) {
            return known;
        }
        let recorded = RecordedPipeline {
            stage: self.stage(pipeline),
            constants: pipeline.constants.iter().cloned().collect(),
            bindings: slots_of(pipeline.shader),
        };
        self.recording.pipelines.push(recorded);
        let number = self.recording.pipelines.len() - 1;
        self.pipelines.insert(pipeline.compute.clone(), number);
        number
    }

    fn bindings(&mut self, pipeline: &Pipeline, bound: &Bound) -> usize {
        if let Some(&known) = self.bindings.get(&bound.group) {
            return known;
        }
        let buffers = bound.buffers.iter().map(|(slot, buffer)| (*slot, self.buffer(buffer))).collect();
        let recorded = RecordedBindings { pipeline: self.pipeline(pipeline), buffers };
        self.recording.bindings.push(recorded);
        let number = self.recording.bindings.len() - 1;
        self.bindings.insert(bound.group.clone(), number);
        number
    }
}

/// The stages that measure what a device can do at most.
pub fn probe_stages() -> Vec<PortableStage> {
    let probes = [
        &shader::PROBE_ATOMICS,
        &shader::PROBE_COPY,
        &shader::PROBE_FMA,
        &shader::PROBE_INTEGER,
        &shader::PROBE_READ,
        &shader::PROBE_WRITE,
    ];
    probes
        .map(|shader| PortableStage { stage: stage_of(shader, Source::new(shader, None)), bindings: slots_of(shader) })
        .to_vec()
}

fn stage_of(shader: &'static Shader, source: Source) -> RecordedStage {
    RecordedStage { name: shader.name, source: source.text, lanes: source.lanes }
}

fn slots_of(shader: &'static Shader) -> Vec<RecordedSlot> {
    let slot = |binding: &shader::Binding| {
        let (kind, bytes) = match binding.kind {
            BindingKind::Uniform { bytes } => ("uniform", Some(bytes)),
            BindingKind::ReadOnly => ("read", None),
            BindingKind::ReadWrite => ("read-write", None),
        };
        RecordedSlot { slot: binding.slot, name: binding.name, kind, bytes }
    };
    shader.bindings.iter().map(slot).collect()
}

/// The energy of each voxel over all groups, and its standard deviation from their spread [units].
fn statistics(found: &FoundSums<'_>) -> (Vec<f64>, Vec<f32>) {
    let (voxels, groups) = (found.medium.len(), found.groups);
    let (low, high) = found.words.split_at(voxels * groups);
    let units = |sum: usize| (u64::from(high[sum]) << 32 | u64::from(low[sum])) as f64;
    let of_voxel = |voxel: usize| {
        let total: f64 = (0..groups).map(|group| units(group * voxels + voxel)).sum();
        let mean = total / groups as f64;
        let squares: f64 = (0..groups).map(|group| (units(group * voxels + voxel) - mean).powi(2)).sum();
        let variance = squares * groups as f64 / (groups as f64 - 1.0).max(1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a standard deviation needs few digits")]
        (total, variance.sqrt() as f32)
    };
    (0..voxels).map(of_voxel).unzip()
}

fn places(names: &[&'static str]) -> BTreeMap<&'static str, usize> {
    names.iter().enumerate().map(|(place, name)| (*name, place)).collect()
}

fn place_of(names: &[&'static str], wanted: &str) -> usize {
    names.iter().position(|name| *name == wanted).expect("a field of the struct")
}
