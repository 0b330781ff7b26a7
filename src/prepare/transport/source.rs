//! Where decays are: voxels in proportion to their activity, by systematic sampling.
//!
//! The rank of a history in its statistical group gives a place on the cumulative activity and a place among the
//! emissions: the first two dimensions of Sobol's sequence (`super::sequence`). So over any range of ranks every voxel
//! gets its part of the decays, and its decays get all parts of the spectrum.

use super::scene::VOXELS_AT_ONCE;
use crate::math::watch::{Interrupted, Watch};

/// Active voxels for each cell of the guide, at least: the ends of these are side by side in memory.
const VOXELS_PER_CELL: usize = 4;
/// Cells of the guide that a small source has anyway.
const MIN_CELLS: usize = 1 << 14;
/// Cells of the guide that are made between two looks at whether to go on: each takes a search.
const CELLS_AT_ONCE: u64 = 1 << 14;
/// Most bits of a place that the guide reads.
const MAX_GUIDE_BITS: u32 = 24;

/// Active voxels, and where each ends on the cumulative activity.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceSampler {
    /// Numbers of the voxels with activity.
    pub voxels: Vec<u32>,
    /// Where each ends, in 2⁻⁶⁴ of the whole; the last is the largest number there is.
    pub ends: Vec<u64>,
    /// For each cell of the guide, the first voxel that reaches beyond its start.
    pub guide: Vec<u32>,
    /// Bits of a place that number the cells.
    pub guide_bits: u32,
}

impl SourceSampler {
    /// * `decays` – per voxel, nowhere negative
    /// * `watch` – asked every few milliseconds whether to go on
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn new(decays: &[f32], watch: &dyn Watch) -> Result<Self, Interrupted> {
        let mut total = 0.0;
        for some in decays.chunks(VOXELS_AT_ONCE) {
            watch.check()?;
            some.iter().for_each(|&decays| total += f64::from(decays));
        }
        let (mut voxels, mut ends, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for (voxel, &decays) in decays.iter().enumerate() {
            if voxel % VOXELS_AT_ONCE == 0 {
                watch.check()?;
            }
            if decays <= 0.0 {
                continue;
            }
            sum += f64::from(decays);
            voxels.push(u32::try_from(voxel).expect("a grid that fits in memory"));
            ends.push(fixed(sum / total));
        }
        if let Some(last) = ends.last_mut() {
            *last = u64::MAX;
        }
        let cells = (voxels.len().min(MIN_CELLS).max(voxels.len() / VOXELS_PER_CELL)).next_power_of_two();
        let guide_bits = cells.trailing_zeros().clamp(1, MAX_GUIDE_BITS);
        let guide = (0..1u64 << guide_bits).map(|cell| {
            if cell % CELLS_AT_ONCE == 0 {
                watch.check()?;
            }
            let start = cell << (u64::BITS - guide_bits);
            Ok(u32::try_from(ends.partition_point(|&end| end <= start)).expect("as many as voxels"))
        });
        Ok(Self { guide: guide.collect::<Result<_, _>>()?, voxels, ends, guide_bits })
    }

    /// Whether there is no activity at all.
    pub fn is_empty(&self) -> bool {
        self.voxels.is_empty()
    }

    /// The voxel at a place on the cumulative activity, and which part of the voxel's own stretch lies before it, from
    /// 0 to 1.
    #[inline]
    pub(crate) fn source_voxel(&self, place: u64) -> (u32, f32) {
        let cell = place >> (u64::BITS - self.guide_bits);
        let mut number = self.guide[usize::try_from(cell).expect("a few bits")] as usize;
        while self.ends[number] <= place && number + 1 < self.ends.len() {
            number += 1;
        }
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        let part = single(place.saturating_sub(start)) / single(self.ends[number] - start);
        (self.voxels[number], part.min(1.0))
    }
}

/// A number of two words in single precision, from the two.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
fn single(wide: u64) -> f32 {
    (wide >> 32) as u32 as f32 * 4_294_967_296.0 + wide as u32 as f32
}

/// A part of a whole in 2⁻⁶⁴.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1, and the cast saturates")]
fn fixed(part: f64) -> u64 {
    (part * 2f64.powi(64)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::watch::Unwatched;
    use crate::prepare::transport::sequence;

    #[test]
    fn voxels_get_their_parts_of_any_range_of_ranks() {
        let decays = [0.0, 3.0, 0.0, 1e-3, 5.0, 0.0, 1.0, 0.0];
        let sampler = SourceSampler::new(&decays, &Unwatched).expect("nobody stops it");
        for first in [0u32, 12_345] {
            let mut counts = [0u32; 8];
            for rank in first..first + 100_000 {
                let (voxel, _) = sampler.source_voxel(sequence::activity_place(rank, 0x1234_5678_9ABC_DEF0));
                counts[voxel as usize] += 1;
            }
            for (count, decays) in counts.iter().zip(decays) {
                let expected = f64::from(decays) / 9.001 * 1e5;
                // Systematic places are about ten off; random ones would be off by hundreds.
                assert!((f64::from(*count) - expected).abs() < 12.0, "{count} {expected}");
            }
        }
    }

    #[test]
    fn one_voxel_and_none_are_sources_too() {
        let one = SourceSampler::new(&[0.0, 1e-30], &Unwatched).expect("nobody stops it");
        for (place, part) in [(0, 0.0), (1 << 62, 0.25), (1 << 63, 0.5), (u64::MAX, 1.0)] {
            assert_eq!(one.source_voxel(place), (1, part));
        }
        assert!(SourceSampler::new(&[0.0; 3], &Unwatched).expect("nobody stops it").is_empty());
    }
}
