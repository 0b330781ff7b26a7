//! Voxel kernels of the last requests, within a bound of memory.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{KernelSpec, VoxelKernel};

/// Keeps the kernels used last, as many as fit a number of bytes.
#[derive(Debug)]
pub struct KernelCache {
    limit_bytes: u64,
    /// The one used last is the last.
    kernels: VecDeque<Arc<VoxelKernel>>,
}

impl KernelCache {
    /// * `limit_bytes` – memory for kernels; one that is larger is not kept
    pub fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, kernels: VecDeque::new() }
    }

    /// The kernel for exactly these figures, if it was kept.
    pub fn get(&mut self, spec: &KernelSpec) -> Option<Arc<VoxelKernel>> {
        let position = self.kernels.iter().position(|kernel| kernel.spec == *spec)?;
        let kernel = self.kernels.remove(position)?;
        self.kernels.push_back(Arc::clone(&kernel));
        Some(kernel)
    }

    /// Keeps a kernel, and drops those not used for longest until all fit.
    pub fn insert(&mut self, kernel: &Arc<VoxelKernel>) {
        if bytes(kernel) > self.limit_bytes {
            return;
        }
        self.kernels.retain(|kept| kept.spec != kernel.spec);
        self.kernels.push_back(Arc::clone(kernel));
        while self.bytes() > self.limit_bytes {
            self.kernels.pop_front();
        }
    }

    /// Memory of all kernels kept.
    pub fn bytes(&self) -> u64 {
        self.kernels.iter().map(|kernel| bytes(kernel)).sum()
    }
}

fn bytes(kernel: &VoxelKernel) -> u64 {
    (size_of::<VoxelKernel>() + kernel.octant.len() * size_of::<f64>()) as u64
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, ShapeBuilder};

    use super::*;
    use crate::domain::KernelMedium;
    use crate::physics::nuclide::find;

    fn kernel(spacing: f64, half_width: usize) -> Arc<VoxelKernel> {
        let source = find("Y-90").expect("a known nuclide").into();
        let spec = KernelSpec::new(&source, KernelMedium::Water, [spacing; 3], [half_width, 0, 0]);
        let spec = spec.expect("energies that kernels have");
        Arc::new(VoxelKernel { spec, octant: Array3::zeros((half_width + 1, 1, 1).f()), captured_mev: 1.0 })
    }

    #[test]
    fn the_kernel_used_longest_ago_goes_first() {
        let [a, b, c] = [0.1, 0.2, 0.3].map(|spacing| kernel(spacing, 99));
        let mut cache = KernelCache::new(2 * bytes(&a) + 1);
        cache.insert(&a);
        cache.insert(&b);
        cache.insert(&b);
        assert!(cache.get(&a.spec).is_some_and(|kept| Arc::ptr_eq(&kept, &a)));
        cache.insert(&c);
        assert!(cache.get(&b.spec).is_none() && cache.get(&a.spec).is_some() && cache.get(&c.spec).is_some());
        assert_eq!(cache.bytes(), 2 * bytes(&a));
        let truncated = KernelSpec { truncation_radius_cm: Some(1.0), ..a.spec.clone() };
        assert!(cache.get(&truncated).is_none());
    }

    #[test]
    fn a_kernel_over_the_limit_is_not_kept() {
        let (small, large) = (kernel(0.1, 9), kernel(0.1, 999));
        let mut cache = KernelCache::new(bytes(&small));
        cache.insert(&small);
        cache.insert(&large);
        assert!(cache.get(&large.spec).is_none() && cache.get(&small.spec).is_some());
    }
}
