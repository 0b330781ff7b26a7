//! The capped tail of a kernel by Fourier transform, for one block of a convolution.
//!
//! x real to complex | y | z · multiply · z⁻¹ | y⁻¹ | x complex to real, where the middle is done for a few kx at a
//! time, while they are in cache. Rows and planes that are padding on the way in, or cropped on the way out, are
//! neither stored nor transformed.

use std::{fmt, ops::Range, sync::Arc};

use ndarray::{ArrayViewMut2, ArrayViewMut3, Axis};
use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftDirection, FftPlanner, num_complex::Complex};

use super::lanes::{Columns, LANES, Lane, Scratch, ScratchPool, columns_to_rows, load, rows_to_columns, store};
use super::progress::Tasks;
use crate::domain::DoseError;
use crate::plan::Block;
use crate::prepare::kernel_spectrum::PreparedKernel;

/// Transforms that are planned already, by length.
pub(super) struct Planner {
    real: RealFftPlanner<f32>,
    complex: FftPlanner<f32>,
}

impl Default for Planner {
    fn default() -> Self {
        Self { real: RealFftPlanner::new(), complex: FftPlanner::new() }
    }
}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planner")
    }
}

/// Both directions of a complex transform of one length.
struct Along {
    length: usize,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
}

impl Along {
    fn new(length: usize, planner: &mut FftPlanner<f32>) -> Self {
        let [forward, inverse] =
            [FftDirection::Forward, FftDirection::Inverse].map(|direction| planner.plan_fft(length, direction));
        Self { length, forward, inverse }
    }

    fn scratch_len(&self) -> usize {
        self.forward.get_inplace_scratch_len().max(self.inverse.get_inplace_scratch_len())
    }
}

/// The transforms of one block, and which part of the padded grid is not zero.
pub(super) struct BlockTransform {
    /// Shape of the source's part of the padded grid.
    source_shape: [usize; 3],
    /// Planes of the result, counted from the first of the source.
    output_z: Range<usize>,
    /// Groups of kx that are done.
    groups: Range<usize>,
    x_forward: Arc<dyn RealToComplex<f32>>,
    x_inverse: Arc<dyn ComplexToReal<f32>>,
    y: Along,
    z: Along,
}

impl BlockTransform {
    /// * `slab` – number of the slab of kx that is done, and how many there are
    pub(super) fn new(shape: [usize; 3], block: &Block, slab: [usize; 2], planner: &mut Planner) -> Self {
        let [padded_x, padded_y, padded_z] = block.padded_shape;
        let first = block.source_z.start;
        let (groups, [number, slabs]) = ((padded_x / 2 + 1).div_ceil(LANES), slab);
        let width = groups.div_ceil(slabs);
        Self {
            source_shape: [shape[0], shape[1], block.source_z.len()],
            output_z: block.output_z.start - first..block.output_z.end - first,

            groups: groups.min(number * width)..groups.min((number + 1) * width),
            x_forward: planner.real.plan_fft_forward(padded_x),
            x_inverse: planner.real.plan_fft_inverse(padded_x),
            y: Along::new(padded_y, &mut planner.complex),
            z: Along::new(padded_z, &mut planner.complex),
        }
    }

    /// Number of tasks of a block, as reported to [`Tasks`].
    pub(super) fn tasks(block: &Block, slabs: usize) -> usize {
        let groups = (block.padded_shape[0] / 2 + 1).div_ceil(LANES);
        slabs * (block.source_z.len() + block.output_z.len()) + groups
    }

    /// Groups of [`LANES`] neighbouring kx of the slab, of which the last may be partly empty.
    fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Size of the spectrum that the three steps share: by plane, then group, then row.
    pub(super) fn spectrum_lanes(&self) -> usize {
        let [_, ny, nz] = self.source_shape;
        nz * self.groups() * ny
    }

    /// Step one: rows along x, scaled.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn forward_x(
        &self,
        source: &[f32],
        scale: f64,
        spectrum: &mut [Lane],
        tasks: &Tasks,
    ) -> Result<(), DoseError> {
        let [nx, ny, _] = self.source_shape;
        let planes = spectrum.par_chunks_exact_mut(self.groups() * ny).zip(source.par_chunks_exact(nx * ny));
        planes.try_for_each(|(lanes, plane)| {
            let (mut row, mut bins) = (self.x_forward.make_input_vec(), self.x_forward.make_output_vec());
            let mut scratch = self.x_forward.make_scratch_vec();
            for (y, decays) in plane.chunks_exact(nx).enumerate() {
                if decays.iter().all(|&d| d == 0.0) {
                    bins.fill(Complex::ZERO);
                } else {
                    scale_row(decays, scale, &mut row[..nx]);
                    row[nx..].fill(0.0);
                    self.x_forward
                        .process_with_scratch(&mut row, &mut bins, &mut scratch)
                        .expect("buffers were made for this length");
                }
                let bins = bins.chunks(LANES).skip(self.groups.start).take(self.groups());
                for (group, bins) in bins.enumerate() {
                    lanes[group * ny + y].0 = load(bins, bins.len());
                }
            }
            tasks.finish_one()
        })
    }

    /// Step two: columns along y and z, multiplied by the kernel's spectrum, and back.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn columns(
        &self,
        kernel: &PreparedKernel,
        spectrum: &mut [Lane],
        pool: &ScratchPool,
        tasks: &Tasks,
    ) -> Result<(), DoseError> {
        let [_, ny, nz] = self.source_shape;
        let mut groups = ArrayViewMut3::from_shape((nz, self.groups(), ny), spectrum)
            .expect("the spectrum has a lane for each plane, group and row");
        groups.axis_iter_mut(Axis(1)).into_par_iter().enumerate().try_for_each(|(group, lanes)| {
            let first_kx = (self.groups.start + group) * LANES;
            let bins = kernel.bins[1] * kernel.bins[2];
            let width = LANES.min(kernel.bins[0] - first_kx);
            let kernel_slab = &kernel.spectrum[first_kx * bins..(first_kx + width) * bins];
            pool.with(|scratch| self.group(kernel_slab, width, lanes, scratch, tasks))?;
            tasks.finish_one()
        })
    }

    /// One group of `width` neighbouring kx; `lanes` by z and y. Each kx has its planes side by side, so that they stay
    /// in the cache of one core.
    fn group(
        &self,
        kernel_slab: &[f32],
        width: usize,
        mut lanes: ArrayViewMut2<Lane>,
        scratch: &mut Scratch,
        tasks: &Tasks,
    ) -> Result<(), DoseError> {
        let [_, ny, nz] = self.source_shape;
        let (y, z) = (&self.y, &self.z);
        let kx_len = nz * y.length;
        let Scratch { slab, columns, fft } = scratch;
        slab.resize(width * kx_len, Complex::ZERO);
        columns.resize(LANES * z.length, Complex::ZERO);
        fft.resize(y.scratch_len().max(z.scratch_len()), Complex::ZERO);

        let at = Columns { width, stride: kx_len, length: y.length };
        for (plane, lanes) in lanes.rows().into_iter().enumerate() {
            rows_to_columns(ny, |n| lanes[n].0, &mut slab[plane * y.length..], at);
        }
        let bins = (y.length / 2 + 1) * (z.length / 2 + 1);
        for (planes, kernel) in slab.chunks_exact_mut(kx_len).zip(kernel_slab.chunks_exact(bins)) {
            y.forward.process_with_scratch(planes, fft);
            self.along_z(kernel, planes, columns, fft);
            y.inverse
                .process_with_scratch(&mut planes[self.output_z.start * y.length..self.output_z.end * y.length], fft);
            tasks.go_on()?;
        }
        for plane in self.output_z.clone() {
            columns_to_rows(0..ny, &slab[plane * y.length..], at, |n, row| lanes[[plane, n]].0 = *row);
        }
        Ok(())
    }

    /// The planes of one kx, by z and ky: transformed along z, multiplied by the kernel's spectrum, and back.
    fn along_z(
        &self,
        kernel: &[f32],
        planes: &mut [Complex<f32>],
        columns: &mut [Complex<f32>],
        fft: &mut [Complex<f32>],
    ) {
        let (n_ky, z) = (self.y.length, &self.z);
        let bins = z.length / 2 + 1;
        for first_ky in (0..n_ky).step_by(LANES) {
            let width = LANES.min(n_ky - first_ky);
            let columns = &mut columns[..width * z.length];
            let at = Columns { width, stride: z.length, length: z.length };
            let row = |plane: usize| load(&planes[plane * n_ky + first_ky..], width);
            rows_to_columns(self.source_shape[2], row, columns, at);
            z.forward.process_with_scratch(columns, fft);
            for (ky, column) in (first_ky..).zip(columns.chunks_exact_mut(z.length)) {
                multiply_mirrored(column, &kernel[ky.min(n_ky - ky) * bins..][..bins]);
            }
            z.inverse.process_with_scratch(columns, fft);
            columns_to_rows(self.output_z.clone(), columns, at, |plane, row| {
                store(row, &mut planes[plane * n_ky + first_ky..], width);
            });
        }
    }

    /// Step three: rows of the result along x. `finish` gets each with its y and its plane in the result, and room that
    /// is kept from row to row, and completes it.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn inverse_x(
        &self,
        spectrum: &[Lane],
        energy: &mut [f32],
        tasks: &Tasks,
        finish: impl Fn([usize; 2], &mut Vec<f32>, &[f32], &mut [f32]) + Sync,
    ) -> Result<(), DoseError> {
        let [nx, ny, _] = self.source_shape;
        let plane_lanes = self.groups() * ny;
        let spectrum = &spectrum[self.output_z.start * plane_lanes..self.output_z.end * plane_lanes];
        let planes = spectrum.par_chunks_exact(plane_lanes).zip(energy.par_chunks_exact_mut(nx * ny)).enumerate();
        planes.try_for_each(|(z, (lanes, plane))| {
            let (mut bins, mut row) = (self.x_inverse.make_input_vec(), self.x_inverse.make_output_vec());
            let (mut scratch, mut room) = (self.x_inverse.make_scratch_vec(), Vec::new());
            let last = bins.len() - 1;
            for (y, energy) in plane.chunks_exact_mut(nx).enumerate() {
                // The transform uses up its input; what other slabs hold is nothing here.
                bins.fill(Complex::ZERO);
                let own = bins.chunks_mut(LANES).skip(self.groups.start).take(self.groups());
                for (group, bins) in own.enumerate() {
                    let width = bins.len();
                    store(&lanes[group * ny + y].0, bins, width);
                }
                // The row is real, so what rounding left there is removed.
                bins[0].im = 0.0;
                bins[last].im = 0.0;
                self.x_inverse
                    .process_with_scratch(&mut bins, &mut row, &mut scratch)
                    .expect("buffers were made for this length");
                finish([y, z], &mut room, &row[..nx], energy);
            }
            tasks.finish_one()
        })
    }
}

fn scale_row(decays: &[f32], scale: f64, row: &mut [f32]) {
    for (value, &decays) in row.iter_mut().zip(decays) {
        #[expect(clippy::cast_possible_truncation, reason = "scaled to at most 2 by a power of two")]
        {
            *value = (f64::from(decays) * scale) as f32;
        }
    }
}

/// Multiplies a spectrum by a real and symmetric one, of which the first half is given.
fn multiply_mirrored(column: &mut [Complex<f32>], half: &[f32]) {
    let (first, second) = column.split_at_mut(half.len());
    first.iter_mut().zip(half).for_each(|(value, factor)| *value *= factor);
    let mirrored = half[1..].iter().rev().skip((first.len() - 1) - second.len());
    second.iter_mut().zip(mirrored).for_each(|(value, factor)| *value *= factor);
}
