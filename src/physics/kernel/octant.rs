//! Voxel energies at all offsets of an octant, using symmetry and threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array3, ShapeBuilder};
use rayon::prelude::*;

use super::integrator::Integrator;
use super::radial::RadialKernel;
use crate::math::watch::{Interrupted, Watch};

/// Energy absorbed at each offset [MeV per decay], x fastest.
///
/// * `half_width` – offsets on each side of the source voxel, by axis
///
/// # Errors
/// [`Interrupted`].
pub(super) fn energies(
    kernel: &RadialKernel,
    spacing_cm: [f64; 3],
    half_width: [usize; 3],
    watch: &dyn Watch,
) -> Result<Array3<f64>, Interrupted> {
    let [nx, ny, nz] = half_width.map(|h| h + 1);
    let integrator = Integrator::new(kernel, spacing_cm);
    let symmetry = Symmetry::new(spacing_cm, half_width);
    let mut octant = vec![0.0; nx * ny * nz];
    let rows_done = AtomicUsize::new(0);
    octant.par_chunks_exact_mut(nx).enumerate().try_for_each(|(row, values)| {
        let (j, k) = (row % ny, row / ny);
        for (i, value) in values.iter_mut().enumerate() {
            let offset = symmetry.sorted([i, j, k]);
            if let Some(energy) = integrator.smooth_energy(offset) {
                *value = energy;
            } else if symmetry.representative([i, j, k]) == [i, j, k] {
                *value = integrator.steep_energy(offset, watch)?;
            }
        }
        let done = rows_done.fetch_add(1, Ordering::Relaxed);
        watch.report(done as f64 / (ny * nz) as f64)
    })?;
    let [near_x, near_y, near_z] = integrator.steep_shape();
    for (k, j) in (0..nz.min(near_z)).flat_map(|k| (0..ny.min(near_y)).map(move |j| (k, j))) {
        watch.check()?;
        for i in 0..nx.min(near_x) {
            if integrator.smooth_energy(symmetry.sorted([i, j, k])).is_none() {
                let [a, b, c] = symmetry.representative([i, j, k]);
                octant[i + nx * (j + ny * k)] = octant[a + nx * (b + ny * c)];
            }
        }
    }
    Ok(Array3::from_shape_vec((nx, ny, nz).f(), octant).expect("one value for each offset"))
}

/// Axes of the same spacing may be exchanged. Each class of equivalent offsets is computed once, so that their values
/// are equal to the last bit.
struct Symmetry {
    /// Pairs of axes to sort by so that the representative of a class lies in the octant: the longer axis takes the
    /// larger offset.
    exchange: Vec<[usize; 2]>,
    /// The same pairs in the order of the axes, so that a value does not depend on the shape of the octant.
    ascending: Vec<[usize; 2]>,
}

impl Symmetry {
    fn new(spacing_cm: [f64; 3], half_width: [usize; 3]) -> Self {
        let same = |[a, b]: &[usize; 2]| spacing_cm[*a] == spacing_cm[*b];
        // A sorting network for three axes; if only two axes have the same spacing, one pair remains.
        let mut order = [0, 1, 2];
        order.sort_by_key(|&axis| half_width[axis]);
        let network = |[a, b, c]: [usize; 3]| -> Vec<[usize; 2]> {
            let all = [[a, b], [b, c], [a, c]];
            if all.iter().all(same) { vec![[a, b], [b, c], [a, b]] } else { all.into_iter().filter(same).collect() }
        };
        Self { exchange: network(order), ascending: network([0, 1, 2]) }
    }

    fn representative(&self, offset: [usize; 3]) -> [usize; 3] {
        sort(offset, &self.exchange)
    }

    fn sorted(&self, offset: [usize; 3]) -> [usize; 3] {
        sort(offset, &self.ascending)
    }
}

fn sort(mut offset: [usize; 3], pairs: &[[usize; 2]]) -> [usize; 3] {
    for &[a, b] in pairs {
        if offset[a] > offset[b] {
            offset.swap(a, b);
        }
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KernelMedium;
    use crate::math::watch::Unwatched;
    use crate::physics::kernel::KernelSpec;
    use crate::physics::nuclide::find;

    fn spec(spacing_cm: [f64; 3], half_width: [usize; 3], truncation_radius_cm: Option<f64>) -> KernelSpec {
        let source = find("Lu-177").expect("a known nuclide").into();
        let spec = KernelSpec::new(&source, KernelMedium::Water, spacing_cm, half_width);
        KernelSpec { truncation_radius_cm, ..spec.expect("energies that kernels have") }
    }

    fn octant(spec: &KernelSpec) -> Array3<f64> {
        let kernel = spec.radial.truncated(spec.truncation_radius_cm.unwrap_or(f64::INFINITY));
        energies(&kernel, spec.spacing_cm, spec.half_width, &Unwatched).expect("nobody interrupts")
    }

    #[test]
    fn equal_axes_may_be_exchanged_to_the_last_bit() {
        let cube = octant(&spec([0.1; 3], [12, 12, 12], None));
        let box_ = octant(&spec([0.1; 3], [9, 12, 4], None));
        let flat = octant(&spec([0.1, 0.2, 0.1], [12, 3, 5], Some(0.9)));
        for ((i, j, k), &value) in cube.indexed_iter() {
            assert_eq!(value, cube[[j, i, k]]);
            assert_eq!(value, cube[[k, i, j]]);
            assert!(box_.get([i, j, k]).is_none_or(|same| *same == value), "the shape of the octant does not matter");
            if let (Some(a), Some(b)) = (flat.get([i, j, k]), flat.get([k, j, i])) {
                assert_eq!(a, b);
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let spec = spec([0.1, 0.1, 0.3], [30, 20, 10], None);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        assert_eq!(pool.install(|| octant(&spec)), octant(&spec));
    }

    #[test]
    fn an_interrupted_integration_stops() {
        struct Gone;
        impl Watch for Gone {
            fn check(&self) -> Result<(), Interrupted> {
                Err(Interrupted)
            }

            fn report(&self, _fraction: f64) -> Result<(), Interrupted> {
                Err(Interrupted)
            }
        }
        let spec = spec([0.1; 3], [3; 3], None);
        assert_eq!(energies(&spec.radial, spec.spacing_cm, spec.half_width, &Gone), Err(Interrupted));
    }
}
