//! Activity maps and kernels for tests of the convolution.

use std::sync::Arc;

use ndarray::{Array3, ShapeBuilder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use dosegrid::domain::{Volume, VoxelGrid};
use dosegrid::physics::kernel::{KernelSpec, VoxelKernel};
use dosegrid::physics::nuclide;

/// A volume of decays, voxel by voxel.
pub(crate) fn volume(shape: [u64; 3], spacing_mm: [f64; 3], decays: impl FnMut([usize; 3]) -> f32) -> Volume<f32> {
    let grid = VoxelGrid::new(shape, spacing_mm).expect("a good grid");
    let [nx, ny, nz] = grid.shape();
    let indices = (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| [x, y, z])));
    let values = indices.map(decays).collect();
    Volume::from_vec(Arc::new(grid), values).expect("one value a voxel")
}

/// Random numbers from 0 to 1e9 decays in every voxel.
pub(crate) fn random(shape: [u64; 3], spacing_mm: [f64; 3], seed: u64) -> Volume<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    volume(shape, spacing_mm, |_| rng.random::<f32>() * 1e9)
}

/// One voxel off the centre.
pub(crate) fn point(shape: [u64; 3], spacing_mm: [f64; 3]) -> Volume<f32> {
    let at = shape.map(|n| n as usize / 3);
    volume(shape, spacing_mm, |index| if index == at { 7.3e11 } else { 0.0 })
}

/// A hot block in a background a million times weaker, which is itself noisy.
pub(crate) fn hot_in_cold(shape: [u64; 3], spacing_mm: [f64; 3]) -> Volume<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let hot = |n: usize, length: u64| n >= length as usize / 5 && n <= length as usize / 3;
    volume(shape, spacing_mm, |[x, y, z]| {
        let cold = 1e3 * rng.random::<f32>();
        if hot(x, shape[0]) && hot(y, shape[1]) && hot(z, shape[2]) { 1e9 + cold } else { cold }
    })
}

/// All of these.
pub(crate) fn all(shape: [u64; 3], spacing_mm: [f64; 3]) -> [(&'static str, Volume<f32>); 3] {
    [
        ("random", random(shape, spacing_mm, 5)),
        ("point source", point(shape, spacing_mm)),
        ("hot in cold", hot_in_cold(shape, spacing_mm)),
    ]
}

/// A kernel that reaches over a whole grid, with a centre and a tail as those of Lu-177: betas that end within 2 mm, photons that fall off with the
/// inverse square and are attenuated.
pub(crate) fn beta_kernel(grid: &VoxelGrid) -> VoxelKernel {
    let (half_width, spacing_cm) = (grid.shape().map(|n| n - 1), grid.spacing_cm());
    let [hx, hy, hz] = half_width;
    let volume_cm3: f64 = grid.voxel_volume_cm3();
    let octant = Array3::from_shape_fn((hx + 1, hy + 1, hz + 1).f(), |(i, j, k)| {
        let squared = |n: usize, d: f64| (n as f64 * d).powi(2);
        let distance2 = squared(i, spacing_cm[0]) + squared(j, spacing_cm[1]) + squared(k, spacing_cm[2]);
        let r2 = distance2 + volume_cm3.powf(2.0 / 3.0) / 8.0;
        let beta = 0.14 * (-((distance2.sqrt() / 0.12).powi(2))).exp();
        beta + 7e-5 * volume_cm3 * (-0.1 * r2.sqrt()).exp() / r2
    });
    let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
    let spec = KernelSpec { nuclide, spacing_cm, half_width, truncation_radius_cm: None };
    VoxelKernel { spec, octant, captured_mev: 0.15 }
}
