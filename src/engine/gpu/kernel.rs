//! Kernel spectra in device memory, kept from one request to the next.

use std::ops::Range;
use std::sync::{Arc, Weak};

use ndarray::ArrayView2;

use super::context::Context;
use crate::math::cache::Cache;
use crate::prepare::kernel_spectrum::PreparedKernel;

/// Device memory that kernels may take between requests [bytes].
const KEPT_BYTES: u64 = 512 << 20;

/// A prepared kernel in device memory, divided into slabs like the spectrum of the source.
#[derive(Debug)]
pub(super) struct DeviceKernel {
    /// The core's octant, x fastest.
    pub(super) core: wgpu::Buffer,
    /// Offsets of the core on each side.
    pub(super) core_half_width: [usize; 3],
    /// The spectrum's octant, one buffer a slab: kx fastest, then kz, then ky.
    pub(super) slabs: Vec<wgpu::Buffer>,
    bytes: u64,
}

impl DeviceKernel {
    fn upload(context: &Context, prepared: &Arc<PreparedKernel>, slab_ranges: &[Range<usize>]) -> Self {
        let [_, ny, nz] = prepared.bins;
        let slab = |kx: &Range<usize>| {
            let columns = &prepared.spectrum[kx.start * ny * nz..kx.end * ny * nz];
            let columns = ArrayView2::from_shape((kx.len(), ny * nz), columns).expect("one value a bin");
            let rows = columns.t().as_standard_layout().into_owned();
            context.filled("kernel spectrum", rows.as_slice().expect("standard layout is contiguous"))
        };
        let core = prepared.core.as_slice_memory_order().expect("a core is contiguous");
        let (cx, cy, cz) = prepared.core.dim();
        Self {
            core: context.filled("kernel core", core),
            core_half_width: [cx - 1, cy - 1, cz - 1],
            slabs: slab_ranges.iter().map(slab).collect(),
            bytes: (size_of_val(prepared.spectrum.as_slice()) + size_of_val(core)) as u64,
        }
    }
}

/// Which kernel it is, and how it is cut.
#[derive(Debug)]
struct DeviceKernelKey {
    /// A weak reference keeps the address from being used again.
    prepared: Weak<PreparedKernel>,
    slab_ranges: Vec<Range<usize>>,
}

impl PartialEq for DeviceKernelKey {
    fn eq(&self, other: &Self) -> bool {
        self.prepared.ptr_eq(&other.prepared) && self.slab_ranges == other.slab_ranges
    }
}

/// Kernels of recent requests.
#[derive(Debug)]
pub(super) struct DeviceKernels(Cache<DeviceKernelKey, Arc<DeviceKernel>>);

impl Default for DeviceKernels {
    fn default() -> Self {
        Self(Cache::on_device("kernel spectra in device memory", KEPT_BYTES, |kernel| kernel.bytes))
    }
}

impl DeviceKernels {
    /// The kernel in device memory: from an earlier request, or uploaded now.
    pub(super) fn get(
        &mut self,
        context: &Context,
        prepared: &Arc<PreparedKernel>,
        slab_ranges: &[Range<usize>],
    ) -> Arc<DeviceKernel> {
        self.0.retain(|key| key.prepared.strong_count() > 0);
        let key = DeviceKernelKey { prepared: Arc::downgrade(prepared), slab_ranges: slab_ranges.to_vec() };
        if let Some(kernel) = self.0.get(&key) {
            return kernel;
        }
        let kernel = Arc::new(DeviceKernel::upload(context, prepared, slab_ranges));
        self.0.insert(key, Arc::clone(&kernel));
        kernel
    }
}
