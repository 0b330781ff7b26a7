//! Where a dose came from.

use super::{device, monte_carlo_account, pb, source_account};
use crate::domain::{BiologicalWeighting, EnergyAccount, KernelAccount, Provenance, StageTime};

pub(super) fn encode(provenance: Provenance) -> pb::Provenance {
    let energy = provenance.energy;
    let stage = |stage: StageTime| pb::StageTime { stage: stage.stage, wall_time_s: stage.seconds };
    pb::Provenance {
        version: provenance.version,
        commit: provenance.commit,
        device: Some(device::encode(provenance.device)),
        method: provenance.method,
        density_correction: provenance.density_correction,
        minimum_density_g_cm3: provenance.minimum_density_g_cm3,
        nuclide: provenance.nuclide,
        nuclide_data_sha256: provenance.nuclide_data_sha256,
        decays_bq_s: provenance.decays,
        energy: Some(pb::EnergyAccount {
            emitted_mev: energy.emitted_mev,
            deposited_mev: energy.deposited_mev,
            escaped_mev: energy.escaped_mev,
            without_dose_mev: energy.without_dose_mev,
            voxels_without_dose: energy.voxels_without_dose,
            clamped_mev: energy.clamped_mev,
        }),
        kernel: provenance.kernel.map(encode_kernel),
        wall_time: provenance.wall_time.into_iter().map(stage).collect(),
        monte_carlo: provenance.monte_carlo.map(monte_carlo_account::encode),
        source: Some(source_account::encode(provenance.source)),
        biological_weighting: provenance
            .biological_weighting
            .map(|BiologicalWeighting { alpha, recoil }| pb::BiologicalWeights { alpha, recoil }),
        daughter_maps: provenance.daughter_maps.into_iter().map(encode).collect(),
    }
}

/// None if a part that every server sends is missing.
pub(in crate::api) fn decode(message: pb::Provenance) -> Option<Provenance> {
    let energy = message.energy?;
    let kernel = match message.kernel {
        Some(kernel) => Some(decode_kernel(&kernel)?),
        None => None,
    };
    let monte_carlo = match message.monte_carlo {
        Some(account) => Some(monte_carlo_account::decode(account)?),
        None => None,
    };
    let daughter_maps = message.daughter_maps.into_iter().map(decode).collect::<Option<Vec<_>>>()?;
    let stage = |stage: pb::StageTime| StageTime { stage: stage.stage, seconds: stage.wall_time_s };
    Some(Provenance {
        version: message.version,
        commit: message.commit,
        device: device::decode(message.device?),
        method: message.method,
        density_correction: message.density_correction,
        minimum_density_g_cm3: message.minimum_density_g_cm3,
        nuclide: message.nuclide,
        nuclide_data_sha256: message.nuclide_data_sha256,
        source: source_account::decode(message.source?),
        decays: message.decays_bq_s,
        energy: EnergyAccount {
            emitted_mev: energy.emitted_mev,
            deposited_mev: energy.deposited_mev,
            escaped_mev: energy.escaped_mev,
            without_dose_mev: energy.without_dose_mev,
            voxels_without_dose: energy.voxels_without_dose,
            clamped_mev: energy.clamped_mev,
        },
        kernel,
        monte_carlo,
        biological_weighting: message
            .biological_weighting
            .map(|pb::BiologicalWeights { alpha, recoil }| BiologicalWeighting { alpha, recoil }),
        daughter_maps,
        wall_time: message.wall_time.into_iter().map(stage).collect(),
    })
}

fn encode_kernel(kernel: KernelAccount) -> pb::KernelAccount {
    let numbers = |three: [usize; 3]| three.map(|n| n as u64).to_vec();
    pb::KernelAccount {
        half_width: numbers(kernel.half_width),
        core_half_width: numbers(kernel.core_half_width),
        padded_shape: numbers(kernel.padded_shape),
        captured_fraction: kernel.captured_fraction,
        truncation_radius_mm: kernel.truncation_radius_mm,
        medium: kernel.medium,
        library_sha256: kernel.library_sha256,
    }
}

fn decode_kernel(message: &pb::KernelAccount) -> Option<KernelAccount> {
    let three = |numbers: &[u64]| -> Option<[usize; 3]> {
        let &[x, y, z] = numbers else { return None };
        Some([usize::try_from(x).ok()?, usize::try_from(y).ok()?, usize::try_from(z).ok()?])
    };
    Some(KernelAccount {
        half_width: three(&message.half_width)?,
        core_half_width: three(&message.core_half_width)?,
        padded_shape: three(&message.padded_shape)?,
        captured_fraction: message.captured_fraction,
        truncation_radius_mm: message.truncation_radius_mm,
        medium: message.medium.clone(),
        library_sha256: message.library_sha256.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DeviceInfo, DeviceKind};

    #[test]
    fn provenance_survives_the_wire() {
        let device = DeviceInfo {
            id: "gpu:1".into(),
            kind: DeviceKind::SoftwareGpu,
            name: "name".into(),
            backend: "vulkan".into(),
            driver: "driver".into(),
        };
        let provenance = Provenance {
            version: "1.2.3".into(),
            commit: "abc".into(),
            device,
            method: "kernel".into(),
            density_correction: Some("water".into()),
            minimum_density_g_cm3: None,
            nuclide: "Lu-177".into(),
            nuclide_data_sha256: "00".into(),
            source: source_account::example(),
            decays: 1e18,
            energy: EnergyAccount {
                emitted_mev: 4.0,
                deposited_mev: 3.0,
                escaped_mev: 1.0,
                without_dose_mev: 0.5,
                voxels_without_dose: 7,
                clamped_mev: -1e-9,
            },
            kernel: Some(KernelAccount {
                medium: "lung".into(),
                library_sha256: "ab".into(),
                half_width: [1, 2, 3],
                core_half_width: [1, 1, 0],
                padded_shape: [8, 9, 10],
                captured_fraction: 0.99,
                truncation_radius_mm: Some(25.0),
            }),
            monte_carlo: Some(monte_carlo_account::example()),
            biological_weighting: Some(BiologicalWeighting { alpha: 5.0, recoil: 3.0 }),
            daughter_maps: Vec::new(),
            wall_time: vec![StageTime { stage: "dose".into(), seconds: 0.25 }],
        };
        let provenance = Provenance { daughter_maps: vec![provenance.clone(); 2], ..provenance };
        assert_eq!(decode(encode(provenance.clone())), Some(provenance));
    }
}
