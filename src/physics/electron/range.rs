//! Ranges in the continuous-slowing-down approximation, and the fraction of the energy radiated on the way.

use super::Charge;
use super::annihilation;
use super::bremsstrahlung::BremsstrahlungSpectrum;
use super::collision::CollisionStopping;
use crate::domain::Material;
use crate::math::log_grid::{LogGrid, LogTable};
use crate::math::watch::{Interrupted, Unwatched, Watch};

/// Stopping of a particle slowing down continuously, from 10 MeV to 1 keV.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowingDown {
    /// Stopping power by collisions [MeV·cm²/g].
    pub collision: LogTable,
    /// Stopping power by bremsstrahlung [MeV·cm²/g].
    pub radiative: LogTable,
    /// Range: the mean path until at rest [g/cm²].
    pub csda_range: LogTable,
    /// Energy radiated as bremsstrahlung until at rest, as a fraction of the kinetic energy.
    pub radiation_yield: LogTable,
    /// Fraction of the kinetic energy that goes into the photons of annihilation in flight; 0 for electrons.
    pub annihilation_yield: LogTable,
}

impl SlowingDown {
    /// Integrates the stopping powers of a material.
    pub fn of(material: &Material, charge: Charge, grid: LogGrid) -> Self {
        Self::of_watched(material, charge, grid, &Unwatched).expect("nobody stops it")
    }

    /// As [`SlowingDown::of`]; `watch` is asked at each energy whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn of_watched(
        material: &Material,
        charge: Charge,
        grid: LogGrid,
        watch: &dyn Watch,
    ) -> Result<Self, Interrupted> {
        let stopping = CollisionStopping::of(material);
        let collision = LogTable::tabulate_watched(grid, watch, |energy| stopping.total(charge, energy))?;
        let radiated = |energy| BremsstrahlungSpectrum::of(material, charge, energy).stopping();
        let radiative = LogTable::tabulate_watched(grid, watch, radiated)?;
        let total = |energy: f64| collision.value(energy) + radiative.value(energy);
        let csda_range = range(grid, total);
        let radiation_yield = mean_while_slowing_down(grid, |energy| radiative.value(energy) / total(energy));
        let annihilation_yield = annihilated(grid, charge, material.electrons_per_g(), total);
        Ok(Self { csda_range, radiation_yield, annihilation_yield, collision, radiative })
    }
}

/// Exponent of the energy in a stopping power that is proportional to the speed: none falls faster to low energies.
///
/// Source: J. Lindhard, M. Scharff, Phys. Rev. 124 (1961) 128.
const SLOWEST_EXPONENT: f64 = 0.5;

/// Path until at rest, for a stopping power [g/cm²].
///
/// Below the grid, the stopping power is continued as the power law that it follows in the first bin. The range at 1
/// keV is then right to some ten percent: 5e-7 g/cm² in water. In heavy elements Bethe's formula falls too steeply
/// towards the mean excitation energy; there it is continued in proportion to the speed.
pub(super) fn range(grid: LogGrid, stopping: impl Fn(f64) -> f64) -> LogTable {
    let (first, second) = (grid.node(0), grid.node(1));
    let exponent = (stopping(second) / stopping(first)).ln() / (second / first).ln();
    let exponent = exponent.min(SLOWEST_EXPONENT);
    let below = first / stopping(first) / (1.0 - exponent);
    LogTable::integral(grid, below, |energy| 1.0 / stopping(energy))
}

/// Mean of `f` over the energies passed while slowing down; below the grid, `f` keeps its first value.
fn mean_while_slowing_down(grid: LogGrid, f: impl Fn(f64) -> f64) -> LogTable {
    let first = grid.node(0);
    let sum = LogTable::integral(grid, first * f(first), &f);
    LogTable::tabulate(grid, |energy| sum.value(energy) / energy)
}

/// Fraction of the kinetic energy that positrons lose by annihilation in flight.
fn annihilated(grid: LogGrid, charge: Charge, electrons_per_g: f64, stopping: impl Fn(f64) -> f64) -> LogTable {
    if charge == Charge::Electron {
        return LogTable::tabulate(grid, |_| 0.0);
    }
    // Let a positron of energy E lose y(E) in this way. Per unit of energy lost, it annihilates with the probability
    // p = σn/S and then loses the remaining energy E.
    let rate = |energy: f64| electrons_per_g * annihilation::cross_section(energy) / stopping(energy);
    let (mut lost, mut last) = (0.0, grid.node(0));
    LogTable::tabulate(grid, |energy| {
        let step = energy - last;
        let middle = 0.5 * (energy + last);
        let probability = -(-rate(middle) * step).exp_m1();
        lost += probability * (middle - lost);
        last = energy;
        lost / energy
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::energy_grid::energies;
    use crate::physics::material;

    fn water(charge: Charge) -> SlowingDown {
        SlowingDown::of(material::find("water").expect("water"), charge, energies())
    }

    #[test]
    fn the_range_of_a_power_law_is_its_integral() {
        let grid = energies();
        let range = range(grid, |energy| 2.0 * energy.powf(-0.75));
        for energy in [1e-3f64, 0.0123, 1.0, 10.0] {
            let expected = energy.powf(1.75) / 3.5;
            assert!((range.value(energy) / expected - 1.0).abs() < 3e-5, "{energy}");
        }
    }

    /// CSDA range of electrons in water [g/cm²], ICRU 37 (1984), table 12.1 (I = 75 eV).
    #[test]
    fn ranges_in_water_are_those_of_icru_37() {
        let found = water(Charge::Electron).csda_range;
        for (energy, range) in [(0.01, 2.515e-4), (0.1, 1.431e-2), (1.0, 4.367e-1), (10.0, 4.975)] {
            let difference = found.value(energy) - range;
            // Half a unit of the last digit, and 1e-6 g/cm² for the last keV, where both are conventions.
            assert!(difference.abs() < 1e-3 * range + 1e-6, "{energy} MeV: {}", found.value(energy));
        }
    }

    #[test]
    fn some_positrons_annihilate_in_flight() {
        assert_eq!(water(Charge::Electron).annihilation_yield.value(1.0), 0.0);
        let yields = water(Charge::Positron).annihilation_yield;
        // About 2 % of positrons of 1 MeV do, taking half of their energy on average.
        assert!((0.005..0.03).contains(&yields.value(1.0)), "{}", yields.value(1.0));
        assert!(yields.value(0.1) < yields.value(1.0) && yields.value(1.0) < yields.value(10.0));
    }
}
