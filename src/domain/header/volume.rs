//! What is said of a volume before its values come.

use serde::{Deserialize, Serialize};

use crate::domain::{Invalid, VoxelGrid};

/// How one value of a volume is stored, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementType {
    /// IEEE single precision.
    Float32,
    /// IEEE double precision.
    Float64,
    /// Signed, 16 bits.
    Int16,
    /// Unsigned, 8 bits.
    Uint8,
    /// Unsigned, 16 bits.
    Uint16,
    /// Signed, 32 bits.
    Int32,
}

impl ElementType {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Float32, Self::Float64, Self::Int16, Self::Uint8, Self::Uint16, Self::Int32];

    /// Name in stored headers and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int16 => "int16",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Int32 => "int32",
        }
    }

    /// Bytes of one value.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::Float32 | Self::Int32 => 4,
            Self::Float64 => 8,
            Self::Int16 | Self::Uint16 => 2,
            Self::Uint8 => 1,
        }
    }
}

/// A volume without its values: where its voxels are and how they are stored. `value = stored × slope + intercept`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeHeader {
    /// Where the voxels are.
    pub grid: VoxelGrid,
    /// How a value is stored.
    pub element: ElementType,
    /// What a stored value is multiplied by.
    pub slope: f64,
    /// What is added to that.
    pub intercept: f64,
}

impl VolumeHeader {
    /// A volume in single precision that holds its values as they are, as all volumes in memory do.
    pub fn float32(grid: &VoxelGrid) -> Self {
        Self { grid: grid.clone(), element: ElementType::Float32, slope: 1.0, intercept: 0.0 }
    }

    /// Bytes of all values.
    pub fn size_bytes(&self) -> u64 {
        self.grid.voxels() as u64 * self.element.size_bytes() as u64
    }

    /// # Errors
    /// If it is 0 or not finite.
    pub fn check_slope(slope: f64) -> Result<(), Invalid> {
        if slope.is_finite() && slope != 0.0 {
            Ok(())
        } else {
            Err(Invalid::new(format!("must be finite and not 0, got {slope}")))
        }
    }

    /// # Errors
    /// If it is not finite.
    pub fn check_intercept(intercept: f64) -> Result<(), Invalid> {
        if intercept.is_finite() { Ok(()) } else { Err(Invalid::new(format!("must be finite, got {intercept}"))) }
    }
}

/// What a volume of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeRole {
    /// Activity of the first nuclide.
    Activity,
    /// Mass density.
    Density,
    /// Region of each voxel.
    Labels,
    /// Material of each voxel, by label.
    Materials,
    /// Activity of a daughter with a map of its own, by its number from 0.
    DaughterActivity(usize),
}

impl VolumeRole {
    /// Path of the volume from the header.
    pub fn field(self) -> String {
        match self {
            Self::Activity => "activity".into(),
            Self::Density => "density".into(),
            Self::Labels => "labels".into(),
            Self::Materials => "materials".into(),
            Self::DaughterActivity(number) => format!("daughter_maps[{number}].activity"),
        }
    }
}
