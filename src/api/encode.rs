//! From the domain to messages.

mod monte_carlo;

use super::{pb, provenance, volume};
use crate::domain::{
    DensityCorrection, DoseRequest, EmissionSpectrum, KernelMedium, KernelOptions, LabelMap, LocalOptions, Method,
    Nuclide, Progress, Provenance, Stage, TransportProgress, VoxelGrid,
};
use crate::physics::nuclide::data_sha256;

/// The header of a request in the canonical form: decays in single precision.
pub(super) fn header(request: &DoseRequest) -> pb::ComputeHeader {
    use pb::activity_unit::Unit;
    let source = request.source();
    let labels = |map: &Option<LabelMap>| map.as_ref().map(|map| volume::descriptor(map.labels().grid()));
    pb::ComputeHeader {
        activity: Some(volume::descriptor(request.activity().decays().grid())),
        activity_unit: Some(pb::ActivityUnit { unit: Some(Unit::BqS(pb::TimeIntegratedBqS {})) }),
        density: request.density().map(|density| volume::descriptor(density.g_cm3().grid())),
        nuclide: source.nuclide().map(|nuclide| nuclide.name.clone()).unwrap_or_default(),
        method: Some(pb::Method { method: Some(method(request.method())) }),
        labels: labels(&request.labels().regions),
        materials: labels(&request.labels().materials),
        emissions: source
            .own_emissions()
            .map_or(&[][..], EmissionSpectrum::emissions)
            .iter()
            .map(monte_carlo::emission)
            .collect(),
    }
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

/// * `tally_size_bytes` – if a tally will be sent
pub(super) fn result(
    grid: &VoxelGrid,
    with_uncertainty: bool,
    tally_size_bytes: Option<u64>,
    provenance: Provenance,
) -> pb::ComputeResponse {
    let result = pb::ComputeResult {
        dose: Some(volume::descriptor(grid)),
        provenance: Some(provenance::encode(provenance)),
        uncertainty: with_uncertainty.then(|| volume::descriptor(grid)),
        tally_size_bytes,
    };
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Result(result)) }
}

pub(super) fn chunk(chunk: pb::VolumeChunk) -> pb::ComputeResponse {
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Chunk(chunk)) }
}

pub(super) fn tally_chunk(chunk: pb::TallyChunk) -> pb::ComputeResponse {
    pb::ComputeResponse { message: Some(pb::compute_response::Message::TallyChunk(chunk)) }
}

pub(super) fn nuclide(nuclide: &Nuclide) -> pb::Nuclide {
    pb::Nuclide {
        name: nuclide.name.clone(),
        half_life_s: nuclide.half_life_s,
        electron_mev: nuclide.mean_energy_mev.electron,
        photon_mev: nuclide.mean_energy_mev.photon,
        alpha_mev: nuclide.mean_energy_mev.alpha,
        source: nuclide.source.clone(),
        data_sha256: data_sha256(nuclide).to_owned(),
    }
}
