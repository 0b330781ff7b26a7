//! The volumes of one `Compute` call while they arrive, and the request that they make once they are there.

use super::volume::{Announced, Arriving};
use super::{decode, pb};
use crate::domain::{
    ActivityUnit, BiologicalWeighting, Checks, DaughterMap, DensityMap, DoseError, DoseRequest, LabelMap, LabelMaps,
    Method, RequestParts, Source, TimeIntegratedActivity,
};

/// The volumes of a request while they arrive.
pub(super) struct Upload {
    activity: Arriving,
    density: Option<Arriving>,
    labels: Option<Arriving>,
    materials: Option<Arriving>,
    unit: ActivityUnit,
    source: Source,
    daughters: Vec<ArrivingDaughter>,
    method: Method,
    weighting: Option<BiologicalWeighting>,
}

/// The map of a daughter while it arrives.
struct ArrivingDaughter {
    source: Source,
    unit: ActivityUnit,
    activity: Arriving,
}

impl Upload {
    pub(super) fn new(header: decode::Header) -> Result<Self, DoseError> {
        let decode::Header { activity, unit, density, labels, materials, source, daughters, method, weighting } =
            header;
        let arriving = |announced: Option<Announced>| announced.map(Arriving::new).transpose();
        let activity = Arriving::new(activity)?;
        let (density, labels, materials) = (arriving(density)?, arriving(labels)?, arriving(materials)?);
        let daughter = |decode::Daughter { activity, source, unit }| {
            Ok(ArrivingDaughter { source, unit, activity: Arriving::new(activity)? })
        };
        let daughters = daughters.into_iter().map(daughter).collect::<Result<_, DoseError>>()?;
        Ok(Self { activity, density, labels, materials, unit, source, daughters, method, weighting })
    }

    pub(super) fn accept(&mut self, chunk: pb::VolumeChunk) -> Result<(), DoseError> {
        let unknown = |reason: String| DoseError::invalid("chunk.volume", reason);
        let (name, volume) = match pb::VolumeRole::try_from(chunk.volume) {
            Ok(role) if role != pb::VolumeRole::DaughterActivity && chunk.index != 0 => {
                let reason = format!("is {}, but there is only one volume of this kind", chunk.index);
                return Err(DoseError::invalid("chunk.index", reason));
            }
            Ok(pb::VolumeRole::Activity) => ("activity", Some(&mut self.activity)),
            Ok(pb::VolumeRole::Density) => ("density", self.density.as_mut()),
            Ok(pb::VolumeRole::Labels) => ("labels", self.labels.as_mut()),
            Ok(pb::VolumeRole::Materials) => ("materials", self.materials.as_mut()),
            Ok(pb::VolumeRole::DaughterActivity) => {
                let number = usize::try_from(chunk.index).ok();
                let map = number.and_then(|number| self.daughters.get_mut(number));
                ("a daughter's activity", map.map(|daughter| &mut daughter.activity))
            }
            Ok(pb::VolumeRole::WeightedDose) => {
                return Err(unknown("is weighted dose, which only the server sends".into()));
            }
            Ok(pb::VolumeRole::Dose) => return Err(unknown("is dose, which only the server sends".into())),
            Ok(pb::VolumeRole::Uncertainty) => {
                return Err(unknown("is uncertainty, which only the server sends".into()));
            }
            Ok(pb::VolumeRole::Unspecified) => return Err(unknown("is missing".into())),
            Err(_) => return Err(unknown(format!("is not a known volume: {}", chunk.volume))),
        };
        let volume = volume.ok_or_else(|| unknown(format!("is {name}, which the header does not announce")))?;
        volume.append(chunk.offset_bytes, &chunk.data)
    }

    /// Looks at every value: takes as long as reading the volumes.
    pub(super) fn into_request(self) -> Result<DoseRequest, DoseError> {
        let mut checks = Checks::new();
        let activity = self.activity.finish().and_then(|map| TimeIntegratedActivity::new(map, self.unit));
        let activity = checks.at("activity", activity);
        let density = self.density.and_then(|map| checks.at("density", map.finish().and_then(DensityMap::new)));
        let mut labels = |field, map: Option<Arriving>| {
            map.and_then(|map| checks.at(field, map.finish().and_then(|map| LabelMap::new(&map))))
        };
        let labels =
            LabelMaps { regions: labels("labels", self.labels), materials: labels("materials", self.materials) };
        let mut daughters = Vec::new();
        for (number, ArrivingDaughter { source, unit, activity }) in self.daughters.into_iter().enumerate() {
            let activity = activity.finish().and_then(|map| TimeIntegratedActivity::new(map, unit));
            let activity = checks.at(format!("daughter_maps[{number}].activity"), activity);
            daughters.extend(activity.map(|activity| DaughterMap { source, activity }));
        }
        checks.finish()?;
        let activity = activity.expect("an activity that is not valid has recorded a fault");
        let (source, method, weighting) = (self.source, self.method, self.weighting);
        DoseRequest::of(RequestParts { activity, source, daughters, density, labels, method, weighting })
    }
}
