//! The unit of an activity map.

use super::pb::{self, activity_bq::HalfLife, activity_unit::Unit};
use crate::domain::{ActivityUnit, MomentUnit};
use crate::request::{RawActivity, RawHalfLife, RawUnit};

pub(super) fn encode_unit(unit: ActivityUnit) -> pb::ActivityUnit {
    let unit = match unit {
        ActivityUnit::BqS => Unit::BqS(pb::TimeIntegratedBqS {}),
        ActivityUnit::BqH => Unit::BqH(pb::TimeIntegratedBqH {}),
        ActivityUnit::KbqS => Unit::KbqS(pb::TimeIntegratedKbqS {}),
        ActivityUnit::MbqS => Unit::MbqS(pb::TimeIntegratedMbqS {}),
        ActivityUnit::MbqH => Unit::MbqH(pb::TimeIntegratedMbqH {}),
        ActivityUnit::AtMoment(activity) => {
            let half_life = Some(HalfLife::EffectiveHalfLifeS(activity.effective_half_life_s));
            encode_moment(activity.unit)(pb::ActivityBq { half_life, imaged_after_s: activity.imaged_after_s })
        }
    };
    pb::ActivityUnit { unit: Some(unit) }
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
    let pb::ActivityBq { half_life, imaged_after_s } = message;
    let half_life = half_life.map(|half_life| match half_life {
        HalfLife::EffectiveHalfLifeS(seconds) => RawHalfLife::Effective(seconds),
        HalfLife::Physical(pb::PhysicalHalfLife {}) => RawHalfLife::Physical,
    });
    RawUnit::AtMoment(RawActivity { unit, half_life, imaged_after_s })
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
        for unit in MomentUnit::ALL {
            for imaged_after_s in [None, Some(7200.0)] {
                let known = ActivityAtMoment { unit, effective_half_life_s: 3600.0, imaged_after_s };
                let half_life = Some(RawHalfLife::Effective(3600.0));
                let raw = RawUnit::AtMoment(RawActivity { unit, half_life, imaged_after_s });
                assert_eq!(decode_unit(encode_unit(ActivityUnit::AtMoment(known))), Some(raw));
            }
        }
    }
}
