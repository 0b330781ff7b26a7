//! Kernels of electrons or positrons.

use super::axis::{CHARGED, SET_FREE};
use super::curve::CumulativeCurve;
use super::energies::Energies;

/// The energy around a point from which electrons or positrons of one energy start.
#[derive(Clone, Debug, PartialEq)]
pub struct ChargedKernel {
    /// Their kinetic energy [MeV].
    pub energy_mev: f64,
    /// Their range in the continuous-slowing-down approximation [g/cm²].
    pub csda_range: f64,
    /// Energy that they and their secondary electrons deposit, as a fraction of the kinetic energy.
    pub charged_part: f64,
    /// Fraction of that in each bin of the radius in CSDA ranges.
    pub charged: Vec<f32>,
    /// Fraction of the rest, which photons carry, annihilation photons included, in each bin of the radius in g/cm².
    pub set_free: Vec<f32>,
    /// What bone would absorb from the same photons, in the same parts and bins; empty in a library without it.
    pub set_free_in_bone: Vec<f32>,
}

/// Kernels of electrons, or of positrons, over the energy.
#[derive(Clone, Debug)]
pub struct ChargedKernels {
    kernels: Vec<ChargedKernel>,
    energies: Energies,
    charged: Vec<CumulativeCurve>,
    set_free: Vec<CumulativeCurve>,
    set_free_in_bone: Vec<CumulativeCurve>,
}

impl ChargedKernels {
    pub(crate) fn new(kernels: Vec<ChargedKernel>) -> Self {
        let with_bone = kernels.iter().filter(|kernel| !kernel.set_free_in_bone.is_empty());
        Self {
            energies: Energies::new(kernels.iter().map(|kernel| (kernel.energy_mev, kernel.csda_range))),
            charged: kernels.iter().map(|kernel| CumulativeCurve::new(CHARGED, &kernel.charged)).collect(),
            set_free: kernels.iter().map(|kernel| CumulativeCurve::new(SET_FREE, &kernel.set_free)).collect(),
            set_free_in_bone: with_bone
                .map(|kernel| CumulativeCurve::new(SET_FREE, &kernel.set_free_in_bone))
                .collect(),
            kernels,
        }
    }

    /// The kernels it is made of, by ascending energy.
    pub fn kernels(&self) -> &[ChargedKernel] {
        &self.kernels
    }

    /// Lowest and highest energy [MeV].
    pub fn range_mev(&self) -> [f64; 2] {
        self.energies.range_mev()
    }

    /// An empty sum over particles.
    ///
    /// * `radii` – ascending [g/cm²]
    pub(in crate::physics::kernel) fn sum<'a>(&'a self, radii: &'a [f64]) -> ChargedSum<'a> {
        ChargedSum { of: self, radii, within: vec![0.0; radii.len()], by_photons: vec![0.0; self.kernels.len()] }
    }
}

/// The energy within radii, of many particles.
pub(in crate::physics::kernel) struct ChargedSum<'a> {
    of: &'a ChargedKernels,
    radii: &'a [f64],
    within: Vec<f64>,
    /// Energy that photons carry, by kernel. Their radii are not scaled, so each kernel is evaluated once, at the end.
    by_photons: Vec<f64>,
}

impl ChargedSum<'_> {
    /// Adds particles.
    ///
    /// * `number` – how many
    /// * `rest_mev` – energy that each releases besides its kinetic energy
    pub(in crate::physics::kernel) fn add(&mut self, number: f64, energy_mev: f64, rest_mev: f64) {
        let at = self.of.energies.locate(energy_mev);
        let [low, high] = [at.below, at.below + 1];
        let mix = |a: f64, b: f64| a + at.part * (b - a);
        let charged_part = mix(self.of.kernels[low].charged_part, self.of.kernels[high].charged_part);
        // Below the first kernel, its photons would be too many.
        let charged_part = if energy_mev < self.of.kernels[0].energy_mev { 1.0 } else { charged_part };
        let charged_mev = number * energy_mev * charged_part;
        let photons_mev = number * (energy_mev * (1.0 - charged_part) + rest_mev);
        self.by_photons[low] += (1.0 - at.part) * photons_mev;
        self.by_photons[high] += at.part * photons_mev;
        let [low, high] = [&self.of.charged[low], &self.of.charged[high]];
        for (within, radius) in self.within.iter_mut().zip(self.radii) {
            let x = radius / at.unit;
            *within += charged_mev * if x < low.last() { mix(low.within(x), high.within(x)) } else { 1.0 };
        }
    }

    /// What photons carry [MeV], by the kernel whose particles set them free.
    pub(in crate::physics::kernel) fn by_photons(&self) -> impl Iterator<Item = (f64, f64)> {
        self.of.kernels.iter().map(|kernel| kernel.energy_mev).zip(self.by_photons.iter().copied())
    }

    /// The energy within each radius [MeV].
    pub(in crate::physics::kernel) fn finish(self) -> Within {
        let Self { of, radii, within: charged, by_photons } = self;
        let sum = |curves: &[CumulativeCurve]| {
            let mut within = vec![0.0; radii.len()];
            for (curve, photons_mev) in curves.iter().zip(&by_photons).filter(|(_, mev)| **mev > 0.0) {
                within
                    .iter_mut()
                    .zip(radii)
                    .for_each(|(within, radius)| *within += photons_mev * curve.within(*radius));
            }
            within
        };
        Within { charged, photons: sum(&of.set_free), in_bone: sum(&of.set_free_in_bone) }
    }
}

/// Energy within radii [MeV].
#[derive(Clone, Debug)]
pub(in crate::physics::kernel) struct Within {
    /// Left by charged particles and those that they knock on.
    pub(in crate::physics::kernel) charged: Vec<f64>,
    /// Left by photons.
    pub(in crate::physics::kernel) photons: Vec<f64>,
    /// What bone would absorb from the same photons.
    pub(in crate::physics::kernel) in_bone: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KernelMedium;
    use crate::physics::kernel::library;

    /// Largest error of interpolation between kernels at any radius, as a fraction of the energy. With every other
    /// kernel left out the error is four times as large: that of a straight line grows with the square of its length.
    const INTERPOLATION: f64 = 2e-3;
    /// Spread of the energy that one history deposits within a radius, as a fraction of its own: 0.1 to 0.3.
    const SPREAD: f64 = 0.3;

    #[test]
    fn a_kernel_left_out_lies_between_its_neighbours() {
        for medium in KernelMedium::ALL {
            // Three standard deviations of one kernel minus the mean of two.
            let noise = 3.0 * SPREAD * (1.5 / library(medium).header.histories as f64).sqrt();
            for (kernels, from_mev) in [(&library(medium).electrons, 3e-3), (&library(medium).positrons, 3e-3)] {
                let radii: Vec<f64> = (0..400).map(|i| 1e-6 * 10f64.powf(f64::from(i) / 50.0)).collect();
                let fewer = ChargedKernels::new(kernels.kernels().iter().step_by(2).cloned().collect());
                for left_out in
                    kernels.kernels().iter().skip(1).step_by(2).filter(|kernel| kernel.energy_mev > from_mev)
                {
                    if left_out.energy_mev > fewer.range_mev()[1] {
                        continue;
                    }
                    let within = |kernels: &ChargedKernels| {
                        let mut sum = kernels.sum(&radii);
                        sum.add(1.0, left_out.energy_mev, 0.0);
                        let within = sum.finish();
                        within.charged.iter().zip(within.photons).map(|(a, b)| a + b).collect::<Vec<_>>()
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
}
