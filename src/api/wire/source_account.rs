//! What decayed in a map.

use super::pb;
use crate::domain::{LeftOut, LeftOutReason, MemberAccount, SourceAccount};

pub(super) fn encode(account: SourceAccount) -> pb::SourceAccount {
    let member =
        |MemberAccount { nuclide, decays_per_decay }: MemberAccount| pb::MemberAccount { nuclide, decays_per_decay };
    let left_out = |LeftOut { name, half_life_s, reason }: LeftOut| pb::LeftOutAccount {
        nuclide: name,
        half_life_s,
        is_noble_gas: reason == LeftOutReason::NobleGas,
    };
    pb::SourceAccount {
        daughters: account.daughters,
        members: account.members.into_iter().map(member).collect(),
        left_out: account.left_out.into_iter().map(left_out).collect(),
    }
}

pub(super) fn decode(message: pb::SourceAccount) -> SourceAccount {
    let member = |pb::MemberAccount { nuclide, decays_per_decay }| MemberAccount { nuclide, decays_per_decay };
    let left_out = |pb::LeftOutAccount { nuclide, half_life_s, is_noble_gas }| LeftOut {
        name: nuclide,
        half_life_s,
        reason: if is_noble_gas { LeftOutReason::NobleGas } else { LeftOutReason::LongLived },
    };
    SourceAccount {
        daughters: message.daughters,
        members: message.members.into_iter().map(member).collect(),
        left_out: message.left_out.into_iter().map(left_out).collect(),
    }
}

#[cfg(test)]
pub(super) fn example() -> SourceAccount {
    SourceAccount {
        daughters: Some("equilibrium".into()),
        members: vec![MemberAccount { nuclide: "At-211".into(), decays_per_decay: 1.0 }],
        left_out: [("Bi-207", LeftOutReason::LongLived), ("Xe-131m", LeftOutReason::NobleGas)]
            .map(|(name, reason)| LeftOut { name: name.into(), half_life_s: 1e9, reason })
            .to_vec(),
    }
}
