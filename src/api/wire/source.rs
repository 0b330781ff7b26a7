//! What decays and in which map: nuclide, daughters, spectrum.

use super::activity_unit::{decode_unit, encode_unit};
use super::{pb, volume};
use crate::domain::{BiologicalWeighting, DaughterHeader, Daughters, Emission, InGrowth};
use crate::request::{RawDaughterMap, RawDaughters, RawEmission, RawSource, RawWeighting};

pub(in crate::api) fn decode(
    nuclide: String,
    emissions: Vec<pb::Emission>,
    daughters: Option<pb::Daughters>,
) -> RawSource {
    let emissions = Some(emissions).filter(|emissions| !emissions.is_empty());
    RawSource {
        nuclide: Some(nuclide).filter(|name| !name.is_empty()),
        emissions: emissions.map(|emissions| emissions.into_iter().map(decode_emission).collect()).into(),
        daughters: daughters.map(decode_daughters).into(),
    }
}

pub(super) fn encode_emission(emission: &Emission) -> pb::Emission {
    let &Emission { particle, low_mev, high_mev, yield_per_decay } = emission;
    pb::Emission { charge: particle.charge().into(), low_mev, high_mev, yield_per_decay }
}

fn decode_emission(message: pb::Emission) -> RawEmission {
    let pb::Emission { charge, low_mev, high_mev, yield_per_decay } = message;
    RawEmission { charge, low_mev, high_mev, yield_per_decay }
}

pub(super) fn encode_daughters(daughters: Daughters) -> pb::Daughters {
    use pb::daughters::Daughters as Arm;
    let arm = match daughters {
        Daughters::ParentOnly => Arm::ParentOnly(pb::ParentOnly {}),
        Daughters::Equilibrium => Arm::Equilibrium(pb::Equilibrium {}),
        Daughters::EquilibriumWithGases => Arm::EquilibriumWithGases(pb::EquilibriumWithGases {}),
        Daughters::InGrowth(InGrowth { integration_time_s, effective_half_life_s }) => {
            Arm::InGrowth(pb::InGrowth { integration_time_s, effective_half_life_s })
        }
    };
    pb::Daughters { daughters: Some(arm) }
}

fn decode_daughters(message: pb::Daughters) -> RawDaughters {
    use pb::daughters::Daughters as Arm;
    match message.daughters {
        None => RawDaughters::Unspecified,
        Some(Arm::ParentOnly(pb::ParentOnly {})) => RawDaughters::ParentOnly,
        Some(Arm::Equilibrium(pb::Equilibrium {})) => RawDaughters::Equilibrium,
        Some(Arm::EquilibriumWithGases(pb::EquilibriumWithGases {})) => RawDaughters::EquilibriumWithGases,
        Some(Arm::InGrowth(pb::InGrowth { integration_time_s, effective_half_life_s })) => {
            RawDaughters::InGrowth { integration_time_s, effective_half_life_s }
        }
    }
}

pub(super) fn encode_map(map: &DaughterHeader) -> pb::DaughterMap {
    pb::DaughterMap {
        nuclide: map.source.name().to_owned(),
        activity: Some(volume::encode(&map.activity)),
        activity_unit: Some(encode_unit(map.activity_unit)),
    }
}

pub(super) fn decode_map(message: pb::DaughterMap) -> RawDaughterMap {
    let pb::DaughterMap { nuclide, activity, activity_unit } = message;
    RawDaughterMap {
        nuclide: Some(nuclide).filter(|name| !name.is_empty()).into(),
        activity: activity.map(volume::decode).into(),
        activity_unit: activity_unit.and_then(decode_unit).into(),
    }
}

pub(super) fn encode_weighting(weighting: BiologicalWeighting) -> pb::BiologicalWeighting {
    let BiologicalWeighting { alpha, recoil } = weighting;
    pb::BiologicalWeighting { alpha: Some(alpha), recoil: Some(recoil) }
}

pub(super) fn decode_weighting(message: pb::BiologicalWeighting) -> RawWeighting {
    let pb::BiologicalWeighting { alpha, recoil } = message;
    RawWeighting { alpha, recoil }
}
