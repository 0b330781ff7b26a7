//! The unit of an activity map.

use super::pb::{self, activity_bq::HalfLife, activity_unit::Unit};
use crate::domain::{ActivityTimes, ActivityUnit, DecayCorrection, HalfLifeKind, MomentUnit};
use crate::request::{RawActivity, RawHalfLife, RawMoment, RawTimes, RawUnit};

pub(super) fn encode_unit(unit: ActivityUnit) -> pb::ActivityUnit {
    let unit = match unit {
        ActivityUnit::BqS => Unit::BqS(pb::TimeIntegratedBqS {}),
        ActivityUnit::BqH => Unit::BqH(pb::TimeIntegratedBqH {}),
        ActivityUnit::KbqS => Unit::KbqS(pb::TimeIntegratedKbqS {}),
        ActivityUnit::MbqS => Unit::MbqS(pb::TimeIntegratedMbqS {}),
        ActivityUnit::MbqH => Unit::MbqH(pb::TimeIntegratedMbqH {}),
        ActivityUnit::AtMoment(activity) => encode_moment(activity.unit)(encode_times(activity.times)),
    };
    pb::ActivityUnit { unit: Some(unit) }
}

pub(super) fn encode_times(times: ActivityTimes) -> pb::ActivityBq {
    let half_life = match times.half_life {
        HalfLifeKind::Effective => HalfLife::EffectiveHalfLifeS(times.half_life_s),
        HalfLifeKind::Physical => HalfLife::Physical(pb::PhysicalHalfLife {}),
    };
    let decay_corrected_to = match times.decay_correction {
        DecayCorrection::Scan => pb::DecayCorrection::Scan,
        DecayCorrection::Injection { .. } => pb::DecayCorrection::Injection,
    };
    pb::ActivityBq {
        half_life: Some(half_life),
        imaged_after_s: times.imaged_after_s,
        decay_corrected_to: decay_corrected_to.into(),
    }
}

fn encode_moment(unit: MomentUnit) -> fn(pb::ActivityBq) -> Unit {
    match unit {
        MomentUnit::Bq => Unit::Bq,
        MomentUnit::Kbq => Unit::Kbq,
        MomentUnit::Mbq => Unit::Mbq,
        MomentUnit::BqPerMl => Unit::BqPerMl,
        MomentUnit::KbqPerMl => Unit::KbqPerMl,
        MomentUnit::MbqPerMl => Unit::MbqPerMl,
    }
}

/// None if no unit is given.
pub(super) fn decode_unit(message: pb::ActivityUnit) -> Option<RawUnit> {
    Some(match message.unit? {
        Unit::BqS(pb::TimeIntegratedBqS {}) => RawUnit::BqS,
        Unit::BqH(pb::TimeIntegratedBqH {}) => RawUnit::BqH,
        Unit::KbqS(pb::TimeIntegratedKbqS {}) => RawUnit::KbqS,
        Unit::MbqS(pb::TimeIntegratedMbqS {}) => RawUnit::MbqS,
        Unit::MbqH(pb::TimeIntegratedMbqH {}) => RawUnit::MbqH,
        Unit::Bq(activity) => decode_moment(MomentUnit::Bq, activity),
        Unit::Kbq(activity) => decode_moment(MomentUnit::Kbq, activity),
        Unit::Mbq(activity) => decode_moment(MomentUnit::Mbq, activity),
        Unit::BqPerMl(activity) => decode_moment(MomentUnit::BqPerMl, activity),
        Unit::KbqPerMl(activity) => decode_moment(MomentUnit::KbqPerMl, activity),
        Unit::MbqPerMl(activity) => decode_moment(MomentUnit::MbqPerMl, activity),
    })
}

fn decode_moment(unit: MomentUnit, message: pb::ActivityBq) -> RawUnit {
    RawUnit::AtMoment(RawActivity { unit, times: decode_times(message) })
}

pub(super) fn decode_times(message: pb::ActivityBq) -> RawTimes {
    let pb::ActivityBq { half_life, imaged_after_s, decay_corrected_to } = message;
    let half_life = half_life.map(|half_life| match half_life {
        HalfLife::EffectiveHalfLifeS(seconds) => RawHalfLife::Effective(seconds),
        HalfLife::Physical(pb::PhysicalHalfLife {}) => RawHalfLife::Physical,
    });
    let decay_corrected_to = match pb::DecayCorrection::try_from(decay_corrected_to) {
        Ok(pb::DecayCorrection::Unspecified) => None,
        Ok(pb::DecayCorrection::Scan) => Some(RawMoment::Scan),
        Ok(pb::DecayCorrection::Injection) => Some(RawMoment::Injection),
        Err(_) => Some(RawMoment::Unknown(decay_corrected_to)),
    };
    RawTimes { half_life, imaged_after_s, decay_corrected_to }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ActivityAtMoment;

    #[test]
    fn units_survive_the_wire() {
        let same = [
            (ActivityUnit::BqS, RawUnit::BqS),
            (ActivityUnit::BqH, RawUnit::BqH),
            (ActivityUnit::KbqS, RawUnit::KbqS),
            (ActivityUnit::MbqS, RawUnit::MbqS),
            (ActivityUnit::MbqH, RawUnit::MbqH),
        ];
        for (unit, raw) in same {
            assert_eq!(decode_unit(encode_unit(unit)), Some(raw));
        }
        let injection = DecayCorrection::Injection { physical_half_life_s: 5e5 };
        let physical = ActivityTimes {
            half_life: HalfLifeKind::Physical,
            imaged_after_s: Some(7200.0),
            decay_correction: injection,
            ..ActivityTimes::effective(5e5)
        };
        let raw = |unit, half_life, imaged_after_s, moment| {
            let (half_life, decay_corrected_to) = (Some(half_life), Some(moment));
            let times = RawTimes { half_life, imaged_after_s, decay_corrected_to };
            Some(RawUnit::AtMoment(RawActivity { unit, times }))
        };
        for unit in MomentUnit::ALL {
            let sent = |times| decode_unit(encode_unit(ActivityUnit::AtMoment(ActivityAtMoment { unit, times })));
            let effective = RawHalfLife::Effective(3600.0);
            assert_eq!(sent(ActivityTimes::effective(3600.0)), raw(unit, effective, None, RawMoment::Scan));
            assert_eq!(sent(physical), raw(unit, RawHalfLife::Physical, Some(7200.0), RawMoment::Injection));
        }
    }

    #[test]
    fn a_moment_that_is_not_known_is_not_lost() {
        let unit = Unit::Bq(pb::ActivityBq { decay_corrected_to: 7, ..pb::ActivityBq::default() });
        let Some(RawUnit::AtMoment(activity)) = decode_unit(pb::ActivityUnit { unit: Some(unit) }) else {
            panic!("not a unit at one moment")
        };
        assert_eq!(activity.times.decay_corrected_to, Some(RawMoment::Unknown(7)));
    }
}
