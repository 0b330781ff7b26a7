//! Formats by the names of files.

use std::path::{Path, PathBuf};

use crate::domain::Invalid;

/// Ends of the names of files that can be written.
pub const OUTPUT_NAMES: &str = ".nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd";

/// A format that volumes are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// NIfTI-1 in a single file.
    Nifti,
    /// The same, compressed by gzip.
    NiftiGzip,
    /// NRRD in a single file, the values compressed by gzip.
    Nrrd,
    /// A header of NRRD, the values in a `.raw` file beside it.
    NrrdPair,
    /// MetaImage in a single file, the values compressed by zlib.
    MetaImage,
    /// A header of MetaImage, the values in a `.raw` file beside it.
    MetaImagePair,
}

impl OutputFormat {
    /// The format that a name asks for.
    ///
    /// # Errors
    /// The names there are.
    pub fn of_name(path: &Path) -> Result<Self, Invalid> {
        let name = lower_name(path);
        let found = [
            (".nii.gz", Self::NiftiGzip),
            (".nii", Self::Nifti),
            (".nrrd", Self::Nrrd),
            (".nhdr", Self::NrrdPair),
            (".mha", Self::MetaImage),
            (".mhd", Self::MetaImagePair),
        ];
        let known = found.into_iter().find(|(end, _)| name.len() > end.len() && name.ends_with(end));
        known.map(|(_, format)| format).ok_or_else(|| Invalid::new(format!("must end in {OUTPUT_NAMES}")))
    }

    /// All files that a volume of this name is written to.
    pub fn files(self, path: &Path) -> Vec<PathBuf> {
        match self {
            Self::NrrdPair | Self::MetaImagePair => vec![path.to_owned(), path.with_extension("raw")],
            Self::Nifti | Self::NiftiGzip | Self::Nrrd | Self::MetaImage => vec![path.to_owned()],
        }
    }
}

/// Whether a name is that of a volume that may be read. Of a pair, the header counts.
pub fn is_volume_name(path: &Path) -> bool {
    let name = lower_name(path);
    let ends = [".nii", ".nii.gz", ".nii.bz2", ".hdr", ".hdr.gz", ".nrrd", ".nhdr", ".mha", ".mhd"];
    ends.iter().any(|end| name.len() > end.len() && name.ends_with(end)) && !name.starts_with('.')
}

/// The name of a file in lower case.
fn lower_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default()
}
