//! The kernel of what scattered photons leave, by the energy that is scattered.
//!
//! Where photons collide for the first time they leave some of their energy and keep the rest: the primary part of a
//! kernel, and what is scattered. All that they leave later follows from the latter by a third kernel. In a uniform
//! medium `whole = primary + scatter ∗ scattered`, so that `scatter` is a quotient of spectra, and the three give back
//! the whole exactly. Elsewhere the scattered energy can be weighted with the density of where it is scattered.

use std::sync::{Arc, LazyLock, Mutex};

use ndarray::{Array3, Axis, ShapeBuilder, Zip};
use realfft::RealFftPlanner;

use super::kernel_spectrum::EvenTransform;
use crate::domain::{Control, DoseError};
use crate::math::cache::{Cache, SharedCache};
use crate::math::smooth::next_smooth;
use crate::physics::kernel::{KernelSpec, VoxelKernel};

/// Spectra of scattered energy below this part of the highest are taken for none.
const LEAST_SPECTRUM: f64 = 1e-9;
/// Memory for kernels that are kept for later requests, in the whole process [bytes].
const KEPT_BYTES: u64 = 256 << 20;

/// What a kernel of scatter depends on: the kernels that it is made of.
type Key = [KernelSpec; 3];

static KERNELS: SharedCache<Key, Arc<VoxelKernel>> =
    LazyLock::new(|| Mutex::new(Cache::new("scatter kernels", KEPT_BYTES, |kernel| kernel.bytes())));

/// What scattered photons leave, per energy that is scattered in a voxel [MeV/MeV].
///
/// * `whole`, `primary`, `scattered` – of the same voxels and half width
///
/// # Errors
/// [`DoseError::Cancelled`].
pub fn scatter_kernel(
    whole: &VoxelKernel,
    primary: &VoxelKernel,
    scattered: &VoxelKernel,
    control: &Control,
) -> Result<Arc<VoxelKernel>, DoseError> {
    let key = [whole, primary, scattered].map(|kernel| kernel.spec.clone());
    let kept = || KERNELS.lock().expect("no thread panics while it holds the kernels");
    if let Some(kernel) = kept().get(&key) {
        return Ok(kernel);
    }
    let half_width = whole.spec.half_width;
    let padded = half_width.map(|h| next_smooth(2 * h + 1, 1));
    let mut planner = RealFftPlanner::new();
    let mut transforms = padded.map(|n| EvenTransform::new(n, &mut planner));
    let mut spectrum_of = |octant: &dyn Fn([usize; 3]) -> f64| -> Result<Array3<f64>, DoseError> {
        let bins = padded.map(|n| n / 2 + 1);
        let mut values = Array3::from_shape_fn((bins[0], bins[1], bins[2]).f(), |(i, j, k)| {
            let within = i <= half_width[0] && j <= half_width[1] && k <= half_width[2];
            if within { octant([i, j, k]) } else { 0.0 }
        });
        transform(&mut values, &mut transforms, control)?;
        Ok(values)
    };
    let later = spectrum_of(&|index| whole.octant[index] - primary.octant[index])?;
    let mut quotient = spectrum_of(&|index| scattered.octant[index])?;
    let least = LEAST_SPECTRUM * quotient.iter().copied().fold(0.0, f64::max);
    let points: f64 = padded.iter().map(|&n| n as f64).product();
    Zip::from(&mut quotient).and(&later).for_each(|quotient, later| {
        *quotient = if *quotient > least { later / *quotient / points } else { 0.0 };
    });
    transform(&mut quotient, &mut transforms, control)?;
    let [hx, hy, hz] = half_width.map(|h| h + 1);
    let octant = Array3::from_shape_fn((hx, hy, hz).f(), |index| quotient[index]);
    let spec = KernelSpec { per_scattered: true, ..whole.spec.clone() };
    let kernel = Arc::new(VoxelKernel { spec, octant, captured_mev: 1.0 });
    kept().insert(key, Arc::clone(&kernel));
    Ok(kernel)
}

/// Transforms an octant of a symmetric volume along each axis, in place.
fn transform(
    values: &mut Array3<f64>,
    transforms: &mut [EvenTransform; 3],
    control: &Control,
) -> Result<(), DoseError> {
    for (axis, transform) in transforms.iter_mut().enumerate() {
        if control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
        for mut lane in values.lanes_mut(Axis(axis)) {
            let line = lane.to_vec();
            transform.run(|i| line[i], |bin, value| lane[bin] = value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::watch::Unwatched;
    use crate::physics::kernel::{integrate, radial_parts};
    use crate::physics::nuclide;

    #[test]
    fn the_parts_of_a_kernel_give_back_the_whole() {
        let emissions = nuclide::emissions(nuclide::find("I-131").expect("a known nuclide"));
        let parts = radial_parts(emissions, crate::domain::KernelMedium::Water).expect("energies that kernels have");
        let kernel = |radial: &Arc<crate::physics::kernel::RadialKernel>| {
            let spec = KernelSpec {
                radial: Arc::clone(radial),
                local_mev: 0.0,
                medium: crate::domain::KernelMedium::Water,
                spacing_cm: [0.8, 0.8, 1.0],
                half_width: [14, 14, 11],
                truncation_radius_cm: None,
                per_scattered: false,
            };
            integrate(&spec, &Unwatched).expect("nobody cancels")
        };
        let [whole, primary, scattered] = [&parts.photons, &parts.primary, &parts.scattered].map(kernel);
        let scatter = scatter_kernel(&whole, &primary, &scattered, &Control::detached()).expect("nobody cancels");
        // Directly, where both factors are within their half widths.
        let at = |octant: &Array3<f64>, offset: [i64; 3]| {
            let [i, j, k] = offset.map(|n| usize::try_from(n.unsigned_abs()).expect("small"));
            octant.get([i, j, k]).copied().unwrap_or(0.0)
        };
        for target in [[0, 0, 0], [1, 0, 0], [2, 1, 0], [4, 0, 3]] {
            let mut sum = at(&primary.octant, target);
            for k in -11..=11i64 {
                for j in -14..=14i64 {
                    for i in -14..=14i64 {
                        let rest = [target[0] - i, target[1] - j, target[2] - k];
                        sum += at(&scattered.octant, [i, j, k]) * at(&scatter.octant, rest);
                    }
                }
            }
            let whole = at(&whole.octant, target);
            assert!((sum / whole - 1.0).abs() < 0.01, "{target:?}: {sum} {whole}");
        }
    }
}
