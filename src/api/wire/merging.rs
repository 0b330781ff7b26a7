//! Which tallies will come, and what is wanted of them.

use super::{grid, pb, volume};
use crate::domain::Part;
use crate::intake::{Merging, RawMerging, RawOrganVolume};

pub(in crate::api) fn decode(message: pb::MergeTalliesHeader) -> RawMerging {
    let organ =
        |pb::OrganVolume { volume, label }| RawOrganVolume { volume: volume.map(volume::decode_sent).into(), label };
    RawMerging {
        grid: Part::from(message.grid.map(grid::decode)),
        tallies_bytes: message.tallies.into_iter().map(|tally| tally.size_bytes).collect(),
        labels: Part::from(message.labels.map(volume::decode_sent)),
        organ_volumes: message.organ_volumes.into_iter().map(organ).collect(),
        label_names: message.label_names.into_iter().collect(),
        dose_volume_points: message.dose_volume_points,
        return_uncertainty: message.return_uncertainty,
        return_tally: message.return_tally,
    }
}

/// The header of tallies that was checked here.
pub(in crate::api) fn encode(merging: &Merging) -> pb::MergeTalliesHeader {
    let (labels, organ_volumes) = volume::encode_arrivals(merging.arrivals(), merging.organ_labels());
    let sizes = merging.tallies_bytes().iter();
    pb::MergeTalliesHeader {
        grid: Some(grid::encode(merging.grid())),
        tallies: sizes.map(|&size_bytes| pb::TallyDescriptor { size_bytes }).collect(),
        labels,
        organ_volumes,
        label_names: merging.names().iter().map(|(&label, name)| (label.into(), name.clone())).collect(),
        dose_volume_points: merging.dose_volume_points().map(|points| u32::try_from(points).unwrap_or(u32::MAX)),
        return_uncertainty: merging.return_uncertainty,
        return_tally: merging.return_tally,
    }
}
