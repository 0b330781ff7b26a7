//! How far a computation is.

use super::pb;
use crate::domain::{Progress, Stage, TransportProgress};

/// * `calls_ahead` – that have the device before this one, if that is known
pub(in crate::api) fn encode(progress: Progress, calls_ahead: Option<u32>) -> pb::ComputeResponse {
    let message = pb::Progress { calls_ahead, ..of(progress) };
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Progress(message)) }
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
    pb::Progress {
        stage: stage.into(),
        fraction: progress.fraction,
        transport,
        overall_fraction: progress.overall_fraction(),
        time_left_s: progress.transport.and_then(|transport| transport.time_left_s),
        calls_ahead: None,
    }
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
