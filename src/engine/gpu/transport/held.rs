//! Histories whose energy stays on the device from one call to the next, and what is asked of it meanwhile: what the
//! groups say together, which is a small part of the tally.

use std::ops::Range;
use std::sync::Arc;

use super::buffers::{GROUP_WORDS, TransportBuffers};
use super::device_scene::DeviceScene;
use super::fetch::{Accounts, check_balance};
use super::launches::{GroupBlock, group_blocks, rank_pieces};
use super::{Quota, TransportStages, launch_params};
use crate::domain::{Control, DoseError, GroupTally, Tally};
use crate::engine::gpu::session::Session;
use crate::engine::gpu::shader::TransportCounters;
use crate::prepare::transport::{Scene, ranks};

/// The tally of some histories of a scene, on the device.
#[derive(Debug)]
pub(super) struct Held {
    /// Digest of the scene.
    sha256: String,
    pub(super) histories: Range<u64>,
    pub(super) scene: Arc<DeviceScene>,
    pub(super) buffers: TransportBuffers,
    /// All groups.
    pub(super) block: GroupBlock,
    /// The counters when they were last read.
    last: [u32; TransportCounters::WORDS],
    /// Energy by group.
    pub(super) accounts: Accounts,
}

impl Held {
    /// Histories of each group.
    pub(super) fn counts(&self) -> Vec<u64> {
        let of_group = |group: u32| {
            let ranks = ranks(&self.histories, 1 << self.block.bits, group);
            u64::from(ranks.end - ranks.start)
        };
        self.block.groups().map(of_group).collect()
    }

    /// What the groups have, without the energy of their voxels.
    fn books(&self) -> Vec<GroupTally> {
        let book = |(group, count)| self.accounts.book(group, count);
        self.counts().into_iter().enumerate().map(book).collect()
    }
}

impl Session {
    /// See [`crate::engine::Device::can_hold`].
    pub(in crate::engine::gpu) fn can_hold(&self, scene: &Scene) -> bool {
        let blocks = group_blocks(scene.groups, scene.medium.len(), self.quota().tally_bytes);
        let is_kept = scene.sha256.is_some() && self.context.recorder.is_none();
        let fits = DeviceScene::largest_bytes(scene) <= self.context.bounds().binding_bytes;
        is_kept && fits && blocks.is_ok_and(|all| all.len() == 1) && !scene.source.is_empty()
    }

    /// See [`crate::engine::Device::hold`].
    pub(in crate::engine::gpu) fn hold(
        &mut self,
        scene: &Scene,
        histories: &Range<u64>,
        control: &Control,
    ) -> Result<Vec<GroupTally>, DoseError> {
        let mut stages = self.take_stages(control)?;
        let outcome = self.hold_with(&mut stages, scene, histories, control);
        if outcome.is_err() {
            stages.free();
        }
        self.transport = Some(stages);
        outcome
    }

    fn hold_with(
        &mut self,
        stages: &mut TransportStages,
        scene: &Scene,
        histories: &Range<u64>,
        control: &Control,
    ) -> Result<Vec<GroupTally>, DoseError> {
        let is_begun = |held: &Held| {
            Some(&held.sha256) == scene.sha256.as_ref()
                && held.histories.start == histories.start
                && held.histories.end <= histories.end
        };
        let mut held = match stages.held.take().filter(is_begun) {
            Some(held) => held,
            None => self.begin(stages, scene, histories.start)?,
        };
        let missing = held.histories.end..histories.end;
        if !missing.is_empty() {
            let quota = Quota { capacity: held.buffers.capacity, ..stages.quota };
            let items_per_rank = u64::from(held.scene.params.n_slots) << held.block.bits;
            for ranks in rank_pieces(&missing, scene.groups, items_per_rank, quota.items) {
                self.read_counters(&held.buffers, &held.last, 0)?;
                let params = launch_params(held.scene.params, &held.block, &ranks, &missing, &quota);
                held.last = self.run_launch(stages, &held.buffers, (&quota, params), control)?;
            }
            let words = self.read_counters(&held.buffers, &held.last, GROUP_WORDS << held.block.bits)?;
            held.accounts = Accounts::new(&words, held.block.bits);
            held.histories.end = histories.end;
        }
        let books = held.books();
        books.iter().try_for_each(check_balance)?;
        stages.held = Some(held);
        Ok(books)
    }

    /// An empty tally of all groups.
    fn begin(&mut self, stages: &mut TransportStages, scene: &Scene, first: u64) -> Result<Held, DoseError> {
        self.buffers = None;
        let device_scene = stages.scenes.get(&self.context, scene)?;
        let block = GroupBlock { first: 0, bits: scene.groups.ilog2() };
        let buffers = TransportBuffers::fitting(&self.context, stages, &device_scene, block.bits)?;
        buffers.clear(&self.context);
        Ok(Held {
            sha256: scene.sha256.clone().unwrap_or_default(),
            histories: first..first,
            scene: device_scene,
            buffers,
            accounts: Accounts::new(&vec![0; GROUP_WORDS << block.bits], block.bits),
            block,
            last: [0; TransportCounters::WORDS],
        })
    }

    /// See [`crate::engine::Device::collect`].
    pub(in crate::engine::gpu) fn collect(
        &mut self,
        scene: &Scene,
        histories: &Range<u64>,
        control: &Control,
    ) -> Result<Tally, DoseError> {
        self.with_held(scene, histories, control, |session, _, held| {
            let mut tally = Tally::new(scene.groups, scene.medium.len());
            session.fetch((&held.buffers, &held.accounts), scene, histories, &held.block, &mut tally, control)?;
            Ok(tally)
        })
    }

    /// Asks for something of histories that are held, or are run now.
    pub(super) fn with_held<T>(
        &mut self,
        scene: &Scene,
        histories: &Range<u64>,
        control: &Control,
        ask: impl FnOnce(&mut Self, &mut TransportStages, &Held) -> Result<T, DoseError>,
    ) -> Result<T, DoseError> {
        self.hold(scene, histories, control)?;
        let mut stages = self.take_stages(control)?;
        let held = stages.held.take().expect("they are held from here on");
        let outcome = ask(self, &mut stages, &held);
        match &outcome {
            Ok(_) => stages.held = Some(held),
            Err(_) => stages.free(),
        }
        self.transport = Some(stages);
        outcome
    }
}
