//! Monte Carlo on a real Lu-177 patient: energy balance, and organ means against the kernel method.
//!
//! The data may not be committed. Where it is absent, the test says so and compares nothing.

use std::sync::Arc;

use dosegrid::domain::{Control, Volume};
use dosegrid::engine::Device;
use dosegrid::math::watch::Unwatched;
use dosegrid::physics::kernel::voxel_kernel;
use dosegrid::plan::ConvolutionPlan;
use dosegrid::validate::phantom::Phantom;
use dosegrid::validate::statistics::{Binned, Estimate};

use crate::support::patient::patient;
use crate::support::sources::kernel_spec;
use crate::support::transport::{histories, run};
use crate::support::{cpu, gpu};

/// Labels, and how much the mean dose of Monte Carlo may differ from that of water kernels scaled by density.
const ORGANS: [(usize, &str, f64); 7] = [
    (1, "liver", 0.01),
    (2, "spleen", 0.015),
    (3, "left kidney", 0.01),
    (4, "right kidney", 0.01),
    (5, "tumour 1", 0.02),
    (6, "tumour 2", 0.02),
    (7, "tumour 3", 0.02),
];

/// Energy in each organ by the kernel method [MeV per decay].
fn by_kernel(device: &mut Device, phantom: &Phantom, labels: &[u16]) -> Vec<f64> {
    let grid = &phantom.grid;
    let activity = Volume::from_vec(Arc::new(grid.clone()), phantom.decays.clone()).expect("one value a voxel");
    let half_width = grid.shape().map(|n| n - 1);
    let spec = kernel_spec("Lu-177", grid.spacing_cm(), half_width);
    let kernel = voxel_kernel(&spec, &Unwatched).expect("nobody cancels");
    let plan = ConvolutionPlan::new(grid, &spec, 1 << 34).expect("it fits");
    let energy = device.convolve(&plan, &kernel, &activity, &Control::detached()).expect("it runs");
    let decays: f64 = phantom.decays.iter().map(|&decays| f64::from(decays)).sum();
    let mut organs = vec![0.0; 8];
    for (&label, &energy) in labels.iter().zip(energy.as_slice()) {
        organs[usize::from(label)] += f64::from(energy) / decays;
    }
    organs
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn organ_means_agree_on_the_cpu() {
    organ_means_by_transport_and_by_kernels_agree_where_they_must(cpu());
}

#[test]
#[cfg_attr(
    any(no_reference, no_gpu_driver),
    ignore = "the reference data, or a GPU driver, was not found when this was built"
)]
fn organ_means_agree_on_the_gpu() {
    organ_means_by_transport_and_by_kernels_agree_where_they_must(gpu());
}

fn organ_means_by_transport_and_by_kernels_agree_where_they_must(mut device: Device) {
    let (phantom, labels) = patient();
    let n = histories(&device, 400_000);
    let by_kernel = by_kernel(&mut device, &phantom, &labels);
    let tally = run(&mut device, &phantom, 0..n);
    let found = tally.sum_mev(|group| group.deposited) + tally.sum_mev(|group| group.escaped);
    assert!((found / tally.sum_mev(|group| group.emitted) - 1.0).abs() < 1e-5);
    let organs = Binned::new(&tally, 8, |voxel| Some(usize::from(labels[voxel])));
    for (label, name, expected) in ORGANS {
        // Both divide by the same mass: the ratio of energies is that of mean doses by mass.
        let Estimate { mean, sigma } = organs.mean(label).scaled(1.0 / by_kernel[label]);
        println!("{}: {name}: transport over kernel {mean:.4} ± {sigma:.4}", device.info().name);
        assert!((mean - 1.0).abs() < expected + 4.0 * sigma, "{name}: {mean} ± {sigma}");
    }
}
