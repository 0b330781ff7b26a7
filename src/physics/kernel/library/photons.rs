//! Kernels of photons.

use super::axis::PHOTON;
use super::curve::CumulativeCurve;
use super::energies::Energies;

/// The energy around a point from which photons of one energy start.
#[derive(Clone, Debug, PartialEq)]
pub struct PhotonKernel {
    /// Their energy [MeV].
    pub energy_mev: f64,
    /// Their mean free path [g/cm²].
    pub mean_free_path: f64,
    /// The fraction of their energy in each bin of the radius in mean free paths.
    pub parts: Vec<f32>,
    /// What bone would absorb there from the same photons, as such parts; empty in a library without it.
    pub parts_in_bone: Vec<f32>,
}

/// Kernels of photons over the energy.
#[derive(Clone, Debug)]
pub struct PhotonKernels {
    kernels: Vec<PhotonKernel>,
    energies: Energies,
    curves: Vec<CumulativeCurve>,
    curves_in_bone: Vec<CumulativeCurve>,
}

impl PhotonKernels {
    pub(crate) fn new(kernels: Vec<PhotonKernel>) -> Self {
        let with_bone = kernels.iter().filter(|kernel| !kernel.parts_in_bone.is_empty());
        Self {
            energies: Energies::new(kernels.iter().map(|kernel| (kernel.energy_mev, kernel.mean_free_path))),
            curves: kernels.iter().map(|kernel| CumulativeCurve::new(PHOTON, &kernel.parts)).collect(),
            curves_in_bone: with_bone.map(|kernel| CumulativeCurve::new(PHOTON, &kernel.parts_in_bone)).collect(),
            kernels,
        }
    }

    /// The kernels it is made of, by ascending energy.
    pub fn kernels(&self) -> &[PhotonKernel] {
        &self.kernels
    }

    /// Whether there is something about bone.
    pub fn has_bone(&self) -> bool {
        !self.curves_in_bone.is_empty()
    }

    /// Lowest and highest energy [MeV].
    pub fn range_mev(&self) -> [f64; 2] {
        self.energies.range_mev()
    }

    /// Adds the energy of photons within each radius.
    ///
    /// * `number` – how many
    /// * `radii` – ascending [g/cm²]
    pub(in crate::physics::kernel) fn add(&self, number: f64, energy_mev: f64, radii: &[f64], within: &mut [f64]) {
        self.add_from(&self.curves, number, energy_mev, radii, within);
    }

    /// Adds what bone would absorb from the same photons. A library without it adds nothing.
    pub(in crate::physics::kernel) fn add_in_bone(
        &self,
        number: f64,
        energy_mev: f64,
        radii: &[f64],
        within: &mut [f64],
    ) {
        if !self.curves_in_bone.is_empty() {
            self.add_from(&self.curves_in_bone, number, energy_mev, radii, within);
        }
    }

    fn add_from(&self, curves: &[CumulativeCurve], number: f64, energy_mev: f64, radii: &[f64], within: &mut [f64]) {
        let at = self.energies.locate(energy_mev);
        let [low, high] = [&curves[at.below], &curves[at.below + 1]];
        for (within, radius) in within.iter_mut().zip(radii) {
            let x = radius / at.unit;
            let [low, high] = [low.within(x), high.within(x)];
            *within += number * energy_mev * (low + at.part * (high - low));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KernelMedium;
    use crate::physics::kernel::library;

    /// The same as for charged particles.
    const INTERPOLATION: f64 = 2e-3;
    const SPREAD: f64 = 0.3;

    #[test]
    fn a_kernel_left_out_lies_between_its_neighbours() {
        for medium in KernelMedium::ALL {
            let kernels = &library(medium).photons;
            let noise = 3.0 * SPREAD * (1.5 / library(medium).header.histories as f64).sqrt();
            let radii: Vec<f64> = (0..320).map(|i| 1e-5 * 10f64.powf(f64::from(i) / 40.0)).collect();
            let fewer = PhotonKernels::new(kernels.kernels().iter().step_by(2).cloned().collect());
            // Below lie the absorption edges of bone, up to 4.04 keV. Neighbours across an edge differ, and mean free
            // paths are interpolated less well.
            for left_out in kernels.kernels().iter().skip(1).step_by(2).filter(|kernel| kernel.energy_mev > 0.006) {
                let within = |kernels: &PhotonKernels| {
                    let mut within = vec![0.0; radii.len()];
                    kernels.add(1.0, left_out.energy_mev, &radii, &mut within);
                    within
                };
                for ((own, between), r) in within(kernels).into_iter().zip(within(&fewer)).zip(&radii) {
                    let error = (own - between).abs() / left_out.energy_mev;
                    assert!(
                        error < 4.0 * INTERPOLATION + noise,
                        "{medium:?} {} MeV, {r} g/cm²: {error}",
                        left_out.energy_mev
                    );
                }
            }
        }
    }
}
