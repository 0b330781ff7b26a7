//! How a convolution is padded and cut into blocks.

use std::ops::Range;

use super::smooth::next_smooth;
use crate::domain::{DoseError, VoxelGrid};
use crate::physics::kernel::KernelSpec;

/// A convolution of a volume with a voxel kernel, as blocks that can be done one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvolutionPlan {
    /// Shape of source and result.
    pub shape: [usize; 3],
    /// Kernel offsets on each side, by axis.
    pub half_width: [usize; 3],
    /// Kernel offsets on each side that are convolved directly, by axis; the rest goes through the Fourier transform.
    pub core_half_width: [usize; 3],
    /// Slabs along z that together make the result. One, unless memory is short.
    pub blocks: Vec<Block>,
}

/// One slab of the result, with the halo of source planes that reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Planes of the result.
    pub output_z: Range<usize>,
    /// Planes of the source that the kernel carries into them.
    pub source_z: Range<usize>,
    /// Shape of the Fourier transform; x is even.
    pub padded_shape: [usize; 3],
}

impl Block {
    fn new(shape: [usize; 3], half_width: [usize; 3], output_z: Range<usize>) -> Self {
        let source_z = output_z.start.saturating_sub(half_width[2])..shape[2].min(output_z.end + half_width[2]);
        let reach_z = (output_z.end - source_z.start).max(source_z.end - output_z.start);
        let padded = |axis: usize, reach: usize, step| next_smooth(reach + half_width[axis].min(reach - 1), step);
        let padded_shape = [padded(0, shape[0], 2), padded(1, shape[1], 1), padded(2, reach_z, 1)];
        Self { output_z, source_z, padded_shape }
    }

    /// Bytes of the half spectrum in single precision.
    pub fn spectrum_bytes(&self) -> u64 {
        let [x, y, z] = self.padded_shape.map(|n| n as u64);
        (x / 2 + 1) * y * z * 8
    }
}

impl ConvolutionPlan {
    /// Cuts the result into as few slabs as fit `workspace_bytes` each.
    ///
    /// # Errors
    /// [`DoseError::TooLarge`] if not even one plane fits.
    pub fn new(grid: &VoxelGrid, kernel: &KernelSpec, workspace_bytes: u64) -> Result<Self, DoseError> {
        let (shape, half_width) = (grid.shape(), kernel.half_width);
        let core_half_width = half_width.map(|h| h.min(1));
        let [_, _, nz] = shape;
        let slabs = |planes: usize| -> Vec<Block> {
            let starts = (0..nz).step_by(planes);
            starts.map(|z| Block::new(shape, half_width, z..nz.min(z + planes))).collect()
        };
        let largest = |blocks: &[Block]| blocks.iter().map(Block::spectrum_bytes).max().unwrap_or(0);
        let mut count = 1;
        loop {
            let blocks = slabs(nz.div_ceil(count));
            let needed_bytes = largest(&blocks);
            if needed_bytes <= workspace_bytes {
                return Ok(Self { shape, half_width, core_half_width, blocks });
            }
            if count >= nz {
                return Err(DoseError::TooLarge {
                    what: "the convolution",
                    needed_bytes,
                    limit_bytes: workspace_bytes,
                });
            }
            count = (count * 2).min(nz);
        }
    }

    /// Host memory beside the volumes: kernel octant in f64, its spectrum in f32, workspace of the largest block.
    pub fn host_bytes(&self) -> u64 {
        let octant: u64 = self.half_width.iter().map(|&h| h as u64 + 1).product();
        let block = |b: &Block| {
            let [x, y, z] = b.padded_shape.map(|n| n as u64);
            b.spectrum_bytes() + (x / 2 + 1) * (y / 2 + 1) * (z / 2 + 1) * 12
        };
        octant * 8 + self.blocks.iter().map(block).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_that_of_the_kept_part() {
        let block = Block::new([256; 3], [31; 3], 0..256);
        assert_eq!((block.padded_shape, block.source_z), ([288; 3], 0..256));
        let block = Block::new([256; 3], [31; 3], 64..128);
        assert_eq!((block.padded_shape[2], block.source_z), (126, 33..159));
        assert_eq!(Block::new([1, 1, 1], [0; 3], 0..1).padded_shape, [2, 1, 1]);
    }
}
