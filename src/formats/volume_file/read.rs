//! Reading: what a file is, its first bytes say.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::{
    ByteOrder, FileHeader, Found, FrameFile, Origin, Placement, Real, Values, VolumeFile, VoxelType, is_volume_name,
};
use crate::domain::Invalid;
use crate::formats::dicom::write::DoseKind;
use crate::formats::dicom::{self, DicomImage, Place, Quantity, Wanted};
use crate::formats::voxels::read::read_frames as read_values;
use crate::formats::voxels::stream::{Stream, ended};
use crate::formats::{metaimage, nifti, nrrd};

/// Bytes that tell the formats apart.
const HEAD_BYTES: u64 = 132;
/// Most volumes of a stack: a label each.
const MAX_FRAMES: usize = 65_535;
/// Most names that are listed.
const MAX_LISTED: usize = 8;

/// Reads a volume in single precision.
///
/// # Errors
/// If the file cannot be read, is none of the formats that are read, is not what its header promises, or holds several
/// volumes. The reason names neither the file nor what is in it.
pub fn read_volume(path: &Path) -> Result<VolumeFile, Invalid> {
    read_volume_as(path)
}

/// Reads a volume in single precision, of a quantity where the format says what values are: DICOM alone does. Of a
/// folder with a CT and an activity it is then known which is meant.
///
/// # Errors
/// As [`read_volume`], or if the file holds another quantity.
pub fn read_volume_of(path: &Path, quantity: Quantity) -> Result<VolumeFile, Invalid> {
    let wanted = match quantity {
        Quantity::Hu => Wanted::Ct,
        Quantity::BqPerMl => Wanted::Activity { calibration: None },
        Quantity::Gy => return read_dose(path, Some(DoseKind::Physical)),
    };
    one_of(read_checked(path, wanted, is_one)?)
}

/// Reads a dose in single precision, of a kind where the format says which it is: DICOM alone does.
///
/// * `kind` – none: an absorbed or a weighted dose
///
/// # Errors
/// As [`read_volume`], or if the file holds something else.
pub fn read_dose(path: &Path, kind: Option<DoseKind>) -> Result<VolumeFile, Invalid> {
    one_of(read_checked(path, Wanted::Dose { kind }, is_one)?)
}

/// Reads a volume of a quantity that DICOM files do not hold, such as a density.
///
/// # Errors
/// As [`read_volume`], or if the file is DICOM: what it holds is something else.
pub fn read_volume_beside_dicom(path: &Path) -> Result<VolumeFile, Invalid> {
    if Place::of(path).is_dicom(is_volume_name) {
        return Err(Invalid::new(
            "is DICOM, which holds a CT, an activity in Bq/mL or a dose and not what is wanted here; give a NIfTI, NRRD \
             or MetaImage file",
        ));
    }
    read_volume(path)
}

/// Reads a volume in single or double precision. Integers up to 2⁵³ are exact in double precision.
///
/// # Errors
/// As [`read_volume`].
pub fn read_volume_as<T: Real>(path: &Path) -> Result<VolumeFile<T>, Invalid> {
    one_of(read_checked(path, Wanted::AnyVolume, is_one)?)
}

fn is_one(frames: usize) -> Result<(), Invalid> {
    match frames {
        1 => Ok(()),
        _ => Err(Invalid::new(format!("holds {frames} volumes: one volume is needed, not a series; split it first"))),
    }
}

fn one_of<T: Real>(file: FrameFile<T>) -> Result<VolumeFile<T>, Invalid> {
    let FrameFile { mut frames, header, warnings, .. } = file;
    let volume = frames.pop().expect("a file has at least one volume");
    Ok(VolumeFile { volume, header, warnings })
}

/// Reads all volumes of a file, such as a stack of masks.
///
/// # Errors
/// As [`read_volume`], but for the number of volumes.
pub fn read_frames<T: Real>(path: &Path) -> Result<FrameFile<T>, Invalid> {
    read_checked(path, Wanted::AnyVolume, |_| Ok(()))
}

/// * `wanted` – of DICOM files, which say what values are
/// * `check` – whether this many volumes are wanted; asked before any value is read
fn read_checked<T: Real>(
    path: &Path,
    wanted: Wanted,
    check: impl Fn(usize) -> Result<(), Invalid>,
) -> Result<FrameFile<T>, Invalid> {
    let place = Place::of(path);
    if place.is_dicom(is_volume_name) {
        return read_dicom(place, wanted);
    }
    if path.is_dir() {
        return Err(folder(path));
    }
    let (found, stream) = find(path)?;
    check(found.layout.frames)?;
    if found.layout.frames > MAX_FRAMES {
        return Err(Invalid::new(format!("holds {} volumes; at most {MAX_FRAMES} are read", found.layout.frames)));
    }
    let Found { header, layout, warnings, segments, values } = found;
    let frames = match values {
        Values::Ahead(bytes) => {
            let mut stream = stream;
            read_values(&mut stream, bytes, &layout)?
        }
        Values::File { path, skip, packing, before } => {
            let opened = match packing {
                Some(packing) => Stream::open_packed(&path, skip, packing),
                None => Stream::open(&path),
            };
            let in_file = |Invalid(reason)| Invalid(format!("its values in `{}`: {reason}", name_of(&path)));
            read_values(&mut opened.map_err(in_file)?, before, &layout).map_err(in_file)?
        }
    };
    Ok(FrameFile { frames, header, warnings, segments })
}

fn read_dicom<T: Real>(place: Place, wanted: Wanted) -> Result<FrameFile<T>, Invalid> {
    let DicomImage { volume, account, warnings } = dicom::read_image(place, wanted)?;
    let header = FileHeader {
        format: "DICOM",
        grid: volume.grid().clone(),
        element: VoxelType::Float32,
        byte_order: ByteOrder::Little,
        scaling: None,
        placement: Placement::ImagePosition,
        origin: Origin::default(),
        dicom: Some(Box::new(account)),
    };
    Ok(FrameFile { frames: vec![volume.map(|value| T::of(f64::from(*value)))], header, warnings, segments: Vec::new() })
}

/// Reads the header, in whatever format it is.
fn find(path: &Path) -> Result<(Found, Stream), Invalid> {
    // The other half of a pair holds no more than numbers.
    let path = &nifti::header_of_pair(path)?;
    let mut stream = Stream::open(path)?;
    let mut head = Vec::new();
    stream.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| ended(error, "within the header"))?;
    let found = if head.starts_with(b"NRRD000") {
        nrrd::find(&head, &mut stream, path)?
    } else if metaimage::is_header(&head) {
        metaimage::find(&head, &mut stream, path)?
    } else if let Some(what) = other_format(&head) {
        return Err(Invalid::new(what));
    } else {
        nifti::find(&head, &mut stream, path)?
    };
    Ok((found, stream))
}

/// Formats that are known but not read, and what to do.
fn other_format(head: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 6] = [
        (b"\x89HDF", "is an HDF5 or MINC-2 file, which is not read; convert it to NIfTI (mnc2nii)"),
        (b"CDF\x01", "is a MINC-1 file, which is not read; convert it to NIfTI (mnc2nii)"),
        (b"\x00\x00\x00\x01\x00\x00", "is an MGH file, which is not read; convert it to NIfTI (mri_convert)"),
        (b"PK\x03\x04", "is a zip archive; unpack it, and give a volume of what is in it"),
        (b"\x89PNG", "is a picture, not a volume"),
        (b"MATRIX72", "is an ECAT file, which is not read; convert it to NIfTI"),
    ];
    known.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| what)
}

/// Why a folder is not a volume: what is in it.
fn folder(path: &Path) -> Invalid {
    let entries = fs::read_dir(path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    let mut names: Vec<String> = files.iter().filter(|path| is_volume_name(path)).map(|path| name_of(path)).collect();
    names.sort_unstable();
    if names.is_empty() {
        return Invalid::new("is a folder without volumes, not a regular file");
    }
    let count = names.len();
    names.truncate(MAX_LISTED);
    let more = if count > MAX_LISTED { ", …" } else { "" };
    Invalid::new(format!(
        "is a folder, not a regular file; give one of its {count} volumes: {}{more}",
        names.join(", ")
    ))
}

/// The last part of a path, for a reason.
pub(in crate::formats) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl FileHeader {
    /// Slope and intercept, 1 and 0 where there are none.
    pub fn slope_and_intercept(&self) -> (f64, f64) {
        self.scaling.map_or((1.0, 0.0), |scaling| (scaling.slope, scaling.intercept))
    }
}
