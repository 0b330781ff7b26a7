//! Monte Carlo transport on the device, the twin of the CPU engine's.
//!
//! A cycle is four dispatches (`shaders/transport_*.wgsl`): a plan, the emission of decays, some steps of charged
//! particles, some steps of photons. Particles on their way wait in queues from one dispatch to the next. A launch runs
//! cycles until all its decays are emitted and no particle is left.

mod buffers;
mod constants;
mod device_scene;
mod fetch;
mod held;
mod launches;
mod step_rate;
mod summary;
mod sums;
pub(super) mod twins;

#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod held_tests;
#[cfg(test)]
mod loose_tests;
#[cfg(test)]
mod rejection_tests;

use std::ops::Range;
use std::time::Instant;

use super::context::Context;
use super::pipeline::{Pipeline, Source};
use super::session::Session;
use super::shader::{
    Shader, TRANSPORT_CHARGED, TRANSPORT_EMISSION, TRANSPORT_PHOTON, TRANSPORT_SCHEDULE, TransportCounters,
    TransportParams,
};
use crate::domain::{Control, DoseError, Tally};
use crate::engine::measures::TransportWork;
use crate::prepare::transport::Scene;
use buffers::{GROUP_WORDS, KeptBuffers, TransportBuffers};
pub(super) use constants::constants;
use constants::{high, low};
use device_scene::{DeviceScene, DeviceScenes};
use fetch::Accounts;
use held::Held;
use launches::{GroupBlock, group_blocks, rank_pieces};
use step_rate::{Batch, Quota, StepRate};
use summary::SummaryStages;

/// Bytes of a particle in four queues.
const QUEUE_BYTES: u64 = 4 * 64;

/// The compiled stages, and how fast they run.
#[derive(Debug)]
pub(super) struct TransportStages {
    schedule: Pipeline,
    emission: Pipeline,
    charged: Pipeline,
    photon: Pipeline,
    step_rate: StepRate,
    quota: Quota,
    /// Buffers of the last call.
    kept: KeptBuffers,
    /// Scenes of recent calls.
    scenes: DeviceScenes,
    /// Histories whose energy is on the device.
    held: Option<Held>,
    /// The stages that sum them up.
    summary: Option<SummaryStages>,
    /// What was done since it was last asked for.
    pub(super) done: TransportWork,
}

impl TransportStages {
    fn compile(context: &Context, is_software: bool, quota: Quota, control: &Control) -> Result<Self, DoseError> {
        let constants = constants();
        let compiled = |shader: &'static Shader| {
            // A driver may take long.
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            let pipeline = context.compile(shader, Source::new(shader, None), &constants);
            // Only good ones are kept.
            context.faults.check().map(|()| pipeline)
        };
        Ok(Self {
            schedule: compiled(&TRANSPORT_SCHEDULE)?,
            emission: compiled(&TRANSPORT_EMISSION)?,
            charged: compiled(&TRANSPORT_CHARGED)?,
            photon: compiled(&TRANSPORT_PHOTON)?,
            step_rate: StepRate::new(is_software),
            quota,
            kept: KeptBuffers::default(),
            scenes: DeviceScenes::default(),
            held: None,
            summary: None,
            done: TransportWork::default(),
        })
    }

    /// Lets the tally have at most so many bytes on the device.
    #[cfg(test)]
    pub(super) fn limit_tally(&mut self, bytes: u64) {
        self.quota.tally_bytes = bytes;
    }

    /// Frees the memory of the device that is kept from one call to the next.
    pub(super) fn free(&mut self) {
        self.held = None;
        self.kept = KeptBuffers::default();
        self.scenes.clear();
    }
}

impl Session {
    /// See [`crate::engine::Device::transport`].
    pub(super) fn transport(
        &mut self,
        scene: &Scene,
        histories: Range<u64>,
        tally: &mut Tally,
        control: &Control,
    ) -> Result<(), DoseError> {
        if scene.source.is_empty() {
            return Ok(());
        }
        let limit_bytes = self.context.bounds().binding_bytes;
        let needed_bytes = DeviceScene::largest_bytes(scene);
        if needed_bytes > limit_bytes {
            let what = "the grid in a binding of the device";
            return Err(DoseError::TooLarge { what, needed_bytes, limit_bytes });
        }
        let blocks = group_blocks(scene.groups, scene.medium.len(), self.quota().tally_bytes)?;
        let mut stages = self.take_stages(control)?;
        // It has the same buffers.
        stages.held = None;
        let outcome = self.run_blocks(&mut stages, scene, &histories, &blocks, tally, control);
        if outcome.is_err() {
            stages.free();
        }
        self.transport = Some(stages);
        outcome
    }

    /// What a launch may take.
    fn quota(&self) -> Quota {
        let of_device = || Quota::of_device(self.is_software, self.context.bounds().binding_bytes);
        self.transport.as_ref().map_or_else(of_device, |stages| stages.quota)
    }

    /// The stages, compiled if they were not before. They must be put back.
    fn take_stages(&mut self, control: &Control) -> Result<TransportStages, DoseError> {
        match self.transport.take() {
            Some(stages) => Ok(stages),
            None => TransportStages::compile(&self.context, self.is_software, self.quota(), control),
        }
    }

    fn run_blocks(
        &mut self,
        stages: &mut TransportStages,
        scene: &Scene,
        histories: &Range<u64>,
        blocks: &[GroupBlock],
        tally: &mut Tally,
        control: &Control,
    ) -> Result<(), DoseError> {
        // There may not be room for these buffers and for those of a convolution.
        self.buffers = None;
        let device_scene = stages.scenes.get(&self.context, scene)?;
        let buffers = TransportBuffers::fitting(&self.context, stages, &device_scene, blocks[0].bits)?;
        let quota = Quota { capacity: buffers.capacity, ..stages.quota };
        // A device can fail at any time. What it has done before that is kept, group by group.
        let first_left = tally.first_without(histories);
        for block in blocks.iter().filter(|block| block.groups().end as usize > first_left) {
            buffers.clear(&self.context);
            let items_per_rank = u64::from(device_scene.params.n_slots) << block.bits;
            let mut last = [0; TransportCounters::WORDS];
            for ranks in rank_pieces(histories, scene.groups, items_per_rank, quota.items) {
                self.read_counters(&buffers, &last, 0)?;
                let params = launch_params(device_scene.params, block, &ranks, histories, &quota);
                last = self.run_launch(stages, &buffers, (&quota, params), control)?;
            }
            let words = self.read_counters(&buffers, &last, GROUP_WORDS << block.bits)?;
            let accounts = Accounts::new(&words, block.bits);
            self.fetch((&buffers, &accounts), scene, histories, block, tally, control)?;
            self.record_sums(&buffers, scene, block)?;
        }
        Ok(())
    }

    /// Runs cycles until all decays are emitted and no particle is on its way. Gives the counters as they are then.
    fn run_launch(
        &mut self,
        stages: &mut TransportStages,
        buffers: &TransportBuffers,
        (quota, params): (&Quota, TransportParams),
        control: &Control,
    ) -> Result<[u32; TransportCounters::WORDS], DoseError> {
        buffers.restart(&self.context);
        buffers.record(&self.context, stages, &params);
        let mut before = TransportCounters::default();
        let mut words = [0; TransportCounters::WORDS];
        let mut batch = Batch { cycles: 1, lanes: 0 };
        loop {
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            let particles = waiting(&before);
            let is_emitting = emitted(&before) < params.n_items;
            if particles == 0 && !is_emitting {
                return Ok(words);
            }
            batch = stages.step_rate.next(batch, particles, is_emitting, quota);
            let start = Instant::now();
            buffers.submit(&self.context, stages, params, batch);
            self.read_as(&buffers.counters, 0, &mut words, |word| word)?;
            let counters = TransportCounters::read(&words);
            // A device that failed may read back as zeros, and a stage that did not run leaves all as it was.
            let is_planned = counters.cycles == before.cycles.wrapping_add(batch.cycles);
            if !is_planned || counters.workgroups != counters.given {
                return Err(DoseError::DeviceLost("the device did not do what it was given".to_owned()));
            }
            let work = worked(&counters).wrapping_sub(worked(&before));
            if work == 0 && (waiting(&counters) > 0 || emitted(&counters) < params.n_items) {
                return Err(DoseError::DeviceOutOfMemory("the queues of particles are full".to_owned()));
            }
            stages.step_rate.learn(batch, work, start.elapsed());
            self.context.collect_times()?;
            add_work(&mut stages.done, batch, work, [&before, &counters]);
            before = counters;
        }
    }
}

/// The parameters of one launch.
fn launch_params(
    of_scene: TransportParams,
    block: &GroupBlock,
    ranks: &Range<u32>,
    histories: &Range<u64>,
    quota: &Quota,
) -> TransportParams {
    let n_ranks = ranks.end - ranks.start;
    let padded_ranks = n_ranks.next_multiple_of(TRANSPORT_EMISSION.lanes);
    TransportParams {
        first_group: block.first,
        launch_bits: block.bits,
        first_rank: ranks.start,
        n_ranks,
        first_history_low: low(histories.start),
        first_history_high: high(histories.start),
        end_history_low: low(histories.end),
        end_history_high: high(histories.end),
        n_items: (padded_ranks << block.bits) * of_scene.n_slots,
        capacity: quota.capacity,
        charged_steps: quota.charged_steps,
        photon_steps: quota.photon_steps,
        ..of_scene
    }
}

/// Adds a batch to what was done, by the counters before and after it.
fn add_work(done: &mut TransportWork, batch: Batch, steps: u64, [before, after]: [&TransportCounters; 2]) {
    done.planned_steps += steps;
    done.cycles += u64::from(batch.cycles);
    done.workgroups += u64::from(after.given.wrapping_sub(before.given));
    for (moving, lanes) in
        [(after.charged_running, TRANSPORT_CHARGED.lanes), (after.photons_running, TRANSPORT_PHOTON.lanes)]
    {
        done.moving += u64::from(moving);
        done.lanes += u64::from(moving).next_multiple_of(u64::from(lanes));
    }
}

/// Particles on their way after the last cycle.
fn waiting(counters: &TransportCounters) -> u32 {
    // After a failure of the device, these may be any numbers.
    let charged = counters.charged.wrapping_sub(counters.charged_running).wrapping_add(counters.charged_appended);
    let photons = counters.photons.wrapping_sub(counters.photons_running).wrapping_add(counters.photons_appended);
    charged.saturating_add(photons)
}

/// Emissions and steps planned so far.
fn worked(counters: &TransportCounters) -> u64 {
    u64::from(counters.work_high) << 32 | u64::from(counters.work_low)
}

/// Emissions so far.
fn emitted(counters: &TransportCounters) -> u32 {
    counters.first_item.wrapping_add(counters.emitting)
}
