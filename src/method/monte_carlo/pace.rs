//! When to look at the uncertainty, and how many histories to hand to a device at once.

use std::time::Duration;

/// Fewest histories before the uncertainty is looked at.
const FIRST_LOOK: u64 = 1 << 15;
/// Histories from one look to the next grow by this part.
const GROWTH: (u64, u64) = (5, 4);
/// Histories of the first round, when nothing is known of the device.
const FIRST_ROUND: u64 = 1 << 10;
/// How long a round should last: long enough that its beginning and end cost little, short enough for progress and a time limit.
const ROUND: Duration = Duration::from_millis(1000);
/// A round has at most so many times the histories of the one before.
const ROUND_GROWTH: f64 = 8.0;
/// Part of the time that is left which a round is planned to take: what it is planned from is uncertain.
const CAUTION: f64 = 0.9;

/// Numbers of histories at which the uncertainty is looked at: a geometric series that depends on the grid alone, so that a run that stops at a target has
/// the same histories wherever it runs.
///
/// A look costs some operations a voxel and group, so in a large grid the first comes after as many histories as there are voxels.
pub(super) fn looks(voxels: usize, groups: u32) -> impl Iterator<Item = u64> {
    let whole = move |histories: u64| histories.next_multiple_of(u64::from(groups));
    let first = whole(FIRST_LOOK.max(voxels as u64));
    std::iter::successors(Some(first), move |last| Some(whole(last.checked_mul(GROWTH.0)? / GROWTH.1)))
}

/// How many histories a device does in a second, as far as is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    last: Option<(u64, Duration)>,
}

impl Pace {
    /// Takes note of a round.
    pub(super) fn saw(&mut self, histories: u64, took: Duration) {
        self.last = Some((histories, took));
    }

    /// Histories per second.
    pub(super) fn per_second(&self) -> Option<f64> {
        let (histories, took) = self.last?;
        (took > Duration::ZERO).then(|| histories as f64 / took.as_secs_f64())
    }

    /// Histories for the next round.
    ///
    /// * `left` – time that may still pass
    pub(super) fn round(&self, left: Option<Duration>) -> u64 {
        let (Some((last, _)), Some(per_second)) = (self.last, self.per_second()) else { return FIRST_ROUND };
        let time = left.map_or(ROUND, |left| ROUND.min(left.mul_f64(CAUTION)));
        let histories = (per_second * time.as_secs_f64()).min(last as f64 * ROUND_GROWTH);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above 0; beyond the range it saturates"
        )]
        let histories = histories as u64;
        histories.max(crate::domain::monte_carlo::MIN_HISTORIES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_a_geometric_series_of_whole_groups() {
        let small: Vec<u64> = looks(1000, 32).take(60).collect();
        assert_eq!(small[0], 1 << 15);
        assert!(small.iter().all(|n| n.is_multiple_of(32)));
        assert!(small.windows(2).all(|pair| (1.2..1.26).contains(&(pair[1] as f64 / pair[0] as f64))), "{small:?}");
        assert!(small[59] > 10_000_000_000);
        assert_eq!(looks(5_000_001, 16).next(), Some(5_000_016));
        assert!(looks(1, 32).count() < 200, "the series ends");
    }

    #[test]
    fn rounds_grow_to_a_second_and_shrink_to_the_time_left() {
        let mut pace = Pace::default();
        assert_eq!((pace.round(None), pace.per_second()), (FIRST_ROUND, None));
        pace.saw(1000, Duration::from_millis(1));
        assert_eq!(pace.round(None), 8000);
        pace.saw(500_000, Duration::from_millis(500));
        assert_eq!(pace.round(None), 1_000_000);
        assert_eq!(pace.round(Some(Duration::from_millis(100))), 90_000);
        assert_eq!(pace.round(Some(Duration::ZERO)), 32);
        pace.saw(32, Duration::ZERO);
        assert_eq!(pace.round(None), FIRST_ROUND);
    }
}
