//! How a convolution is padded and divided into blocks.

use std::ops::Range;

use super::core::core_half_width;
use crate::domain::{DoseError, VoxelGrid};
use crate::math::smooth::next_smooth;
use crate::physics::kernel::KernelSpec;

/// Columns that the CPU stores and transforms side by side: a cache line of single-precision complex numbers.
pub const LANES: usize = 8;

/// Planes whose values the CPU stores side by side, so that whole pages are filled and read.
pub const PLANES_TOGETHER: usize = 8;

/// A convolution of a volume with a voxel kernel, in blocks that can be computed one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionPlan {
    /// Shape of source and result.
    pub shape: [usize; 3],
    /// Kernel offsets on each side, by axis.
    pub half_width: [usize; 3],
    /// Kernel offsets on each side that are convolved directly, by axis; the rest goes through the Fourier transform.
    pub core_half_width: [usize; 3],
    /// Slabs along z that together give the result; a single one unless memory is short. All have the same padded
    /// shape, so they share one spectrum of the kernel.
    pub blocks: Vec<Block>,
    /// Slabs of ky in which the CPU does a block, one after another, each adding to the result: one, unless the kernel
    /// is so wide that thin blocks need as much memory as the whole. A GPU cuts kx by itself.
    pub ky_slabs: usize,
}

/// One slab of the result, and the source planes that reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Planes of the result.
    pub output_z: Range<usize>,
    /// Planes of the source that contribute to them.
    pub source_z: Range<usize>,
    /// Shape of the Fourier transform; x and y are even.
    pub padded_shape: [usize; 3],
}

impl Block {
    fn new(shape: [usize; 3], half_width: [usize; 3], output_z: Range<usize>) -> Self {
        let source_z = output_z.start.saturating_sub(half_width[2])..shape[2].min(output_z.end + half_width[2]);
        let reach_z = (output_z.end - source_z.start).max(source_z.end - output_z.start);
        let padded = |axis: usize, reach: usize, step| next_smooth(reach + half_width[axis].min(reach - 1), step);
        let padded_shape = [padded(0, shape[0], 2), padded(1, shape[1], 2), padded(2, reach_z, 1)];
        Self { output_z, source_z, padded_shape }
    }

    /// Bytes of the half spectrum in single precision.
    pub fn spectrum_bytes(&self) -> u64 {
        let [x, y, z] = self.padded_shape.map(|n| n as u64);
        (x / 2 + 1) * y * z * 8
    }

    /// Planes of the source that the CPU stores side by side: [`PLANES_TOGETHER`], or a little less, so that the last
    /// group is nearly full.
    pub fn planes_together(&self) -> usize {
        let planes = self.source_z.len();
        planes.div_ceil(planes.div_ceil(PLANES_TOGETHER))
    }

    /// Bytes that the CPU needs for the transform: the spectrum along y of the source's own rows, and for each thread
    /// one ky of it, padded along z, some rows of results, and a few columns.
    fn host_bytes(&self, [nx, ny]: [usize; 2], threads: usize, ky_slabs: usize) -> u64 {
        let [x, y, z] = self.padded_shape;
        let (groups_x, together) = (nx.div_ceil(LANES), self.planes_together());
        let held = self.source_z.len().div_ceil(together) * together;
        let spectrum = (y / 2 + 1).div_ceil(ky_slabs) * groups_x * held;
        let kernel = (x / 2 + 1) * (z / 2 + 1).div_ceil(LANES) / 2 + LANES;
        let thread = groups_x * (z + together * ny / 2) + together * y + x + LANES + kernel;
        ((spectrum + threads * thread) * LANES * 8) as u64
    }
}

impl ConvolutionPlan {
    /// Divides the result into the smallest number of slabs whose half spectra have at most `workspace_bytes`.
    ///
    /// # Errors
    /// [`DoseError::TooLarge`] if not even a few columns of the spectrum fit.
    pub fn new(grid: &VoxelGrid, kernel: &KernelSpec, workspace_bytes: u64) -> Result<Self, DoseError> {
        let (shape, half_width) = (grid.shape(), kernel.half_width);
        let fits = |planes: usize| largest_spectrum_bytes(&slabs(shape, half_width, planes)) <= workspace_bytes;
        let (planes, ky_slabs) = match largest_that(shape[2], fits) {
            Some(planes) => (planes, 1),
            None => (shape[2], ky_slabs(&Block::new(shape, half_width, 0..shape[2]), workspace_bytes)?),
        };
        // The same number of slabs, of nearly equal size.
        let mut blocks = slabs(shape, half_width, shape[2].div_ceil(shape[2].div_ceil(planes)));
        let padded_z = blocks.iter().map(|block| block.padded_shape[2]).max().unwrap_or(1);
        blocks.iter_mut().for_each(|block| block.padded_shape[2] = padded_z);
        Ok(Self { shape, half_width, core_half_width: core_half_width(kernel), blocks, ky_slabs })
    }

    /// Whether the core is all of the kernel, so that nothing is left to the Fourier transform.
    pub fn is_direct(&self) -> bool {
        self.core_half_width == self.half_width
    }

    /// Upper bound of the host memory besides the volumes: the kernel's octant and a quarter of its sums over
    /// boxes in `f64`, the preparation of its spectrum, and the workspace of the CPU. A GPU needs less.
    pub fn host_bytes(&self) -> u64 {
        let octant: u64 = self.half_width.iter().map(|&h| h as u64 + 1).product();
        let [quarter_x, quarter_y] = [0, 1].map(|axis| self.shape[axis].div_ceil(2) as u64);
        let sums = quarter_x * quarter_y * (self.half_width[2] as u64 + 1);
        let block = self.blocks.iter().max_by_key(|block| block.source_z.len());
        let block = block.expect("a plan has at least one block");
        let [x, y, z] = block.padded_shape.map(|n| n as u64 / 2 + 1);
        let planes = z.min(self.half_width[2] as u64 + 1);
        let spectrum = x * y * (z * size_of::<f32>() as u64 + planes * size_of::<f64>() as u64);
        let [nx, ny, _] = self.shape;
        let workspace = block.host_bytes([nx, ny], rayon::current_num_threads(), self.ky_slabs);
        (octant + sums) * size_of::<f64>() as u64 + spectrum + workspace
    }
}

/// The result in slabs of `planes` planes.
fn slabs(shape: [usize; 3], half_width: [usize; 3], planes: usize) -> Vec<Block> {
    let starts = (0..shape[2]).step_by(planes);
    starts.map(|z| Block::new(shape, half_width, z..shape[2].min(z + planes))).collect()
}

/// Slabs of ky, of which each fits a workspace: at least [`LANES`] in each, since every slab transforms all rows.
///
/// # Errors
/// [`DoseError::TooLarge`] if not even one group fits.
fn ky_slabs(block: &Block, workspace_bytes: u64) -> Result<usize, DoseError> {
    let [x, y, z] = block.padded_shape;
    let groups = (y / 2 + 1).div_ceil(LANES) as u64;
    let group_bytes = (LANES * x * z * 8) as u64;
    let fitting = workspace_bytes / group_bytes;
    if fitting == 0 {
        let (what, limit_bytes) = ("the convolution", workspace_bytes);
        return Err(DoseError::TooLarge { what, needed_bytes: group_bytes, limit_bytes });
    }
    Ok(usize::try_from(groups.div_ceil(fitting)).expect("no more than a line has values"))
}

fn largest_spectrum_bytes(blocks: &[Block]) -> u64 {
    blocks.iter().map(Block::spectrum_bytes).max().unwrap_or(0)
}

/// The largest number from 1 to `most` that passes; every number below one that passes must pass, too.
fn largest_that(most: usize, passes: impl Fn(usize) -> bool) -> Option<usize> {
    if passes(most) {
        return Some(most);
    }
    let (mut good, mut bad) = (0, most);
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        if passes(middle) { good = middle } else { bad = middle }
    }
    (good > 0).then_some(good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KernelMedium;
    use crate::physics::nuclide;

    fn spec(half_width: [usize; 3]) -> KernelSpec {
        let source = nuclide::find("Lu-177").expect("a known nuclide").into();
        KernelSpec::new(&source, KernelMedium::Water, [0.2; 3], half_width).expect("energies that kernels have")
    }

    fn plan(shape: [u64; 3], half_width: [usize; 3], workspace_bytes: u64) -> Result<ConvolutionPlan, DoseError> {
        let grid = VoxelGrid::new(shape, [2.0; 3]).expect("a good grid");
        ConvolutionPlan::new(&grid, &spec(half_width), workspace_bytes)
    }

    #[test]
    fn padding_is_that_of_the_kept_part() {
        let block = Block::new([256; 3], [31; 3], 0..256);
        assert_eq!((block.padded_shape, block.source_z), ([288; 3], 0..256));
        let block = Block::new([256; 3], [31; 3], 64..128);
        assert_eq!((block.padded_shape[2], block.source_z), (126, 33..159));
        assert_eq!(Block::new([1, 1, 1], [0; 3], 0..1).padded_shape, [2, 2, 1]);
    }

    #[test]
    fn blocks_cover_the_result_and_fit() {
        for workspace_bytes in [1 << 20, 2 << 20, 4 << 20, 1 << 40] {
            let plan = plan([61, 53, 97], [12, 12, 12], workspace_bytes).expect("it fits in blocks");
            let planes: Vec<usize> = plan.blocks.iter().flat_map(|block| block.output_z.clone()).collect();
            assert_eq!(planes, (0..97).collect::<Vec<_>>());
            assert!(plan.blocks.iter().all(|block| block.spectrum_bytes() <= workspace_bytes), "{plan:?}");
            assert!(plan.blocks.windows(2).all(|pair| pair[0].padded_shape == pair[1].padded_shape));
            assert_eq!(plan.blocks.len() == 1, workspace_bytes >= 4 << 20);
        }
    }

    #[test]
    fn a_volume_of_512_cubed_is_planned() {
        // 40 cm of reach in voxels of 2 mm.
        let whole = plan([512; 3], [200; 3], 16 << 30).expect("16 GB are enough");
        assert_eq!((whole.blocks.len(), whole.blocks[0].padded_shape), (1, [720; 3]));
        assert_eq!(whole.blocks[0].spectrum_bytes(), 361 * 720 * 720 * 8);
        assert!(whole.host_bytes() < 3 << 30, "{}", whole.host_bytes());
        let cut = plan([512; 3], [200; 3], 1 << 30).expect("1 GB is enough in blocks");
        assert!(cut.blocks.len() > 1 && cut.blocks.len() < 10, "{}", cut.blocks.len());
        let narrow = plan([512; 3], [200; 3], 256 << 20).expect("256 MB are enough in slabs of ky");
        assert_eq!((narrow.blocks.len(), narrow.ky_slabs), (1, 6));
        assert!(matches!(plan([512; 3], [200; 3], 16 << 20), Err(DoseError::TooLarge { .. })));
        // A kernel that reaches from one end of the grid to the other.
        let full = plan([512; 3], [511; 3], 16 << 30).expect("16 GB are enough");
        assert_eq!((full.blocks.len(), full.blocks[0].padded_shape), (1, [1024; 3]));
    }

    #[test]
    fn extreme_shapes_are_planned_at_once() {
        let long = plan([1, 1, 65_535], [0, 0, 65_534], 1 << 30).expect("a line is small");
        assert_eq!(long.blocks.len(), 1);
        let long = plan([1, 1, 65_535], [0, 0, 10], 1 << 12).expect("a line is small");
        assert!(long.blocks.iter().all(|block| block.spectrum_bytes() <= 1 << 12));
    }
}
