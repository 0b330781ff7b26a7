//! The units in which callers may give an activity map.

use serde::{Deserialize, Serialize};

use super::{Checks, Invalid};

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

/// An activity at one moment, which decays with one effective half-life.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActivityAtMoment {
    /// What is given for each voxel.
    pub unit: MomentUnit,
    /// Effective half-life [s].
    pub effective_half_life_s: f64,
    /// Time from injection to that moment [s]: decays are counted from the injection on. None: from that moment on.
    pub imaged_after_s: Option<f64>,
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
    fn to_bq(self, voxel_volume_ml: f64) -> f64 {
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

    /// Bq·s in a voxel for each unit of the map. For an activity at one moment that is `T½/ln 2`, and
    /// `2^(t/T½)` times as much if decays are counted from an injection the time `t` before.
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
                activity.check_half_life()?;
                activity.check_imaged_after()?;
                Ok(activity.unit.to_bq(voxel_volume_ml) * activity.residence_time_s())
            }
        }
    }

    /// Records times that are bad, by their path on the wire, and says whether all are good.
    ///
    /// * `field` – path of the unit
    pub fn check(self, field: &str, checks: &mut Checks) -> bool {
        let Some(activity) = self.at_moment() else { return true };
        let arm = format!("{field}.{}", activity.unit.field());
        let half_life = checks.at(format!("{arm}.effective_half_life_s"), activity.check_half_life());
        half_life.is_some() && checks.at(format!("{arm}.imaged_after_s"), activity.check_imaged_after()).is_some()
    }
}

impl ActivityAtMoment {
    /// Decays for each Bq of the map [s].
    fn residence_time_s(&self) -> f64 {
        let before = self.imaged_after_s.map_or(1.0, |after_s| (after_s / self.effective_half_life_s).exp2());
        before * self.effective_half_life_s / std::f64::consts::LN_2
    }

    fn check_half_life(&self) -> Result<(), Invalid> {
        let seconds = self.effective_half_life_s;
        if seconds.is_finite() && seconds > 0.0 {
            return Ok(());
        }
        Err(Invalid::new(format!("the effective half-life must be a finite time above 0, got {seconds} s")))
    }

    /// Presumes a good half-life.
    fn check_imaged_after(&self) -> Result<(), Invalid> {
        match self.imaged_after_s {
            Some(seconds) if !(seconds.is_finite() && seconds >= 0.0) => {
                Err(Invalid::new(format!("the time of imaging must be a finite time, 0 or more, got {seconds} s")))
            }
            Some(seconds) if !self.residence_time_s().is_finite() => Err(Invalid::new(format!(
                "{seconds} s are {:.0} effective half-lives: no activity is left after so many",
                seconds / self.effective_half_life_s
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unit: MomentUnit, effective_half_life_s: f64, imaged_after_s: Option<f64>) -> ActivityUnit {
        ActivityUnit::AtMoment(ActivityAtMoment { unit, effective_half_life_s, imaged_after_s })
    }

    #[test]
    fn every_unit_is_so_many_decays() {
        // A half-life of ln 2 · 1000 s: 1000 decays for each Bq.
        let half_life_s = 1000.0 * std::f64::consts::LN_2;
        let expected = [
            (ActivityUnit::BqS, 1.0),
            (ActivityUnit::BqH, 3.6e3),
            (ActivityUnit::KbqS, 1e3),
            (ActivityUnit::MbqS, 1e6),
            (ActivityUnit::MbqH, 3.6e9),
            (at(MomentUnit::Bq, half_life_s, None), 1e3),
            (at(MomentUnit::Kbq, half_life_s, None), 1e6),
            (at(MomentUnit::Mbq, half_life_s, None), 1e9),
            // 4 mm voxels hold 0.064 mL.
            (at(MomentUnit::BqPerMl, half_life_s, None), 64.0),
            (at(MomentUnit::KbqPerMl, half_life_s, None), 6.4e4),
            (at(MomentUnit::MbqPerMl, half_life_s, None), 6.4e7),
            // Imaged two half-lives after the injection: four times the activity before.
            (at(MomentUnit::BqPerMl, half_life_s, Some(2.0 * half_life_s)), 256.0),
            (at(MomentUnit::Bq, half_life_s, Some(0.0)), 1e3),
        ];
        for (unit, decays) in expected {
            let found = unit.to_bq_s(0.064).expect("a good unit");
            assert!((found / decays - 1.0).abs() < 1e-12, "{}: {found}, expected {decays}", unit.name());
        }
    }

    #[test]
    fn bad_times_are_named_by_their_path() {
        let bad = [
            (at(MomentUnit::Bq, 0.0, None), "activity_unit.bq.effective_half_life_s"),
            (at(MomentUnit::Kbq, f64::NAN, Some(1.0)), "activity_unit.kbq.effective_half_life_s"),
            (at(MomentUnit::BqPerMl, 3600.0, Some(-1.0)), "activity_unit.bq_per_ml.imaged_after_s"),
            (at(MomentUnit::Mbq, 3600.0, Some(f64::INFINITY)), "activity_unit.mbq.imaged_after_s"),
            (at(MomentUnit::Bq, 1.0, Some(2000.0)), "activity_unit.bq.imaged_after_s"),
        ];
        for (unit, path) in bad {
            let mut checks = Checks::new();
            assert!(!unit.check("activity_unit", &mut checks));
            let faults = checks.into_violations();
            assert_eq!(faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), [path]);
            assert!(unit.to_bq_s(1.0).is_err());
        }
        assert!(at(MomentUnit::Bq, 1.0, Some(900.0)).check("activity_unit", &mut Checks::new()));
    }
}
