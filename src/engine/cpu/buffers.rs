//! Memory of the transform that is kept between requests: the spectrum, and working space for each thread.

use std::sync::{Mutex, PoisonError};

use super::fft::{LANES, Lane};

/// Most bytes that an engine keeps between requests.
const KEPT_BYTES: usize = 256 << 20;

/// What one thread works with.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// One ky: its columns along z, by group of x.
    pub(super) plane: Vec<Lane>,
    /// Columns under transform, one after another.
    pub(super) columns: Vec<Lane>,
    /// The kernel's spectrum at one ky: by kx, then group of kz.
    pub(super) kernel: Vec<[f32; LANES]>,
    /// Rows of the result before they are finished.
    pub(super) rows: Vec<[f32; LANES]>,
    /// What the direct core sums up.
    pub(super) room: Vec<f32>,
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
        let bytes = |scratch: &Scratch| {
            let [lanes, values] =
                [scratch.plane.len() + scratch.columns.len(), scratch.kernel.len() + scratch.rows.len()];
            lanes * size_of::<Lane>() + values * size_of::<[f32; LANES]>()
        };
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).iter().map(bytes).sum()
    }
}

/// Buffers that are reused from block to block and from request to request.
#[derive(Debug, Default)]
pub(super) struct SpectrumBuffers {
    spectrum: Vec<Lane>,
    scratch: ScratchPool,
}

impl SpectrumBuffers {
    /// Room for a spectrum, with whatever it held before, and scratch space.
    pub(super) fn room(&mut self, spectrum_lanes: usize) -> (&mut [Lane], &ScratchPool) {
        if self.spectrum.len() < spectrum_lanes {
            // A fresh vector comes zeroed from the system, without a copy of the old one.
            self.spectrum = Vec::new();
            self.spectrum = vec![Lane::default(); spectrum_lanes];
        }
        (&mut self.spectrum[..spectrum_lanes], &self.scratch)
    }

    /// Frees the buffers if they are larger than what an idle engine should hold.
    pub(super) fn trim(&mut self) {
        if size_of_val(self.spectrum.as_slice()) + self.scratch.bytes() > KEPT_BYTES {
            *self = Self::default();
        }
    }
}
