//! Options of Monte Carlo transport.

use super::{material, pb};
use crate::domain::{ChosenCuts, Extras, MonteCarloOptions, Region, TargetUncertainty};
use crate::request::{RawMonteCarlo, RawRegion, RawTarget};

pub(super) fn encode(options: &MonteCarloOptions) -> pb::MonteCarloMethod {
    pb::MonteCarloMethod {
        histories: options.stop.histories,
        target_uncertainty: options.stop.target.map(encode_target),
        time_limit_s: options.stop.time_limit_s,
        seed: Some(options.seed),
        first_history: options.first_history,
        minimum_density_g_cm3: Some(options.minimum_density_g_cm3),
        cuts: Some(encode_cuts(options.cuts)),
        medium: Some(material::encode(&options.medium)),
        return_uncertainty: options.extras.uncertainty,
        return_tally: options.extras.tally,
    }
}

pub(super) fn decode(message: pb::MonteCarloMethod) -> RawMonteCarlo {
    RawMonteCarlo {
        histories: message.histories,
        target_uncertainty: message.target_uncertainty.map(decode_target),
        time_limit_s: message.time_limit_s,
        seed: message.seed,
        first_history: Some(message.first_history),
        minimum_density_g_cm3: message.minimum_density_g_cm3,
        cuts: message.cuts.map(decode_cuts).unwrap_or_default(),
        medium: message.medium.map(material::decode),
        extras: Extras { uncertainty: message.return_uncertainty, tally: message.return_tally },
    }
}

fn encode_target(target: TargetUncertainty) -> pb::TargetUncertainty {
    use pb::target_uncertainty::Region as Arm;
    let region = match target.region {
        Region::AllRegions => None,
        Region::AboveDoseFraction(part) => Some(Arm::DoseFraction(part)),
        Region::Label(label) => Some(Arm::Label(label.into())),
    };
    pb::TargetUncertainty { relative: target.relative, region }
}

fn decode_target(message: pb::TargetUncertainty) -> RawTarget {
    use pb::target_uncertainty::Region as Arm;
    let region = message.region.map(|region| match region {
        Arm::DoseFraction(part) => RawRegion::DoseFraction(part),
        Arm::Label(label) => RawRegion::Label(label),
    });
    RawTarget { relative: message.relative, region }
}

fn encode_cuts(cuts: ChosenCuts) -> pb::TransportCuts {
    let ChosenCuts { absorption_mev, collision_mev, photon_mev, track_length_mev } = cuts;
    pb::TransportCuts { absorption_mev, collision_mev, photon_mev, track_length_mev }
}

fn decode_cuts(message: pb::TransportCuts) -> ChosenCuts {
    let pb::TransportCuts { absorption_mev, collision_mev, photon_mev, track_length_mev } = message;
    ChosenCuts { absorption_mev, collision_mev, photon_mev, track_length_mev }
}
