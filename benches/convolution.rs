//! Convolution of a volume with a voxel kernel, by engine and size: `convolution/<engine>/<size>`, in voxels/s.

#![expect(clippy::cast_possible_truncation, reason = "a bench's own sizes fit")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array3, ShapeBuilder};

use dosegrid::domain::{Control, DeviceKind, DeviceSelector, KernelMedium, Volume, VoxelGrid};
use dosegrid::engine::{Device, list_devices};
use dosegrid::physics::kernel::{KernelSpec, VoxelKernel};
use dosegrid::physics::nuclide;
use dosegrid::plan::ConvolutionPlan;

/// Voxel edge [mm] of a clinical SPECT: the betas of Lu-177 stop in their own voxel and the next.
const SPACING_MM: [f64; 3] = [4.0; 3];

/// Edges of the volume, with the half width of the kernel.
const SIZES: [(u64, usize); 4] = [(64, 16), (128, 16), (192, 31), (256, 31)];

/// Activity in every voxel, all values different.
fn source(edge: u64) -> Volume<f32> {
    let grid = VoxelGrid::new([edge; 3], SPACING_MM).expect("a good grid");
    let values = (0..grid.voxels() as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 8) as f32).collect();
    Volume::from_vec(Arc::new(grid), values).expect("one value a voxel")
}

/// The shape of a beta emitter's kernel. The time does not depend on its values.
fn kernel(half_width: usize, grid: &VoxelGrid) -> VoxelKernel {
    let edge = half_width + 1;
    let octant = Array3::from_shape_fn((edge, edge, edge).f(), |(i, j, k)| {
        let r2 = (i * i + j * j + k * k) as f64;
        0.1 * (-r2 * 6.0).exp() + 1e-4 / (r2 + 0.1)
    });
    let source = nuclide::find("Lu-177").expect("a known nuclide").into();
    let spec = KernelSpec::new(&source, KernelMedium::Water, grid.spacing_cm(), [half_width; 3]);
    let spec = spec.expect("energies that kernels have");
    VoxelKernel { spec, octant, captured_mev: 0.1 }
}

fn convolution(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("convolution");
    group.sample_size(10);
    for info in list_devices() {
        let mut device =
            Device::open(info.id.parse::<DeviceSelector>().expect("a listed name")).expect("a listed device");
        // A software adapter takes minutes for the large sizes, and its speed says nothing about a GPU.
        let largest = if info.kind == DeviceKind::SoftwareGpu { 64 } else { 256 };
        eprintln!("{}: {} ({}, {})", info.id, info.name, info.backend, info.driver);
        for (edge, half_width) in SIZES.into_iter().filter(|(edge, _)| *edge <= largest) {
            let source = source(edge);
            let kernel = kernel(half_width, source.grid());
            let plan = ConvolutionPlan::new(source.grid(), &kernel.spec, 1 << 40).expect("it fits");
            group.throughput(Throughput::Elements(source.grid().voxels() as u64));
            group.bench_function(BenchmarkId::new(&info.id, format!("{edge}^3*{}^3", 2 * half_width + 1)), |bencher| {
                let control = Control::detached();
                bencher.iter(|| device.convolve(&plan, &kernel, black_box(&source), &control).expect("it runs"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, convolution);
criterion_main!(benches);
