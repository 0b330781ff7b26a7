//! Monte Carlo transport on the device, the twin of the CPU engine's.
//!
//! A cycle is four dispatches (`shaders/transport_*.wgsl`): a plan, the emission of decays, some steps of charged
//! particles, some steps of photons. Particles on their way wait in queues from one dispatch to the next. A launch runs
//! cycles until all its decays are emitted and no particle is left.

mod buffers;
mod constants;
mod device_scene;
mod launches;
mod step_rate;
mod sums;
pub(super) mod twins;

#[cfg(test)]
mod device_tests;
#[cfg(test)]
mod rejection_tests;

use std::ops::Range;
use std::time::Instant;

use super::context::{Context, Pipeline};
use super::session::Session;
use super::shader::{
    Shader, TRANSPORT_CHARGED, TRANSPORT_EMISSION, TRANSPORT_PHOTON, TRANSPORT_SCHEDULE, TransportCounters,
    TransportParams,
};
use crate::domain::{Control, DoseError};
use crate::domain::{EnergySums, GroupTally, Tally};
use crate::engine::measures::TransportWork;
use crate::prepare::transport::{Scene, ranks};
use buffers::{ACCOUNT_WORDS, GROUP_WORDS, TransportBuffers};
pub(super) use constants::constants;
use constants::{high, low};
use device_scene::DeviceScene;
use launches::{GroupBlock, group_blocks, rank_pieces};
use step_rate::{Batch, Quota, StepRate};
use sums::SumsReader;

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
    /// The queues of particles, kept from one call to the next: they serve every scene.
    pub(super) queues: Option<wgpu::Buffer>,
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
            Ok(Pipeline::compile(&context.device, shader, &constants))
        };
        Ok(Self {
            schedule: compiled(&TRANSPORT_SCHEDULE)?,
            emission: compiled(&TRANSPORT_EMISSION)?,
            charged: compiled(&TRANSPORT_CHARGED)?,
            photon: compiled(&TRANSPORT_PHOTON)?,
            step_rate: StepRate::new(is_software),
            quota,
            queues: None,
            done: TransportWork::default(),
        })
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
        let voxels = scene.medium.len();
        let quota = match &self.transport {
            Some(stages) => stages.quota,
            None => Quota::of_device(self.is_software, limit_bytes),
        };
        let blocks = group_blocks(scene.groups, voxels, quota.tally_bytes)?;
        let mut stages = match self.transport.take() {
            Some(stages) => stages,
            None => TransportStages::compile(&self.context, self.is_software, quota, control)?,
        };
        let outcome = self.run_blocks(&mut stages, scene, &histories, &blocks, tally, control);
        if outcome.is_err() {
            stages.queues = None;
        }
        self.transport = Some(stages);
        outcome
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
        let device_scene = DeviceScene::new(&self.context, scene);
        let buffers = TransportBuffers::new(&self.context, stages, &device_scene, blocks[0].bits);
        self.context.faults.check()?;
        // A device can fail at any time. What it has done before that is kept, group by group.
        let first_left = tally.first_without(histories);
        for block in blocks.iter().filter(|block| block.groups().end as usize > first_left) {
            buffers.clear(&self.context);
            let items_per_rank = u64::from(device_scene.params.n_slots) << block.bits;
            for ranks in rank_pieces(histories, scene.groups, items_per_rank, stages.quota.items) {
                let params = launch_params(device_scene.params, block, &ranks, histories, &stages.quota);
                self.run_launch(stages, &buffers, params, control)?;
            }
            self.fetch(&buffers, scene, histories, block, tally, control)?;
            self.record_sums(&buffers, scene, block)?;
        }
        Ok(())
    }

    /// Runs cycles until all decays are emitted and no particle is on its way.
    fn run_launch(
        &mut self,
        stages: &mut TransportStages,
        buffers: &TransportBuffers,
        params: TransportParams,
        control: &Control,
    ) -> Result<(), DoseError> {
        buffers.restart(&self.context);
        buffers.record(&self.context, stages, &params);
        let mut before = TransportCounters::default();
        let mut batch = Batch { cycles: 1, lanes: 0 };
        loop {
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            let particles = waiting(&before);
            let is_emitting = emitted(&before) < params.n_items;
            if particles == 0 && !is_emitting {
                return Ok(());
            }
            batch = stages.step_rate.next(batch, particles, is_emitting, &stages.quota);
            let start = Instant::now();
            buffers.submit(&self.context, stages, params, batch);
            let mut words = [0; TransportCounters::WORDS];
            self.read_as(&buffers.counters, 0, &mut words, |word| word)?;
            let counters = TransportCounters::read(&words);
            // A device that failed may read back as zeros.
            if counters.cycles != before.cycles.wrapping_add(batch.cycles) {
                return Err(DoseError::DeviceLost("the device did not do what it was given".to_owned()));
            }
            let work = counters.work.wrapping_sub(before.work);
            if work == 0 && (waiting(&counters) > 0 || emitted(&counters) < params.n_items) {
                return Err(DoseError::DeviceOutOfMemory("the queues of particles are full".to_owned()));
            }
            stages.step_rate.learn(work, start.elapsed());
            self.context.collect_times()?;
            stages.done.planned_steps += u64::from(work);
            stages.done.moving += u64::from(counters.charged_running) + u64::from(counters.photons_running);
            stages.done.lanes += 2 * u64::from(batch.lanes);
            before = counters;
        }
    }

    /// Fetches the sums of a block of groups, adds them to the tally, one group after another, and checks that they are
    /// complete.
    fn fetch(
        &mut self,
        buffers: &TransportBuffers,
        scene: &Scene,
        histories: &Range<u64>,
        block: &GroupBlock,
        tally: &mut Tally,
        control: &Control,
    ) -> Result<(), DoseError> {
        let mut words = vec![0; GROUP_WORDS << block.bits];
        let offset = 4 * TransportCounters::WORDS as u64;
        let mut sums = SumsReader::new(&buffers.tally, (scene.medium.len() as u64) << block.bits);
        self.read_as(&buffers.counters, offset, &mut words, |word| word)?;
        let voxels = scene.medium.len();
        let (accounts, exhausted) = words.split_at(ACCOUNT_WORDS << block.bits);
        let firsts = (0u64..).step_by(voxels);
        let groups = block.groups().zip(firsts).zip(accounts.chunks(ACCOUNT_WORDS).zip(exhausted));
        let first_left = tally.first_without(histories);
        for ((group, first), (accounts, &exhausted)) in groups.filter(|((group, _), _)| *group as usize >= first_left) {
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            let account = |number: usize| u64::from(accounts[2 * number + 1]) << 32 | u64::from(accounts[2 * number]);
            let ranks = ranks(histories, scene.groups, group);
            let book = GroupTally {
                histories: u64::from(ranks.end - ranks.start),
                emitted: account(0).into(),
                deposited: account(1).into(),
                escaped: account(2).into(),
                exhausted_rejections: exhausted.into(),
                energy: EnergySums::default(),
            };
            tally.add_group(histories, |tally| {
                tally.add_book(&book);
                let found = self.add_energy(&mut sums, first, &mut tally.energy)?;
                check_complete(&book, found, account(3).into())
            })?;
        }
        Ok(())
    }

    /// Adds the sums of a group's voxels, the first of which is the block's `first`; gives the sum of all.
    fn add_energy(
        &mut self,
        sums: &mut SumsReader<'_>,
        first: u64,
        energy: &mut EnergySums,
    ) -> Result<u128, DoseError> {
        let (voxels, mut found) = (energy.len(), 0);
        for done in (0..voxels).step_by(self.transfer_limit()) {
            let len = self.transfer_limit().min(voxels - done);
            let (low, high) = sums.words(self, first + done as u64, len)?;
            for (voxel, (&low, &high)) in low.iter().zip(high).enumerate() {
                let units = u64::from(high) << 32 | u64::from(low);
                if units != 0 {
                    found += u128::from(units);
                    energy.add_sum(done + voxel, units);
                }
            }
        }
        Ok(found)
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

/// Particles on their way after the last cycle.
fn waiting(counters: &TransportCounters) -> u32 {
    // After a failure of the device, these may be any numbers.
    let charged = counters.charged.wrapping_sub(counters.charged_running).wrapping_add(counters.charged_appended);
    let photons = counters.photons.wrapping_sub(counters.photons_running).wrapping_add(counters.photons_appended);
    charged.saturating_add(photons)
}

/// Emissions so far.
fn emitted(counters: &TransportCounters) -> u32 {
    counters.first_item.wrapping_add(counters.emitting)
}

/// The voxels must hold what was scored, and the emitted energy must be deposited or have escaped.
///
/// * `book` – the account of a group
/// * `found`, `scored` – energy in its voxels, and what the device added to them
fn check_complete(book: &GroupTally, found: u128, scored: u128) -> Result<(), DoseError> {
    /// Part of the emitted energy that rounding may lose: deposits are rounded, and energies are in single precision.
    const ROUNDING: u128 = 100_000;
    let difference = book.emitted.abs_diff(book.deposited + book.escaped);
    if found == scored && difference <= book.emitted / ROUNDING + u128::from(book.histories) {
        return Ok(());
    }
    Err(DoseError::DeviceLost("the sums read back are not what the device added".to_owned()))
}
