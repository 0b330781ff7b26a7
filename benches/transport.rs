//! Monte Carlo transport by engine, phantom and nuclide: `transport/<engine>/<phantom>/<nuclide>`, in histories/s, and
//! 1/(σ²T) in the voxels with activity.
//!
//! The patient is measured if the reference data are found (`DOSEGRID_REFERENCE`). "Per core" divides by the number of
//! threads of the CPU engine.

#[path = "../tests/support/patient.rs"]
mod patient;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dosegrid::bench;
use dosegrid::domain::Tally;
use dosegrid::domain::{Control, DeviceKind, DeviceSelector, DoseError};
use dosegrid::engine::{Device, list_devices};
use dosegrid::physics::nuclide;
use dosegrid::validate::layered;
use dosegrid::validate::phantom::Phantom;

/// Histories of one measurement on hardware, and on a software adapter.
const HISTORIES: u64 = 200_000;
const SOFTWARE_HISTORIES: u64 = 5_000;
/// Time for 1/(σ²T) [s].
const SECONDS: f64 = 5.0;

/// A file of the reference data that may not be committed.
fn reference(name: &str) -> PathBuf {
    let root = std::env::var_os("DOSEGRID_REFERENCE")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference")), PathBuf::from);
    root.join(name)
}

fn phantoms() -> Vec<(&'static str, String, Phantom)> {
    let spectrum = |name: &str| nuclide::emissions(nuclide::find(name).expect("a known nuclide")).clone();
    let of = |phantom: &'static str, bare: &Phantom| {
        let nuclides = ["Lu-177", "Y-90", "I-131"].into_iter();
        nuclides.map(|name| (phantom, name.to_owned(), Phantom { emissions: spectrum(name), ..bare.clone() })).collect()
    };
    let mut all: Vec<_> = of("layered", &layered::phantom(spectrum("Lu-177")));
    if reference("patient").exists() {
        all.extend(of("patient", &patient::patient().0));
    } else {
        eprintln!("the reference data is absent: the patient is not measured (set DOSEGRID_REFERENCE)");
    }
    all
}

fn transport(criterion: &mut Criterion) {
    let phantoms = phantoms();
    for info in list_devices() {
        let selector: DeviceSelector = info.id.parse().expect("a listed name");
        let mut device = Device::open(selector).expect("a listed device");
        eprintln!("{}: {} ({}, {})", info.id, info.name, info.backend, info.driver);
        let mut group = criterion.benchmark_group(format!("transport/{}", info.id));
        let (is_cpu, is_software) = (info.kind == DeviceKind::Cpu, info.kind == DeviceKind::SoftwareGpu);
        let n = if is_software { SOFTWARE_HISTORIES } else { HISTORIES };
        group.sample_size(10).measurement_time(Duration::from_secs(5)).throughput(Throughput::Elements(n));
        for (name, nuclide, phantom) in &phantoms {
            let speed = match bench::transport(&mut device, phantom, SECONDS) {
                Err(DoseError::DeviceUnavailable(reason)) => {
                    eprintln!("{}: not measured, it has no {reason}", info.id);
                    break;
                }
                speed => speed.expect("histories can be run"),
            };
            let cores = if is_cpu { rayon::current_num_threads() as f64 } else { 1.0 };
            eprintln!(
                "{}/{name}/{nuclide}: {:.3e} histories/s, 1/(σ²T) {:.3e} per s{}",
                info.id,
                speed.histories_per_s / cores,
                speed.efficiency_per_s / cores,
                if is_cpu { " and core" } else { "" }
            );
            let (scene, mut from) = (phantom.scene(), 0);
            let mut tally = Tally::new(phantom.groups, phantom.grid.voxels());
            group.bench_function(BenchmarkId::new(*name, nuclide), |bencher| {
                bencher.iter_custom(|times| {
                    let start = Instant::now();
                    for _ in 0..times {
                        let range = from..from + n;
                        device.transport(&scene, range, &mut tally, &Control::detached()).expect("it runs");
                        from += n;
                    }
                    start.elapsed()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, transport);
criterion_main!(benches);
