//! The energy that a source deposits within its own grid, from sums of the kernel over boxes. It needs no convolution,
//! so it can check one.
//!
//! What a voxel's decays leave in the grid is the sum of the kernel over a box of offsets from it to the others of the
//! grid. Voxels that mirror one another in the middle of the grid have boxes of the same size, so that a source is
//! folded onto an eighth of its grid first.

use ndarray::Axis;
use rayon::prelude::*;

use crate::domain::{Control, DoseError, Volume};
use crate::physics::kernel::VoxelKernel;

/// Signed sums over the octant that make up a box along an axis: how many offsets from 0 on each has, and its sign.
type Pieces = [(usize, f64); 3];

/// Energy that a source deposits within its own grid [MeV].
///
/// # Errors
/// [`DoseError::Cancelled`].
pub(super) fn energy_within_grid(
    kernel: &VoxelKernel,
    source: &Volume<f32>,
    control: &Control,
) -> Result<f64, DoseError> {
    let boxes = Boxes { kernel, shape: source.grid().shape() };
    let planes = boxes.planes(control)?;
    let [nx, ny, _] = boxes.eighth();
    let of_row = |y: usize| -> Result<f64, DoseError> {
        if control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        // Sums along z, of which the first is that of no plane.
        let mut sums = vec![0.0; nx];
        for plane in planes.chunks_exact(nx * ny) {
            let before = sums.len() - nx;
            sums.extend_from_within(before..);
            let last = sums.len() - nx;
            sums[last..].iter_mut().zip(&plane[y * nx..]).for_each(|(sum, value)| *sum += value);
        }
        Ok(boxes.energy_of_row(y, &sums, source.as_slice()))
    };
    // Collected row by row so that the sum does not depend on the threads.
    let rows: Result<Vec<f64>, DoseError> = (0..ny).into_par_iter().map(of_row).collect();
    Ok(rows?.iter().sum())
}

/// The boxes of offsets from voxels to those of their grid.
struct Boxes<'a> {
    kernel: &'a VoxelKernel,
    shape: [usize; 3],
}

impl Boxes<'_> {
    /// Voxels from each end of an axis to the middle.
    fn eighth(&self) -> [usize; 3] {
        self.shape.map(|n| n.div_ceil(2))
    }

    fn pieces(&self, axis: usize, index: usize) -> Pieces {
        let half = self.kernel.spec.half_width[axis];
        let (before, after) = (index.min(half), (self.shape[axis] - 1 - index).min(half));
        [(before + 1, 1.0), (after + 1, 1.0), (1, -1.0)]
    }

    /// For each offset along z, the kernel's sum over the other two axes of the box of each voxel of an eighth: x
    /// fastest.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    fn planes(&self, control: &Control) -> Result<Vec<f64>, DoseError> {
        let [nx, ny, _] = self.eighth();
        let (width, height, depth) = self.kernel.octant.dim();
        let mut planes = vec![0.0; nx * ny * depth];
        planes.par_chunks_exact_mut(nx * ny).enumerate().try_for_each(|(k, plane)| {
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            // Sums along y, of which the first is that of no row.
            let mut sums = vec![0.0; width * (height + 1)];
            let values = self.kernel.octant.index_axis(Axis(2), k);
            for (j, values) in values.axis_iter(Axis(1)).enumerate() {
                let (before, after) = sums.split_at_mut((j + 1) * width);
                let sums = after.iter_mut().zip(&before[j * width..]);
                sums.zip(values).for_each(|((sum, before), value)| *sum = before + value);
            }
            let mut along_x = vec![0.0; width + 1];
            for (y, row) in plane.chunks_exact_mut(nx).enumerate() {
                along_x.fill(0.0);
                add_pieces(&mut along_x[1..], &sums, self.pieces(1, y));
                for i in 1..=width {
                    along_x[i] += along_x[i - 1];
                }
                for (x, held) in row.iter_mut().enumerate() {
                    *held = self.pieces(0, x).iter().map(|(count, sign)| sign * along_x[*count]).sum();
                }
            }
            Ok(())
        })?;
        Ok(planes)
    }

    /// Energy that the decays in a row of voxels, and in those that mirror them, leave in the grid.
    ///
    /// * `y` – of the row
    /// * `sums` – rows of sums over planes, by their number
    fn energy_of_row(&self, y: usize, sums: &[f64], decays: &[f32]) -> f64 {
        let ([nx, ny, nz], [width, _, depth]) = (self.shape, self.eighth());
        let (mut folded, mut held) = (vec![0.0; width], vec![0.0; width]);
        let mut energy = 0.0;
        for z in 0..depth {
            held.fill(0.0);
            add_pieces(&mut held, sums, self.pieces(2, z));
            folded.fill(0.0);
            for z in both(z, nz) {
                for y in both(y, ny) {
                    fold(&decays[(z * ny + y) * nx..][..nx], &mut folded);
                }
            }
            energy += folded.iter().zip(&held).map(|(decays, held)| decays * held).sum::<f64>();
        }
        energy
    }
}

/// A place along an axis and that which mirrors it, if it is another.
fn both(place: usize, length: usize) -> impl Iterator<Item = usize> {
    let mirrored = length - 1 - place;
    [Some(place), Some(mirrored).filter(|&mirrored| mirrored != place)].into_iter().flatten()
}

/// Adds the values of a row to those of its first half, in which the middle of an odd number is.
fn fold(row: &[f32], folded: &mut [f64]) {
    folded.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    let others = row.len() / 2;
    folded[..others].iter_mut().zip(row.iter().rev()).for_each(|(sum, value)| *sum += f64::from(*value));
}

/// * `rows` – as long as `sum` each
fn add_pieces(sum: &mut [f64], rows: &[f64], pieces: Pieces) {
    for (number, sign) in pieces {
        let row = &rows[number * sum.len()..][..sum.len()];
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += sign * value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::{Array3, ShapeBuilder};

    use super::*;
    use crate::domain::{KernelMedium, VoxelGrid};
    use crate::physics::kernel::KernelSpec;
    use crate::physics::nuclide;

    #[test]
    fn energy_within_a_grid_is_the_sum_over_all_pairs_of_voxels() {
        for (shape, half_width) in
            [([5, 4, 3], [4, 3, 2]), ([5, 1, 7], [2, 0, 3]), ([1, 1, 1], [0, 0, 0]), ([6, 7, 8], [1, 3, 9])]
        {
            let grid = Arc::new(VoxelGrid::new(shape, [2.0; 3]).expect("a good grid"));
            let values = (0..grid.voxels()).map(|n| (n * 7 % 5) as f32).collect();
            let source = Volume::from_vec(grid.clone(), values).expect("one value a voxel");
            let [hx, hy, hz] = half_width;
            let octant =
                Array3::from_shape_fn((hx + 1, hy + 1, hz + 1).f(), |(i, j, k)| 1.0 / (1 + i + 2 * j + 3 * k) as f64);
            let decaying = nuclide::find("Lu-177").expect("a known nuclide").into();
            let spec = KernelSpec::new(&decaying, KernelMedium::Water, grid.spacing_cm(), half_width);
            let spec = spec.expect("energies that kernels have");
            let kernel = VoxelKernel { spec, octant, captured_mev: 1.0 };
            let mut expected = 0.0;
            for ((x, y, z), &decays) in source.data().indexed_iter() {
                for (to, _) in source.data().indexed_iter() {
                    let offset = [x.abs_diff(to.0), y.abs_diff(to.1), z.abs_diff(to.2)];
                    expected += f64::from(decays) * kernel.octant.get(offset).copied().unwrap_or(0.0);
                }
            }
            let found = energy_within_grid(&kernel, &source, &Control::detached()).expect("nobody cancels");
            assert!((found - expected).abs() <= 1e-12 * expected, "{shape:?}: {found} {expected}");
        }
    }
}
