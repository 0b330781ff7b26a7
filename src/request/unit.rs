//! What the numbers of an activity map mean.

use super::{missing, needed};
use crate::domain::{
    ActivityAtMoment, ActivityTimes, ActivityUnit, Checks, DecayCorrection, HalfLifeKind, MomentUnit, Nuclide, Part,
};

/// What the numbers of an activity map mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RawUnit {
    /// Time-integrated activity [Bq·s].
    BqS,
    /// Time-integrated activity [Bq·h].
    BqH,
    /// Time-integrated activity [kBq·s].
    KbqS,
    /// Time-integrated activity [MBq·s].
    MbqS,
    /// Time-integrated activity [MBq·h].
    MbqH,
    /// Activity at one moment.
    AtMoment(RawActivity),
}

/// An activity at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawActivity {
    /// What is given for each voxel.
    pub unit: MomentUnit,
    /// How it falls, and when it was imaged.
    pub times: RawTimes,
}

/// How an activity falls, and when it was imaged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RawTimes {
    /// The half-life with which it falls; it has to be given.
    pub half_life: Option<RawHalfLife>,
    /// Time from injection to the image [s]. Not given: decays are counted from the image on.
    pub imaged_after_s: Option<f64>,
    /// What the decay in the map was corrected to. Not given: the image.
    pub decay_corrected_to: Option<RawMoment>,
}

/// The half-life of an activity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RawHalfLife {
    /// Physical decay and biological washout together [s].
    Effective(f64),
    /// The nuclide's own: nothing is washed out.
    Physical,
}

/// A moment that decay may be corrected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawMoment {
    /// The image.
    Scan,
    /// The injection.
    Injection,
    /// One of this number on the wire, which is not known.
    Unknown(i32),
}

/// The nuclide of a map.
#[derive(Clone, Copy)]
pub(super) struct OfMap<'a> {
    pub(super) nuclide: Option<&'a Nuclide>,
    /// Whether it was named, even if it was not found.
    pub(super) has_name: bool,
}

impl OfMap<'_> {
    /// Its half-life [s]; none if a fault was recorded.
    fn half_life_s(self, field: String, checks: &mut Checks) -> Option<f64> {
        if !self.has_name {
            checks.fail(field, "needs a nuclide, whose half-life it is");
        }
        // One that was not found has its own fault.
        self.nuclide.map(|nuclide| nuclide.half_life_s)
    }
}

pub(super) fn resolve_unit(unit: Part<RawUnit>, field: &str, of: OfMap, checks: &mut Checks) -> Part<ActivityUnit> {
    let unit = unit.resolve(field, checks, |unit, field, checks| {
        Some(match unit {
            RawUnit::BqS => ActivityUnit::BqS,
            RawUnit::BqH => ActivityUnit::BqH,
            RawUnit::KbqS => ActivityUnit::KbqS,
            RawUnit::MbqS => ActivityUnit::MbqS,
            RawUnit::MbqH => ActivityUnit::MbqH,
            RawUnit::AtMoment(activity) => {
                let arm = format!("{field}.{}", activity.unit.field());
                let times = activity.times.resolve(&arm, of, checks)?;
                ActivityUnit::AtMoment(ActivityAtMoment { unit: activity.unit, times })
            }
        })
    });
    needed(unit, field, checks)
}

impl RawTimes {
    /// * `arm` – path of the message that has them
    pub(super) fn resolve(self, arm: &str, of: OfMap, checks: &mut Checks) -> Option<ActivityTimes> {
        let decay_correction = match self.decay_corrected_to {
            None | Some(RawMoment::Scan) => Some(DecayCorrection::Scan),
            Some(RawMoment::Injection) => of
                .half_life_s(format!("{arm}.decay_corrected_to"), checks)
                .map(|physical_half_life_s| DecayCorrection::Injection { physical_half_life_s }),
            Some(RawMoment::Unknown(number)) => {
                checks.fail(format!("{arm}.decay_corrected_to"), format!("is scan or injection, got {number}"));
                None
            }
        };
        let (half_life_s, half_life) = match self.half_life {
            None => return missing(format!("{arm}.half_life"), checks),
            Some(RawHalfLife::Effective(seconds)) => (seconds, HalfLifeKind::Effective),
            Some(RawHalfLife::Physical) => (of.half_life_s(format!("{arm}.physical"), checks)?, HalfLifeKind::Physical),
        };
        let imaged_after_s = self.imaged_after_s;
        let times = ActivityTimes { half_life_s, half_life, imaged_after_s, decay_correction: decay_correction? };
        times.check(arm, checks).then_some(times)
    }
}
