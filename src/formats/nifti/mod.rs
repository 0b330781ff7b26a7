//! NIfTI-1 volumes, `.nii` and `.nii.gz`.
//!
//! Read: `uint8`, `int16`, `float32` and `float64` in both byte orders, with slope and intercept applied and lengths in
//! mm. The position in the patient is taken from the sform, else the qform, else the voxel sizes, as the standard says.
//! Nothing is guessed: a file must hold exactly what its header promises, and what this module does not understand is
//! refused with the name of the field.
//!
//! Written: `float32`, little-endian, with a sform and a qform that agree. The same volume gives the same bytes.

mod header;
mod placement;
mod read;
mod write;

use std::sync::Arc;

use crate::domain::{Volume, VoxelGrid};

pub use header::MAX_VOXELS;
pub use read::read;
pub use write::write;

/// `sizeof_hdr` of NIfTI-1.
const SIZEOF_HDR: u32 = 348;
/// Bytes of a NIfTI-1 header.
const HEADER_BYTES: usize = SIZEOF_HDR as usize;
/// Offset of the first voxel in a file without extensions: the header and four bytes that say so.
const FIRST_VOXEL_OFFSET: usize = 352;

/// A volume that was read: slope and intercept applied, in single precision.
#[derive(Clone, Debug)]
pub struct NiftiFile {
    /// The values.
    pub volume: Volume<f32>,
    /// The header, which says how they were stored.
    pub header: Header,
}

/// The content of a valid header.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The grid of the voxels.
    pub grid: Arc<VoxelGrid>,
    /// How a value is stored.
    pub element: Element,
    /// Byte order of the file.
    pub byte_order: ByteOrder,
    /// Slope and intercept; none if stored values are the values themselves.
    pub scaling: Option<Scaling>,
    /// The field that gave the affine.
    pub placement: Placement,
    /// Offset of the first voxel, extensions included [bytes].
    voxel_offset: u64,
}

/// Type of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Unsigned, 8 bits.
    Uint8,
    /// Signed, 16 bits.
    Int16,
    /// IEEE single precision.
    Float32,
    /// IEEE double precision.
    Float64,
}

impl Element {
    /// Name as in the standard, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uint8 => "uint8",
            Self::Int16 => "int16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }

    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Self::Uint8 => 1,
            Self::Int16 => 2,
            Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }
}

/// Byte order of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// `little` or `big`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Little => "little",
            Self::Big => "big",
        }
    }
}

/// `value = slope · stored + intercept`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// Finite, not 0.
    pub slope: f64,
    /// Finite.
    pub intercept: f64,
}

/// Where an affine came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The sform, a matrix.
    Sform,
    /// The qform, a rotation and an offset.
    Qform,
    /// The voxel sizes alone: axes along the patient's, the first voxel at the origin.
    VoxelSizes,
}

impl Placement {
    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sform => "sform",
            Self::Qform => "qform",
            Self::VoxelSizes => "voxel sizes",
        }
    }
}
