//! The energy at one offset, by a rule that is accurate enough for it.

use std::sync::LazyLock;

use super::density_table::DensityTable;
use super::radial::RadialKernel;
use super::rays;
use crate::math::gauss::GaussRule;
use crate::math::watch::{Interrupted, Watch};

/// Offsets with more than this fraction of the energy in the source voxel are integrated along rays, as are those whose
/// support contains the source point.
const RAYS_ABOVE: f64 = 2e-3;
/// Points per axis of the Gauss rules for the triangular overlap, each tried when the one before is not accurate
/// enough; after the last, rays are used.
const POINTS: [usize; 4] = [2, 4, 8, 16];
/// A rule is accurate enough if it differs from the one before by at most this fraction of its value, or of the energy
/// in the source voxel.
const AGREEMENT: f64 = 5e-4;
const FAINT_AGREEMENT: f64 = 1e-7;
/// Largest change of the logarithm of the density over the support at which the first rule is used; far from the source
/// it is used without a check.
const SMOOTH_CHANGE: f64 = 0.5;
/// Where the kernel ends within the support its density jumps. Rays follow the jump, but if the end is many voxels
/// away, there are many such offsets with little energy in each. Up to these distances, in units of the support's
/// reach, rays and the last rule are used; beyond, the second rule.
const RAYS_AT_END: f64 = 6.0;
const LAST_RULE_AT_END: f64 = 24.0;

static GAUSS: LazyLock<[GaussRule; 4]> = LazyLock::new(|| POINTS.map(GaussRule::triangle));

/// Chooses and applies a rule for each offset.
pub(super) struct Integrator<'a> {
    kernel: &'a RadialKernel,
    spacing_cm: [f64; 3],
    /// Distance between the centre of an offset's support and its corner [cm].
    reach_cm: f64,
    /// Distance of an offset beyond which the first Gauss rule is accurate, unless the kernel ends within the support
    /// [cm].
    smooth_cm: f64,
    /// The kernel beyond that distance.
    smooth_density: DensityTable,
    /// Energy in the source voxel [MeV per decay].
    self_mev: f64,
}

impl<'a> Integrator<'a> {
    pub(super) fn new(kernel: &'a RadialKernel, spacing_cm: [f64; 3]) -> Self {
        let reach_cm = spacing_cm.iter().map(|d| d * d).sum::<f64>().sqrt();
        let smooth_cm = smooth_distance(kernel, reach_cm);
        let smooth_density = DensityTable::new(kernel, (smooth_cm - reach_cm).min(kernel.end_cm()));
        let self_mev = rays::energy(kernel, spacing_cm, [0; 3]);
        Self { kernel, spacing_cm, reach_cm, smooth_cm, smooth_density, self_mev }
    }

    /// By axis: from this offset on, all offsets are smooth.
    pub(super) fn steep_shape(&self) -> [usize; 3] {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above 0; the cast saturates")]
        self.spacing_cm.map(|d| (self.smooth_cm / d + 1.0).floor() as usize)
    }

    /// Squares of the distances of an offset's centre, and of the nearest and farthest point of its support [cm²].
    fn distances2(&self, offset: [usize; 3]) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for (n, d) in offset.iter().zip(self.spacing_cm) {
            let n = *n as f64;
            for (sum, steps) in sums.iter_mut().zip([n, (n - 1.0).max(0.0), n + 1.0]) {
                *sum += (steps * d).powi(2);
            }
        }
        sums
    }

    /// Energy at an offset far from the source, which is cheap; none if the offset is near.
    pub(super) fn smooth_energy(&self, offset: [usize; 3]) -> Option<f64> {
        let [centre2, near2, far2] = self.distances2(offset);
        let end2 = self.kernel.end_cm().powi(2);
        let density = |r2| self.smooth_density.at(r2);
        if near2 >= end2 {
            Some(0.0)
        } else if centre2 <= self.smooth_cm * self.smooth_cm {
            None
        } else if far2 <= end2 {
            Some(self.gauss_energy(offset, &GAUSS[0], density))
        } else {
            Some(self.gauss_energy(offset, &GAUSS[1], density))
        }
    }

    /// Energy at an offset near the source.
    ///
    /// # Errors
    /// [`Interrupted`]; the watch is asked before every slow rule.
    pub(super) fn steep_energy(&self, offset: [usize; 3], watch: &dyn Watch) -> Result<f64, Interrupted> {
        let [_, near2, far2] = self.distances2(offset);
        let end2 = self.kernel.end_cm().powi(2);
        let density = |r2: f64| self.kernel.density_mev_per_cm3(r2.sqrt());
        if near2 > 0.0 && far2 <= end2 {
            // Two coarse rules may agree by chance where the density bends sharply.
            let steep = change(self.kernel, near2.sqrt(), far2.sqrt()) > SMOOTH_CHANGE;
            let mut previous = f64::NAN;
            for rule in GAUSS.iter().skip(usize::from(steep)) {
                let energy = self.gauss_energy(offset, rule, density);
                if energy > RAYS_ABOVE * self.self_mev {
                    break;
                }
                if (energy - previous).abs() <= AGREEMENT * energy + FAINT_AGREEMENT * self.self_mev {
                    return Ok(energy);
                }
                previous = energy;
            }
        } else if near2 > 0.0 && self.kernel.end_cm() > RAYS_AT_END * self.reach_cm {
            return Ok(self.gauss_energy(offset, &GAUSS[3], density));
        }
        watch.check()?;
        Ok(rays::energy(self.kernel, self.spacing_cm, offset))
    }

    /// * `density` – energy absorbed per volume as a function of r²
    fn gauss_energy(&self, offset: [usize; 3], rule: &GaussRule, density: impl Fn(f64) -> f64) -> f64 {
        let squares = |axis: usize, t: f64| ((offset[axis] as f64 + t) * self.spacing_cm[axis]).powi(2);
        let mut sum = 0.0;
        for (tz, wz) in rule.points.iter().zip(&rule.weights) {
            let z2 = squares(2, *tz);
            for (ty, wy) in rule.points.iter().zip(&rule.weights) {
                let (yz2, wyz) = (squares(1, *ty) + z2, wy * wz);
                for (tx, wx) in rule.points.iter().zip(&rule.weights) {
                    sum += wyz * wx * density(squares(0, *tx) + yz2);
                }
            }
        }
        sum * self.spacing_cm.iter().product::<f64>()
    }
}

/// Searches inwards from the end, in steps of a quarter of the support, for the distance at which the density starts to
/// change too much over the support; infinite if the kernel ends only a few voxels away.
fn smooth_distance(kernel: &RadialKernel, reach_cm: f64) -> f64 {
    let end_cm = kernel.end_cm();
    if end_cm <= LAST_RULE_AT_END * reach_cm {
        return f64::INFINITY;
    }
    let step = 0.25 * reach_cm;
    let mut smooth_cm = end_cm;
    let mut centre = end_cm - reach_cm - 2.0 * step;
    while centre > reach_cm + step
        && change(kernel, centre - reach_cm - step, centre + reach_cm + step) <= SMOOTH_CHANGE
    {
        smooth_cm = centre;
        centre -= step;
    }
    smooth_cm
}

/// Change of the logarithm of the density between two radii within the kernel.
fn change(kernel: &RadialKernel, near_cm: f64, far_cm: f64) -> f64 {
    (kernel.density_mev_per_cm3(near_cm) / kernel.density_mev_per_cm3(far_cm)).ln().abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KernelMedium;
    use crate::math::watch::Unwatched;
    use crate::physics::kernel::radial_kernel;
    use crate::physics::nuclide::{emissions, find};

    fn kernel_of(nuclide: &crate::domain::Nuclide) -> std::sync::Arc<RadialKernel> {
        radial_kernel(emissions(nuclide), KernelMedium::Water).expect("energies that kernels have")
    }

    impl Integrator<'_> {
        fn any_energy(&self, offset: [usize; 3]) -> f64 {
            let steep = || self.steep_energy(offset, &Unwatched).expect("nobody interrupts");
            self.smooth_energy(offset).unwrap_or_else(steep)
        }
    }

    /// Largest error from the choice of rules: a fraction of a voxel's energy, and a fraction of the source voxel's. At
    /// 1e-4 of the source voxel, where the design asks for 2 %, that is 0.5 %.
    const RULE_TOLERANCE: f64 = 2e-3;
    const FAINT_TOLERANCE: f64 = 3e-7;

    fn near_offsets() -> impl Iterator<Item = [usize; 3]> {
        let axis = [0, 1, 2, 3, 5, 8, 14, 20];
        axis.into_iter().flat_map(move |i| {
            axis.into_iter().filter(move |j| *j >= i).flat_map(move |j| [0, 1, 2, 4, 9, 20].map(|k| [i, j, k]))
        })
    }

    #[test]
    fn near_and_far_rules_agree() {
        for nuclide in ["Lu-177", "Y-90", "I-131", "Ga-68", "Po-212"].map(|name| find(name).expect("a known nuclide")) {
            for spacing_mm in
                [[0.05; 3], [0.3; 3], [1.0; 3], [4.42; 3], [15.0; 3], [2.21, 2.21, 3.0], [0.98, 0.98, 5.0]]
            {
                let spacing_cm = spacing_mm.map(|d| d / 10.0);
                let kernel = &kernel_of(nuclide);
                let integrator = Integrator::new(kernel, spacing_cm);
                for offset in near_offsets() {
                    let exact = rays::energy(kernel, spacing_cm, offset);
                    let energy = integrator.any_energy(offset);
                    let difference = (energy - exact).abs();
                    let allowed = RULE_TOLERANCE * exact + FAINT_TOLERANCE * integrator.self_mev;
                    assert!(difference <= allowed, "{} {spacing_mm:?} {offset:?}: {energy} {exact}", nuclide.name);
                }
            }
        }
    }

    /// Where the kernel is cut off far from the source, the error of voxels at its edge is a fraction of what a whole
    /// voxel would hold.
    #[test]
    fn voxels_at_a_far_end_are_roughly_right() {
        let spacing_cm = [0.1, 0.1, 0.15];
        for (end_cm, of_a_whole_voxel) in [(2.03, 0.05), (8.01, 0.2)] {
            let kernel = kernel_of(find("I-131").expect("a known nuclide")).truncated(end_cm);
            let integrator = Integrator::new(&kernel, spacing_cm);
            let whole = kernel.density_mev_per_cm3(end_cm * (1.0 - 1e-9)) * spacing_cm.iter().product::<f64>();
            let mut cut = 0;
            for offset in
                [(0, 0), (1, 2), (9, 4), (11, 9), (12, 11)].iter().flat_map(|&(j, k)| (0..=90).map(move |i| [i, j, k]))
            {
                let [_, near2, far2] = integrator.distances2(offset);
                if near2 < end_cm * end_cm && far2 > end_cm * end_cm {
                    cut += 1;
                    let exact = rays::energy(&kernel, spacing_cm, offset);
                    let difference = (integrator.any_energy(offset) - exact).abs();
                    assert!(difference < of_a_whole_voxel * whole, "{end_cm} {offset:?}: {difference} of {whole}");
                }
            }
            assert!(cut > 10, "only {cut} voxels were compared");
        }
    }
}
