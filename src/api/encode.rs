//! From the domain to messages.

use super::{pb, provenance, volume};
use crate::domain::{
    DensityCorrection, DoseRequest, KernelOptions, LocalOptions, Method, Nuclide, Progress, Provenance, Stage,
    VoxelGrid,
};
use crate::physics::nuclide::data_sha256;

/// The header of a request in the canonical form: decays in single precision.
pub(super) fn header(request: &DoseRequest) -> pb::ComputeHeader {
    use pb::activity_unit::Unit;
    pb::ComputeHeader {
        activity: Some(volume::descriptor(request.activity().decays().grid())),
        activity_unit: Some(pb::ActivityUnit { unit: Some(Unit::BqS(pb::TimeIntegratedBqS {})) }),
        density: request.density().map(|density| volume::descriptor(density.g_cm3().grid())),
        nuclide: request.nuclide().name.clone(),
        method: Some(pb::Method { method: Some(method(request.method())) }),
    }
}

fn method(method: &Method) -> pb::method::Method {
    use pb::method::Method as Arm;
    match *method {
        Method::Local(LocalOptions { minimum_density_g_cm3 }) => {
            Arm::Local(pb::LocalMethod { minimum_density_g_cm3: Some(minimum_density_g_cm3) })
        }
        Method::Kernel(KernelOptions { density_correction, minimum_density_g_cm3, truncation_radius_mm }) => {
            let density_correction = match density_correction {
                DensityCorrection::Water => pb::DensityCorrection::Water,
                DensityCorrection::DensityScaled => pb::DensityCorrection::DensityScaled,
            };
            Arm::Kernel(pb::KernelMethod {
                density_correction: density_correction.into(),
                minimum_density_g_cm3: Some(minimum_density_g_cm3),
                truncation_radius_mm,
            })
        }
    }
}

pub(super) fn request(message: pb::compute_request::Message) -> pb::ComputeRequest {
    pb::ComputeRequest { message: Some(message) }
}

pub(super) fn progress(progress: Progress) -> pb::ComputeResponse {
    let stage = match progress.stage {
        Stage::Queued => pb::Stage::Queued,
        Stage::Kernel => pb::Stage::Kernel,
        Stage::Dose => pb::Stage::Dose,
        Stage::Finish => pb::Stage::Finish,
    };
    let progress = pb::Progress { stage: stage.into(), fraction: progress.fraction };
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Progress(progress)) }
}

pub(super) fn result(grid: &VoxelGrid, provenance: Provenance) -> pb::ComputeResponse {
    let result =
        pb::ComputeResult { dose: Some(volume::descriptor(grid)), provenance: Some(provenance::encode(provenance)) };
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Result(result)) }
}

pub(super) fn chunk(chunk: pb::VolumeChunk) -> pb::ComputeResponse {
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Chunk(chunk)) }
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
