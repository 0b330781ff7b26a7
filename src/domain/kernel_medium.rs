//! The medium that the kernel method assumes for the whole body.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The medium in which point kernels were computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelMedium {
    /// Liquid water.
    #[default]
    Water,
    /// Soft tissue of four components.
    SoftTissue,
    /// Inflated lung.
    Lung,
    /// Compact bone.
    CompactBone,
    /// Cortical bone.
    CorticalBone,
}

impl KernelMedium {
    /// All media.
    pub const ALL: [Self; 5] = [Self::Water, Self::SoftTissue, Self::Lung, Self::CompactBone, Self::CorticalBone];

    /// Name of its material, also on the wire and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Water => "water",
            Self::SoftTissue => "soft_tissue",
            Self::Lung => "lung",
            Self::CompactBone => "compact_bone",
            Self::CorticalBone => "cortical_bone",
        }
    }

    /// The medium with this name.
    ///
    /// # Errors
    /// If there is none; the reason lists all media.
    pub fn of_name(name: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|medium| medium.name() == name).ok_or_else(|| {
            Invalid::new(format!("must be one of {}, got `{name}`", Self::ALL.map(Self::name).join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_materials() {
        for medium in KernelMedium::ALL {
            assert_eq!(KernelMedium::of_name(medium.name()), Ok(medium));
            assert!(crate::physics::material::find(medium.name()).is_ok());
        }
        assert!(KernelMedium::of_name("Lung").expect_err("a wrong name").0.contains("cortical_bone"));
    }
}
