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
    let shape = half_width.map(|h| h + 1);
    let farthest_cm = (0..3).map(|axis| (half_width[axis] as f64 * spacing_cm[axis]).powi(2)).sum::<f64>().sqrt();
    let integrator = Integrator::new(kernel, spacing_cm, farthest_cm);
    let symmetry = Symmetry::new(spacing_cm);
    // The smallest box that holds an offset of each class.
    let [na, nb, nc] = symmetry.sorted(shape);
    let (mut of_class, near) = integrator.by_cells([na, nb, nc], &symmetry.ascending, watch)?;
    let rows_done = AtomicUsize::new(0);
    of_class.par_chunks_exact_mut(na).enumerate().try_for_each(|(row, values)| {
        let (b, c) = (row % nb, row / nb);
        if !integrator.is_smooth([na - 1, b, c]) {
            let stands = |a: usize| symmetry.sorted([a, b, c]) == [a, b, c];
            for (a, value) in values.iter_mut().enumerate().filter(|(a, _)| stands(*a)) {
                *value = integrator.energy([a, b, c], *value, &near, watch)?;
            }
        }
        let done = rows_done.fetch_add(1, Ordering::Relaxed);
        watch.report(done as f64 / (nb * nc) as f64)
    })?;
    let [nx, ny, nz] = shape;
    let mut octant = vec![0.0; nx * ny * nz];
    octant.par_chunks_exact_mut(nx).enumerate().for_each(|(row, values)| {
        for (i, value) in values.iter_mut().enumerate() {
            let [a, b, c] = symmetry.sorted([i, row % ny, row / ny]);
            *value = of_class[(c * nb + b) * na + a];
        }
    });
    Ok(Array3::from_shape_vec((nx, ny, nz).f(), octant).expect("one value for each offset"))
}

/// Axes of the same spacing may be exchanged. Each class of equivalent offsets is computed once, so that their values
/// are equal to the last bit.
struct Symmetry {
    /// Pairs of axes to sort by, one after another, so that offsets ascend with the axes.
    ascending: Vec<[usize; 2]>,
}

impl Symmetry {
    fn new(spacing_cm: [f64; 3]) -> Self {
        let same = |[a, b]: &[usize; 2]| spacing_cm[*a] == spacing_cm[*b];
        let all = [[0, 1], [1, 2], [0, 2]];
        // A sorting network for three axes; if only two axes have the same spacing, one pair remains.
        let ascending =
            if all.iter().all(same) { vec![[0, 1], [1, 2], [0, 1]] } else { all.into_iter().filter(same).collect() };
        Self { ascending }
    }

    /// The offset that stands for its class.
    fn sorted(&self, mut offset: [usize; 3]) -> [usize; 3] {
        for &[a, b] in &self.ascending {
            if offset[a] > offset[b] {
                offset.swap(a, b);
            }
        }
        offset
    }
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
