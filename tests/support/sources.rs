//! Activity maps and kernels for tests of the convolution, and the convolution itself.

#![expect(clippy::cast_possible_truncation, reason = "a test's own figures fit")]

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use dosegrid::domain::{Control, KernelMedium, Source, Volume, VoxelGrid};
use dosegrid::engine::Device;
use dosegrid::math::watch::Unwatched;
use dosegrid::physics::kernel::{KernelSpec, VoxelKernel, voxel_kernel};
use dosegrid::physics::nuclide;
use dosegrid::plan::ConvolutionPlan;

/// Workspace that no test exceeds [bytes].
pub(crate) const AMPLE: u64 = 1 << 40;

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

/// The voxel kernel of a nuclide that reaches over a whole grid.
pub(crate) fn kernel(nuclide: &str, grid: &VoxelGrid) -> Arc<VoxelKernel> {
    kernel_of(nuclide, grid, grid.shape().map(|n| n - 1))
}

/// The voxel kernel of a nuclide with `half_width` offsets on each side.
pub(crate) fn kernel_of(nuclide: &str, grid: &VoxelGrid, half_width: [usize; 3]) -> Arc<VoxelKernel> {
    voxel_kernel(&kernel_spec(nuclide, grid.spacing_cm(), half_width), &Unwatched).expect("nobody cancels")
}

/// The kernel in water of a nuclide.
pub(crate) fn kernel_spec(nuclide: &str, spacing_cm: [f64; 3], half_width: [usize; 3]) -> KernelSpec {
    let source = nuclide::find(nuclide).expect("a known nuclide").into();
    KernelSpec::new(&source, KernelMedium::Water, spacing_cm, half_width).expect("energies that kernels have")
}

/// What EGSnrc was given to emit, for comparisons with it.
pub(crate) fn egsnrc_source(nuclide: &str) -> Source {
    let path = format!("{}/data/validation/emissions_{nuclide}.csv", env!("CARGO_MANIFEST_DIR"));
    let spectrum = dosegrid::formats::emissions::read(path.as_ref()).expect("a spectrum");
    Source::with_emissions(None, spectrum).expect("a spectrum without a nuclide")
}

/// Convolves as planned for a workspace, uninterrupted.
pub(crate) fn convolve(
    device: &mut Device,
    kernel: &VoxelKernel,
    source: &Volume<f32>,
    workspace_bytes: u64,
) -> Volume<f32> {
    let plan = ConvolutionPlan::new(source.grid(), &kernel.spec, workspace_bytes).expect("the workspace is enough");
    device.convolve(&plan, kernel, source, &Control::detached()).expect("nobody cancels")
}
