//! Voxel values as files store them: types, byte orders, packings. What the formats of volumes share.

pub(super) mod read;
pub(super) mod stream;
pub(super) mod text;
pub(super) mod write;

use std::sync::Arc;

use crate::domain::VoxelGrid;

/// Most values that are read: 1024³, eight times the largest grid that is planned for. A header that promises more is
/// not believed.
pub const MAX_VOXELS: u64 = 1 << 30;

/// Type of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoxelType {
    /// Signed, 8 bits.
    Int8,
    /// Unsigned, 8 bits.
    Uint8,
    /// Signed, 16 bits.
    Int16,
    /// Unsigned, 16 bits.
    Uint16,
    /// Signed, 32 bits.
    Int32,
    /// Unsigned, 32 bits.
    Uint32,
    /// Signed, 64 bits.
    Int64,
    /// Unsigned, 64 bits.
    Uint64,
    /// IEEE single precision.
    Float32,
    /// IEEE double precision.
    Float64,
}

impl VoxelType {
    /// Name as in the NIfTI standard, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Uint8 => "uint8",
            Self::Int16 => "int16",
            Self::Uint16 => "uint16",
            Self::Int32 => "int32",
            Self::Uint32 => "uint32",
            Self::Int64 => "int64",
            Self::Uint64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }

    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Int64 | Self::Uint64 | Self::Float64 => 8,
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

/// A precision in which values are kept once they are read.
pub trait Real: Copy + Into<f64> + Send + Sync + PartialOrd + 'static {
    /// The nearest value; what is too large becomes infinite.
    fn of(value: f64) -> Self;
}

impl Real for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "single precision is what was asked for")]
    fn of(value: f64) -> Self {
        value as f32
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
}

/// How the values of a file follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As bytes.
    Binary,
    /// As numbers in text, with white space between them.
    Text,
}

/// What is needed to read the values of a file.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) grid: Arc<VoxelGrid>,
    /// Volumes in the file, one after the other.
    pub(super) frames: usize,
    /// Whether the values of all frames stand together at each voxel.
    pub(super) interleaved: bool,
    pub(super) element: VoxelType,
    pub(super) byte_order: ByteOrder,
    pub(super) encoding: Encoding,
    pub(super) scaling: Option<Scaling>,
}

impl Layout {
    /// Values in the file.
    pub(super) fn values(&self) -> usize {
        self.grid.voxels() * self.frames
    }

    /// Bytes of the values, at least.
    pub(super) fn bytes(&self) -> u64 {
        let values = self.values() as u64;
        match self.encoding {
            Encoding::Binary => values * self.element.bytes() as u64,
            // A digit each, and white space between them.
            Encoding::Text => 2 * values - 1,
        }
    }
}
