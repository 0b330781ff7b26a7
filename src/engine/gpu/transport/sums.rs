//! The sums of a block's voxels, fetched in as few pieces as the transfers allow: each piece is waited for.

use std::ops::Range;

use crate::domain::DoseError;
use crate::engine::gpu::session::Session;

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
