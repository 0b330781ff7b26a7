//! How far a computation is.

use super::pb;
use crate::domain::{Progress, Stage, TransportProgress};

pub(in crate::api) fn encode(progress: Progress) -> pb::ComputeResponse {
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Progress(of(progress))) }
}

/// How far a computation is, as a message of its own.
pub(in crate::api) fn of(progress: Progress) -> pb::Progress {
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
    pb::Progress { stage: stage.into(), fraction: progress.fraction, transport }
}

/// None for a stage that this client does not know.
pub(in crate::api) fn decode(message: pb::Progress) -> Option<Progress> {
    let stage = match message.stage() {
        pb::Stage::Queued => Stage::Queued,
        pb::Stage::Kernel => Stage::Kernel,
        pb::Stage::Tables => Stage::Tables,
        pb::Stage::Dose => Stage::Dose,
        pb::Stage::Finish => Stage::Finish,
        pb::Stage::Unspecified => return None,
    };
    let transport = message.transport.map(|pb::TransportProgress { histories, relative_sigma, time_left_s }| {
        TransportProgress { histories, relative_sigma, time_left_s }
    });
    Some(Progress { stage, fraction: message.fraction, transport })
}
