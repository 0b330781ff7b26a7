//! The fields of a header as they are stored, of NIfTI-1 and NIfTI-2 alike.

use std::io::Read;

use nifti::NiftiHeader;

use crate::domain::Invalid;
use crate::formats::voxels::ByteOrder;
use crate::formats::voxels::stream::ended;

/// `sizeof_hdr` of NIfTI-1 and of Analyze 7.5.
const HEADER_1_BYTES: u32 = 348;
/// `sizeof_hdr` of NIfTI-2.
const HEADER_2_BYTES: u32 = 540;
/// Offset of `dim` in NIfTI-1.
const DIM_OFFSET: usize = 40;

/// A header as it is stored. Names are those of the standard.
#[derive(Clone, Debug)]
pub(super) struct NiftiFields {
    /// `NIfTI-1` or `NIfTI-2`.
    pub(super) format: &'static str,
    /// Bytes of the header.
    pub(super) bytes: u64,
    pub(super) byte_order: ByteOrder,
    /// Whether the values are in another file.
    pub(super) pair: bool,
    pub(super) dim: [i64; 8],
    pub(super) datatype: i16,
    pub(super) bitpix: i16,
    pub(super) pixdim: [f64; 8],
    pub(super) vox_offset: f64,
    pub(super) scl_slope: f64,
    pub(super) scl_inter: f64,
    pub(super) xyzt_units: i32,
    pub(super) qform_code: i32,
    pub(super) sform_code: i32,
    pub(super) quatern_bcd: [f64; 3],
    pub(super) qoffset: [f64; 3],
    pub(super) srow: [[f64; 4]; 3],
}

impl NiftiFields {
    /// Reads a header.
    ///
    /// * `head` – bytes that were read before
    ///
    /// # Errors
    /// If it is no header of NIfTI, or cut short.
    pub(super) fn read(head: &[u8], stream: &mut impl Read) -> Result<Self, Invalid> {
        let mut bytes = head.to_vec();
        let mut fill = |bytes: &mut Vec<u8>, length: u32| {
            let start = bytes.len();
            bytes.resize((length as usize).max(start), 0);
            stream.read_exact(&mut bytes[start..]).map_err(|error| ended(error, "within the header"))
        };
        fill(&mut bytes, HEADER_1_BYTES)?;
        let first = [bytes[0], bytes[1], bytes[2], bytes[3]];
        match (u32::from_le_bytes(first), u32::from_be_bytes(first)) {
            (HEADER_1_BYTES, _) => Self::parse_1(&bytes, ByteOrder::Little),
            (_, HEADER_1_BYTES) => Self::parse_1(&bytes, ByteOrder::Big),
            (HEADER_2_BYTES, _) => {
                fill(&mut bytes, HEADER_2_BYTES)?;
                Self::parse_2(&bytes, ByteOrder::Little)
            }
            (_, HEADER_2_BYTES) => {
                fill(&mut bytes, HEADER_2_BYTES)?;
                Self::parse_2(&bytes, ByteOrder::Big)
            }
            _ => Err(Invalid::new("is no NIfTI, NRRD or MetaImage file: sizeof_hdr is neither 348 nor 540")),
        }
    }

    /// NIfTI-1, by the crate `nifti`.
    fn parse_1(bytes: &[u8], byte_order: ByteOrder) -> Result<Self, Invalid> {
        let pair = match &bytes[344..348] {
            b"n+1\0" => false,
            b"ni1\0" => true,
            [0, 0, 0, 0] => {
                return Err(Invalid::new(
                    "is an Analyze 7.5 file (the magic of NIfTI is missing), which does not say which side is left; \
                     convert it to NIfTI (SPM, nibabel)",
                ));
            }
            _ => return Err(Invalid::new("is not a NIfTI-1 file: the magic is neither `n+1` nor `ni1`")),
        };
        // The crate takes the byte order from dim[0]: it must be that of sizeof_hdr.
        let dimensions = i16_at(bytes, DIM_OFFSET, byte_order);
        check_dimensions(i64::from(dimensions))?;
        let raw =
            NiftiHeader::from_reader(bytes).map_err(|error| Invalid::new(format!("is not a NIfTI-1 file: {error}")))?;
        Ok(Self {
            format: "NIfTI-1",
            bytes: u64::from(HEADER_1_BYTES),
            byte_order,
            pair,
            // The standard's dim is signed; the crate reads it as unsigned.
            dim: raw.dim.map(|length| i64::from(length.cast_signed())),
            datatype: raw.datatype,
            bitpix: raw.bitpix,
            pixdim: raw.pixdim.map(f64::from),
            vox_offset: f64::from(raw.vox_offset),
            scl_slope: f64::from(raw.scl_slope),
            scl_inter: f64::from(raw.scl_inter),
            xyzt_units: i32::from(raw.xyzt_units),
            qform_code: i32::from(raw.qform_code),
            sform_code: i32::from(raw.sform_code),
            quatern_bcd: [raw.quatern_b, raw.quatern_c, raw.quatern_d].map(f64::from),
            qoffset: [raw.quatern_x, raw.quatern_y, raw.quatern_z].map(f64::from),
            srow: [raw.srow_x, raw.srow_y, raw.srow_z].map(|row| row.map(f64::from)),
        })
    }

    /// NIfTI-2. Source: nifti2.h.
    fn parse_2(bytes: &[u8], byte_order: ByteOrder) -> Result<Self, Invalid> {
        let pair = match &bytes[4..12] {
            b"n+2\0\r\n\x1a\n" => false,
            b"ni2\0\r\n\x1a\n" => true,
            _ => return Err(Invalid::new("is not a NIfTI-2 file: the magic is neither `n+2` nor `ni2`")),
        };
        let long = |offset| i64::from_le_bytes(eight_at(bytes, offset, byte_order));
        let double = |offset| f64::from_le_bytes(eight_at(bytes, offset, byte_order));
        let int = |offset: usize| {
            let [a, b, c, d] = [bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]];
            match byte_order {
                ByteOrder::Little => i32::from_le_bytes([a, b, c, d]),
                ByteOrder::Big => i32::from_be_bytes([a, b, c, d]),
            }
        };
        let dim = [0, 1, 2, 3, 4, 5, 6, 7].map(|i| long(16 + 8 * i));
        check_dimensions(dim[0])?;
        Ok(Self {
            format: "NIfTI-2",
            bytes: u64::from(HEADER_2_BYTES),
            byte_order,
            pair,
            dim,
            datatype: i16_at(bytes, 12, byte_order),
            bitpix: i16_at(bytes, 14, byte_order),
            pixdim: [0, 1, 2, 3, 4, 5, 6, 7].map(|i| double(104 + 8 * i)),
            vox_offset: long(168) as f64,
            scl_slope: double(176),
            scl_inter: double(184),
            xyzt_units: int(500),
            qform_code: int(344),
            sform_code: int(348),
            quatern_bcd: [352, 360, 368].map(double),
            qoffset: [376, 384, 392].map(double),
            srow: [400, 432, 464].map(|row| [0, 8, 16, 24].map(|column| double(row + column))),
        })
    }
}

fn check_dimensions(dimensions: i64) -> Result<(), Invalid> {
    if (1..=7).contains(&dimensions) {
        Ok(())
    } else {
        Err(Invalid::new(format!("dim[0], the number of dimensions, must be 1 to 7, got {dimensions}")))
    }
}

fn i16_at(bytes: &[u8], offset: usize, order: ByteOrder) -> i16 {
    let value = [bytes[offset], bytes[offset + 1]];
    match order {
        ByteOrder::Little => i16::from_le_bytes(value),
        ByteOrder::Big => i16::from_be_bytes(value),
    }
}

/// Eight bytes, least significant first.
fn eight_at(bytes: &[u8], offset: usize, order: ByteOrder) -> [u8; 8] {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[offset..offset + 8]);
    if order == ByteOrder::Big {
        value.reverse();
    }
    value
}
