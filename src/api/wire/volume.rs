//! What is said of a volume, and which volume a chunk belongs to.

use super::{grid, pb};
use crate::domain::{DoseError, ElementType, VolumeHeader, VolumeRole};
use crate::intake::InputRole;
use crate::request::RawVolume;

/// A volume in the element type of its header.
pub(in crate::api) fn encode(volume: &VolumeHeader) -> pb::VolumeDescriptor {
    let element = match volume.element {
        ElementType::Float32 => pb::ElementType::Float32,
        ElementType::Float64 => pb::ElementType::Float64,
        ElementType::Int16 => pb::ElementType::Int16,
        ElementType::Uint8 => pb::ElementType::Uint8,
        ElementType::Uint16 => pb::ElementType::Uint16,
        ElementType::Int32 => pb::ElementType::Int32,
    };
    pb::VolumeDescriptor {
        grid: Some(grid::encode(&volume.grid)),
        element_type: element.into(),
        slope: Some(volume.slope).filter(|slope| *slope != 1.0),
        intercept: Some(volume.intercept).filter(|intercept| *intercept != 0.0),
        size_bytes: Some(volume.size_bytes()),
        digest: String::new(),
    }
}

pub(in crate::api) fn decode(message: pb::VolumeDescriptor) -> RawVolume {
    let pb::VolumeDescriptor { grid, element_type, slope, intercept, size_bytes, digest: _ } = message;
    let name = |element: ElementType| Some(element.name().to_owned());
    let element_type = match pb::ElementType::try_from(element_type) {
        Ok(pb::ElementType::Unspecified) => None,
        Ok(pb::ElementType::Float32) => name(ElementType::Float32),
        Ok(pb::ElementType::Float64) => name(ElementType::Float64),
        Ok(pb::ElementType::Int16) => name(ElementType::Int16),
        Ok(pb::ElementType::Uint8) => name(ElementType::Uint8),
        Ok(pb::ElementType::Uint16) => name(ElementType::Uint16),
        Ok(pb::ElementType::Int32) => name(ElementType::Int32),
        Err(_) => Some(element_type.to_string()),
    };
    RawVolume { grid: grid.map(grid::decode), element_type, slope, intercept, size_bytes, is_stored: false }
}

/// A volume of a call that takes none that the server keeps.
pub(in crate::api) fn decode_sent(message: pb::VolumeDescriptor) -> RawVolume {
    let is_stored = !message.digest.is_empty();
    RawVolume { is_stored, ..decode(message) }
}

/// A volume of a request, and its index among those of one kind.
pub(in crate::api) fn encode_role(role: InputRole) -> (pb::VolumeRole, u32) {
    let index = |number| u32::try_from(number).expect("there are at most 256 volumes of one kind");
    match role {
        InputRole::OfRequest(VolumeRole::Activity) => (pb::VolumeRole::Activity, 0),
        InputRole::OfRequest(VolumeRole::Density) => (pb::VolumeRole::Density, 0),
        InputRole::OfRequest(VolumeRole::Labels) => (pb::VolumeRole::Labels, 0),
        InputRole::OfRequest(VolumeRole::Materials) => (pb::VolumeRole::Materials, 0),
        InputRole::OfRequest(VolumeRole::DaughterActivity(number)) => (pb::VolumeRole::DaughterActivity, index(number)),
        InputRole::Ct => (pb::VolumeRole::Ct, 0),
        InputRole::Organ(number) => (pb::VolumeRole::Organ, index(number)),
        InputRole::Source => (pb::VolumeRole::Source, 0),
        InputRole::Scan(number) => (pb::VolumeRole::Scan, index(number)),
        InputRole::Dose(number) => (pb::VolumeRole::Dose, index(number)),
    }
}

/// The first volume that is no organ's own, and the organs' own.
///
/// * `organ_labels` – of the organs' own volumes
pub(in crate::api) fn encode_arrivals(
    arrivals: &[(InputRole, VolumeHeader)],
    organ_labels: &[u16],
) -> (Option<pb::VolumeDescriptor>, Vec<pb::OrganVolume>) {
    let is_organ = |role: &InputRole| matches!(role, InputRole::Organ(_));
    let first = arrivals.iter().find(|(role, _)| !is_organ(role)).map(|(_, volume)| encode(volume));
    let own = arrivals.iter().filter(|(role, _)| is_organ(role)).zip(organ_labels);
    let own = own.map(|((_, volume), &label)| pb::OrganVolume { volume: Some(encode(volume)), label: label.into() });
    (first, own.collect())
}

/// What a volume is, in messages.
pub(in crate::api) fn name(role: InputRole) -> &'static str {
    match role {
        InputRole::OfRequest(VolumeRole::Activity) => "activity",
        InputRole::OfRequest(VolumeRole::Density) => "density",
        InputRole::OfRequest(VolumeRole::Labels) => "labels",
        InputRole::OfRequest(VolumeRole::Materials) => "materials",
        InputRole::OfRequest(VolumeRole::DaughterActivity(_)) => "a daughter's activity",
        InputRole::Ct => "CT",
        InputRole::Organ(_) => "an organ",
        InputRole::Source => "source",
        InputRole::Scan(_) => "a scan",
        InputRole::Dose(_) => "the dose of a cycle",
    }
}

/// # Errors
/// [`DoseError::Invalid`] if the chunk is of no volume that a caller sends.
pub(in crate::api) fn decode_role(chunk: &pb::VolumeChunk) -> Result<InputRole, DoseError> {
    let index = usize::try_from(chunk.index).unwrap_or(usize::MAX);
    let has_index = |role| {
        use pb::VolumeRole::{DaughterActivity, Dose, Organ, Scan};
        matches!(role, DaughterActivity | Organ | Scan | Dose)
    };
    let unknown = |reason: String| Err(DoseError::invalid("chunk.volume", reason));
    match pb::VolumeRole::try_from(chunk.volume) {
        Ok(role) if !has_index(role) && chunk.index != 0 => {
            let reason = format!("is {}, but there is only one volume of this kind", chunk.index);
            Err(DoseError::invalid("chunk.index", reason))
        }
        Ok(pb::VolumeRole::Activity) => Ok(VolumeRole::Activity.into()),
        Ok(pb::VolumeRole::Density) => Ok(VolumeRole::Density.into()),
        Ok(pb::VolumeRole::Labels) => Ok(VolumeRole::Labels.into()),
        Ok(pb::VolumeRole::Materials) => Ok(VolumeRole::Materials.into()),
        Ok(pb::VolumeRole::DaughterActivity) => Ok(VolumeRole::DaughterActivity(index).into()),
        Ok(pb::VolumeRole::Ct) => Ok(InputRole::Ct),
        Ok(pb::VolumeRole::Organ) => Ok(InputRole::Organ(index)),
        Ok(pb::VolumeRole::Source) => Ok(InputRole::Source),
        Ok(pb::VolumeRole::Scan) => Ok(InputRole::Scan(index)),
        Ok(pb::VolumeRole::Dose) => Ok(InputRole::Dose(index)),
        Ok(pb::VolumeRole::TimeIntegratedActivity) => {
            unknown("is time-integrated activity, which only the server sends".into())
        }
        Ok(pb::VolumeRole::Resampled) => unknown("is resampled, which only the server sends".into()),
        Ok(pb::VolumeRole::VoxelKinds) => unknown("is kinds of voxels, which only the server sends".into()),
        Ok(pb::VolumeRole::Bed) => unknown("is BED, which only the server sends".into()),
        Ok(pb::VolumeRole::Eqd2) => unknown("is EQD2, which only the server sends".into()),
        Ok(pb::VolumeRole::TimeIntegratedActivityUncertainty) => {
            unknown("is uncertainty of time-integrated activity, which only the server sends".into())
        }
        Ok(pb::VolumeRole::Uncertainty) => unknown("is uncertainty, which only the server sends".into()),
        Ok(pb::VolumeRole::WeightedDose) => unknown("is weighted dose, which only the server sends".into()),
        Ok(pb::VolumeRole::DoseOnCt) => unknown("is dose on the CT, which only the server sends".into()),
        Ok(pb::VolumeRole::Unspecified) => unknown("is missing".into()),
        Err(_) => unknown(format!("is not a known volume: {}", chunk.volume)),
    }
}
