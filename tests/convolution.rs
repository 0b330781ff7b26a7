//! Convolution on every engine, against a direct sum in `f64`.

use dosegrid::domain::{Control, Volume};
use dosegrid::engine::Device;
use dosegrid::physics::kernel::VoxelKernel;
use dosegrid::plan::ConvolutionPlan;

use crate::support::direct::convolve_directly;
use crate::support::sources::{self, beta_kernel};
use crate::support::{self};

/// Workspace that no test exceeds [bytes].
const AMPLE: u64 = 1 << 40;

/// Largest rms of the relative error, by decade of the local energy under the maximum.
const RMS_BY_DECADE: [f64; 7] = [1e-5, 1e-5, 1e-5, 1e-5, 1e-5, 1e-5, 1e-4];

fn convolve(device: &mut Device, kernel: &VoxelKernel, source: &Volume<f32>, workspace_bytes: u64) -> Volume<f32> {
    let plan = ConvolutionPlan::new(source.grid(), &kernel.spec, workspace_bytes).expect("the workspace is ample");
    device.convolve(&plan, kernel, source, &Control::detached()).expect("nobody cancels")
}

/// Root mean square of the relative error of the voxels in each decade under the maximum; 0 for a decade without a voxel.
fn rms_by_decade(found: &[f32], expected: &[f64]) -> [f64; 7] {
    let most = expected.iter().copied().fold(0.0, f64::max);
    let mut sums = [(0.0, 0usize); 7];
    for (&found, &expected) in found.iter().zip(expected).filter(|(_, e)| **e > 0.0) {
        let decade = (most / expected).log10().round() as usize;
        if let Some((sum, count)) = sums.get_mut(decade) {
            *sum += (f64::from(found) / expected - 1.0).powi(2);
            *count += 1;
        }
    }
    sums.map(|(sum, count)| if count == 0 { 0.0 } else { (sum / count as f64).sqrt() })
}

#[test]
fn every_engine_agrees_with_a_direct_sum() {
    let cases: [([u64; 3], [f64; 3]); 6] = [
        ([24, 20, 18], [4.0; 3]),
        ([31, 29, 23], [3.9063, 3.9063, 4.4196]),
        ([17, 1, 13], [2.0, 5.0, 3.0]),
        ([1, 1, 37], [2.4; 3]),
        ([41, 1, 1], [4.8; 3]),
        ([1, 1, 1], [4.8; 3]),
    ];
    for mut device in support::engines() {
        let name = device.info().name;
        for (shape, spacing_mm) in cases {
            for (map, source) in sources::all(shape, spacing_mm) {
                let kernel = beta_kernel(source.grid());
                let found = convolve(&mut device, &kernel, &source, AMPLE);
                let rms = rms_by_decade(found.as_slice(), &convolve_directly(&kernel, &source));
                eprintln!("{name} {shape:?} {spacing_mm:?} {map}: {}", rms.map(|r| format!("{r:.1e}")).join(" "));
                for (decade, (rms, limit)) in rms.into_iter().zip(RMS_BY_DECADE).enumerate() {
                    assert!(rms <= limit, "{name} {shape:?} {map}: rms {rms:.1e} at decade {decade}");
                }
            }
        }
    }
}
