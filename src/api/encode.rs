//! From the domain to messages.

mod monte_carlo;
pub(super) mod nuclide;

use super::{pb, provenance, volume};
use crate::domain::{
    BiologicalWeighting, DaughterHeader, Daughters, DensityCorrection, DoseResult, EmissionSpectrum, InGrowth,
    KernelMedium, KernelOptions, LocalOptions, Method, Progress, RequestHeader, Stage, TransportProgress, VolumeHeader,
};

/// A header of volumes in single precision.
pub(super) fn header(header: &RequestHeader) -> pb::ComputeHeader {
    let source = header.source();
    let descriptor = |volume: &VolumeHeader| volume::descriptor(&volume.grid);
    pb::ComputeHeader {
        activity: Some(descriptor(header.activity())),
        activity_unit: Some(bq_s()),
        density: header.density().map(descriptor),
        nuclide: source.parent().map(|parent| parent.name.clone()).unwrap_or_default(),
        method: Some(pb::Method { method: Some(method(header.method())) }),
        labels: header.labels().map(descriptor),
        materials: header.materials().map(descriptor),
        emissions: source
            .own_emissions()
            .map_or(&[][..], EmissionSpectrum::emissions)
            .iter()
            .map(monte_carlo::emission)
            .collect(),
        daughters: source.daughters().map(daughters),
        daughter_maps: header.daughters().iter().map(daughter_map).collect(),
        biological_weighting: header.weighting().map(|BiologicalWeighting { alpha, recoil }| pb::BiologicalWeighting {
            alpha: Some(alpha),
            recoil: Some(recoil),
        }),
    }
}

fn daughters(daughters: Daughters) -> pb::Daughters {
    use pb::daughters::Daughters as Arm;
    let arm = match daughters {
        Daughters::ParentOnly => Arm::ParentOnly(pb::ParentOnly {}),
        Daughters::Equilibrium => Arm::Equilibrium(pb::Equilibrium {}),
        Daughters::InGrowth(InGrowth { integration_time_s, effective_half_life_s }) => {
            Arm::InGrowth(pb::InGrowth { integration_time_s, effective_half_life_s })
        }
    };
    pb::Daughters { daughters: Some(arm) }
}

fn daughter_map(map: &DaughterHeader) -> pb::DaughterMap {
    pb::DaughterMap {
        nuclide: map.source.name().to_owned(),
        activity: Some(volume::descriptor(&map.activity.grid)),
        activity_unit: Some(bq_s()),
    }
}

fn bq_s() -> pb::ActivityUnit {
    pb::ActivityUnit { unit: Some(pb::activity_unit::Unit::BqS(pb::TimeIntegratedBqS {})) }
}

fn method(method: &Method) -> pb::method::Method {
    use pb::method::Method as Arm;
    match method {
        &Method::Local(LocalOptions { minimum_density_g_cm3 }) => {
            Arm::Local(pb::LocalMethod { minimum_density_g_cm3: Some(minimum_density_g_cm3) })
        }
        &Method::Kernel(KernelOptions { medium, density_correction, minimum_density_g_cm3, truncation_radius_mm }) => {
            let density_correction = match density_correction {
                DensityCorrection::Water => pb::DensityCorrection::Water,
                DensityCorrection::DensityScaled => pb::DensityCorrection::DensityScaled,
            };
            Arm::Kernel(pb::KernelMethod {
                medium: kernel_medium(medium).into(),
                density_correction: density_correction.into(),
                minimum_density_g_cm3: Some(minimum_density_g_cm3),
                truncation_radius_mm,
            })
        }
        Method::MonteCarlo(options) => Arm::MonteCarlo(monte_carlo::options(options)),
    }
}

fn kernel_medium(medium: KernelMedium) -> pb::KernelMedium {
    match medium {
        KernelMedium::Water => pb::KernelMedium::Water,
        KernelMedium::SoftTissue => pb::KernelMedium::SoftTissue,
        KernelMedium::Lung => pb::KernelMedium::Lung,
        KernelMedium::CompactBone => pb::KernelMedium::CompactBone,
        KernelMedium::CorticalBone => pb::KernelMedium::CorticalBone,
    }
}

pub(super) fn request(message: pb::compute_request::Message) -> pb::ComputeRequest {
    pb::ComputeRequest { message: Some(message) }
}

pub(super) fn progress(progress: Progress) -> pb::ComputeResponse {
    let stage = match progress.stage {
        Stage::Queued => pb::Stage::Queued,
        Stage::Kernel => pb::Stage::Kernel,
        Stage::Tables => pb::Stage::Tables,
        Stage::Dose => pb::Stage::Dose,
        Stage::Finish => pb::Stage::Finish,
    };
    let transport = progress.transport.map(|TransportProgress { histories, relative_sigma, time_left_s }| {
        pb::TransportProgress { histories, relative_sigma, time_left_s }
    });
    let progress = pb::Progress { stage: stage.into(), fraction: progress.fraction, transport };
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Progress(progress)) }
}

/// The result that announces all that is sent after it.
///
/// * `tally_size_bytes` – if a tally will be sent
pub(super) fn result(result: &DoseResult, tally_size_bytes: Option<u64>) -> pb::ComputeResponse {
    let described = || volume::descriptor(result.dose.grid());
    let result = pb::ComputeResult {
        dose: Some(described()),
        provenance: Some(provenance::encode(result.provenance.clone())),
        uncertainty: result.uncertainty.as_ref().map(|_| described()),
        tally_size_bytes,
        weighted_dose: result.weighted.as_ref().map(|_| described()),
    };
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Result(result)) }
}

pub(super) fn chunk(chunk: pb::VolumeChunk) -> pb::ComputeResponse {
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Chunk(chunk)) }
}

pub(super) fn tally_chunk(chunk: pb::TallyChunk) -> pb::ComputeResponse {
    pb::ComputeResponse { message: Some(pb::compute_response::Message::TallyChunk(chunk)) }
}
