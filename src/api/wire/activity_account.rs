//! The activity of a request as a person recognises it, and warnings.

use super::pb;
use crate::domain::{ActivityAccount, HalfLifeKind, Warning};

pub(super) fn encode(account: ActivityAccount) -> pb::ActivityAccount {
    pb::ActivityAccount {
        decays_bq_s: account.decays_bq_s,
        at_imaging_bq: account.at_imaging_bq,
        at_injection_bq: account.at_injection_bq,
        equivalent_bq: account.equivalent_bq,
        half_life_s: account.half_life_s,
        half_life: account.half_life.map(|kind| kind.name().to_owned()),
        imaged_after_s: account.imaged_after_s,
        decay_corrected_to: account.decay_corrected_to,
        injected_bq: account.injected_bq,
        decays_per_injected_gbq: account.decays_per_injected_gbq,
        time_integrated_activity_coefficient_h: account.time_integrated_activity_coefficient_h,
    }
}

pub(in crate::api) fn decode(message: pb::ActivityAccount) -> ActivityAccount {
    let kinds = [HalfLifeKind::Effective, HalfLifeKind::Physical];
    ActivityAccount {
        decays_bq_s: message.decays_bq_s,
        at_imaging_bq: message.at_imaging_bq,
        at_injection_bq: message.at_injection_bq,
        equivalent_bq: message.equivalent_bq,
        half_life_s: message.half_life_s,
        half_life: message.half_life.and_then(|name| kinds.into_iter().find(|kind| kind.name() == name)),
        imaged_after_s: message.imaged_after_s,
        decay_corrected_to: message.decay_corrected_to,
        injected_bq: message.injected_bq,
        decays_per_injected_gbq: message.decays_per_injected_gbq,
        time_integrated_activity_coefficient_h: message.time_integrated_activity_coefficient_h,
    }
}

pub(super) fn encode_warning(Warning { reason, message, field }: Warning) -> pb::Warning {
    pb::Warning { reason, message, field }
}

pub(in crate::api) fn decode_warning(pb::Warning { reason, message, field }: pb::Warning) -> Warning {
    Warning { reason, message, field }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ActivityTimes;

    #[test]
    fn accounts_survive_the_wire() {
        let times = ActivityTimes { imaged_after_s: Some(1e4), ..ActivityTimes::effective(2e5) };
        let injected = ActivityAccount {
            injected_bq: Some(7e9),
            decays_per_injected_gbq: Some(1e14),
            time_integrated_activity_coefficient_h: Some(27.0),
            ..ActivityAccount::of_decays(7e14, Some(times), Some(6e5))
        };
        for account in [ActivityAccount::of_decays(5.0, None, Some(2.0)), injected] {
            assert_eq!(decode(encode(account.clone())), account);
        }
    }
}
