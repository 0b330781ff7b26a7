//! Energy transfer and energy absorption: how much of its energy a photon gives to electrons, and how much of that they
//! deposit locally.

use std::sync::LazyLock;

use super::attenuation::{ElementAttenuation, PAIR_THRESHOLD_MEV};
use super::fluorescence::{KShell, k_shell_part};
use super::klein_nishina::{differential, scattered_energy};
use super::scattering::{MaterialScattering, momentum_transfer};
use crate::domain::{Component, Material};
use crate::math::log_grid::{LogGrid, LogTable};
use crate::math::quadrature::{integrate, log_nodes};
use crate::math::watch::{Interrupted, Watch};
use crate::physics::electron::Charge;
use crate::physics::electron::range::SlowingDown;

/// Fraction of the photon energy that one kind of interaction gives to electrons, and fraction that they do not radiate
/// away.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct EnergyParts {
    /// Given to electrons as kinetic energy.
    pub(super) transferred: f64,
    /// Lost in collisions, out of the energy transferred.
    pub(super) absorbed: f64,
}

/// The fraction of the kinetic energy that electrons and positrons lose in collisions; the rest goes into
/// bremsstrahlung and annihilation in flight.
#[derive(Clone, Debug)]
pub(super) struct CollisionParts {
    electron: SlowingDown,
    positron: SlowingDown,
}

impl CollisionParts {
    /// # Errors
    /// [`Interrupted`].
    pub(super) fn of(material: &Material, grid: LogGrid, watch: &dyn Watch) -> Result<Self, Interrupted> {
        let of = |charge| SlowingDown::of_watched(material, charge, grid, watch);
        Ok(Self { electron: of(Charge::Electron)?, positron: of(Charge::Positron)? })
    }

    fn electron(&self, kinetic_mev: f64) -> f64 {
        1.0 - scaled_down(&self.electron.radiation_yield, kinetic_mev)
    }

    fn positron(&self, kinetic_mev: f64) -> f64 {
        let annihilated = scaled_down(&self.positron.annihilation_yield, kinetic_mev);
        1.0 - scaled_down(&self.positron.radiation_yield, kinetic_mev) - annihilated
    }

    /// Photoelectric absorption: the fluorescence of the K shell leaves, if that shell can be ionised; electrons take
    /// the rest.
    pub(super) fn photoelectric(&self, component: &Component, k_shell_is_open: bool, energy_mev: f64) -> EnergyParts {
        let attenuation = ElementAttenuation::of(component.element);
        let fluorescence = match KShell::of(component.element) {
            Some(shell) if k_shell_is_open => k_shell_part(attenuation) * shell.mean_fluorescence_mev(),
            _ => 0.0,
        };
        let transferred = 1.0 - fluorescence / energy_mev;
        EnergyParts { transferred, absorbed: transferred * self.electron(energy_mev) }
    }

    /// Compton scattering, averaged over the Klein-Nishina angles with the incoherent scattering function of the
    /// material.
    pub(super) fn incoherent(&self, scattering: &MaterialScattering, energy_mev: f64) -> EnergyParts {
        static NODES: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| log_nodes(1e-5, 2.0).collect());
        let (mut all, mut transferred, mut absorbed) = (0.0, 0.0, 0.0);
        for &(one_minus_cos, weight) in NODES.iter() {
            let cos_theta = 1.0 - one_minus_cos;
            let bound = scattering.incoherent.value(momentum_transfer(energy_mev, cos_theta));
            let number = weight * differential(energy_mev, cos_theta) * bound;
            let kinetic = energy_mev - scattered_energy(energy_mev, cos_theta);
            all += number;
            transferred += number * kinetic;
            absorbed += number * kinetic * self.electron(kinetic);
        }
        EnergyParts { transferred: transferred / (all * energy_mev), absorbed: absorbed / (all * energy_mev) }
    }

    /// Pair production: the two particles share the remaining energy, and every share is equally likely.
    pub(super) fn pair(&self, energy_mev: f64) -> EnergyParts {
        let kinetic = energy_mev - PAIR_THRESHOLD_MEV;
        if kinetic <= 0.0 {
            return EnergyParts::default();
        }
        let kept = |part: f64| part * (self.electron(part * kinetic) + self.positron(part * kinetic));
        let transferred = kinetic / energy_mev;
        EnergyParts { transferred, absorbed: transferred * integrate(0.0, 1.0, kept) }
    }
}

/// A yield, which falls to 0 in proportion to the energy below the table.
fn scaled_down(table: &LogTable, kinetic_mev: f64) -> f64 {
    table.value(kinetic_mev) * (kinetic_mev / table.grid().min()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::watch::Unwatched;
    use crate::physics::energy_grid::energies;
    use crate::physics::material;

    fn water() -> (&'static Material, CollisionParts) {
        let water = material::find("water").expect("water");
        (water, CollisionParts::of(water, energies(), &Unwatched).expect("nobody stops it"))
    }

    /// Mean energy of Compton electrons relative to the photon energy, free electrons: Attix (1986), table 7.2 and
    /// Klein & Nishina integrated.
    #[test]
    fn compton_electrons_take_the_known_part() {
        let (material, parts) = water();
        let scattering = MaterialScattering::of(material);
        for (energy, expected, binding) in [(0.1, 0.1381, 0.01), (1.0, 0.4402, 0.0), (10.0, 0.6841, 0.0)] {
            let ratio = parts.incoherent(&scattering, energy).transferred / expected;
            // Binding holds back soft scattering: the mean is 1 % larger at 0.1 MeV.
            assert!((ratio - 1.0 - binding).abs() < 2e-3, "{energy}: {ratio}");
        }
    }

    #[test]
    fn pairs_leave_twice_the_rest_energy() {
        let (_, parts) = water();
        assert_eq!(parts.pair(1.0), EnergyParts::default());
        let found = parts.pair(10.0);
        assert!((found.transferred - (1.0 - 0.102_199_790)).abs() < 1e-8);
        assert!(found.absorbed < found.transferred && found.absorbed > 0.93 * found.transferred);
    }

    #[test]
    fn calcium_keeps_less_just_above_its_k_edge() {
        let (_, parts) = water();
        let calcium = &material::find("cortical_bone").expect("bone").components().last().expect("calcium").clone();
        assert_eq!(calcium.element.symbol, "Ca");
        let (below, above) = (parts.photoelectric(calcium, false, 0.0041), parts.photoelectric(calcium, true, 0.0041));
        assert_eq!(below.transferred, 1.0);
        // 0.886 of the absorptions in the K shell × yield 0.169 × 3.73 keV of 4.1 keV.
        assert!((above.transferred - 0.8641).abs() < 2e-3, "{}", above.transferred);
    }
}
