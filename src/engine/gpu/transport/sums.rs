//! The sums of a block's voxels, fetched in as few pieces as the transfers allow: each piece is waited for.

use std::ops::Range;

use super::buffers::{ACCOUNT_WORDS, TransportBuffers};
use super::launches::GroupBlock;
use crate::domain::{DoseError, UNITS_PER_MEV};
use crate::engine::gpu::record::FoundSums;
use crate::engine::gpu::session::Session;
use crate::prepare::transport::Scene;
use crate::prepare::transport::scene::MATERIAL_MASK;

/// Reads the low and the high words of sums, which lie group by group: first all low words, then all high ones.
#[derive(Debug)]
pub(super) struct SumsReader<'a> {
    tally: &'a wgpu::Buffer,
    /// Sums of all groups of the block.
    sums: u64,
    /// Which sums are held.
    held: Range<u64>,
    low: Vec<u32>,
    high: Vec<u32>,
}

impl<'a> SumsReader<'a> {
    /// * `sums` – of all groups of the block
    pub(super) fn new(tally: &'a wgpu::Buffer, sums: u64) -> Self {
        Self { tally, sums, held: 0..0, low: Vec::new(), high: Vec::new() }
    }

    /// The low and the high words of `len` sums from `first` on. What follows them is fetched with them.
    ///
    /// * `len` – at most what a transfer takes
    ///
    /// # Errors
    /// [`DoseError::DeviceLost`].
    pub(super) fn words(
        &mut self,
        session: &mut Session,
        first: u64,
        len: usize,
    ) -> Result<(&[u32], &[u32]), DoseError> {
        let end = first + len as u64;
        if first < self.held.start || end > self.held.end {
            let ahead = usize::try_from(self.sums - first).unwrap_or(usize::MAX).min(session.transfer_limit());
            self.held = 0..0;
            for (words, start) in [(&mut self.low, first), (&mut self.high, self.sums + first)] {
                words.resize(ahead, 0);
                session.read_as(self.tally, 4 * start, words, |word| word)?;
            }
            self.held = first..first + ahead as u64;
        }
        let from = usize::try_from(first - self.held.start).expect("within what is held");
        Ok((&self.low[from..from + len], &self.high[from..from + len]))
    }
}

impl Session {
    /// Keeps the sums of a block as the device left them, if what it is given is kept.
    pub(super) fn record_sums(
        &mut self,
        buffers: &TransportBuffers,
        scene: &Scene,
        block: &GroupBlock,
    ) -> Result<(), DoseError> {
        if self.context.recorder.is_none() {
            return Ok(());
        }
        let mut words = vec![0; (2 * scene.medium.len()) << block.bits];
        let limit = self.transfer_limit();
        for (piece, offset) in words.chunks_mut(limit).zip((0..).step_by(4 * limit)) {
            self.read_as(&buffers.tally, offset, piece, |word| word)?;
        }
        let found = FoundSums {
            tally: &buffers.tally,
            counters: &buffers.counters,
            account_words: ACCOUNT_WORDS,
            groups: 1 << block.bits,
            units_per_mev: UNITS_PER_MEV,
            medium: &scene.medium,
            material_mask: MATERIAL_MASK,
            words: &words,
        };
        self.context.recorder.iter().for_each(|recorder| recorder.sums(&found));
        Ok(())
    }
}
