//! Rigid transforms from registration: those of ITK (`.tfm`, `.txt`, `.mat`, as Slicer, ANTs, elastix and SimpleITK
//! write them) and those of FSL (`.mat`, as flirt writes them).

mod fsl;
mod itk;
mod matlab;

use std::io::{self, Read, Write};
use std::path::Path;

use crate::domain::grid::Affine;
use crate::domain::{Invalid, RigidTransform, VoxelGrid};
use crate::formats::atomic::write_file;
use crate::formats::voxels::stream::{failed, open_file};

/// Most bytes of such a file; a displacement field ends here.
const MAX_BYTES: u64 = 1 << 20;

/// Writes a transform as ITK has it, in text.
///
/// # Errors
/// What the file system says.
pub fn write(path: &Path, transform: &RigidTransform) -> io::Result<()> {
    write_file(path, |file| file.write_all(itk::text_of(transform).as_bytes()))
}

/// A transform as its file has it.
#[derive(Clone, Debug, PartialEq)]
pub enum TransformFile {
    /// From points of the fixed image to those of the moving image.
    Itk(RigidTransform),
    /// From the moving image (`-in`) to the reference (`-ref`), in FSL's own scaled voxels of either.
    Fsl(Affine),
}

impl TransformFile {
    /// The transform that resamples `moving` onto `fixed`.
    ///
    /// # Errors
    /// If it is not rigid.
    pub fn between(&self, moving: &VoxelGrid, fixed: &VoxelGrid) -> Result<RigidTransform, Invalid> {
        match self {
            Self::Itk(transform) => Ok(transform.clone()),
            Self::Fsl(matrix) => fsl::between(matrix, moving, fixed),
        }
    }

    /// Name of the convention.
    pub fn convention(&self) -> &'static str {
        match self {
            Self::Itk(_) => "ITK",
            Self::Fsl(_) => "FSL",
        }
    }
}

/// Reads a transform; which of the conventions it follows, the file says.
///
/// # Errors
/// If the file cannot be read, is neither, or holds a transform that is not rigid.
pub fn read(path: &Path) -> Result<TransformFile, Invalid> {
    let (file, length) = open_file(path)?;
    if length > MAX_BYTES {
        return Err(Invalid::new("is too long for a rigid transform; displacement fields are not read"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.contains(&0) {
        return matlab::variables(&bytes).and_then(|variables| itk::of_variables(&variables)).map(TransformFile::Itk);
    }
    let text = String::from_utf8_lossy(&bytes);
    if text.trim_start().starts_with("#Insight Transform File") {
        return itk::of_text(&text).map(TransformFile::Itk);
    }
    fsl::of_text(&text).map(TransformFile::Fsl).ok_or_else(|| {
        Invalid::new(
            "is no transform that is read: neither one of ITK (`#Insight Transform File`, .tfm, .txt, .mat) nor a \
             matrix of FSL (four lines of four numbers)",
        )
    })
}
