//! Interpolation between kernels: the two around an energy, and the length in which their radii are measured.

use crate::math::monotone_cubic;

/// Energies of kernels, and the unit of length of each.
#[derive(Clone, Debug)]
pub(super) struct Energies {
    log_energy: Vec<f64>,
    log_unit: Vec<f64>,
    slopes: Vec<f64>,
}

/// An energy between those of two kernels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Between {
    /// The kernel below; the next is above.
    pub(super) below: usize,
    /// Weight of the one above; one minus it for the one below.
    pub(super) part: f64,
    /// Length in which radii are measured [g/cm²].
    pub(super) unit: f64,
}

impl Energies {
    /// * `units` – energy [MeV], ascending, and length [g/cm²] of each kernel
    pub(super) fn new(units: impl Iterator<Item = (f64, f64)>) -> Self {
        let (log_energy, log_unit): (Vec<f64>, Vec<f64>) = units.map(|(energy, unit)| (energy.ln(), unit.ln())).unzip();
        let slopes = monotone_cubic::slopes(&log_energy, &log_unit);
        Self { log_energy, log_unit, slopes }
    }

    /// Lowest and highest energy [MeV].
    pub(super) fn range_mev(&self) -> [f64; 2] {
        [self.log_energy[0], self.log_energy[self.log_energy.len() - 1]].map(f64::exp)
    }

    /// Position of an energy [MeV]; outside the range, that of its nearest end.
    pub(super) fn locate(&self, energy_mev: f64) -> Between {
        let [first, last] = [self.log_energy[0], self.log_energy[self.log_energy.len() - 1]];
        let log = energy_mev.ln().clamp(first, last);
        let below = self.log_energy.partition_point(|e| *e <= log).clamp(1, self.log_energy.len() - 1) - 1;
        let width = self.log_energy[below + 1] - self.log_energy[below];
        let part = (log - self.log_energy[below]) / width;
        let node = |i: usize| [self.log_unit[i], self.slopes[i]];
        let log_unit = monotone_cubic::between(part, width, node(below), node(below + 1));
        Between { below, part, unit: log_unit.exp() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_are_powers_of_the_energy_are_exact_between() {
        let energies = Energies::new((0..8).map(|i| (2f64.powi(i), 2f64.powi(i).powf(1.7))));
        for energy in [1.0, 1.5, 3.99, 77.7, 128.0] {
            let at = energies.locate(energy);
            assert!((at.unit / f64::powf(energy, 1.7) - 1.0).abs() < 1e-12, "{energy}");
            assert!((f64::from(u8::try_from(at.below).expect("few")) + at.part - energy.log2()).abs() < 1e-12);
        }
        assert_eq!(energies.locate(0.1).part, 0.0);
        assert!((energies.range_mev()[1] - 128.0).abs() < 1e-9);
    }
}
