//! Memory of the transform: spectra in lanes of one cache line, and scratch space for each thread.

use std::sync::{Mutex, PoisonError};

use rustfft::num_complex::Complex;

pub(super) use crate::plan::convolution::LANES;

/// Bytes that an engine keeps between requests. More is given back.
const KEPT_BYTES: usize = 256 << 20;

/// One y and z of a spectrum, at [`LANES`] neighbouring kx.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub(super) struct Lane(pub(super) [Complex<f32>; LANES]);

/// Copies lanes into columns, one after another in `columns`, each of `length` and zero past the last lane.
pub(super) fn gather<'a>(lanes: impl ExactSizeIterator<Item = &'a Lane>, columns: &mut [Complex<f32>], length: usize) {
    let filled = lanes.len();
    for (n, lane) in lanes.enumerate() {
        for (column, value) in columns.chunks_exact_mut(length).zip(lane.0) {
            column[n] = value;
        }
    }
    columns.chunks_exact_mut(length).for_each(|column| column[filled..].fill(Complex::ZERO));
}

/// The reverse of [`gather`]: the first values of each column go to lanes.
pub(super) fn scatter<'a>(columns: &[Complex<f32>], length: usize, lanes: impl Iterator<Item = &'a mut Lane>) {
    for (n, lane) in lanes.enumerate() {
        for (column, value) in columns.chunks_exact(length).zip(&mut lane.0) {
            *value = column[n];
        }
    }
}

/// What one thread needs for one group of columns.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The group after the transform along y: lanes by z, then ky fastest.
    pub(super) slab: Vec<Lane>,
    /// Columns under transform.
    pub(super) columns: Vec<Complex<f32>>,
    /// What the transform itself asks for.
    pub(super) fft: Vec<Complex<f32>>,
}

/// A stack of scratch spaces: as many as threads have needed at once.
#[derive(Debug, Default)]
pub(super) struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    /// Runs `work` with a scratch space that no other thread uses meanwhile.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = lock().pop().unwrap_or_default();
        let result = work(&mut scratch);
        lock().push(scratch);
        result
    }

    fn bytes(&mut self) -> usize {
        let idle = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        idle.iter().map(|scratch| size_of_val(scratch.slab.as_slice()) + size_of_val(scratch.columns.as_slice())).sum()
    }
}

/// Buffers that are reused from block to block and from request to request.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    spectrum: Vec<Lane>,
    scratch: ScratchPool,
}

impl Workspace {
    /// Room for a spectrum, with whatever it held before, and scratch space.
    pub(super) fn room(&mut self, spectrum_lanes: usize) -> (&mut [Lane], &ScratchPool) {
        if self.spectrum.len() < spectrum_lanes {
            // A fresh vector comes zeroed from the system, without a copy of the old one.
            self.spectrum = Vec::new();
            self.spectrum = vec![Lane::default(); spectrum_lanes];
        }
        (&mut self.spectrum[..spectrum_lanes], &self.scratch)
    }

    /// Gives back what is more than an idle engine should hold.
    pub(super) fn trim(&mut self) {
        if size_of_val(self.spectrum.as_slice()) + self.scratch.bytes() > KEPT_BYTES {
            *self = Self::default();
        }
    }
}
