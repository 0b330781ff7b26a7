//! The result, which announces all that is sent after it.

use super::{activity_account, pb, provenance, volume};
use crate::domain::{ActivityAccount, DoseResult, Provenance, VolumeHeader, VoxelGrid, Warning};

/// What a result announces.
pub(in crate::api) struct Announced {
    pub(in crate::api) provenance: Provenance,
    pub(in crate::api) has_uncertainty: bool,
    pub(in crate::api) has_weighted: bool,
    pub(in crate::api) tally_size_bytes: Option<u64>,
    pub(in crate::api) activity: ActivityAccount,
    pub(in crate::api) warnings: Vec<Warning>,
}

/// * `tally_size_bytes` – if a tally will be sent
pub(in crate::api) fn encode(result: &DoseResult, tally_size_bytes: Option<u64>) -> pb::ComputeResponse {
    let described = || volume::encode(&VolumeHeader::float32(result.dose.grid()));
    let result = pb::ComputeResult {
        dose: Some(described()),
        provenance: Some(provenance::encode(result.provenance.clone())),
        uncertainty: result.uncertainty.as_ref().map(|_| described()),
        tally_size_bytes,
        weighted_dose: result.weighted.as_ref().map(|_| described()),
        warnings: result.warnings.iter().cloned().map(activity_account::encode_warning).collect(),
        activity: Some(activity_account::encode(result.activity.clone())),
    };
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Result(result)) }
}

/// * `grid` – of the request: every volume is in single precision on it
///
/// # Errors
/// What makes no sense, in words.
pub(in crate::api) fn decode(message: pb::ComputeResult, grid: &VoxelGrid) -> Result<Announced, &'static str> {
    let described = Some(volume::encode(&VolumeHeader::float32(grid)));
    let is_elsewhere = |volume: &Option<pb::VolumeDescriptor>| volume.is_some() && *volume != described;
    if message.dose != described || is_elsewhere(&message.uncertainty) || is_elsewhere(&message.weighted_dose) {
        return Err("the dose is not on the grid of the activity");
    }
    Ok(Announced {
        provenance: message.provenance.and_then(provenance::decode).ok_or("no provenance")?,
        has_uncertainty: message.uncertainty.is_some(),
        has_weighted: message.weighted_dose.is_some(),
        tally_size_bytes: message.tally_size_bytes,
        activity: activity_account::decode(message.activity.unwrap_or_default()),
        warnings: message.warnings.into_iter().map(activity_account::decode_warning).collect(),
    })
}
