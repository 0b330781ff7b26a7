//! Writing: the format follows the name of the file.

use std::io;
use std::path::Path;

use super::{Origin, OutputFormat, Stored};
use crate::domain::{Invalid, Volume};
use crate::formats::{metaimage, nifti, nrrd};

/// Writes a volume in the format that the name asks for. Each file is there whole or not at all, and depends on nothing
/// but the volume; of a header and its values apart, the header is there only where the values are its own.
///
/// * `description` – ASCII, such as `absorbed dose [Gy]`; it is cut after 79 characters
/// * `origin` – how the input says where it lies
///
/// # Errors
/// What the file system says, that the name asks for no format that is written, or that an axis is too long for it.
pub fn write_volume<T: Stored>(path: &Path, volume: &Volume<T>, description: &str, origin: &Origin) -> io::Result<()> {
    let bad_name = |Invalid(reason)| io::Error::new(io::ErrorKind::InvalidInput, format!("the name {reason}"));
    let text: String = description.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).take(79).collect();
    match OutputFormat::of_name(path).map_err(bad_name)? {
        OutputFormat::Nifti => nifti::write_file_of(path, volume, &text, origin, false),
        OutputFormat::NiftiGzip => nifti::write_file_of(path, volume, &text, origin, true),
        OutputFormat::Nrrd => nrrd::write_file_of(path, volume, &text, origin),
        OutputFormat::NrrdPair => nrrd::write_pair_of(path, volume, &text, origin),
        OutputFormat::MetaImage => metaimage::write_file_of(path, volume, &text, origin),
        OutputFormat::MetaImagePair => metaimage::write_pair_of(path, volume, &text, origin),
    }
}
