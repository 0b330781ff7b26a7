//! The capped tail of a kernel by Fourier transform, for one block of a convolution.
//!
//! y real to complex | z | x · multiply · x⁻¹ | z⁻¹ | y⁻¹ complex to real. The first and the last step do a few planes
//! at a time, with eight columns of neighbouring x side by side, just as they lie in a volume. The middle does one ky
//! at a time, in cache: z with the same eight, x with eight kz. Rows and planes that are padding on the way in, or
//! cropped on the way out, are neither stored nor transformed; columns without any decay are not transformed.

use std::{collections::HashMap, ops::Range, sync::Arc};

use fearless_simd::{f32x8, prelude::*};
use ndarray::{ArrayViewMut2, ArrayViewMut3, Axis};
use rayon::prelude::*;

use super::buffers::{Scratch, ScratchPool};
use super::fft::{ColumnTransform, ColumnVector, LANES, Lane, RealTransform, with_vectors};
use super::planes::{GroupZ, find_filled, load_column, pairs, roots_of_power_of_two, store_transposed};
use super::progress::Tasks;
use crate::domain::DoseError;
use crate::plan::Block;
use crate::prepare::kernel_spectrum::PreparedKernel;

/// Transforms that are planned already, by length.
#[derive(Debug, Default)]
pub(super) struct Planner(HashMap<usize, Arc<ColumnTransform>>);

impl Planner {
    fn plan(&mut self, length: usize) -> Arc<ColumnTransform> {
        Arc::clone(self.0.entry(length).or_insert_with(|| Arc::new(ColumnTransform::new(length))))
    }
}

/// The transforms of one block, and which part of the padded grid is not zero.
pub(super) struct BlockTransform {
    /// Shape of the source's part of the padded grid.
    source_shape: [usize; 3],
    /// Planes of the result, counted from the first of the source.
    output_z: Range<usize>,
    /// The ky that are done.
    ky: Range<usize>,
    /// Groups of [`LANES`] neighbouring x, of which the last may be partly empty.
    groups_x: usize,
    /// Planes that are stored side by side.
    together: usize,
    x: Arc<ColumnTransform>,
    y: RealTransform,
    y_pairs: usize,
    z: Arc<ColumnTransform>,
    groups_z: Vec<GroupZ>,
}

impl BlockTransform {
    /// * `slab` – number of the slab of ky that is done, and how many there are
    pub(super) fn new(shape: [usize; 3], block: &Block, slab: [usize; 2], planner: &mut Planner) -> Self {
        let [padded_x, padded_y, padded_z] = block.padded_shape;
        let first = block.source_z.start;
        let (bins, [number, slabs]) = (padded_y / 2 + 1, slab);
        let width = bins.div_ceil(slabs);
        let z = planner.plan(padded_z);
        Self {
            source_shape: [shape[0], shape[1], block.source_z.len()],
            output_z: block.output_z.start - first..block.output_z.end - first,
            ky: bins.min(number * width)..bins.min((number + 1) * width),
            groups_x: shape[0].div_ceil(LANES),
            together: block.planes_together(),
            x: planner.plan(padded_x),
            y: RealTransform::new(planner.plan(padded_y / 2)),
            y_pairs: padded_y / 2,
            groups_z: GroupZ::all(&z),
            z,
        }
    }

    /// Number of tasks of a block, as reported to [`Tasks`].
    pub(super) fn tasks(block: &Block, slabs: usize) -> usize {
        let (first, together) = (block.source_z.start, block.planes_together());
        let output = block.output_z.start - first..block.output_z.end - first;
        let groups = block.source_z.len().div_ceil(together) + groups_of(&output, together).len();
        slabs * groups + block.padded_shape[1] / 2 + 1
    }

    /// Size of the spectrum that the three steps share: by group of planes, then group of x, then ky, then plane.
    pub(super) fn spectrum_lanes(&self) -> usize {
        self.group_lanes() * self.source_shape[2].div_ceil(self.together)
    }

    fn group_lanes(&self) -> usize {
        self.ky.len() * self.groups_x * self.together
    }

    /// Step one: columns along y, scaled. Gives for each group of planes and of x whether there is any decay.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn forward_y(
        &self,
        source: &[f32],
        scale: f64,
        spectrum: &mut [Lane],
        pool: &ScratchPool,
        tasks: &Tasks,
    ) -> Result<Vec<bool>, DoseError> {
        let [nx, ny, nz] = self.source_shape;
        let mut filled = vec![false; nz.div_ceil(self.together) * self.groups_x];
        let groups = spectrum.par_chunks_exact_mut(self.group_lanes()).zip(source.par_chunks(nx * ny * self.together));
        groups.zip(filled.par_chunks_exact_mut(self.groups_x)).try_for_each(|((lanes, planes), filled)| {
            pool.with(|scratch| {
                scratch.columns.resize(self.y_pairs, Lane::default());
                let column = &mut scratch.columns[..self.y_pairs];
                with_vectors!(simd => self.forward_planes(simd, planes, scale, column, (lanes, filled), tasks))
            })?;
            tasks.finish_one()
        })?;
        Ok(filled)
    }

    #[inline(always)]
    fn forward_planes<S: Simd>(
        &self,
        simd: S,
        planes: &[f32],
        scale: f64,
        column: &mut [Lane],
        (lanes, filled): (&mut [Lane], &mut [bool]),
        tasks: &Tasks,
    ) -> Result<(), DoseError> {
        let [nx, ny, _] = self.source_shape;
        // The transform gives twice what is asked for. The factor may be beyond single precision, its root is not.
        let factors = roots_of_power_of_two(scale / 2.0);
        // This also brings the planes into the cache, row by row.
        find_filled(planes, nx, filled);
        let columns = lanes.chunks_exact_mut(self.ky.len() * self.together);
        for ((pair, mut columns), filled) in pairs(columns).zip(filled.chunks(2)) {
            // Sixteen columns of eight planes are less than a plane, unless planes are narrow.
            tasks.go_on()?;
            for at in 0..self.together {
                let plane = planes.get(at * nx * ny..(at + 1) * nx * ny);
                for ((number, lanes), &filled) in columns.iter_mut().enumerate().zip(filled) {
                    let Some(plane) = plane.filter(|_| filled) else {
                        lanes.iter_mut().skip(at).step_by(self.together).for_each(|lane| *lane = Lane::default());
                        continue;
                    };
                    load_column(simd, plane, [nx, ny], (2 * pair + number) * LANES, factors, column);
                    self.y.forward(
                        simd,
                        column,
                        #[inline(always)]
                        |ky, bin| {
                            if self.ky.contains(&ky) {
                                bin.store(&mut lanes[(ky - self.ky.start) * self.together + at]);
                            }
                        },
                    );
                }
            }
        }
        Ok(())
    }

    /// Step two: one ky at a time along z and x, multiplied by the kernel's spectrum, and back.
    ///
    /// * `filled` – what step one gave
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn middle(
        &self,
        kernel: &PreparedKernel,
        filled: &[bool],
        spectrum: &mut [Lane],
        pool: &ScratchPool,
        tasks: &Tasks,
    ) -> Result<(), DoseError> {
        let groups = self.source_shape[2].div_ceil(self.together);
        let shape = (groups * self.groups_x, self.ky.len(), self.together);
        let mut spectrum = ArrayViewMut3::from_shape(shape, spectrum).expect("the spectrum has a lane for each");
        let filled: Vec<bool> =
            (0..self.groups_x).map(|x| filled.iter().skip(x).step_by(self.groups_x).any(|&filled| filled)).collect();
        spectrum.axis_iter_mut(Axis(1)).into_par_iter().enumerate().try_for_each(|(at, mut lanes)| {
            pool.with(|scratch| {
                self.load_kernel(kernel, self.ky.start + at, &mut scratch.kernel);
                with_vectors!(simd => self.middle_ky(simd, &filled, &mut lanes, scratch));
            });
            tasks.finish_one()
        })
    }

    /// The kernel's spectrum at one ky, in groups of kz with zeros past the last.
    fn load_kernel(&self, kernel: &PreparedKernel, ky: usize, values: &mut Vec<[f32; LANES]>) {
        let [_, bins_y, bins_z] = kernel.bins;
        values.clear();
        for line in kernel.spectrum.chunks_exact(bins_z).skip(ky).step_by(bins_y) {
            values.extend(line.chunks(LANES).map(|part| {
                let mut group = [0.0; LANES];
                group[..part.len()].copy_from_slice(part);
                group
            }));
        }
    }

    #[inline(always)]
    fn middle_ky<S: Simd>(&self, simd: S, filled: &[bool], lanes: &mut ArrayViewMut2<Lane>, scratch: &mut Scratch) {
        let (nz, length, together) = (self.source_shape[2], self.z.position().len(), self.together);
        let Scratch { plane, columns, kernel, .. } = scratch;
        plane.resize(self.groups_x * length, Lane::default());
        let plane = &mut plane[..self.groups_x * length];
        for ((group_x, column), &filled) in plane.chunks_exact_mut(length).enumerate().zip(filled) {
            if !filled {
                column.fill(Lane::default());
                continue;
            }
            for (group, planes) in column[..nz].chunks_mut(together).enumerate() {
                let stored =
                    lanes.row_mut(group * self.groups_x + group_x).into_slice().expect("planes are side by side");
                planes.copy_from_slice(&stored[..planes.len()]);
            }
            column[nz..].fill(Lane::default());
            self.z.forward(simd, column);
        }
        let longest = self.x.position().len().max(self.groups_x * LANES);
        columns.resize(longest, Lane::default());
        for group in &self.groups_z {
            self.convolve_x(simd, group, kernel, plane, &mut columns[..longest]);
        }
        for (group_x, column) in plane.chunks_exact_mut(length).enumerate() {
            self.z.inverse(simd, column);
            for group in groups_of(&self.output_z, together) {
                let planes = group * together..((group + 1) * together).min(nz);
                let stored =
                    lanes.row_mut(group * self.groups_x + group_x).into_slice().expect("planes are side by side");
                stored[..planes.len()].copy_from_slice(&column[planes]);
            }
        }
    }

    /// Columns along x for some kz, at one ky.
    #[inline(always)]
    fn convolve_x<S: Simd>(
        &self,
        simd: S,
        group: &GroupZ,
        kernel: &[[f32; LANES]],
        plane: &mut [Lane],
        column: &mut [Lane],
    ) {
        let (length_x, length_z) = (self.x.position().len(), self.z.position().len());
        let kernel_groups = (length_z / 2 + 1).div_ceil(LANES);
        for group_x in 0..self.groups_x {
            let mut values = [ColumnVector { re: f32x8::splat(simd, 0.0), im: f32x8::splat(simd, 0.0) }; LANES];
            for c in group.used.clone() {
                values[c] = ColumnVector::load(simd, &plane[group_x * length_z + group.positions[c]]);
            }
            store_transposed(values, column[group_x * LANES..].first_chunk_mut().expect("room for a group"));
        }
        if let Some(padding) = column.get_mut(self.groups_x * LANES..) {
            padding.fill(Lane::default());
        }
        self.x.forward(simd, &mut column[..length_x]);
        for (lane, &frequency) in column.iter_mut().zip(self.x.frequency()) {
            let kx = frequency.min(length_x - frequency);
            let factor = f32x8::simd_from(simd, kernel[kx * kernel_groups + group.kernel]);
            ColumnVector::load(simd, lane).scale(factor).store(lane);
        }
        self.x.inverse(simd, &mut column[..length_x]);
        for group_x in 0..self.groups_x {
            let mut values = [Lane::default(); LANES];
            let mut rows = [ColumnVector::load(simd, &column[group_x * LANES]); LANES];
            for i in 1..LANES {
                rows[i] = ColumnVector::load(simd, &column[group_x * LANES + i]);
            }
            store_transposed(rows, &mut values);
            for c in group.used.clone() {
                plane[group_x * length_z + group.positions[c]] = values[c];
            }
        }
    }

    /// Step three: rows of the result. `finish` gets each with its y and its plane in the result, and room that is kept
    /// from row to row, and completes it.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn inverse_y(
        &self,
        spectrum: &[Lane],
        energy: &mut [f32],
        pool: &ScratchPool,
        tasks: &Tasks,
        finish: impl Fn([usize; 2], &mut Vec<f32>, &[f32], &mut [f32]) + Sync,
    ) -> Result<(), DoseError> {
        let [nx, ny, _] = self.source_shape;
        let (mut work, mut rest) = (Vec::new(), energy);
        for group in groups_of(&self.output_z, self.together) {
            let first = (group * self.together).max(self.output_z.start);
            let planes = first..((group + 1) * self.together).min(self.output_z.end);
            let (own, others) = rest.split_at_mut(planes.len() * nx * ny);
            work.push((group, planes, own));
            rest = others;
        }
        work.into_par_iter().try_for_each(|(group, planes, energy)| {
            let lanes = &spectrum[group * self.group_lanes()..][..self.group_lanes()];
            let within = planes.start - group * self.together..planes.end - group * self.together;
            pool.with(|scratch| {
                let Scratch { columns, rows, room, .. } = scratch;
                columns.resize(self.y_pairs, Lane::default());
                rows.resize(self.together * ny * self.groups_x, [0.0; LANES]);
                with_vectors!(simd => self.inverse_planes(simd, lanes, within, &mut columns[..self.y_pairs], rows));
                let tails = rows.as_flattened().chunks_exact(self.groups_x * LANES);
                for ((at, energy), tail) in energy.chunks_exact_mut(nx).enumerate().zip(tails) {
                    let place = [at % ny, planes.start - self.output_z.start + at / ny];
                    with_vectors!(_simd => finish(place, room, &tail[..nx], energy));
                }
            });
            tasks.finish_one()
        })
    }

    /// Planes of the result without the core: rows of whole groups of x.
    #[inline(always)]
    fn inverse_planes<S: Simd>(
        &self,
        simd: S,
        lanes: &[Lane],
        planes: Range<usize>,
        column: &mut [Lane],
        rows: &mut [[f32; LANES]],
    ) {
        let ny = self.source_shape[1];
        let nothing = ColumnVector { re: f32x8::splat(simd, 0.0), im: f32x8::splat(simd, 0.0) };
        for (pair, columns) in pairs(lanes.chunks_exact(self.ky.len() * self.together)) {
            for (at, rows) in planes.clone().zip(rows.chunks_exact_mut(ny * self.groups_x)) {
                for (number, lanes) in columns.iter().enumerate() {
                    self.y.inverse(
                        simd,
                        column,
                        #[inline(always)]
                        |ky| match self.ky.contains(&ky) {
                            true => ColumnVector::load(simd, &lanes[(ky - self.ky.start) * self.together + at]),
                            false => nothing,
                        },
                    );
                    for (y, row) in rows.chunks_exact_mut(self.groups_x).enumerate() {
                        let pair_of_rows = &column[y / 2];
                        row[2 * pair + number] = if y % 2 == 0 { pair_of_rows.re } else { pair_of_rows.im };
                    }
                }
            }
        }
    }
}

/// Groups of `together` planes that have some in a range.
fn groups_of(planes: &Range<usize>, together: usize) -> Range<usize> {
    planes.start / together..planes.end.div_ceil(together)
}
