//! Integration of voxel S values, without the cache.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dosegrid::domain::KernelMedium;
use dosegrid::math::watch::Unwatched;
use dosegrid::physics::kernel::{KernelSpec, integrate};
use dosegrid::physics::nuclide::find;

fn voxel_s_values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("voxel_s_values/cpu");
    group.sample_size(10);
    for (name, spacing_mm, half_width) in [
        ("Lu-177", [4.42; 3], [127, 127, 95]),
        ("Lu-177", [3.906_3, 3.906_3, 4.419_6], [102, 69, 89]),
        ("Y-90", [1.0, 1.0, 1.5], [127, 127, 95]),
        ("I-131", [3.0; 3], [134; 3]),
        ("Lu-177", [1.0; 3], [400; 3]),
    ] {
        let source = find(name).expect("a known nuclide").into();
        let spec = KernelSpec::new(&source, KernelMedium::Water, spacing_mm.map(|d| d / 10.0), half_width);
        let spec = spec.expect("energies that kernels have");
        group.throughput(Throughput::Elements(half_width.map(|h| h as u64 + 1).iter().product()));
        let id = BenchmarkId::new(name, format!("{spacing_mm:?} mm {half_width:?}"));
        group.bench_with_input(id, &spec, |bencher, spec| bencher.iter(|| integrate(spec, &Unwatched)));
    }
    group.finish();
}

criterion_group!(benches, voxel_s_values);
criterion_main!(benches);
