//! What a volume is that a caller sends.

use crate::domain::VolumeRole;

/// What a volume is that a caller sends: more than a request has, since it has but one density and one map of regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputRole {
    /// A volume that a request has too.
    OfRequest(VolumeRole),
    /// CT numbers [HU], from which the density is made.
    Ct,
    /// An organ of its own volume, by its number from 0: the part of each voxel that belongs to it.
    Organ(usize),
    /// A volume that is put on another grid, and no more.
    Source,
    /// An activity map of a series, by its number from 0.
    Scan(usize),
    /// The dose map of a cycle, by its number from 0.
    Dose(usize),
}

impl From<VolumeRole> for InputRole {
    fn from(role: VolumeRole) -> Self {
        Self::OfRequest(role)
    }
}

impl InputRole {
    /// Path of the volume from the header.
    pub fn field(self) -> String {
        match self {
            Self::OfRequest(role) => role.field(),
            Self::Ct => "ct".into(),
            Self::Source => "source".into(),
            Self::Dose(number) => format!("doses[{number}]"),
            Self::Scan(number) => format!("scans[{number}].volume"),
            Self::Organ(number) => format!("organ_volumes[{number}].volume"),
        }
    }
}
