//! What the groups of a held tally say together, computed on the device.

use std::ops::Range;

use super::TransportStages;
use super::constants::{high, low};
use super::fetch::incomplete;
use super::held::Held;
use crate::domain::summed::RegionSums;
use crate::domain::{Control, DoseError, Regions, Summed};
use crate::engine::gpu::context::{Context, Workgroups};
use crate::engine::gpu::pipeline::{Bound, Pipeline, Source};
use crate::engine::gpu::session::Session;
use crate::engine::gpu::shader::{SUMMARY_REGIONS, SUMMARY_VOXELS, SummaryParams};
use crate::prepare::transport::Scene;

/// Words of a voxel in the summary: the low and the high one of its sum, and two sums of squares.
const PLANES: usize = 4;
/// Words of the totals before those of the regions: the workgroups that came to their end, and a check for each plane.
const FIRST_REGION_WORD: usize = 1 + PLANES;
/// Words of the sums of a region for one group: its energy, two, and its energy by weight, three.
const SUM_WORDS: usize = 5;
/// Voxels of a lane that sums up regions, as in `shaders/summary_regions.wgsl`.
const STRETCH: usize = 64;

/// The stages that sum up, compiled when they are first needed.
#[derive(Debug)]
pub(super) struct SummaryStages {
    voxels: Pipeline,
    regions: Pipeline,
}

impl SummaryStages {
    fn compile(context: &Context) -> Result<Self, DoseError> {
        let compiled = |shader| context.compile(shader, Source::new(shader, None), &[]);
        let stages = Self { voxels: compiled(&SUMMARY_VOXELS), regions: compiled(&SUMMARY_REGIONS) };
        // Only good ones are kept.
        context.faults.check().map(|()| stages)
    }
}

/// The buffers of a summary.
struct SummaryBuffers {
    totals: wgpu::Buffer,
    summary: wgpu::Buffer,
    stages: [(Bound, u32); 2],
}

impl Session {
    /// See [`crate::engine::Device::summed`].
    pub(in crate::engine::gpu) fn summed(
        &mut self,
        scene: &Scene,
        histories: &Range<u64>,
        regions: &Regions,
        control: &Control,
    ) -> Result<Summed, DoseError> {
        self.with_held(scene, histories, control, |session, stages, held| session.sum_up(stages, held, regions))
    }

    fn sum_up(&mut self, stages: &mut TransportStages, held: &Held, regions: &Regions) -> Result<Summed, DoseError> {
        let summed = self.sum_up_unchecked(stages, held, regions)?;
        let scored = || (0..summed.scored.len()).map(|group| held.accounts.scored(group));
        let found: u128 = summed.energy.iter().copied().map(u128::from).sum();
        let is_complete = summed.scored.iter().copied().eq(scored()) && found == scored().sum::<u128>();
        if is_complete { Ok(summed) } else { Err(incomplete()) }
    }

    /// The sums, not held against what was scored.
    pub(super) fn sum_up_unchecked(
        &mut self,
        stages: &mut TransportStages,
        held: &Held,
        regions: &Regions,
    ) -> Result<Summed, DoseError> {
        let context = &self.context;
        let summary = match &mut stages.summary {
            Some(kept) => kept,
            absent => absent.insert(SummaryStages::compile(context)?),
        };
        let buffers = SummaryBuffers::new(context, summary, held, regions);
        context.faults.check()?;
        buffers.submit(context, summary);
        let given = buffers.stages.iter().map(|(_, workgroups)| workgroups).sum::<u32>();
        let words = FIRST_REGION_WORD + region_words(held, regions);
        let totals = self.read_all(&buffers.totals, 0, words)?;
        // There is no other way to notice a wrong word of the sums by weight.
        if self.read_all(&buffers.totals, 0, words)? != totals {
            return Err(incomplete());
        }
        let (head, by_region) = totals.split_at(FIRST_REGION_WORD);
        if head[0] != given {
            return Err(DoseError::DeviceLost("the device did not sum up what it was given".to_owned()));
        }
        let voxels = held.scene.params.n_voxels as usize;
        let counts = held.counts();
        let fewest = counts.iter().copied().min().unwrap_or(0);
        let has_more = counts.iter().any(|count| *count > fewest);
        let mut plane = |number: usize| {
            let words = self.read_all(&buffers.summary, number * voxels, voxels)?;
            let check = words.iter().fold(0u32, |sum, &word| sum.wrapping_add(word));
            if check == head[1 + number] { Ok(words) } else { Err(incomplete()) }
        };
        let (low, high) = (plane(0)?, plane(1)?);
        let energy: Vec<u64> = low.into_iter().zip(high).map(|(low, high)| wide(low, high)).collect();
        let single = |words: Vec<u32>| words.into_iter().map(f32::from_bits).collect();
        let mut squares = vec![(fewest, single(plane(2)?))];
        if has_more {
            squares.push((fewest + 1, single(plane(3)?)));
        }
        // Groups without histories have nothing that could differ.
        squares.retain(|(count, _)| *count > 0);
        let by_region: Vec<RegionSums> = by_region.chunks_exact(SUM_WORDS * counts.len()).map(sums_of).collect();
        let of_group = |group: usize| by_region.iter().map(|sums| sums.energy[group]).sum();
        let scored = (0..counts.len()).map(of_group).collect();
        let regions = regions.labels.iter().copied().zip(by_region.iter().skip(1).cloned()).collect();
        Ok(Summed { histories: counts, energy, squares, scored, regions })
    }

    /// Fetches words, whose number is counted from the start of the buffer, in as many pieces as it takes.
    fn read_all(&mut self, buffer: &wgpu::Buffer, first: usize, len: usize) -> Result<Vec<u32>, DoseError> {
        let mut words = vec![0; len];
        let limit = self.transfer_limit();
        for (piece, start) in words.chunks_mut(limit).zip((first..).step_by(limit)) {
            self.read_as(buffer, 4 * start as u64, piece, |word| word)?;
        }
        Ok(words)
    }
}

impl SummaryBuffers {
    fn new(context: &Context, stages: &SummaryStages, held: &Held, regions: &Regions) -> Self {
        let n_voxels = held.scene.params.n_voxels;
        let voxels = n_voxels as usize;
        let counts = held.counts();
        let histories: u64 = counts.iter().sum();
        let fewest = counts.iter().copied().min().unwrap_or(0);
        let more = counts.iter().enumerate().filter(|(_, count)| **count > fewest);
        let params = SummaryParams {
            n_voxels,
            launch_bits: held.block.bits,
            histories_low: low(histories),
            histories_high: high(histories),
            fewest: u32::try_from(fewest).expect("a rank has 32 bits"),
            more: more.fold(0, |bits, (group, _)| bits | 1 << group),
        };
        let words = params.words();
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = context.buffer("summary params", words.len(), uniform);
        context.send(&params, 0, bytemuck::cast_slice(&words));
        let totals = context.storage("totals", FIRST_REGION_WORD + region_words(held, regions));
        let summary = context.storage("summary", PLANES * voxels);
        let of_voxel = context.filled("regions", &regions.of_voxel);
        let weights = context.filled("weights", &regions.weights);
        let buffers = [
            ("params", &params),
            ("tally", &held.buffers.tally),
            ("totals", &totals),
            ("summary", &summary),
            ("regions", &of_voxel),
            ("weights", &weights),
        ];
        let stage = |pipeline: &Pipeline, lanes: usize| {
            let workgroups = lanes.div_ceil(pipeline.shader.lanes as usize);
            let workgroups = u32::try_from(workgroups).expect("voxels of a tally are counted in 32 bits");
            // Both axes are full, so there may be some more.
            let [x, y] = context.axes(workgroups);
            (pipeline.bind(&context.device, &buffers), x * y)
        };
        let stages =
            [stage(&stages.voxels, voxels), stage(&stages.regions, voxels.div_ceil(STRETCH) << held.block.bits)];
        Self { totals, summary, stages }
    }

    fn submit(&self, context: &Context, stages: &SummaryStages) {
        let label = wgpu::CommandEncoderDescriptor { label: Some("summary") };
        let mut encoder = context.device.create_command_encoder(&label);
        let descriptor = wgpu::ComputePassDescriptor { label: Some("summary"), timestamp_writes: None };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        for (pipeline, (bound, workgroups)) in [&stages.voxels, &stages.regions].into_iter().zip(&self.stages) {
            context.dispatch(&mut pass, (pipeline, bound), 0, Workgroups::Given(context.axes(*workgroups)));
        }
        drop(pass);
        context.queue.submit([encoder.finish()]);
    }
}

fn region_words(held: &Held, regions: &Regions) -> usize {
    (SUM_WORDS * (regions.labels.len() + 1)) << held.block.bits
}

/// The sums of one region, group by group.
fn sums_of(words: &[u32]) -> RegionSums {
    let number = |words: &[u32]| words.iter().rev().fold(0, |high: u128, &word| high << 32 | u128::from(word));
    let of_groups =
        |first: usize, end: usize| words.chunks_exact(SUM_WORDS).map(|group| number(&group[first..end])).collect();
    RegionSums { energy: of_groups(0, 2), weighted: of_groups(2, SUM_WORDS) }
}

fn wide(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}
