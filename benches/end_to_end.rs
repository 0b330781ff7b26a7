//! A whole dose through the service on loopback: `end_to_end/<method>/<size>`, in voxels/s, warm, on the CPU. `kernel`
//! is with the default correction for density, `kernel-water` without: one convolution.

use std::{sync::Arc, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dosegrid::api::{ServerConfig, client::Client, server::serve};
use dosegrid::domain::{
    ActivityUnit, DensityCorrection, DensityMap, DeviceSelector, DoseRequest, KernelOptions, LocalOptions, Method,
    TimeIntegratedActivity, Volume, VoxelGrid,
};
use dosegrid::{engine::Device, physics::nuclide};
use rand::{RngExt, SeedableRng};
use tokio::runtime::Runtime;

const SIDE: u64 = 128;
const SEED: u64 = 7;

fn request(method: Method) -> DoseRequest {
    let grid = Arc::new(VoxelGrid::new([SIDE; 3], [4.0; 3]).expect("a good grid"));
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(SEED);
    let activity = (0..grid.voxels()).map(|_| random.random_range(0.0..1e9)).collect();
    let activity = Volume::from_vec(grid.clone(), activity).expect("a value for each voxel");
    let density = Volume::from_vec(grid.clone(), vec![1.0; grid.voxels()]).expect("a value for each voxel");
    DoseRequest::new(
        TimeIntegratedActivity::new(activity, ActivityUnit::BqS).expect("good"),
        Some(DensityMap::new(density).expect("good")),
        nuclide::find("Lu-177").expect("known"),
        method,
    )
    .expect("a good request")
}

fn end_to_end(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let client = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
        let device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
        tokio::spawn(serve(ServerConfig::default(), listener, device, std::future::pending()));
        Client::connect(&url).await.expect("the server listens")
    });
    let mut group = criterion.benchmark_group("end_to_end");
    group.sample_size(10).measurement_time(Duration::from_secs(15)).throughput(Throughput::Elements(SIDE.pow(3)));
    let water = KernelOptions { density_correction: DensityCorrection::None, ..KernelOptions::default() };
    for (name, method) in [
        ("local", Method::Local(LocalOptions::default())),
        ("kernel", Method::Kernel(KernelOptions::default())),
        ("kernel-water", Method::Kernel(water)),
    ] {
        let request = request(method);
        group.bench_function(format!("{name}/{SIDE}"), |bencher| {
            bencher.iter(|| runtime.block_on(client.compute(&request, |_| {})).expect("a dose"));
        });
    }
    group.finish();
}

criterion_group!(benches, end_to_end);
criterion_main!(benches);
