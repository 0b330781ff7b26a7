//! The result, which announces all that is sent after it.

use super::{activity_account, intake, pb, provenance, volume};
use crate::api::aftermath::Findings;
use crate::domain::{ActivityAccount, Checks, DoseResult, Provenance, Volume, VolumeHeader, VoxelGrid, Warning};
use crate::dosimetry::{CumulativeHistogram, OrganDose};
use crate::intake::IntakeAccount;

/// What a result announces.
pub(in crate::api) struct Announced {
    /// Of the dose, and of the uncertainty and the weighted dose where there are any.
    pub(in crate::api) grid: VoxelGrid,
    pub(in crate::api) provenance: Provenance,
    pub(in crate::api) has_uncertainty: bool,
    pub(in crate::api) has_weighted: bool,
    pub(in crate::api) tally_size_bytes: Option<u64>,
    /// Grid of the dose on that of the CT.
    pub(in crate::api) on_ct: Option<VoxelGrid>,
    pub(in crate::api) account: IntakeAccount,
    pub(in crate::api) organs: Vec<(OrganDose, Option<CumulativeHistogram>)>,
    pub(in crate::api) activity: ActivityAccount,
    pub(in crate::api) warnings: Vec<Warning>,
}

/// * `tally_size_bytes` – if a tally will be sent
pub(in crate::api) fn encode(
    result: &DoseResult,
    findings: &Findings,
    tally_size_bytes: Option<u64>,
) -> pb::ComputeResult {
    let on = |volume: &Volume<f32>| volume::encode(&VolumeHeader::float32(volume.grid()));
    pb::ComputeResult {
        dose: Some(on(&result.dose)),
        provenance: Some(provenance::encode(result.provenance.clone())),
        uncertainty: result.uncertainty.as_ref().map(on),
        tally_size_bytes,
        tally_digest: String::new(),
        weighted_dose: result.weighted.as_ref().map(on),
        intake: Some(intake::encode_account(&findings.account)),
        organs: findings.organs.iter().map(|(organ, dvh)| intake::encode_organ(organ, dvh.as_ref())).collect(),
        dose_on_ct: findings.dose_on_ct.as_ref().map(on),
        warnings: findings
            .account
            .warnings
            .iter()
            .chain(&result.warnings)
            .cloned()
            .map(activity_account::encode_warning)
            .collect(),
        activity: Some(activity_account::encode(result.activity.clone())),
    }
}

/// Every volume is in single precision, and all but that of the CT on the grid of the dose.
///
/// # Errors
/// What makes no sense, in words.
pub(in crate::api) fn decode(message: pb::ComputeResult) -> Result<Announced, &'static str> {
    let dose = message.dose.ok_or("no dose")?;
    let grid = grid_of(dose.clone()).ok_or("the grid of the dose")?;
    let is_elsewhere = |volume: &Option<pb::VolumeDescriptor>| volume.as_ref().is_some_and(|volume| *volume != dose);
    if is_elsewhere(&message.uncertainty) || is_elsewhere(&message.weighted_dose) {
        return Err("volumes of the dose are on unlike grids");
    }
    let on_ct = message.dose_on_ct.map(|volume| grid_of(volume).ok_or("the grid of the CT")).transpose()?;
    let organs = message.organs.into_iter().map(intake::decode_organ).collect::<Option<_>>();
    Ok(Announced {
        grid,
        provenance: message.provenance.and_then(provenance::decode).ok_or("no provenance")?,
        has_uncertainty: message.uncertainty.is_some(),
        has_weighted: message.weighted_dose.is_some(),
        tally_size_bytes: message.tally_size_bytes,
        on_ct,
        account: intake::decode_account(message.intake.unwrap_or_default()),
        organs: organs.ok_or("an organ")?,
        activity: activity_account::decode(message.activity.unwrap_or_default()),
        warnings: message.warnings.into_iter().map(activity_account::decode_warning).collect(),
    })
}

/// The grid of a volume in single precision that holds its values as they are.
fn grid_of(message: pb::VolumeDescriptor) -> Option<VoxelGrid> {
    let volume = volume::decode(message).resolve("", &mut Checks::new())?;
    (volume == VolumeHeader::float32(&volume.grid)).then_some(volume.grid)
}
