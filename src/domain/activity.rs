//! The source term: time-integrated activity.

use super::passes::{BLOCK, is_amount, largest, sum, sum_of_block};
use super::{ActivityUnit, Invalid, Volume};

/// Most decays in one voxel [Bq·s]: ten million times those in a whole patient. Above it, single precision may
/// overflow.
pub const MAX_DECAYS_PER_VOXEL: f64 = 1e24;

/// Decays per voxel [Bq·s]: finite, nowhere negative.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeIntegratedActivity {
    decays: Volume<f32>,
    total: f64,
}

impl TimeIntegratedActivity {
    /// * `map` – one value a voxel, in `unit`
    ///
    /// # Errors
    /// If a value is NaN, infinite, negative, or above [`MAX_DECAYS_PER_VOXEL`].
    pub fn new(mut map: Volume<f32>, unit: ActivityUnit) -> Result<Self, Invalid> {
        let scale = unit.to_bq_s(map.grid().voxel_volume_cm3())?;
        let largest = check_values(map.as_slice(), "an activity")?;
        let decays = |value: f32| f64::from(value) * scale;
        let is_too_large = |value: f32| decays(value) > MAX_DECAYS_PER_VOXEL;
        if is_too_large(largest) {
            let index = map.as_slice().iter().position(|&value| is_too_large(value)).expect("the largest is");
            return Err(Invalid::new(format!(
                "value {index} is {:e} Bq·s, more than {MAX_DECAYS_PER_VOXEL:e}; is the unit right?",
                decays(map.as_slice()[index])
            )));
        }
        if scale == 1.0 {
            let total = sum(map.as_slice());
            return Ok(Self { decays: map, total });
        }
        let scaled = |block: &mut [f32]| {
            #[expect(clippy::cast_possible_truncation, reason = "the stored precision; the range is checked above")]
            block.iter_mut().for_each(|value| *value = decays(*value) as f32);
            sum_of_block(block)
        };
        let total = map.as_mut_slice().chunks_mut(BLOCK).map(scaled).sum();
        Ok(Self { decays: map, total })
    }

    /// Decays in each voxel [Bq·s].
    pub fn decays(&self) -> &Volume<f32> {
        &self.decays
    }

    /// Decays in the whole map [Bq·s].
    pub fn total(&self) -> f64 {
        self.total
    }
}

/// The largest value.
///
/// # Errors
/// If a value is NaN, infinite or negative: the first such index, its value, and how many there are.
pub(super) fn check_values(values: &[f32], what: &str) -> Result<f32, Invalid> {
    let refused = || {
        let mut bad = values.iter().enumerate().filter(|(_, value)| !is_amount(**value));
        let (first, value) = bad.next().expect("a value that is no amount");
        let count = 1 + bad.count();
        let words = "must be finite and not negative";
        Invalid::new(format!("{what} {words}: value {first} is {value}, one of {count} such"))
    };
    largest(values).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{ActivityAtMoment, ActivityTimes, MomentUnit, VoxelGrid};

    fn at_moment(unit: MomentUnit, effective_half_life_s: f64) -> ActivityUnit {
        ActivityUnit::AtMoment(ActivityAtMoment { unit, times: ActivityTimes::effective(effective_half_life_s) })
    }

    fn map(values: Vec<f32>) -> Volume<f32> {
        let grid = VoxelGrid::new([values.len() as u64, 1, 1], [1.0; 3]).expect("a good grid");
        Volume::from_vec(Arc::new(grid), values).expect("as many values as voxels")
    }

    #[test]
    fn units_become_decays() {
        let source = TimeIntegratedActivity::new(map(vec![0.0, 2.0]), ActivityUnit::MbqH).expect("good");
        assert_eq!(source.decays().as_slice(), [0.0, 7.2e9]);
        let unit = at_moment(MomentUnit::Bq, 3600.0);
        let source = TimeIntegratedActivity::new(map(vec![1.0]), unit).expect("good");
        assert!((source.total() - 5193.7).abs() < 0.1, "{}", source.total());
    }

    #[test]
    fn values_that_are_no_activity_are_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0] {
            let error = TimeIntegratedActivity::new(map(vec![1.0, bad, bad]), ActivityUnit::BqS);
            let Invalid(reason) = error.expect_err("not an activity");
            assert!(reason.contains("value 1") && reason.contains("2 such"), "{reason}");
        }
        let huge = TimeIntegratedActivity::new(map(vec![1e36]), ActivityUnit::MbqH);
        assert!(huge.is_err());
        for half_life in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let unit = at_moment(MomentUnit::Bq, half_life);
            assert!(TimeIntegratedActivity::new(map(vec![1.0]), unit).is_err());
        }
    }
}
