//! What a transport was made from, and what it did.

use super::{device, pb};
use crate::domain::{
    EmissionAccount, HeldTo, HistoryCuts, HistoryRun, MaterialAccount, MonteCarloAccount, RegionDose, StopReason,
    TargetAccount,
};

pub(super) fn encode(account: MonteCarloAccount) -> pb::MonteCarloAccount {
    let region = |dose: RegionDose| pb::RegionDose {
        label: dose.label.into(),
        mean_gy: dose.mean_gy,
        sigma_gy: dose.sigma_gy,
        mean_by_mass_gy: dose.mean_by_mass_gy,
        sigma_by_mass_gy: dose.sigma_by_mass_gy,
        voxel_relative_sigma: dose.voxel_relative_sigma,
        held_to: dose.held_to.map(|held_to| held_to.name().to_owned()),
    };
    let material = |MaterialAccount { name, source, voxels }| pb::MaterialAccount { name, source, voxels };
    pb::MonteCarloAccount {
        seed: account.seed,
        first_history: account.first_history,
        histories: account.histories,
        runs: account.runs.into_iter().map(encode_run).collect(),
        groups: account.groups,
        scene_sha256: account.scene_sha256,
        cuts: Some(pb::TransportCuts {
            absorption_mev: Some(account.cuts.absorption_mev),
            collision_mev: Some(account.cuts.collision_mev),
            photon_mev: Some(account.cuts.photon_mev),
            track_length_mev: Some(account.cuts.track_length_mev),
        }),
        emissions: Some(encode_emissions(account.emissions)),
        medium: account.medium,
        materials: account.materials.into_iter().map(material).collect(),
        stopped_by: account.stopped_by.name().to_owned(),
        relative_sigma: account.relative_sigma,
        sigma_region: account.sigma_region,
        target: account.target.map(|TargetAccount { relative, reached }| pb::TargetAccount { relative, reached }),
        emitted_mev: account.emitted_mev,
        deposited_mev: account.deposited_mev,
        escaped_mev: account.escaped_mev,
        scored_mev: account.scored_mev,
        histories_per_s: account.histories_per_s,
        regions: account.regions.into_iter().map(region).collect(),
    }
}

/// None if a part that every server sends is missing.
pub(super) fn decode(message: pb::MonteCarloAccount) -> Option<MonteCarloAccount> {
    let cuts = message.cuts?;
    let region = |dose: pb::RegionDose| {
        Some(RegionDose {
            label: u16::try_from(dose.label).ok()?,
            mean_gy: dose.mean_gy,
            sigma_gy: dose.sigma_gy,
            mean_by_mass_gy: dose.mean_by_mass_gy,
            sigma_by_mass_gy: dose.sigma_by_mass_gy,
            voxel_relative_sigma: dose.voxel_relative_sigma,
            held_to: HeldTo::ALL.into_iter().find(|held_to| dose.held_to.as_deref() == Some(held_to.name())),
        })
    };
    let material =
        |pb::MaterialAccount { name, source, voxels }: pb::MaterialAccount| MaterialAccount { name, source, voxels };
    Some(MonteCarloAccount {
        seed: message.seed,
        first_history: message.first_history,
        histories: message.histories,
        runs: message.runs.into_iter().map(decode_run).collect::<Option<_>>()?,
        groups: message.groups,
        scene_sha256: message.scene_sha256,
        cuts: HistoryCuts {
            absorption_mev: cuts.absorption_mev?,
            collision_mev: cuts.collision_mev?,
            photon_mev: cuts.photon_mev?,
            track_length_mev: cuts.track_length_mev?,
        },
        emissions: decode_emissions(message.emissions?),
        medium: message.medium,
        materials: message.materials.into_iter().map(material).collect(),
        stopped_by: StopReason::ALL.into_iter().find(|reason| reason.name() == message.stopped_by)?,
        relative_sigma: message.relative_sigma,
        sigma_region: message.sigma_region,
        target: message.target.map(|pb::TargetAccount { relative, reached }| TargetAccount { relative, reached }),
        emitted_mev: message.emitted_mev,
        deposited_mev: message.deposited_mev,
        escaped_mev: message.escaped_mev,
        scored_mev: message.scored_mev,
        exhausted_rejections: 0,
        histories_per_s: message.histories_per_s,
        regions: message.regions.into_iter().map(region).collect::<Option<_>>()?,
    })
}

fn encode_run(run: HistoryRun) -> pb::HistoryRun {
    let HistoryRun { first_history, histories, device, version, commit } = run;
    pb::HistoryRun { first_history, histories, device: Some(device::encode(device)), version, commit }
}

fn decode_run(run: pb::HistoryRun) -> Option<HistoryRun> {
    let pb::HistoryRun { first_history, histories, device, version, commit } = run;
    Some(HistoryRun { first_history, histories, device: device::decode(device?), version, commit })
}

fn encode_emissions(account: EmissionAccount) -> pb::EmissionAccount {
    pb::EmissionAccount {
        custom: account.custom,
        sha256: account.sha256,
        electron_mev: account.electron_mev,
        positron_mev: account.positron_mev,
        photon_mev: account.photon_mev,
        local_mev: account.local_mev,
        released_mev: account.released_mev,
        particles: account.particles,
        highest_mev: account.highest_mev,
    }
}

fn decode_emissions(account: pb::EmissionAccount) -> EmissionAccount {
    EmissionAccount {
        custom: account.custom,
        sha256: account.sha256,
        electron_mev: account.electron_mev,
        positron_mev: account.positron_mev,
        photon_mev: account.photon_mev,
        local_mev: account.local_mev,
        released_mev: account.released_mev,
        particles: account.particles,
        highest_mev: account.highest_mev,
    }
}

#[cfg(test)]
pub(super) fn example() -> MonteCarloAccount {
    use crate::domain::{DeviceInfo, DeviceKind};
    let device = DeviceInfo {
        id: "cpu".into(),
        kind: DeviceKind::Cpu,
        name: "name".into(),
        backend: "native".into(),
        driver: "8 threads".into(),
    };
    MonteCarloAccount {
        seed: u64::MAX,
        first_history: 5,
        histories: 1000,
        runs: vec![HistoryRun { first_history: 5, histories: 1000, device, version: "1".into(), commit: "c".into() }],
        groups: 32,
        scene_sha256: "00".into(),
        cuts: HistoryCuts { absorption_mev: 0.01, collision_mev: 0.02, photon_mev: 0.003, track_length_mev: 0.4 },
        emissions: EmissionAccount {
            custom: true,
            sha256: "11".into(),
            electron_mev: 0.1,
            positron_mev: 0.2,
            photon_mev: 0.3,
            local_mev: 5.0,
            released_mev: 6.0,
            particles: 2.5,
            highest_mev: 1.5,
        },
        medium: "map".into(),
        materials: vec![MaterialAccount { name: "water".into(), source: "s".into(), voxels: 7 }],
        stopped_by: StopReason::TimeLimit,
        relative_sigma: Some(0.02),
        sigma_region: "label 3".into(),
        target: Some(TargetAccount { relative: 0.01, reached: false }),
        emitted_mev: 3.0,
        deposited_mev: 2.0,
        escaped_mev: 1.0,
        scored_mev: 2.1,
        exhausted_rejections: 0,
        histories_per_s: None,
        regions: vec![RegionDose {
            label: 65_535,
            mean_gy: 1.0,
            sigma_gy: 0.1,
            mean_by_mass_gy: 0.9,
            sigma_by_mass_gy: 0.05,
            voxel_relative_sigma: Some(0.3),
            held_to: Some(HeldTo::Mean),
        }],
    }
}
