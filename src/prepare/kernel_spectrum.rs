//! A voxel kernel as the engines use it: the core in single precision, and the spectrum of the tail on a padded grid.
//!
//! A kernel that is symmetric in each axis has a real spectrum with the same symmetry, so one octant is enough. It is
//! computed in `f64` and depends on the kernel and the padded shape only: [`PreparedKernels`] keeps it between
//! requests.

use std::sync::Arc;

use ndarray::Array3;
use rayon::prelude::*;
use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

use super::kernel_split::SplitKernel;
use crate::domain::{Control, DoseError};
use crate::math::cache::Cache;
use crate::physics::kernel::{KernelSpec, VoxelKernel};

/// Most bytes of prepared kernels that an engine keeps between requests. A larger kernel is dropped after its request.
pub const KEPT_BYTES: u64 = 256 << 20;

/// What a prepared kernel depends on.
#[derive(Clone, Debug, PartialEq)]
struct PreparedKernelKey {
    spec: KernelSpec,
    core_half_width: [usize; 3],
    padded_shape: [usize; 3],
}

/// A voxel kernel, split, scaled and transformed for one padded shape.
#[derive(Clone, Debug)]
pub struct PreparedKernel {
    /// What the values of core and spectrum are in units of [MeV per decay]: a power of two next to the kernel's
    /// largest value, so that no scale of source or kernel can overflow single precision.
    pub unit_mev: f64,
    /// The core's octant, x fastest, in units of `unit_mev`.
    pub core: Array3<f32>,
    /// Bins of the spectrum's octant by axis: half the padded length, and one.
    pub bins: [usize; 3],
    /// The tail's spectrum, z fastest, then y: bin `[kx, ky, kz]` is at `(kx·bins[1] + ky)·bins[2] + kz`. In units of
    /// `unit_mev`, divided by the number of points, so that forward and inverse transforms need no other factor.
    pub spectrum: Vec<f32>,
}

impl PreparedKernel {
    /// * `core_half_width` – nowhere above the kernel's half width
    /// * `padded_shape` – as planned: large enough to keep the used offsets apart
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub fn new(
        kernel: &VoxelKernel,
        core_half_width: [usize; 3],
        padded_shape: [usize; 3],
        control: &Control,
    ) -> Result<Self, DoseError> {
        let split = SplitKernel::new(kernel, core_half_width);
        let unit_mev = power_of_two_below(kernel.octant.iter().copied().fold(0.0, f64::max));
        let points: f64 = padded_shape.iter().map(|&n| n as f64).product();
        let spectrum = tail_spectrum(&split, kernel.spec.half_width, padded_shape, unit_mev * points, control)?;
        #[expect(clippy::cast_possible_truncation, reason = "the precision of the engines")]
        let core = split.core.mapv(|value| (value / unit_mev) as f32);
        Ok(Self { unit_mev, core, bins: padded_shape.map(|n| n / 2 + 1), spectrum })
    }

    /// A kernel that is all core: nothing is left to transform.
    pub fn direct(kernel: &VoxelKernel) -> Self {
        let unit_mev = power_of_two_below(kernel.octant.iter().copied().fold(0.0, f64::max));
        #[expect(clippy::cast_possible_truncation, reason = "the precision of the engines")]
        let core = kernel.octant.mapv(|value| (value / unit_mev) as f32);
        Self { unit_mev, core, bins: [0; 3], spectrum: Vec::new() }
    }

    fn bytes(&self) -> u64 {
        size_of_val(self.spectrum.as_slice()) as u64
    }
}

/// The largest power of two that is not above `value`; 1 where there is none.
pub fn power_of_two_below(value: f64) -> f64 {
    if value.is_normal() && value > 0.0 { f64::from_bits(value.to_bits() & (0x7FF << 52)) } else { 1.0 }
}

/// Prepared kernels of recent requests.
#[derive(Debug)]
pub struct PreparedKernels(Cache<PreparedKernelKey, Arc<PreparedKernel>>);

impl Default for PreparedKernels {
    fn default() -> Self {
        Self(Cache::new("kernel spectra", KEPT_BYTES, |prepared| prepared.bytes()))
    }
}

impl PreparedKernels {
    /// The prepared kernel for a padded shape: from an earlier request, or computed now.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub fn get(
        &mut self,
        kernel: &VoxelKernel,
        core_half_width: [usize; 3],
        padded_shape: [usize; 3],
        control: &Control,
    ) -> Result<Arc<PreparedKernel>, DoseError> {
        let key = PreparedKernelKey { spec: kernel.spec.clone(), core_half_width, padded_shape };
        if let Some(prepared) = self.0.get(&key) {
            return Ok(prepared);
        }
        let prepared = Arc::new(PreparedKernel::new(kernel, core_half_width, padded_shape, control)?);
        self.0.insert(key, Arc::clone(&prepared));
        Ok(prepared)
    }
}

/// Spectrum of the tail on a periodic grid, divided by `unit`; order as [`PreparedKernel::spectrum`].
fn tail_spectrum(
    split: &SplitKernel,
    half_width: [usize; 3],
    padded_shape: [usize; 3],
    unit: f64,
    control: &Control,
) -> Result<Vec<f32>, DoseError> {
    // A kernel wider than the grid has unused offsets, which must not be folded onto others.
    let [hx, hy, hz] = [0, 1, 2].map(|axis| half_width[axis].min((padded_shape[axis] - 1) / 2));
    let mut planner = RealFftPlanner::new();
    let [x, y, z] = padded_shape.map(|n| EvenTransform::new(n, &mut planner));
    let (bx, by, bz) = (x.bins(), y.bins(), z.bins());

    let transform_plane = |k: usize| -> Result<Vec<f64>, DoseError> {
        let (mut x, mut y) = (x.clone(), y.clone());
        let mut lines = vec![0.0; (hy + 1) * bx];
        for (j, line) in lines.chunks_exact_mut(bx).enumerate() {
            x.run(|i| if i <= hx { split.tail([i, j, k]) } else { 0.0 }, |kx, value| line[kx] = value);
        }
        let mut plane = vec![0.0; bx * by];
        for (kx, column) in plane.chunks_exact_mut(by).enumerate() {
            y.run(|j| if j <= hy { lines[j * bx + kx] } else { 0.0 }, |ky, value| column[ky] = value);
        }
        if control.is_cancelled() { Err(DoseError::Cancelled) } else { Ok(plane) }
    };
    let planes = (0..=hz).into_par_iter().map(transform_plane).collect::<Result<Vec<_>, _>>()?;

    let mut spectrum = vec![0.0; bx * by * bz];
    spectrum.par_chunks_exact_mut(by * bz).enumerate().try_for_each(|(kx, slab)| {
        let mut z = z.clone();
        for (ky, line) in slab.chunks_exact_mut(bz).enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "the precision of the engines")]
            z.run(
                |k| if k <= hz { planes[k][kx * by + ky] } else { 0.0 },
                |kz, value| line[kz] = (value / unit) as f32,
            );
        }
        if control.is_cancelled() { Err(DoseError::Cancelled) } else { Ok(()) }
    })?;
    Ok(spectrum)
}

/// Fourier transform of a real sequence that is symmetric about 0.
#[derive(Clone)]
pub(super) struct EvenTransform {
    fft: Arc<dyn RealToComplex<f64>>,
    sequence: Vec<f64>,
    bins: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl EvenTransform {
    pub(super) fn new(length: usize, planner: &mut RealFftPlanner<f64>) -> Self {
        let fft = planner.plan_fft_forward(length);
        let (sequence, bins, scratch) = (fft.make_input_vec(), fft.make_output_vec(), fft.make_scratch_vec());
        Self { fft, sequence, bins, scratch }
    }

    fn bins(&self) -> usize {
        self.bins.len()
    }

    /// Transforms `value(0..=length/2)`, mirrored, and hands each bin to `store`.
    pub(super) fn run(&mut self, value: impl Fn(usize) -> f64, mut store: impl FnMut(usize, f64)) {
        let length = self.sequence.len();
        for i in 0..=length / 2 {
            let value = value(i);
            self.sequence[i] = value;
            self.sequence[(length - i) % length] = value;
        }
        self.fft
            .process_with_scratch(&mut self.sequence, &mut self.bins, &mut self.scratch)
            .expect("buffers were made for this length");
        self.bins.iter().enumerate().for_each(|(bin, value)| store(bin, value.re));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::kernel_split::tests::kernel;

    #[test]
    fn spectrum_is_the_sum_over_the_mirrored_tail() {
        let (kernel, core) = (kernel([3, 2, 1], [0.2, 0.3, 0.4]), [1, 1, 0]);
        let padded = [10, 7, 3];
        let prepared = PreparedKernel::new(&kernel, core, padded, &Control::detached()).expect("not cancelled");
        let split = SplitKernel::new(&kernel, core);
        assert_eq!(prepared.bins, [6, 4, 2]);
        for kx in 0..6usize {
            for ky in 0..4usize {
                for kz in 0..2usize {
                    let mut sum = 0.0;
                    for ((i, j, k), _) in kernel.octant.indexed_iter() {
                        // Each offset and its mirror images: 2·cos for those that have one.
                        let factor = |n: usize, bin: usize, length: usize| {
                            let angle = std::f64::consts::TAU * (n * bin) as f64 / length as f64;
                            if n == 0 { 1.0 } else { 2.0 * angle.cos() }
                        };
                        sum += split.tail([i, j, k])
                            * factor(i, kx, padded[0])
                            * factor(j, ky, padded[1])
                            * factor(k, kz, padded[2]);
                    }
                    let found = f64::from(prepared.spectrum[(kx * 4 + ky) * 2 + kz]) * prepared.unit_mev * 210.0;
                    assert!((found - sum).abs() <= 1e-7 * split.cap * 105.0, "{kx} {ky} {kz}: {found} {sum}");
                }
            }
        }
    }

    #[test]
    fn a_kernel_is_prepared_once_for_each_shape() {
        let (mut kept, control) = (PreparedKernels::default(), Control::detached());
        let (a, b) = (kernel([3; 3], [0.2; 3]), kernel([3; 3], [0.3; 3]));
        let mut get = |kernel, padded| kept.get(kernel, [1; 3], padded, &control).expect("not cancelled");
        let first = get(&a, [12; 3]);
        assert!(Arc::ptr_eq(&first, &get(&a, [12; 3])));
        assert!(!Arc::ptr_eq(&first, &get(&b, [12; 3])));
        assert!(!Arc::ptr_eq(&first, &get(&a, [14, 12, 12])));
        assert!(Arc::ptr_eq(&first, &get(&a, [12; 3])));
    }

    #[test]
    fn units_are_powers_of_two() {
        for (value, expected) in [(1.0, 1.0), (0.3, 0.25), (1e-300, 2f64.powi(-997)), (0.0, 1.0), (f64::NAN, 1.0)] {
            assert_eq!(power_of_two_below(value), expected, "{value}");
        }
    }
}
