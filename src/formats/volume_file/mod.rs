//! Volumes in files of any format: one call reads them, one call writes them.
//!
//! Read: NIfTI-1 and NIfTI-2 (`.nii`, `.hdr` and `.img`, gzip and bzip2), NRRD (`.nrrd`, `.nhdr`), MetaImage (`.mha`,
//! `.mhd`), every integer and real type in both byte orders; DICOM files, folders and series in them, with what they
//! mean. What a file is, its first bytes say, not its name. Nothing
//! is guessed: what a header promises must be what the file holds, and what is not understood is refused by name.
//!
//! Written: the format that the name of the file asks for, with the place in the patient as the input had it.

mod format;
mod read;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use super::dicom::ImageAccount;
use super::nifti::Qform;
use super::voxels::Layout;
use crate::domain::{Volume, VoxelGrid};

pub use super::voxels::write::Stored;
pub use super::voxels::{ByteOrder, MAX_VOXELS, Real, Scaling, VoxelType};
pub use format::{OUTPUT_NAMES, OutputFormat, is_volume_name};
pub(super) use read::name_of;
pub use read::{read_dose, read_frames, read_volume, read_volume_as, read_volume_beside_dicom, read_volume_of};
pub use write::write_volume;

/// A volume as read, slope and intercept applied.
#[derive(Clone, Debug)]
pub struct VolumeFile<T = f32> {
    /// The values.
    pub volume: Volume<T>,
    /// What the header says of how they were stored.
    pub header: FileHeader,
    /// What looks wrong but may be meant.
    pub warnings: Vec<String>,
}

/// All volumes of a file, such as a stack of masks.
#[derive(Clone, Debug)]
pub struct FrameFile<T = f32> {
    /// The volumes, one or more, on one grid.
    pub frames: Vec<Volume<T>>,
    /// What the header says of how they were stored.
    pub header: FileHeader,
    /// What looks wrong but may be meant.
    pub warnings: Vec<String>,
    /// What the header says of the labels in it.
    pub segments: Vec<Segment>,
}

/// A segment of a NRRD file as 3D Slicer writes it (`.seg.nrrd`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// The frame it is in.
    pub layer: usize,
    /// Its value in that frame.
    pub value: u16,
}

/// What a valid header says.
#[derive(Clone, Debug, PartialEq)]
pub struct FileHeader {
    /// Name of the format, such as `NIfTI-1`.
    pub format: &'static str,
    /// Where the voxels are.
    pub grid: Arc<VoxelGrid>,
    /// How a value is stored.
    pub element: VoxelType,
    /// Byte order of the file.
    pub byte_order: ByteOrder,
    /// What a stored value means; none: itself.
    pub scaling: Option<Scaling>,
    /// Which field gave the affine.
    pub placement: Placement,
    /// How the file says where it lies, for an output on the same grid.
    pub origin: Origin,
    /// What DICOM files say beside the values.
    pub dicom: Option<Box<ImageAccount>>,
}

/// Where an affine came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The sform of NIfTI, a matrix.
    Sform,
    /// The qform of NIfTI, a rotation and an offset.
    Qform,
    /// The voxel sizes alone: axes along the patient's, the first voxel at the origin. Where the volume lies is
    /// unknown.
    VoxelSizes,
    /// The space directions of NRRD.
    SpaceDirections,
    /// The transform matrix of MetaImage.
    TransformMatrix,
    /// Image Position and Image Orientation of DICOM.
    ImagePosition,
}

impl Placement {
    /// Name for a reader.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sform => "sform",
            Self::Qform => "qform",
            Self::VoxelSizes => "voxel sizes",
            Self::SpaceDirections => "space directions",
            Self::TransformMatrix => "transform matrix",
            Self::ImagePosition => "image position",
        }
    }
}

/// How a file says where its volume lies: what NIfTI has beside the affine. An output gets it from the input, so that
/// every reader places the two alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// `qform_code` of NIfTI; 0: there is no qform.
    pub qform_code: i16,
    /// `sform_code` of NIfTI; 0: there is no sform.
    pub sform_code: i16,
    /// The unit of lengths.
    pub unit: LengthUnit,
    /// The qform as the input had it, where it has a code; it may differ from the affine.
    pub(super) qform: Option<Qform>,
}

impl Origin {
    /// The same codes and unit, for a volume on another grid than the input's.
    pub fn on_another_grid(&self) -> Self {
        Self { qform: None, ..self.clone() }
    }

    /// Whether the file says where the volume lies.
    pub fn is_placed(&self) -> bool {
        self.qform_code > 0 || self.sform_code > 0
    }
}

impl Default for Origin {
    /// Coordinates of the scanner, in mm.
    fn default() -> Self {
        Self { qform_code: 1, sform_code: 1, unit: LengthUnit::Millimetre, qform: None }
    }
}

/// Unit of the lengths in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthUnit {
    /// Not stated; taken as mm.
    Unknown,
    /// m.
    Metre,
    /// mm.
    Millimetre,
    /// µm.
    Micrometre,
}

impl LengthUnit {
    /// Millimetres in one.
    pub fn mm(self) -> f64 {
        match self {
            Self::Unknown | Self::Millimetre => 1.0,
            Self::Metre => 1e3,
            Self::Micrometre => 1e-3,
        }
    }

    /// Name for a reader.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Metre => "m",
            Self::Millimetre => "mm",
            Self::Micrometre => "um",
        }
    }
}

/// What a format's own code finds in a header: what the header says, how to read the values, and where they are.
pub(super) struct Found {
    pub(super) header: FileHeader,
    pub(super) layout: Layout,
    pub(super) warnings: Vec<String>,
    pub(super) segments: Vec<Segment>,
    pub(super) values: Values,
}

/// Where the values are.
pub(super) enum Values {
    /// Further on in the stream that the header came from: this many bytes further.
    Ahead(u64),
    /// In a file.
    File {
        /// Which one.
        path: PathBuf,
        /// Bytes before the values as they are stored.
        skip: u64,
        /// How all behind these bytes is packed; none: as its first bytes say.
        packing: Option<super::voxels::stream::Packing>,
        /// Bytes before the first value once unpacked.
        before: u64,
    },
}
