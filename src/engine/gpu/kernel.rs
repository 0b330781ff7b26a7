//! Kernel spectra in device memory, kept from one request to the next.

use std::ops::Range;
use std::sync::{Arc, Weak};

use super::context::Context;
use crate::prepare::kernel_spectrum::PreparedKernel;

/// Most device memory that kernels take between requests [bytes].
const KEPT_BYTES: usize = 512 << 20;

/// A prepared kernel in device memory, divided into slabs like the spectrum of the source.
#[derive(Debug)]
pub(super) struct DeviceKernel {
    /// Which kernel it is. A weak reference prevents another kernel from getting its address.
    prepared: Weak<PreparedKernel>,
    slab_ranges: Vec<Range<usize>>,
    /// The core's octant, x fastest.
    pub(super) core: wgpu::Buffer,
    /// Offsets of the core on each side.
    pub(super) core_half_width: [usize; 3],
    /// The spectrum's octant, one buffer a slab.
    pub(super) slabs: Vec<wgpu::Buffer>,
    bytes: usize,
}

impl DeviceKernel {
    fn upload(context: &Context, prepared: &Arc<PreparedKernel>, slab_ranges: &[Range<usize>]) -> Self {
        let [_, ny, nz] = prepared.bins;
        let slab = |kx: &Range<usize>| {
            context.filled("kernel spectrum", &prepared.spectrum[kx.start * ny * nz..kx.end * ny * nz])
        };
        let core = prepared.core.as_slice_memory_order().expect("a core is contiguous");
        let (cx, cy, cz) = prepared.core.dim();
        Self {
            prepared: Arc::downgrade(prepared),
            slab_ranges: slab_ranges.to_vec(),
            core: context.filled("kernel core", core),
            core_half_width: [cx - 1, cy - 1, cz - 1],
            slabs: slab_ranges.iter().map(slab).collect(),
            bytes: size_of_val(prepared.spectrum.as_slice()) + size_of_val(core),
        }
    }
}

/// Kernels of recent requests, the latest last.
#[derive(Debug, Default)]
pub(super) struct DeviceKernels(Vec<Arc<DeviceKernel>>);

impl DeviceKernels {
    /// The kernel in device memory: from an earlier request, or uploaded now.
    pub(super) fn get(
        &mut self,
        context: &Context,
        prepared: &Arc<PreparedKernel>,
        slab_ranges: &[Range<usize>],
    ) -> Arc<DeviceKernel> {
        let same = |kept: &Arc<DeviceKernel>| {
            kept.prepared.as_ptr() == Arc::as_ptr(prepared) && kept.slab_ranges == slab_ranges
        };
        self.0.retain(|kept| kept.prepared.strong_count() > 0);
        let kernel = match self.0.iter().position(same) {
            Some(position) => self.0.remove(position),
            None => Arc::new(DeviceKernel::upload(context, prepared, slab_ranges)),
        };
        self.0.push(kernel.clone());
        while self.0.iter().map(|kept| kept.bytes).sum::<usize>() > KEPT_BYTES {
            self.0.remove(0);
        }
        kernel
    }
}
