//! Organs as volumes to send to a server.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::api::client::Sent;
use crate::domain::{ElementType, LabelMap, Organ, Organs, Part, Volume, VoxelGrid};
use crate::intake::{InputRole, RawOrganVolume};
use crate::request::RawVolume;

/// Organs as a map of labels, and those that it cannot hold as volumes of their own.
pub(super) struct OrganVolumes {
    grid: Arc<VoxelGrid>,
    labels: Option<LabelMap>,
    own: Vec<Organ>,
}

impl OrganVolumes {
    pub(super) fn of(organs: &Organs) -> Self {
        let (labels, own) = organs.layers();
        Self { grid: organs.grid().clone(), labels, own }
    }

    /// The map of labels as it will be sent.
    pub(super) fn labels(&self) -> Part<RawVolume> {
        Part::from(self.labels.as_ref().map(|_| self.described(ElementType::Uint16)))
    }

    /// The other organs as they will be sent.
    pub(super) fn own(&self) -> Vec<RawOrganVolume> {
        let organ = |organ: &Organ| {
            let element = if organ.is_whole() { ElementType::Uint8 } else { ElementType::Float32 };
            RawOrganVolume { volume: Part::Good(self.described(element)), label: organ.label.into() }
        };
        self.own.iter().map(organ).collect()
    }

    fn described(&self, element: ElementType) -> RawVolume {
        RawVolume { element_type: Some(element.name().to_owned()), ..RawVolume::from(&*self.grid) }
    }

    /// All volumes, each made ready when it is its turn.
    ///
    /// * `labels` – what the map of labels is to the server
    pub(super) fn sent(&self, labels: InputRole) -> impl Iterator<Item = Sent> {
        let map = self.labels.iter().map(move |map| {
            let bytes: Vec<u8> = map.labels().as_slice().iter().flat_map(|label| label.to_le_bytes()).collect();
            Sent { role: labels, bytes: bytes.into() }
        });
        let own = self.own.iter().enumerate();
        map.chain(own.map(|(number, organ)| Sent { role: InputRole::Organ(number), bytes: self.bytes(organ) }))
    }

    fn bytes(&self, organ: &Organ) -> Bytes {
        if organ.is_whole() {
            let mut mask = vec![0u8; self.grid.voxels()];
            organ.voxels().iter().for_each(|&voxel| mask[voxel as usize] = 1);
            return mask.into();
        }
        let mut shares = vec![0f32; self.grid.voxels()];
        #[expect(clippy::cast_possible_truncation, reason = "a share is kept in single precision")]
        organ.shares().for_each(|(voxel, share)| shares[voxel] = share as f32);
        shares.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>().into()
    }
}

/// Names of the organs that there are: those given come before those that the files have.
pub(super) fn names_of(organs: &Organs, given: &BTreeMap<u16, String>) -> Vec<(u32, String)> {
    let name = |organ: &Organ| Some((organ.label.into(), given.get(&organ.label).or(organ.name.as_ref())?.clone()));
    organs.organs().iter().filter_map(name).collect()
}

/// A volume to send.
pub(super) fn sent(role: impl Into<InputRole>, volume: &Volume<f32>) -> Sent {
    let bytes: Vec<u8> = volume.as_slice().iter().flat_map(|value| value.to_le_bytes()).collect();
    Sent { role: role.into(), bytes: bytes.into() }
}
