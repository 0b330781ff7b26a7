//! From the fields of a header to what they mean, every field checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::placement::{Placed, place};
use super::raw::NiftiFields;
use crate::domain::Invalid;
use crate::formats::volume_file::{FileHeader, Found, Values, name_of};
use crate::formats::voxels::stream::Stream;
use crate::formats::voxels::{Encoding, Layout, MAX_VOXELS, Scaling, VoxelType};

/// Bytes after the header that say whether extensions follow.
const EXTENDER_BYTES: u64 = 4;

/// Reads a header, and finds the values.
///
/// * `head` – bytes of the stream that were read before
///
/// # Errors
/// What is wrong, with the name of the field as in the standard.
pub(in crate::formats) fn find(head: &[u8], stream: &mut Stream, path: &Path) -> Result<Found, Invalid> {
    let raw = NiftiFields::read(head, stream)?;
    stream.most_bytes = stream.most_bytes.saturating_sub(raw.bytes);
    let (shape, frames) = shape(&raw)?;
    let Placed { grid, placement, origin, warnings } = place(&raw, shape)?;
    let grid = Arc::new(grid);
    let (element, scaling) = (element(&raw)?, scaling(&raw)?);
    let offset = voxel_offset(&raw)?;
    let values = if raw.pair {
        let image = data_of_pair(path)?;
        Values::File { path: image, skip: 0, packing: None, before: offset }
    } else {
        Values::Ahead(offset - raw.bytes)
    };
    let header = FileHeader {
        format: raw.format,
        grid: grid.clone(),
        element,
        byte_order: raw.byte_order,
        scaling,
        placement,
        origin,
        dicom: None,
    };
    let layout = Layout {
        grid,
        frames,
        interleaved: false,
        element,
        byte_order: raw.byte_order,
        encoding: Encoding::Binary,
        scaling,
    };
    Ok(Found { header, layout, warnings, segments: Vec::new(), values })
}

/// The header of a pair if `path` is its `.img`, else `path`.
///
/// # Errors
/// If there is no such header.
pub(in crate::formats) fn header_of_pair(path: &Path) -> Result<PathBuf, Invalid> {
    match sibling(path, "img", "hdr") {
        Sibling::None => Ok(path.to_owned()),
        Sibling::Found(header) => Ok(header),
        Sibling::Missing(name) => Err(Invalid::new(format!(
            "is the half of a pair that holds the values; its header `{name}` is not beside it"
        ))),
    }
}

fn data_of_pair(path: &Path) -> Result<PathBuf, Invalid> {
    match sibling(path, "hdr", "img") {
        Sibling::Found(image) => Ok(image),
        Sibling::Missing(name) => {
            Err(Invalid::new(format!("is the header of a pair of files (.hdr and .img); `{name}` is not beside it")))
        }
        Sibling::None => Err(Invalid::new(
            "is the header of a pair of files (.hdr and .img) under another name; name them so, both alike",
        )),
    }
}

enum Sibling {
    /// The path has another end.
    None,
    Found(PathBuf),
    /// This name does not exist.
    Missing(String),
}

/// The other half of a pair, packed or not.
fn sibling(path: &Path, own: &str, other: &str) -> Sibling {
    let name = name_of(path);
    let lower = name.to_lowercase();
    let Some(stem) = ["", ".gz", ".bz2"].iter().find_map(|packed| lower.strip_suffix(&format!(".{own}{packed}")))
    else {
        return Sibling::None;
    };
    let stem = &name[..stem.len()];
    let ends = ["", ".gz", ".bz2"]
        .into_iter()
        .flat_map(|packed| [other.to_owned(), other.to_uppercase()].map(|end| end + packed));
    let found = ends.map(|end| path.with_file_name(format!("{stem}.{end}"))).find(|path| path.is_file());
    found.map_or_else(|| Sibling::Missing(format!("{stem}.{other}")), Sibling::Found)
}

/// Axes past the number of dimensions have one voxel, whatever `dim` holds there. The fourth may be a series of
/// volumes.
fn shape(raw: &NiftiFields) -> Result<([u64; 3], usize), Invalid> {
    let used = usize::try_from(raw.dim[0]).expect("1 to 7");
    let mut shape = [1u64; 7];
    for (axis, length) in shape.iter_mut().enumerate().take(used) {
        let stored = raw.dim[axis + 1];
        *length = u64::try_from(stored)
            .ok()
            .filter(|&length| length > 0)
            .ok_or_else(|| Invalid::new(format!("dim[{}] must be at least 1, got {stored}", axis + 1)))?;
    }
    if shape[4..].iter().any(|&length| length != 1) {
        return Err(Invalid::new(format!(
            "has {used} dimensions, {:?}: one volume is needed, not a series of vectors",
            &shape[..used]
        )));
    }
    let values = shape.iter().try_fold(1u64, |product, &length| product.checked_mul(length));
    match values.filter(|&values| values <= MAX_VOXELS) {
        Some(_) => Ok(([shape[0], shape[1], shape[2]], usize::try_from(shape[3]).expect("at most 2^30"))),
        None => Err(Invalid::new(format!("promises {:?} voxels; at most {MAX_VOXELS} are read", &shape[..used]))),
    }
}

fn element(raw: &NiftiFields) -> Result<VoxelType, Invalid> {
    let element = match raw.datatype {
        2 => VoxelType::Uint8,
        4 => VoxelType::Int16,
        8 => VoxelType::Int32,
        16 => VoxelType::Float32,
        64 => VoxelType::Float64,
        256 => VoxelType::Int8,
        512 => VoxelType::Uint16,
        768 => VoxelType::Uint32,
        1024 => VoxelType::Int64,
        1280 => VoxelType::Uint64,
        code => {
            return Err(Invalid::new(format!(
                "datatype {code} ({}) is not read; convert it to an integer type, float32 or float64",
                datatype_name(code)
            )));
        }
    };
    if usize::try_from(raw.bitpix) == Ok(element.bytes() * 8) {
        Ok(element)
    } else {
        Err(Invalid::new(format!(
            "bitpix is {} where datatype {} has {} bits",
            raw.bitpix,
            element.name(),
            element.bytes() * 8
        )))
    }
}

/// Names of the standard's other types.
fn datatype_name(code: i16) -> &'static str {
    match code {
        0 => "unknown",
        1 => "binary",
        32 => "complex64",
        128 => "rgb24",
        1536 => "float128",
        1792 => "complex128",
        2048 => "complex256",
        2304 => "rgba32",
        _ => "not in the standard",
    }
}

/// A slope of 0, or one that is no number, means that there is no scaling.
fn scaling(raw: &NiftiFields) -> Result<Option<Scaling>, Invalid> {
    let (slope, intercept) = (raw.scl_slope, raw.scl_inter);
    if slope == 0.0 || slope.is_nan() || (slope == 1.0 && intercept == 0.0) {
        return Ok(None);
    }
    if !slope.is_finite() {
        return Err(Invalid::new(format!("scl_slope must be finite, got {slope}")));
    }
    if !intercept.is_finite() {
        return Err(Invalid::new(format!("scl_inter must be finite, got {intercept}")));
    }
    Ok(Some(Scaling { slope, intercept }))
}

fn voxel_offset(raw: &NiftiFields) -> Result<u64, Invalid> {
    let (offset, least) = (raw.vox_offset, if raw.pair { 0 } else { raw.bytes + EXTENDER_BYTES });
    // Some writers leave the field empty; every reader then takes the first byte behind the header.
    if offset == 0.0 {
        return Ok(least);
    }
    // An f32 holds every whole number up to 2^24 and is finite far past any file; the reader checks the file's length.
    let most = 2f64.powi(40);
    if offset.fract() == 0.0 && (least as f64..=most).contains(&offset) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number up to 2^40")]
        Ok(offset as u64)
    } else {
        Err(Invalid::new(format!(
            "vox_offset must be a whole number of at least {least} bytes, within the file, got {offset}"
        )))
    }
}
