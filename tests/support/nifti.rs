//! NIfTI-1 files byte by byte, good and broken, written from the standard and not by the code under test.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

/// A file whose every field may be made to lie before [`NiftiBytes::bytes`].
#[derive(Clone, Debug)]
pub(crate) struct NiftiBytes {
    pub(crate) big_endian: bool,
    pub(crate) sizeof_hdr: i32,
    pub(crate) dim: [i16; 8],
    pub(crate) datatype: i16,
    pub(crate) bitpix: i16,
    pub(crate) pixdim: [f32; 8],
    pub(crate) vox_offset: f32,
    pub(crate) scl: [f32; 2],
    pub(crate) xyzt_units: u8,
    pub(crate) form_codes: [i16; 2],
    pub(crate) quatern_and_offset: [f32; 6],
    pub(crate) srow: [[f32; 4]; 3],
    pub(crate) magic: [u8; 4],
    /// Between the four bytes after the header and the voxels.
    pub(crate) extension: Vec<u8>,
    /// Bytes of the voxels.
    pub(crate) voxels: Vec<u8>,
}

pub(crate) const UINT8: i16 = 2;
pub(crate) const INT16: i16 = 4;
pub(crate) const FLOAT32: i16 = 16;
pub(crate) const FLOAT64: i16 = 64;
pub(crate) const INT8: i16 = 256;
pub(crate) const UINT16: i16 = 512;
pub(crate) const INT32: i16 = 8;
pub(crate) const UINT32: i16 = 768;
pub(crate) const INT64: i16 = 1024;
pub(crate) const UINT64: i16 = 1280;

impl NiftiBytes {
    /// A good little-endian file with an sform whose axes are the patient's.
    pub(crate) fn new(shape: [i16; 3], spacing: [f32; 3], datatype: i16, values: &[f64]) -> Self {
        Self::with_order(shape, spacing, datatype, values, false)
    }

    /// The same in either byte order.
    pub(crate) fn with_order(shape: [i16; 3], spacing: [f32; 3], datatype: i16, values: &[f64], big: bool) -> Self {
        let [nx, ny, nz] = shape;
        let [dx, dy, dz] = spacing;
        let bitpix = match datatype {
            UINT8 | INT8 => 8,
            INT16 | UINT16 => 16,
            FLOAT32 | INT32 | UINT32 => 32,
            FLOAT64 | INT64 | UINT64 => 64,
            _ => 0,
        };
        Self {
            big_endian: big,
            sizeof_hdr: 348,
            dim: [3, nx, ny, nz, 1, 1, 1, 1],
            datatype,
            bitpix,
            pixdim: [1.0, dx, dy, dz, 1.0, 1.0, 1.0, 1.0],
            vox_offset: 352.0,
            scl: [0.0, 0.0],
            xyzt_units: 2,
            form_codes: [0, 1],
            quatern_and_offset: [0.0; 6],
            srow: [[dx, 0.0, 0.0, 0.0], [0.0, dy, 0.0, 0.0], [0.0, 0.0, dz, 0.0]],
            magic: *b"n+1\0",
            extension: Vec::new(),
            voxels: values.iter().flat_map(|&v| encode(v, datatype, big)).collect(),
        }
    }

    /// The same as NIfTI-2, single file or half of a pair as the magic says.
    pub(crate) fn bytes_2(&self) -> Vec<u8> {
        let mut header = vec![0; 544];
        let mut put = |offset: usize, mut bytes: Vec<u8>| {
            if self.big_endian {
                bytes.reverse();
            }
            header[offset..offset + bytes.len()].copy_from_slice(&bytes);
        };
        put(0, 540i32.to_le_bytes().to_vec());
        put(12, self.datatype.to_le_bytes().to_vec());
        put(14, self.bitpix.to_le_bytes().to_vec());
        self.dim.iter().enumerate().for_each(|(i, &v)| put(16 + 8 * i, i64::from(v).to_le_bytes().to_vec()));
        put(168, if self.magic[1] == b'i' { 0i64 } else { 544 }.to_le_bytes().to_vec());
        let codes = self.form_codes.map(i32::from);
        [(344, codes[0]), (348, codes[1]), (500, i32::from(self.xyzt_units))]
            .into_iter()
            .for_each(|(offset, v)| put(offset, v.to_le_bytes().to_vec()));
        let lists = [(104, self.pixdim.to_vec()), (352, self.quatern_and_offset.to_vec()), (400, self.srow.concat())];
        let doubles = lists.iter().flat_map(|(start, v)| v.iter().enumerate().map(move |(i, &v)| (start + 8 * i, v)));
        [(176, self.scl[0]), (184, self.scl[1])]
            .into_iter()
            .chain(doubles)
            .for_each(|(offset, v)| put(offset, f64::from(v).to_le_bytes().to_vec()));
        header[4..8].copy_from_slice(&[self.magic[0], self.magic[1], b'2', 0]);
        header[8..12].copy_from_slice(b"\r\n\x1a\n");
        let extent = if self.magic[1] == b'i' { 540 } else { 544 };
        [&header[..extent], if extent == 540 { &[][..] } else { &self.voxels }].concat()
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut header = vec![0; 352];
        let mut put = |offset: usize, mut bytes: Vec<u8>| {
            if self.big_endian {
                bytes.reverse();
            }
            header[offset..offset + bytes.len()].copy_from_slice(&bytes);
        };
        put(0, self.sizeof_hdr.to_le_bytes().to_vec());
        let shorts = [(70, self.datatype), (72, self.bitpix), (252, self.form_codes[0]), (254, self.form_codes[1])];
        let dim = self.dim.iter().enumerate().map(|(i, &v)| (40 + 2 * i, v));
        shorts.into_iter().chain(dim).for_each(|(offset, v)| put(offset, v.to_le_bytes().to_vec()));
        let floats = [(108, self.vox_offset), (112, self.scl[0]), (116, self.scl[1])].into_iter();
        let rest = [(76, self.pixdim.to_vec()), (256, self.quatern_and_offset.to_vec()), (280, self.srow.concat())];
        let rest = rest.iter().flat_map(|(start, v)| v.iter().enumerate().map(move |(i, &v)| (start + 4 * i, v)));
        floats.chain(rest).for_each(|(offset, v)| put(offset, v.to_le_bytes().to_vec()));
        header[123] = self.xyzt_units;
        header[344..348].copy_from_slice(&self.magic);
        [header.as_slice(), &self.extension, &self.voxels].concat()
    }
}

fn encode(value: f64, datatype: i16, big: bool) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the test chooses values that fit")]
    let mut bytes = match datatype {
        UINT8 => vec![value as u8],
        INT8 => (value as i8).to_le_bytes().to_vec(),
        UINT16 => (value as u16).to_le_bytes().to_vec(),
        INT32 => (value as i32).to_le_bytes().to_vec(),
        UINT32 => (value as u32).to_le_bytes().to_vec(),
        INT64 => (value as i64).to_le_bytes().to_vec(),
        UINT64 => (value as u64).to_le_bytes().to_vec(),
        INT16 => (value as i16).to_le_bytes().to_vec(),
        FLOAT32 => (value as f32).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    };
    if big {
        bytes.reverse();
    }
    bytes
}

/// The same bytes, compressed.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes all bytes");
    encoder.finish().expect("memory takes all bytes")
}
