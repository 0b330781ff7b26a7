//! When to compute the uncertainty, and how many histories to give to a device at once.

use std::time::Duration;

/// Smallest number of histories before the uncertainty is first computed.
const FIRST_LOOK: u64 = 1 << 15;
/// Range of the growth in histories from one look at the uncertainty to the next. With less, looks would take too much
/// time; with more, a single lucky look could stop the run.
const LOOK_GROWTH: [f64; 2] = [1.05, 4.0];
/// Margin on the number of histories that the last look predicts, since the prediction is uncertain.
const LOOK_MARGIN: f64 = 1.02;
/// Histories of the first batch, when the throughput of the device is not known.
const FIRST_BATCH: u64 = 1 << 12;
/// How long a batch should last: long enough to make its overhead small, short enough for progress reports.
const BATCH_TIME: Duration = Duration::from_secs(2);
/// Largest growth in histories from one batch to the next.
const BATCH_GROWTH: f64 = 32.0;
/// Fraction of the time left that a batch is planned to take, since the throughput is uncertain.
const CAUTION: f64 = 0.9;

/// Histories before the first look at the uncertainty. It depends on the grid only, and later looks only on the results
/// so far, so a run that stops at a target has the same histories on every device.
///
/// A look costs a few operations per voxel and group, so in a large grid the first look comes after as many histories
/// as there are voxels.
pub(super) fn first_look(voxels: usize, groups: u32) -> u64 {
    FIRST_LOOK.max(voxels as u64).next_multiple_of(groups.into())
}

/// Histories before the next look: as many as should reach the target, since the uncertainty falls with the square root
/// of their number.
///
/// * `excess` – uncertainty at the last look, relative to the target; none if nothing was deposited
pub(super) fn next_look(histories: u64, excess: Option<f64>, groups: u32) -> u64 {
    let [least, most] = LOOK_GROWTH;
    let growth = excess.map_or(most, |excess| (LOOK_MARGIN * excess.powi(2)).clamp(least, most));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above 0; beyond the range it saturates"
    )]
    let next = (histories as f64 * growth) as u64;
    let groups = u64::from(groups);
    next.max(histories + 1).checked_next_multiple_of(groups).unwrap_or(u64::MAX)
}

/// Throughput of a device, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Throughput {
    last: Option<(u64, Duration)>,
}

impl Throughput {
    /// Records a batch.
    pub(super) fn record(&mut self, histories: u64, took: Duration) {
        self.last = Some((histories, took));
    }

    /// Histories per second.
    pub(super) fn per_second(&self) -> Option<f64> {
        let (histories, took) = self.last?;
        (took > Duration::ZERO).then(|| histories as f64 / took.as_secs_f64())
    }

    /// Histories for the next batch.
    ///
    /// * `left` – time left
    pub(super) fn next_batch(&self, left: Option<Duration>) -> u64 {
        let (Some((last, _)), Some(per_second)) = (self.last, self.per_second()) else { return FIRST_BATCH };
        let time = left.map_or(BATCH_TIME, |left| BATCH_TIME.min(left.mul_f64(CAUTION)));
        let histories = (per_second * time.as_secs_f64()).min(last as f64 * BATCH_GROWTH);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above 0; beyond the range it saturates"
        )]
        let histories = histories as u64;
        histories.max(crate::domain::stop::MIN_HISTORIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_go_where_the_target_should_be_reached() {
        assert_eq!((first_look(1000, 32), first_look(5_000_001, 16)), (1 << 15, 5_000_016));
        assert_eq!(next_look(32_000, Some(1.5), 32), 73_440);
        assert_eq!(next_look(32_000, Some(1.01), 32), 33_600);
        assert_eq!((next_look(32_000, Some(100.0), 32), next_look(32_000, None, 32)), (128_000, 128_000));
        assert!(next_look(32, Some(1.0), 32) > 32 && next_look(u64::MAX / 2, None, 32) >= u64::MAX - 32);
    }

    #[test]
    fn rounds_grow_to_their_time_and_shrink_to_the_time_left() {
        let mut throughput = Throughput::default();
        assert_eq!((throughput.next_batch(None), throughput.per_second()), (FIRST_BATCH, None));
        throughput.record(1000, Duration::from_millis(1));
        assert_eq!(throughput.next_batch(None), 32_000);
        throughput.record(500_000, Duration::from_millis(500));
        assert_eq!(throughput.next_batch(None), 2_000_000);
        assert_eq!(throughput.next_batch(Some(Duration::from_millis(100))), 90_000);
        assert_eq!(throughput.next_batch(Some(Duration::ZERO)), 32);
        throughput.record(32, Duration::ZERO);
        assert_eq!(throughput.next_batch(None), FIRST_BATCH);
    }
}
