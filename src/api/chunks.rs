//! Chunks: volumes cut into pieces to send, and put together as they arrive.

use std::sync::Arc;

use bytes::Bytes;

use super::pb;
use crate::digest::Digest;
use crate::domain::{Checks, DoseError, DoseResult, ElementType, Invalid, LabelMap, Volume, VolumeHeader};
use crate::store::VolumeDigest;

/// Bytes of a chunk that this program sends: a quarter of the usual message limit.
const CHUNK_BYTES: usize = 1 << 20;

/// A volume while it arrives, chunk by chunk, in order.
#[derive(Debug)]
pub(super) struct Arriving {
    header: VolumeHeader,
    values: Vec<f32>,
    /// Of its bytes as they were sent, if somebody asks for it.
    digest: Option<Digest>,
}

impl Arriving {
    /// Makes room for a volume.
    ///
    /// # Errors
    /// [`DoseError::Internal`] if the system does not give the memory.
    pub(super) fn new(header: VolumeHeader) -> Result<Self, DoseError> {
        let mut values = Vec::new();
        values
            .try_reserve_exact(header.grid.voxels())
            .map_err(|_| DoseError::Internal("the system does not give the memory that the limit promises".into()))?;
        Ok(Self { header, values, digest: None })
    }

    /// Has its bytes hashed as they arrive.
    #[must_use]
    pub(super) fn hashed(self) -> Self {
        Self { digest: Some(Digest::new()), ..self }
    }

    /// The name of what has arrived, if it is hashed.
    pub(super) fn name(&self) -> Option<VolumeDigest> {
        self.digest.clone().map(VolumeDigest::of)
    }

    fn received_bytes(&self) -> u64 {
        self.values.len() as u64 * self.header.element.size_bytes() as u64
    }

    /// Appends a chunk.
    ///
    /// # Errors
    /// Every fault of the chunk, by the fields `chunk.offset_bytes` and `chunk.data`.
    pub(super) fn append(&mut self, offset_bytes: u64, data: &[u8]) -> Result<(), DoseError> {
        let (received, size) = (self.received_bytes(), self.header.size_bytes());
        let element_bytes = self.header.element.size_bytes();
        let mut checks = Checks::new();
        if offset_bytes != received {
            checks.fail("chunk.offset_bytes", format!("is {offset_bytes}, the next byte of this volume is {received}"));
        }
        if data.is_empty() {
            checks.fail("chunk.data", "is empty");
        } else if !data.len().is_multiple_of(element_bytes) {
            checks.fail("chunk.data", format!("has {} bytes, not whole elements of {element_bytes}", data.len()));
        }
        if offset_bytes.saturating_add(data.len() as u64) > size {
            checks.fail(
                "chunk.data",
                format!("has {} bytes from {offset_bytes} on, past the end of a volume of {size}", data.len()),
            );
        }
        checks.finish()?;
        self.digest.iter_mut().for_each(|digest| digest.update(data));
        self.extend(data);
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "volumes are kept in single precision; overflow is infinite")]
    fn extend(&mut self, data: &[u8]) {
        let VolumeHeader { slope, intercept, element, .. } = self.header;
        let scaled = |stored: f64| (stored * slope + intercept) as f32;
        let values = &mut self.values;
        match element {
            ElementType::Float32 if slope == 1.0 && intercept == 0.0 => {
                values.extend(data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)));
            }
            ElementType::Float32 => {
                values.extend(data.as_chunks().0.iter().map(|b| scaled(f64::from(f32::from_le_bytes(*b)))));
            }
            ElementType::Float64 => values.extend(data.as_chunks().0.iter().map(|b| scaled(f64::from_le_bytes(*b)))),
            ElementType::Int16 => {
                values.extend(data.as_chunks().0.iter().map(|b| scaled(f64::from(i16::from_le_bytes(*b)))));
            }
            ElementType::Uint8 => values.extend(data.iter().map(|&b| scaled(f64::from(b)))),
            ElementType::Uint16 => {
                values.extend(data.as_chunks().0.iter().map(|b| scaled(f64::from(u16::from_le_bytes(*b)))));
            }
            ElementType::Int32 => {
                values.extend(data.as_chunks().0.iter().map(|b| scaled(f64::from(i32::from_le_bytes(*b)))));
            }
        }
    }

    /// The complete volume.
    ///
    /// # Errors
    /// If bytes are missing.
    pub(super) fn finish(self) -> Result<Volume<f32>, Invalid> {
        let (received, size) = (self.received_bytes(), self.header.size_bytes());
        if received < size {
            return Err(Invalid::new(format!(
                "is incomplete: {received} bytes arrived, shape and element type say {size}"
            )));
        }
        Volume::from_vec(Arc::new(self.header.grid), self.values)
    }
}

/// The chunks of a volume in single precision, in order. Each chunk is copied only when it is needed, so a caller who
/// stalls holds one chunk in memory, not a second volume.
///
/// * `index` – among the volumes of this role
pub(super) fn of_volume(
    role: pb::VolumeRole,
    index: u32,
    volume: &Volume<f32>,
) -> impl Iterator<Item = pb::VolumeChunk> {
    let chunk_values = CHUNK_BYTES / size_of::<f32>();
    volume.as_slice().chunks(chunk_values).enumerate().map(move |(number, values)| {
        let offset_bytes = (number * CHUNK_BYTES) as u64;
        pb::VolumeChunk { volume: role.into(), offset_bytes, data: little_endian(values), index }
    })
}

/// Values as they are sent. Where they lie so in memory, they are copied as they are.
fn little_endian(values: &[f32]) -> Bytes {
    if cfg!(target_endian = "little") {
        return Bytes::copy_from_slice(bytemuck::cast_slice(values));
    }
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The chunks of a map of labels, as numbers in single precision, which holds them exactly.
pub(super) fn of_labels(role: pb::VolumeRole, map: &LabelMap) -> impl Iterator<Item = pb::VolumeChunk> {
    let chunk_values = CHUNK_BYTES / size_of::<f32>();
    map.labels().as_slice().chunks(chunk_values).enumerate().map(move |(number, labels)| {
        let data: Vec<u8> = labels.iter().flat_map(|&label| f32::from(label).to_le_bytes()).collect();
        let offset_bytes = (number * CHUNK_BYTES) as u64;
        pb::VolumeChunk { volume: role.into(), offset_bytes, data: Bytes::from(data), index: 0 }
    })
}

/// The chunks of a volume of whole numbers.
pub(super) fn of_uint16(role: pb::VolumeRole, volume: &Volume<u16>) -> impl Iterator<Item = pb::VolumeChunk> {
    volume.as_slice().chunks(CHUNK_BYTES / size_of::<u16>()).enumerate().map(move |(number, values)| {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let offset_bytes = (number * CHUNK_BYTES) as u64;
        pb::VolumeChunk { volume: role.into(), offset_bytes, data: Bytes::from(data), index: 0 }
    })
}

/// The chunks of a volume of bytes.
pub(super) fn of_uint8(role: pb::VolumeRole, volume: &Volume<u8>) -> impl Iterator<Item = pb::VolumeChunk> {
    volume.as_slice().chunks(CHUNK_BYTES).enumerate().map(move |(number, values)| {
        let offset_bytes = (number * CHUNK_BYTES) as u64;
        pb::VolumeChunk { volume: role.into(), offset_bytes, data: Bytes::copy_from_slice(values), index: 0 }
    })
}

/// The chunks of a volume whose bytes are there, without copying them.
pub(super) fn of_bytes(role: pb::VolumeRole, index: u32, bytes: Bytes) -> impl Iterator<Item = pb::VolumeChunk> {
    (0..bytes.len()).step_by(CHUNK_BYTES).map(move |start| {
        let data = bytes.slice(start..bytes.len().min(start + CHUNK_BYTES));
        pb::VolumeChunk { volume: role.into(), offset_bytes: start as u64, data, index }
    })
}

/// Cuts bytes into pieces without copying them.
///
/// * `index` – among the tallies that are sent
pub(super) fn of_tally(index: u32, bytes: &Bytes) -> impl Iterator<Item = pb::TallyChunk> {
    (0..bytes.len()).step_by(CHUNK_BYTES).map(move |start| {
        let data = bytes.slice(start..bytes.len().min(start + CHUNK_BYTES));
        pb::TallyChunk { offset_bytes: start as u64, data, index }
    })
}

/// The chunks of all volumes of a result, the dose first.
pub(super) fn of_result<'a>(
    result: &'a DoseResult,
    dose_on_ct: Option<&'a Volume<f32>>,
) -> impl Iterator<Item = pb::VolumeChunk> + 'a {
    let volumes = [
        (pb::VolumeRole::Dose, Some(&result.dose)),
        (pb::VolumeRole::Uncertainty, result.uncertainty.as_ref()),
        (pb::VolumeRole::WeightedDose, result.weighted.as_ref()),
        (pb::VolumeRole::DoseOnCt, dose_on_ct),
    ];
    let given = volumes.into_iter().filter_map(|(role, volume)| Some((role, volume?)));
    given.flat_map(|(role, volume)| of_volume(role, 0, volume))
}

/// The names of all volumes of a result, the dose first.
pub(super) fn names_of_result(result: &DoseResult, dose_on_ct: Option<&Volume<f32>>) -> Vec<VolumeDigest> {
    let volumes = [Some(&result.dose), result.uncertainty.as_ref(), result.weighted.as_ref(), dose_on_ct];
    let name = |volume: &Volume<f32>| {
        let mut digest = Digest::new();
        of_volume(pb::VolumeRole::Dose, 0, volume).for_each(|chunk| digest.update(&chunk.data));
        VolumeDigest::of(digest)
    };
    volumes.into_iter().flatten().map(name).collect()
}

/// A result as a message of the server.
pub(super) fn result_response(result: pb::ComputeResult) -> pb::ComputeResponse {
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Result(result)) }
}

/// A chunk as a message of the server.
pub(super) fn response(chunk: pb::VolumeChunk) -> pb::ComputeResponse {
    pb::ComputeResponse { message: Some(pb::compute_response::Message::Chunk(chunk)) }
}

/// A piece of a tally as a message of the server.
pub(super) fn tally_response(chunk: pb::TallyChunk) -> pb::ComputeResponse {
    pb::ComputeResponse { message: Some(pb::compute_response::Message::TallyChunk(chunk)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::VoxelGrid;

    fn announced(voxels: u64, element: ElementType, slope: f64, intercept: f64) -> VolumeHeader {
        let grid = VoxelGrid::new([voxels, 1, 1], [1.0; 3]).expect("a good grid");
        VolumeHeader { grid, element, slope, intercept }
    }

    fn decode(element: ElementType, slope: f64, intercept: f64, data: &[u8]) -> Vec<f32> {
        let voxels = (data.len() / element.size_bytes()) as u64;
        let mut arriving = Arriving::new(announced(voxels, element, slope, intercept)).expect("memory");
        let (first, rest) = data.split_at(element.size_bytes());
        arriving.append(0, first).expect("the first element");
        arriving.append(first.len() as u64, rest).expect("the others");
        arriving.finish().expect("whole").into_vec()
    }

    #[test]
    fn every_element_type_is_decoded_and_scaled() {
        let f32s: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(decode(ElementType::Float32, 1.0, 0.0, &f32s), [1.5, -2.0]);
        assert_eq!(decode(ElementType::Float32, 2.0, 1.0, &f32s), [4.0, -3.0]);
        let f64s: Vec<u8> = [0.1f64, 1e300].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(decode(ElementType::Float64, 1.0, 0.0, &f64s), [0.1, f32::INFINITY]);
        let i16s: Vec<u8> = [-1000i16, 300].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(decode(ElementType::Int16, 0.5, 1000.0, &i16s), [500.0, 1150.0]);
        assert_eq!(decode(ElementType::Uint8, 1.0, -1.0, &[0, 255]), [-1.0, 254.0]);
        assert_eq!(decode(ElementType::Uint16, 1.0, 0.0, &[0, 1, 255, 255]), [256.0, 65535.0]);
        let i32s: Vec<u8> = [-1i32, 70_000].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(decode(ElementType::Int32, 2.0, 1.0, &i32s), [-1.0, 140_001.0]);
    }

    #[test]
    fn chunks_put_together_are_the_volume() {
        let values: Vec<f32> = (0..600_000u32).map(|i| i as f32 * 0.37).collect();
        let grid = Arc::new(VoxelGrid::new([600, 1000, 1], [1.0; 3]).expect("a good grid"));
        let sent = VolumeHeader::float32(&grid);
        let volume = Volume::from_vec(grid, values).expect("as many values as voxels");
        let mut arriving = Arriving::new(sent).expect("memory");
        let mut count = 0;
        for chunk in of_volume(pb::VolumeRole::Dose, 0, &volume) {
            arriving.append(chunk.offset_bytes, &chunk.data).expect("in order");
            count += 1;
        }
        assert_eq!(count, 3);
        assert_eq!(arriving.finish().expect("whole"), volume);
    }
}
