//! The meaning of the 348 bytes of a header, with every field checked.

use std::sync::Arc;

use nifti::NiftiHeader;

use super::placement::placed_grid;
use super::{ByteOrder, Element, FIRST_VOXEL_OFFSET, HEADER_BYTES, Header, SIZEOF_HDR, Scaling};
use crate::domain::Invalid;

/// Most voxels that are read: 1024³, eight times the largest grid that is planned for. A header with more is refused.
pub const MAX_VOXELS: u64 = 1 << 30;

/// Offset of `dim`.
const DIM_OFFSET: usize = 40;
/// `sizeof_hdr` of a NIfTI-2 file.
const NIFTI_2_HEADER_BYTES: i32 = 540;

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// The fault, with the name of the field in the standard.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Invalid> {
        let byte_order = byte_order(bytes)?;
        check_magic(bytes)?;
        let dimensions = i16_at(bytes, DIM_OFFSET, byte_order);
        if !(1..=7).contains(&dimensions) {
            return Err(Invalid::new(format!("dim[0], the number of dimensions, must be 1 to 7, got {dimensions}")));
        }
        // The crate takes the byte order from dim[0]. The checks above made sure that sizeof_hdr agrees.
        let raw = NiftiHeader::from_reader(&bytes[..])
            .map_err(|error| Invalid::new(format!("is not a NIfTI-1 file: {error}")))?;
        let shape = shape(&raw)?;
        let (grid, placement) = placed_grid(&raw, shape)?;
        Ok(Self {
            grid: Arc::new(grid),
            element: element(&raw)?,
            byte_order,
            scaling: scaling(&raw)?,
            placement,
            voxel_offset: voxel_offset(&raw)?,
        })
    }

    /// Bytes before the first voxel.
    pub(super) fn voxel_offset(&self) -> u64 {
        self.voxel_offset
    }

    /// Bytes from the start of the header to the end of the last voxel.
    pub(super) fn file_bytes(&self) -> u64 {
        self.voxel_offset + (self.grid.voxels() * self.element.bytes()) as u64
    }
}

/// The byte order of the file: the one in which `sizeof_hdr` is 348.
fn byte_order(bytes: &[u8; HEADER_BYTES]) -> Result<ByteOrder, Invalid> {
    let first = [bytes[0], bytes[1], bytes[2], bytes[3]];
    match (u32::from_le_bytes(first), u32::from_be_bytes(first)) {
        (size, _) if size == SIZEOF_HDR => Ok(ByteOrder::Little),
        (_, size) if size == SIZEOF_HDR => Ok(ByteOrder::Big),
        _ if [i32::from_le_bytes(first), i32::from_be_bytes(first)].contains(&NIFTI_2_HEADER_BYTES) => {
            Err(Invalid::new("is a NIfTI-2 file; NIfTI-1 is read"))
        }
        _ => Err(Invalid::new("is not a NIfTI-1 file: sizeof_hdr is not 348")),
    }
}

/// # Errors
/// If the magic number is not that of a single file.
fn check_magic(bytes: &[u8; HEADER_BYTES]) -> Result<(), Invalid> {
    match &bytes[HEADER_BYTES - 4..] {
        b"n+1\0" => Ok(()),
        b"ni1\0" => {
            Err(Invalid::new("is the header of a pair of files (.hdr and .img); a single .nii or .nii.gz is read"))
        }
        _ => Err(Invalid::new("is not a NIfTI-1 file: the magic is not `n+1`")),
    }
}

fn i16_at(bytes: &[u8; HEADER_BYTES], offset: usize, order: ByteOrder) -> i16 {
    let value = [bytes[offset], bytes[offset + 1]];
    match order {
        ByteOrder::Little => i16::from_le_bytes(value),
        ByteOrder::Big => i16::from_be_bytes(value),
    }
}

/// Axes beyond the number of dimensions have one voxel, whatever `dim` holds there.
fn shape(raw: &NiftiHeader) -> Result<[u64; 3], Invalid> {
    let used = usize::from(raw.dim[0]);
    let mut shape = [1; 7];
    for (axis, length) in shape.iter_mut().enumerate().take(used) {
        let stored = raw.dim[axis + 1];
        // In the standard dim is signed; the crate reads it as unsigned.
        if stored == 0 || stored > i16::MAX.unsigned_abs() {
            let signed = stored.cast_signed();
            return Err(Invalid::new(format!("dim[{}] must be at least 1, got {signed}", axis + 1)));
        }
        *length = u64::from(stored);
    }
    if shape[3..].iter().any(|&length| length != 1) {
        return Err(Invalid::new(format!(
            "has {used} dimensions, {:?}: one volume is needed, not a series",
            &shape[..used]
        )));
    }
    let shape = [shape[0], shape[1], shape[2]];
    if shape.iter().product::<u64>() > MAX_VOXELS {
        return Err(Invalid::new(format!("promises {shape:?} voxels; at most {MAX_VOXELS} are read")));
    }
    Ok(shape)
}

fn element(raw: &NiftiHeader) -> Result<Element, Invalid> {
    let element = match raw.datatype {
        2 => Element::Uint8,
        4 => Element::Int16,
        16 => Element::Float32,
        64 => Element::Float64,
        code => {
            return Err(Invalid::new(format!(
                "datatype {code} ({}) is not read; convert to uint8, int16, float32 or float64",
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

/// Names of the other types in the standard.
fn datatype_name(code: i16) -> &'static str {
    match code {
        0 => "unknown",
        1 => "binary",
        8 => "int32",
        32 => "complex64",
        128 => "rgb24",
        256 => "int8",
        512 => "uint16",
        768 => "uint32",
        1024 => "int64",
        1280 => "uint64",
        1536 => "float128",
        1792 => "complex128",
        2048 => "complex256",
        2304 => "rgba32",
        _ => "not in the standard",
    }
}

/// A slope of 0 means that there is no scaling.
fn scaling(raw: &NiftiHeader) -> Result<Option<Scaling>, Invalid> {
    let (slope, intercept) = (f64::from(raw.scl_slope), f64::from(raw.scl_inter));
    if slope == 0.0 || (slope == 1.0 && intercept == 0.0) {
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

fn voxel_offset(raw: &NiftiHeader) -> Result<u64, Invalid> {
    let offset = f64::from(raw.vox_offset);
    // An f32 holds every whole number up to 2^24, and its range is far beyond any file. The reader checks the length of
    // the file.
    let most = 2f64.powi(40);
    if offset.fract() == 0.0 && (FIRST_VOXEL_OFFSET as f64..=most).contains(&offset) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number up to 2^40")]
        Ok(offset as u64)
    } else {
        Err(Invalid::new(format!(
            "vox_offset must be a whole number of at least {FIRST_VOXEL_OFFSET} bytes, within the file, got {offset}"
        )))
    }
}
