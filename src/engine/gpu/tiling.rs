//! How one block of a convolution is divided to fit the bindings of a device. Pure: it uses no device.
//!
//! The half spectrum is held one slab of `kx` at a time. The transform is linear, so each slab adds its part to the
//! result, and no volume is too large for a binding. Source and result are cut into chunks of planes.

use std::ops::Range;

use super::lines::{busy_lanes, radices, row_slots};
use crate::domain::DoseError;
use crate::plan::Block;

/// Bytes of a complex value.
const COMPLEX_BYTES: u64 = 8;
/// Columns that share a memory transaction (128 bytes).
const COALESCED_COLUMNS: u64 = 16;
/// Most complex values that one workgroup holds, unless a single line is longer: more would leave too few groups on a
/// processor. As many columns as share a transaction, of the longest line that two factors make.
const GROUP_POINTS: u64 = COALESCED_COLUMNS * 18 * 18;
/// Pairs of rows that the core of the kernel takes at a time.
const STRIP_PAIRS: usize = 4;

/// The limits of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Memory of a workgroup [bytes].
    pub(super) workgroup_bytes: u64,
    /// Lanes of a workgroup.
    pub(super) lanes: u32,
    /// The largest binding [bytes].
    pub(super) binding_bytes: u64,
}

/// One block, divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tiling {
    /// Shape of the transform.
    pub(super) padded: [usize; 3],
    /// Voxels of a plane.
    pub(super) plane_shape: [usize; 2],
    /// Planes of the source that the block reads, by their number in the volume.
    pub(super) source_z: Range<usize>,
    /// Planes of the result that the block makes, by their number in the volume.
    pub(super) output_z: Range<usize>,
    /// Slabs of the half spectrum, by kx.
    pub(super) slabs: Vec<Range<usize>>,
    /// Complex values from one row of a slab to the next.
    pub(super) row_stride: usize,
    /// Chunks of source and result.
    pub(super) chunks: Vec<Chunk>,
    /// Lines that one workgroup transforms, by axis.
    pub(super) tiles: [usize; 3],
    /// Most lanes of a workgroup.
    pub(super) max_lanes: usize,
}

/// Planes that are held in one buffer, by their number in the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Source planes in the buffer: the chunk's own and those that the core reaches.
    pub(super) held: Range<usize>,
    /// Source planes that this chunk transforms.
    pub(super) own: Range<usize>,
    /// Planes of the result; may be empty.
    pub(super) output: Range<usize>,
}

impl Tiling {
    /// Divides `block` of a volume with planes of `plane_shape`; the core reaches `core_z` planes up and down.
    ///
    /// # Errors
    /// [`DoseError::TooLarge`] if a line does not fit a workgroup, or a plane or a column of the spectrum a binding.
    pub(super) fn new(
        plane_shape: [usize; 2],
        core_z: usize,
        block: &Block,
        bounds: Bounds,
    ) -> Result<Self, DoseError> {
        let padded = block.padded_shape;
        let (source_z, output_z) = (block.source_z.clone(), block.output_z.clone());
        let (slabs, row_stride) = slabs(padded, source_z.len().max(output_z.len()), bounds.binding_bytes)?;
        let chunks = chunks(plane_shape, core_z, &source_z, &output_z, bounds.binding_bytes)?;
        let group_points = bounds.workgroup_bytes / COMPLEX_BYTES;
        let columns = slabs[0].len();
        let max_lanes = bounds.lanes as usize;
        let tiles = [
            rows_per_group(padded[0], plane_shape[1], group_points)?,
            columns_per_group(padded[1], columns, group_points, max_lanes)?,
            columns_per_group(padded[2], columns, group_points, max_lanes)?,
        ];
        Ok(Self { padded, plane_shape, source_z, output_z, slabs, row_stride, chunks, tiles, max_lanes })
    }

    /// Values of the spectrum buffer.
    pub(super) fn spectrum_len(&self) -> usize {
        self.row_stride * self.padded[1] * self.source_z.len().max(self.output_z.len())
    }
}

fn too_large(what: &'static str, needed_bytes: u64, limit_bytes: u64) -> DoseError {
    DoseError::TooLarge { what, needed_bytes, limit_bytes }
}

/// Slabs of equal width that fit a binding, and the stride of their rows.
fn slabs(padded: [usize; 3], planes: usize, binding_bytes: u64) -> Result<(Vec<Range<usize>>, usize), DoseError> {
    let columns = padded[0] as u64 / 2 + 1;
    let column_bytes = padded[1] as u64 * planes as u64 * COMPLEX_BYTES;
    let whole = columns.next_multiple_of(COALESCED_COLUMNS);
    let fitting = binding_bytes / column_bytes;
    let width = match fitting {
        0 => return Err(too_large("one column of the padded spectrum on this device", column_bytes, binding_bytes)),
        n if n >= whole => whole,
        n if n >= COALESCED_COLUMNS => n - n % COALESCED_COLUMNS,
        n => n,
    };
    let (width, columns) = (usize::try_from(width.min(whole)), usize::try_from(columns));
    let (width, columns) = (width.expect("no more than all columns"), columns.expect("derived from a usize"));
    let slabs = (0..columns).step_by(width).map(|kx| kx..columns.min(kx + width)).collect();
    Ok((slabs, width))
}

/// Chunks of as many planes as fit a binding.
fn chunks(
    plane_shape: [usize; 2],
    core_z: usize,
    source_z: &Range<usize>,
    output_z: &Range<usize>,
    binding_bytes: u64,
) -> Result<Vec<Chunk>, DoseError> {
    let plane_bytes = plane_shape.map(|n| n as u64).iter().product::<u64>() * size_of::<f32>() as u64;
    let fitting = usize::try_from(binding_bytes / plane_bytes).unwrap_or(usize::MAX);
    let planes = if fitting >= source_z.len() { source_z.len() } else { fitting.saturating_sub(2 * core_z) };
    if planes == 0 {
        let needed_bytes = plane_bytes * (1 + 2 * core_z as u64);
        return Err(too_large(
            "one plane of the volume and its neighbours on this device",
            needed_bytes,
            binding_bytes,
        ));
    }
    let chunk = |start: usize| {
        let own = start..source_z.end.min(start + planes);
        let held = own.start.saturating_sub(core_z).max(source_z.start)..source_z.end.min(own.end + core_z);
        let output_start = own.start.max(output_z.start);
        let output = output_start..own.end.min(output_z.end).max(output_start);
        Chunk { held, own, output }
    };
    Ok(source_z.clone().step_by(planes).map(chunk).collect())
}

/// * `slots` – values of workgroup memory that a line takes
fn lines_per_group(length: usize, slots: usize, group_points: u64) -> Result<usize, DoseError> {
    let length_points = slots as u64;
    if radices(length).is_none() || length_points > group_points {
        let (needed, limit) = (length_points * COMPLEX_BYTES, group_points * COMPLEX_BYTES);
        return Err(too_large("one padded axis in the workgroup memory of this device", needed, limit));
    }
    let lines = group_points.min(GROUP_POINTS.max(length_points)) / length_points;
    Ok(usize::try_from(lines).expect("no more than the points of a group"))
}

/// Enough pairs of rows to keep the lanes of a workgroup busy, the same for all groups of a plane.
fn rows_per_group(length: usize, rows: usize, group_points: u64) -> Result<usize, DoseError> {
    let wanted = (2048 / length).max(2 * STRIP_PAIRS);
    let pairs = rows.div_ceil(2);
    let most = lines_per_group(length, row_slots(length), group_points)?.min(wanted);
    let even = pairs.div_ceil(pairs.div_ceil(most));
    Ok(if even.next_multiple_of(STRIP_PAIRS) <= most { even.next_multiple_of(STRIP_PAIRS) } else { even })
}

/// Neighbouring columns: a power of two, enough to share memory transactions and to keep the lanes of a workgroup busy.
fn columns_per_group(length: usize, columns: usize, group_points: u64, max_lanes: usize) -> Result<usize, DoseError> {
    let wanted = (2048 / length).max(16).min(columns.next_power_of_two());
    let fitting = (max_lanes / busy_lanes(length)).max(1); // each lane takes the points of one factor, not more
    let lines = lines_per_group(length, length, group_points)?.min(wanted).min(fitting);
    Ok(1 << lines.ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBGPU_DEFAULT: Bounds = Bounds { workgroup_bytes: 16 << 10, lanes: 256, binding_bytes: 128 << 20 };

    /// A volume of `n`³ in one block, under a kernel that reaches `half_width`.
    fn cube(n: usize, half_width: usize) -> Block {
        let padded = crate::math::smooth::next_smooth(n + half_width, 2);
        Block { output_z: 0..n, source_z: 0..n, padded_shape: [padded; 3] }
    }

    /// Every column of the spectrum and every plane belongs to exactly one slab or chunk, and all buffers can be bound.
    fn check(tiling: &Tiling, core_z: usize, bounds: Bounds) {
        let columns: Vec<_> = tiling.slabs.iter().cloned().flatten().collect();
        assert_eq!(columns, (0..=tiling.padded[0] / 2).collect::<Vec<_>>());
        assert!(tiling.slabs.iter().all(|slab| slab.len() <= tiling.row_stride));
        assert!(tiling.spectrum_len() as u64 * COMPLEX_BYTES <= bounds.binding_bytes);

        let planes = |part: fn(&Chunk) -> Range<usize>| tiling.chunks.iter().flat_map(part).collect::<Vec<_>>();
        assert_eq!(planes(|chunk| chunk.own.clone()), tiling.source_z.clone().collect::<Vec<_>>());
        assert_eq!(planes(|chunk| chunk.output.clone()), tiling.output_z.clone().collect::<Vec<_>>());
        let plane_bytes = (tiling.plane_shape[0] * tiling.plane_shape[1] * 4) as u64;
        for chunk in &tiling.chunks {
            assert!(chunk.held.len() as u64 * plane_bytes <= bounds.binding_bytes);
            for z in chunk.output.clone() {
                assert!(chunk.held.start <= z.saturating_sub(core_z).max(tiling.source_z.start));
                assert!(chunk.held.end >= (z + core_z + 1).min(tiling.source_z.end));
            }
        }
        for (length, tile) in tiling.padded.into_iter().zip(tiling.tiles) {
            assert!(tile >= 1 && (length * tile) as u64 * COMPLEX_BYTES <= bounds.workgroup_bytes);
        }
    }

    #[test]
    fn a_clinical_volume_is_one_slab_and_one_chunk() {
        let tiling = Tiling::new([256, 256], 1, &cube(256, 31), WEBGPU_DEFAULT).expect("fits");
        check(&tiling, 1, WEBGPU_DEFAULT);
        assert_eq!((tiling.padded, tiling.slabs.len(), tiling.chunks.len()), ([288; 3], 1, 1));
        assert_eq!((tiling.row_stride, tiling.tiles), (160, [6, 4, 4]));
        let ample = Bounds { workgroup_bytes: 48 << 10, lanes: 1024, ..WEBGPU_DEFAULT };
        let tiling = Tiling::new([256, 256], 1, &cube(256, 31), ample).expect("fits");
        assert_eq!(tiling.tiles, [8, 16, 16]);
    }

    #[test]
    fn a_512_cube_under_a_kernel_as_wide_fits_the_default_limits() {
        let tiling = Tiling::new([512, 512], 3, &cube(512, 511), WEBGPU_DEFAULT).expect("fits");
        check(&tiling, 3, WEBGPU_DEFAULT);
        assert_eq!((tiling.padded, tiling.slabs.len(), tiling.chunks.len()), ([1024; 3], 17, 5));
        let kernel_bytes = tiling.slabs.iter().map(|slab| slab.len() * 513 * 513 * 4).max();
        assert!(kernel_bytes.expect("slabs") <= 128 << 20);
    }

    #[test]
    fn every_block_is_covered_within_any_bounds() {
        for binding_bytes in [40_000, 70_000, 1 << 20] {
            for (output_z, source_z, core_z) in
                [(0..30, 0..30, 1), (10..20, 4..26, 3), (0..1, 0..6, 0), (29..30, 29..30, 0)]
            {
                let block = Block { output_z, source_z, padded_shape: [50, 45, 48] };
                let bounds = Bounds { workgroup_bytes: 1 << 10, lanes: 256, binding_bytes };
                let tiling = Tiling::new([30, 29], core_z, &block, bounds).expect("fits");
                check(&tiling, core_z, bounds);
            }
        }
    }

    #[test]
    fn what_can_never_fit_is_refused() {
        let bounds = |workgroup_bytes, binding_bytes| Bounds { workgroup_bytes, lanes: 256, binding_bytes };
        let refused = |n, half_width, bounds| match Tiling::new([n, n], 1, &cube(n, half_width), bounds) {
            Err(DoseError::TooLarge { what, .. }) => what,
            other => panic!("{other:?}"),
        };
        assert!(refused(1500, 1499, WEBGPU_DEFAULT).contains("axis"));
        assert!(refused(100, 99, bounds(16 << 10, 1000)).contains("column"));
        assert!(refused(300, 1, bounds(16 << 10, 800_000)).contains("plane"));
    }
}
