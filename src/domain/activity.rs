//! The source term: time-integrated activity, and the units in which callers may give it.

use serde::{Deserialize, Serialize};

use super::{Invalid, Volume};

/// Bq·s in one MBq·h.
const BQ_S_PER_MBQ_H: f64 = 1e6 * 3600.0;

/// Most decays in one voxel [Bq·s]: ten million times those in a whole patient. Above it, single precision may
/// overflow.
pub const MAX_DECAYS_PER_VOXEL: f64 = 1e24;

/// What the numbers of an activity map mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivityUnit {
    /// Time-integrated activity in Bq·s, that is, decays.
    BqS,
    /// Time-integrated activity in MBq·h.
    MbqH,
    /// Activity in Bq at one moment, which decays from then on with one effective half-life.
    Bq {
        /// Effective half-life [s].
        effective_half_life_s: f64,
    },
}

impl ActivityUnit {
    /// Bq·s for each unit of the map: `Ã = A·T½/ln 2` for an activity with one effective half-life.
    ///
    /// # Errors
    /// If the effective half-life is not a finite time above 0.
    pub fn to_bq_s(self) -> Result<f64, Invalid> {
        match self {
            Self::BqS => Ok(1.0),
            Self::MbqH => Ok(BQ_S_PER_MBQ_H),
            Self::Bq { effective_half_life_s } if effective_half_life_s.is_finite() && effective_half_life_s > 0.0 => {
                Ok(effective_half_life_s / std::f64::consts::LN_2)
            }
            Self::Bq { effective_half_life_s } => Err(Invalid::new(format!(
                "the effective half-life must be a finite time above 0, got {effective_half_life_s} s"
            ))),
        }
    }
}

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
        let scale = unit.to_bq_s()?;
        check_values(map.as_slice(), "an activity")?;
        for (index, value) in map.as_mut_slice().iter_mut().enumerate() {
            let decays = f64::from(*value) * scale;
            if decays > MAX_DECAYS_PER_VOXEL {
                return Err(Invalid::new(format!(
                    "value {index} is {decays:e} Bq·s, more than {MAX_DECAYS_PER_VOXEL:e}; is the unit right?"
                )));
            }
            #[expect(clippy::cast_possible_truncation, reason = "the stored precision; the range is checked above")]
            {
                *value = decays as f32;
            }
        }
        let total = map.as_slice().iter().map(|&v| f64::from(v)).sum();
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

/// # Errors
/// If a value is NaN, infinite or negative: the first such index, its value, and how many there are.
pub(super) fn check_values(values: &[f32], what: &str) -> Result<(), Invalid> {
    let bad = |v: &f32| !(v.is_finite() && *v >= 0.0);
    match values.iter().position(bad) {
        None => Ok(()),
        Some(first) => Err(Invalid::new(format!(
            "{what} must be finite and not negative: value {first} is {}, one of {} such",
            values[first],
            values.iter().filter(|v| bad(v)).count()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::VoxelGrid;

    fn map(values: Vec<f32>) -> Volume<f32> {
        let grid = VoxelGrid::new([values.len() as u64, 1, 1], [1.0; 3]).expect("a good grid");
        Volume::from_vec(Arc::new(grid), values).expect("as many values as voxels")
    }

    #[test]
    fn units_become_decays() {
        let source = TimeIntegratedActivity::new(map(vec![0.0, 2.0]), ActivityUnit::MbqH).expect("good");
        assert_eq!(source.decays().as_slice(), [0.0, 7.2e9]);
        let unit = ActivityUnit::Bq { effective_half_life_s: 3600.0 };
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
            let unit = ActivityUnit::Bq { effective_half_life_s: half_life };
            assert!(TimeIntegratedActivity::new(map(vec![1.0]), unit).is_err());
        }
    }
}
