//! Passes over lines of a volume, given to the device in batches that are short enough for cancellation between them.

use std::sync::Arc;
use std::time::Instant;

use super::context::{Context, Workgroups};
use super::pipeline::{Bound, Pipeline};
use super::shader::ConvolutionParams;
use crate::domain::{Control, DoseError, Stage};

/// Intended duration of a batch: short enough for cancellation and for a driver's watchdog, long enough to fill the
/// device [s].
const BATCH_SECONDS: f64 = 0.05;
/// Most dispatches of one batch.
const MAX_DISPATCHES: usize = 64;
/// Words that count the workgroups that came to their end.
const DONE_WORDS: usize = 1024;

/// One stage over one slab or chunk.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) bound: Bound,
    /// Complete except for the groups.
    pub(super) params: ConvolutionParams,
    pub(super) groups: u32,
    /// Cost of one group, in butterflies or the like: only ratios matter.
    pub(super) group_cost: f64,
}

/// The part of a pass that goes into one dispatch.
struct Dispatch<'a> {
    pass: &'a Pass,
    first_group: u32,
    end_group: u32,
}

/// Gives passes to a device, in order. Learns how fast the device is.
#[derive(Debug)]
pub(super) struct Batches {
    params: wgpu::Buffer,
    done: wgpu::Buffer,
    /// Workgroups that the last run gave; wraps.
    given: u32,
    /// Cost done per second in earlier batches.
    rate: f64,
}

impl Batches {
    /// * `rate` – a first estimate, which should be too low rather than too high
    pub(super) fn new(context: &Context, rate: f64) -> Self {
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = context.buffer("params", MAX_DISPATCHES * context.params_stride() / 4, usage);
        let done = context.storage("done", DONE_WORDS);
        Self { params, done, given: 0, rate }
    }

    /// The buffer with the parameters of the stages.
    pub(super) fn params(&self) -> &wgpu::Buffer {
        &self.params
    }

    /// The buffer in which the stages count the workgroups that came to their end.
    pub(super) fn done(&self) -> &wgpu::Buffer {
        &self.done
    }

    /// Holds what the stages counted in the last run against what they were given.
    ///
    /// * `found` – the words of [`Self::done`]
    ///
    /// # Errors
    /// [`DoseError::DeviceLost`] if a workgroup did not run, or ran twice.
    pub(super) fn check_done(&self, found: &[u32]) -> Result<(), DoseError> {
        let found = found.iter().fold(0u32, |sum, &word| sum.wrapping_add(word));
        if found == self.given {
            return Ok(());
        }
        Err(DoseError::DeviceLost(format!("the device did {found} workgroups of the {} that it was given", self.given)))
    }

    /// Runs all passes; `progress` maps the part that is done to a fraction of the stage.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`], [`DoseError::DeviceLost`], [`DoseError::DeviceOutOfMemory`].
    pub(super) fn run(
        &mut self,
        context: &Context,
        passes: &[Pass],
        control: &Control,
        progress: impl Fn(f64) -> f64,
    ) -> Result<(), DoseError> {
        let total: f64 = passes.iter().map(|pass| f64::from(pass.groups) * pass.group_cost).sum();
        let mut done = 0.0;
        let (mut pass, mut first_group) = (0, 0);
        self.given = 0;
        while pass < passes.len() {
            control.checkpoint(Stage::Dose, progress(done / total))?;
            let budget = self.rate * BATCH_SECONDS;
            let (mut batch, mut cost) = (Vec::new(), 0.0);
            while pass < passes.len() && batch.len() < MAX_DISPATCHES && (batch.is_empty() || cost < budget) {
                let current = &passes[pass];
                let end_group = current.end_within(first_group, budget - cost, context.groups_per_axis());
                batch.push(Dispatch { pass: current, first_group, end_group });
                cost += f64::from(end_group - first_group) * current.group_cost;
                self.given = self.given.wrapping_add(end_group - first_group);
                (pass, first_group) = if end_group == current.groups { (pass + 1, 0) } else { (pass, end_group) };
            }
            let start = Instant::now();
            self.submit(context, &batch, done == 0.0);
            context.wait()?;
            context.collect_times()?;
            let measured = cost / start.elapsed().as_secs_f64().max(1e-6);
            self.rate = measured.clamp(self.rate / 4.0, self.rate * 4.0);
            done += cost;
        }
        control.checkpoint(Stage::Dose, progress(1.0))
    }

    /// * `is_first` – whether a run begins with this batch
    fn submit(&self, context: &Context, batch: &[Dispatch<'_>], is_first: bool) {
        let stride = context.params_stride();
        let mut words = vec![0_u32; batch.len() * stride / 4];
        for (slot, dispatch) in words.chunks_exact_mut(stride / 4).zip(batch) {
            let &Dispatch { pass, first_group, end_group } = dispatch;
            let params = ConvolutionParams { first_group, end_group, ..pass.params }.words();
            slot[..params.len()].copy_from_slice(&params);
        }
        context.send(&self.params, 0, bytemuck::cast_slice(&words));
        let label = wgpu::CommandEncoderDescriptor { label: Some("batch") };
        let mut encoder = context.device.create_command_encoder(&label);
        if is_first {
            encoder.clear_buffer(&self.done, 0, None);
        }
        for (offset, Dispatch { pass, first_group, end_group }) in (0..).step_by(stride).zip(batch) {
            let stage = pass.pipeline.shader.name;
            let timestamp_writes = context.stopwatch.as_ref().and_then(|stopwatch| stopwatch.next(stage));
            let descriptor = wgpu::ComputePassDescriptor { label: Some(stage), timestamp_writes };
            let mut compute = encoder.begin_compute_pass(&descriptor);
            let workgroups = Workgroups::Given(context.axes(end_group - first_group));
            context.dispatch(&mut compute, (&pass.pipeline, &pass.bound), offset, workgroups);
        }
        context.finish(encoder);
    }
}

impl Pass {
    /// The end of the groups from `first` on that cost about `budget`, at least one group and at most one dispatch.
    fn end_within(&self, first: u32, budget: f64, groups_per_axis: u32) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is meant")]
        let affordable = (budget / self.group_cost) as u32;
        let rest = self.groups - first;
        // Two axes of a dispatch, and no rounding up past the range of a group number.
        let dispatchable = groups_per_axis.saturating_mul(groups_per_axis).min(1 << 30);
        first + affordable.clamp(1, rest.min(dispatchable))
    }
}
