//! The convolution of the kernel method against a plain sum over all pairs of voxels, in double precision.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Uniform};
use rayon::prelude::*;

use super::Check;
use super::findings::{Findings, Row};
use super::rig::Rig;
use super::statistics::Estimate;
use crate::domain::{DoseError, KernelMedium, Stage, Volume, VoxelGrid};
use crate::physics::kernel::{KernelSpec, VoxelKernel, voxel_kernel};
use crate::physics::nuclide;
use crate::plan::ConvolutionPlan;
use crate::report::{Axis, Figure, Series};

pub(super) const CHECK: Check = Check {
    name: "convolution",
    title: "Kernel convolution against a direct sum",
    meaning: "The kernel method convolves by Fourier transforms in single precision. Here the energy in each voxel \
        is compared with the plain sum over all pairs of voxels in double precision. Voxels are grouped by how far \
        they lie below the maximum, because rounding errors show where the dose is low.",
    tolerance: "A root mean square of 1e-5 of the voxel's own value down to five decades below the maximum, and 1e-4 \
        at six: the design target of this program.",
    measure,
};

/// Largest root mean square of the relative error, by decade below the maximum.
pub const RMS_BY_DECADE: [f64; 7] = [1e-5, 1e-5, 1e-5, 1e-5, 1e-5, 1e-5, 1e-4];

/// Nuclide, shape and spacing [mm].
const CASES: [(&str, [u64; 3], [f64; 3]); 3] = [
    ("Lu-177", [32, 28, 24], [4.0, 4.0, 4.4]),
    ("Y-90", [30, 25, 21], [2.0, 3.0, 2.5]),
    ("I-131", [36, 1, 30], [4.8; 3]),
];

fn measure(rig: &mut Rig) -> Result<Findings, DoseError> {
    let cases = CASES.map(|(name, shape, spacing_mm)| {
        let grid = Arc::new(VoxelGrid::new(shape, spacing_mm).expect("a grid that a check chose"));
        let source = hot_in_cold(&grid);
        let half_width = grid.shape().map(|n| n - 1);
        let decaying = nuclide::find(name).expect("a known nuclide").into();
        let spec = KernelSpec::new(&decaying, KernelMedium::Water, grid.spacing_cm(), half_width);
        let spec = spec.expect("energies that kernels have");
        let kernel = voxel_kernel(&spec, &rig.control.at_stage(Stage::Kernel))?;
        let plan = ConvolutionPlan::new(&grid, &spec, 1 << 30)?;
        let found = rig.device.convolve(&plan, &kernel, &source, rig.control)?;
        Ok((name, rms_by_decade(found.as_slice(), &convolve_directly(&kernel, &source))))
    });
    Ok(compare(&cases.into_iter().collect::<Result<Vec<_>, DoseError>>()?))
}

/// A hot block in noise that is a million times weaker.
fn hot_in_cold(grid: &Arc<VoxelGrid>) -> Volume<f32> {
    let mut random: ChaCha8Rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(17);
    let noise = Uniform::new(0.0f32, 1e3).expect("a range");
    let [nx, ny, nz] = grid.shape();
    let is_hot = |index: usize, length: usize| index >= length / 5 && index <= length / 3;
    let value = |voxel: usize| {
        let (x, y, z) = (voxel % nx, voxel / nx % ny, voxel / nx / ny);
        let cold = noise.sample(&mut random);
        if is_hot(x, nx) && is_hot(y, ny) && is_hot(z, nz) { 1e9 + cold } else { cold }
    };
    Volume::from_vec(grid.clone(), (0..grid.voxels()).map(value).collect()).expect("one value a voxel")
}

fn compare(cases: &[(&str, [Option<f64>; 7])]) -> Findings {
    let mut findings = Findings::default();
    let axes = [Axis::linear("decades under the maximum"), Axis::logarithmic("rms relative error")];
    let mut figure = Figure::new("Relative error by decade", axes);
    let limit = RMS_BY_DECADE.iter().enumerate().map(|(decade, limit)| [decade as f64, *limit]);
    figure.series.push(Series::line("tolerance", limit));
    for (name, rms) in cases {
        let seen: Vec<(usize, f64)> =
            rms.iter().enumerate().filter_map(|(decade, rms)| Some((decade, (*rms)?))).collect();
        findings.rows.extend(seen.iter().map(|&(decade, rms)| {
            let quantity = format!("{name}, rms relative error {decade} decades under the maximum");
            Row::new(quantity, Estimate::exact(rms), 0.0, RMS_BY_DECADE[decade])
        }));
        let points = seen.iter().filter(|(_, rms)| *rms > 0.0).map(|&(decade, rms)| [decade as f64, rms, 0.0]);
        figure.series.push(Series::points(*name, points));
    }
    findings.figures.push(figure);
    findings
}

/// Root mean square of the relative error of the voxels in each decade below the maximum; none for a decade without a
/// voxel.
pub fn rms_by_decade(found: &[f32], expected: &[f64]) -> [Option<f64>; 7] {
    let most = expected.iter().copied().fold(0.0, f64::max);
    let mut sums = [(0.0, 0usize); 7];
    for (&found, &expected) in found.iter().zip(expected).filter(|(_, e)| **e > 0.0) {
        let depth = (most / expected).log10();
        let decade = (0..7).find(|&decade| depth < decade as f64 + 0.5);
        if let Some((sum, count)) = decade.map(|decade| &mut sums[decade]) {
            *sum += (f64::from(found) / expected - 1.0).powi(2);
            *count += 1;
        }
    }
    sums.map(|(sum, count)| (count > 0).then(|| (sum / count as f64).sqrt()))
}

/// Energy in each voxel [MeV], x fastest, by one multiplication for each pair of voxels within reach of the kernel.
pub fn convolve_directly(kernel: &VoxelKernel, source: &Volume<f32>) -> Vec<f64> {
    let shape = source.grid().shape();
    let [nx, ny, nz] = shape;
    let [hx, hy, hz] = kernel.spec.half_width;
    let rows: Vec<&[f32]> = source.as_slice().chunks_exact(nx).collect();
    let mut energy = vec![0.0; nx * ny * nz];
    energy.par_chunks_exact_mut(nx).enumerate().for_each(|(row, energy)| {
        let (y, z) = (row % ny, row / ny);
        for from_z in z.saturating_sub(hz)..nz.min(z + hz + 1) {
            for from_y in y.saturating_sub(hy)..ny.min(y + hy + 1) {
                let offset = |x: usize| kernel.octant[[x, y.abs_diff(from_y), z.abs_diff(from_z)]];
                let line: Vec<f64> = (0..=hx).map(offset).collect();
                for (from_x, &decays) in rows[from_z * ny + from_y].iter().enumerate().filter(|(_, d)| **d != 0.0) {
                    for x in from_x.saturating_sub(hx)..nx.min(from_x + hx + 1) {
                        energy[x] += f64::from(decays) * line[x.abs_diff(from_x)];
                    }
                }
            }
        }
    });
    energy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "single precision is what is tested")]
    fn voxels_that_are_off_fail_in_any_decade() {
        let expected: Vec<f64> = (0..700).map(|n| 10f64.powf(-f64::from(n) / 100.0)).collect();
        let findings = |factor: &dyn Fn(usize) -> f64| {
            let found: Vec<f32> = expected.iter().enumerate().map(|(n, e)| (e * factor(n)) as f32).collect();
            compare(&[("a case", rms_by_decade(&found, &expected))])
        };
        assert!(findings(&|_| 1.0).passes());
        assert!(!findings(&|_| 1.000_02).passes());
        for decade in 0..7 {
            assert!(!findings(&|n| if n == 100 * decade { 1.01 } else { 1.0 }).passes(), "{decade}");
        }
        assert!(!findings(&|n| if n == 5 { f64::NAN } else { 1.0 }).passes());
    }
}
