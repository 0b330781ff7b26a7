//! The units in which callers may give an activity map.

use serde::{Deserialize, Serialize};

use super::{ActivityTimes, Checks, Invalid};

/// Seconds in an hour.
const S_PER_H: f64 = 3600.0;

/// What the numbers of an activity map mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivityUnit {
    /// Time-integrated activity in Bq·s per voxel, that is, decays.
    BqS,
    /// Time-integrated activity in Bq·h per voxel.
    BqH,
    /// Time-integrated activity in kBq·s per voxel.
    KbqS,
    /// Time-integrated activity in MBq·s per voxel.
    MbqS,
    /// Time-integrated activity in MBq·h per voxel.
    MbqH,
    /// Activity at one moment.
    AtMoment(ActivityAtMoment),
}

/// An activity at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityAtMoment {
    /// What is given for each voxel.
    pub unit: MomentUnit,
    /// How it falls, and when it was imaged.
    pub times: ActivityTimes,
}

/// Unit of an activity at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentUnit {
    /// Bq in each voxel.
    Bq,
    /// kBq in each voxel.
    Kbq,
    /// MBq in each voxel.
    Mbq,
    /// Bq in each mL.
    BqPerMl,
    /// kBq in each mL.
    KbqPerMl,
    /// MBq in each mL.
    MbqPerMl,
}

/// What an amount in a map belongs to: this decides how its total is kept on another grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// To the voxel: the total is the sum of the values.
    PerVoxel,
    /// To each mL: the total is the sum of the values times the volume of a voxel.
    PerMl,
}

impl MomentUnit {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Bq, Self::Kbq, Self::Mbq, Self::BqPerMl, Self::KbqPerMl, Self::MbqPerMl];

    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bq => "bq",
            Self::Kbq => "kbq",
            Self::Mbq => "mbq",
            Self::BqPerMl => "bq-per-ml",
            Self::KbqPerMl => "kbq-per-ml",
            Self::MbqPerMl => "mbq-per-ml",
        }
    }

    /// Name of its field on the wire.
    pub fn field(self) -> String {
        self.name().replace('-', "_")
    }

    /// What the activity belongs to.
    pub fn amount(self) -> Amount {
        match self {
            Self::Bq | Self::Kbq | Self::Mbq => Amount::PerVoxel,
            Self::BqPerMl | Self::KbqPerMl | Self::MbqPerMl => Amount::PerMl,
        }
    }

    /// Bq in a voxel for each unit of the map.
    ///
    /// * `voxel_volume_ml` – the same number in cm³
    pub fn to_bq(self, voxel_volume_ml: f64) -> f64 {
        match self {
            Self::Bq => 1.0,
            Self::Kbq => 1e3,
            Self::Mbq => 1e6,
            Self::BqPerMl => voxel_volume_ml,
            Self::KbqPerMl => 1e3 * voxel_volume_ml,
            Self::MbqPerMl => 1e6 * voxel_volume_ml,
        }
    }
}

impl ActivityUnit {
    /// Name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::BqS => "bq-s",
            Self::BqH => "bq-h",
            Self::KbqS => "kbq-s",
            Self::MbqS => "mbq-s",
            Self::MbqH => "mbq-h",
            Self::AtMoment(activity) => activity.unit.name(),
        }
    }

    /// What the numbers of the map belong to.
    pub fn amount(self) -> Amount {
        self.at_moment().map_or(Amount::PerVoxel, |activity| activity.unit.amount())
    }

    /// The activity at one moment, if that is what the map holds.
    pub fn at_moment(self) -> Option<ActivityAtMoment> {
        match self {
            Self::AtMoment(activity) => Some(activity),
            Self::BqS | Self::BqH | Self::KbqS | Self::MbqS | Self::MbqH => None,
        }
    }

    /// Bq·s in a voxel for each unit of the map.
    ///
    /// * `voxel_volume_ml` – the same number in cm³
    ///
    /// # Errors
    /// If a time is not as [`ActivityUnit::check`] demands.
    pub fn to_bq_s(self, voxel_volume_ml: f64) -> Result<f64, Invalid> {
        match self {
            Self::BqS => Ok(1.0),
            Self::BqH => Ok(S_PER_H),
            Self::KbqS => Ok(1e3),
            Self::MbqS => Ok(1e6),
            Self::MbqH => Ok(1e6 * S_PER_H),
            Self::AtMoment(activity) => {
                activity.times.first_fault()?;
                Ok(activity.unit.to_bq(voxel_volume_ml) * activity.times.decays_per_bq_s())
            }
        }
    }

    /// Records times that are bad, by their path on the wire, and says whether all are good.
    ///
    /// * `field` – path of the unit
    pub fn check(self, field: &str, checks: &mut Checks) -> bool {
        self.at_moment()
            .is_none_or(|activity| activity.times.check(&format!("{field}.{}", activity.unit.field()), checks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_so_many_decays() {
        // A half-life of ln 2 · 1000 s: 1000 decays for each Bq.
        let times = ActivityTimes::effective(1000.0 * std::f64::consts::LN_2);
        let at = |unit| ActivityUnit::AtMoment(ActivityAtMoment { unit, times });
        let expected = [
            (ActivityUnit::BqS, 1.0),
            (ActivityUnit::BqH, 3.6e3),
            (ActivityUnit::KbqS, 1e3),
            (ActivityUnit::MbqS, 1e6),
            (ActivityUnit::MbqH, 3.6e9),
            (at(MomentUnit::Bq), 1e3),
            (at(MomentUnit::Kbq), 1e6),
            (at(MomentUnit::Mbq), 1e9),
            // 4 mm voxels hold 0.064 mL.
            (at(MomentUnit::BqPerMl), 64.0),
            (at(MomentUnit::KbqPerMl), 6.4e4),
            (at(MomentUnit::MbqPerMl), 6.4e7),
        ];
        for (unit, decays) in expected {
            let found = unit.to_bq_s(0.064).expect("a good unit");
            assert!((found / decays - 1.0).abs() < 1e-12, "{}: {found}, expected {decays}", unit.name());
        }
    }

    #[test]
    fn bad_times_are_named_by_the_arm_of_their_unit() {
        let times = ActivityTimes { imaged_after_s: Some(-1.0), ..ActivityTimes::effective(3600.0) };
        let unit = ActivityUnit::AtMoment(ActivityAtMoment { unit: MomentUnit::BqPerMl, times });
        let mut checks = Checks::new();
        assert!(!unit.check("activity_unit", &mut checks) && unit.to_bq_s(1.0).is_err());
        assert_eq!(checks.into_violations()[0].field, "activity_unit.bq_per_ml.imaged_after_s");
        assert!(ActivityUnit::MbqH.check("activity_unit", &mut Checks::new()));
    }
}
