//! The tables that the transport of electrons and positrons needs of one material, on a grid of energies.

use super::bremsstrahlung::BremsstrahlungSpectrum;
use super::collision::CollisionStopping;
use super::photon_spectrum::PhotonSpectrum;
use super::range::{SlowingDown, range};
use super::soft_collision::SoftMoments;
use super::{Charge, annihilation, elastic, hard_collision, soft_collision};
use crate::domain::{Invalid, Material};
use crate::math::log_grid::{LogGrid, LogTable};
use crate::math::watch::{Interrupted, Unwatched, Watch};
use crate::physics::energy_grid::{MAX_ENERGY_MEV, MIN_ENERGY_MEV};
use crate::physics::known;

/// Energy losses above which a collision or a photon is simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransportCuts {
    collision_mev: f64,
    photon_mev: f64,
}

impl TransportCuts {
    /// * `collision_mev` – smallest kinetic energy of a secondary electron that is simulated [MeV]
    /// * `photon_mev` – smallest energy of a bremsstrahlung photon that is simulated [MeV]
    ///
    /// # Errors
    /// If a cut is outside the energies of the tables.
    pub fn new(collision_mev: f64, photon_mev: f64) -> Result<Self, Invalid> {
        for (what, cut) in [("collision", collision_mev), ("photon", photon_mev)] {
            if !(MIN_ENERGY_MEV..=MAX_ENERGY_MEV).contains(&cut) {
                let range = format!("{MIN_ENERGY_MEV} to {MAX_ENERGY_MEV} MeV");
                return Err(Invalid::new(format!("the {what} cut must be from {range}, got {cut}")));
            }
        }
        Ok(Self { collision_mev, photon_mev })
    }

    /// Smallest kinetic energy of a secondary electron that is simulated [MeV].
    pub fn collision_mev(&self) -> f64 {
        self.collision_mev
    }

    /// Smallest energy of a bremsstrahlung photon that is simulated [MeV].
    pub fn photon_mev(&self) -> f64 {
        self.photon_mev
    }
}

/// Tables of one material, one charge and one choice of cuts, against the kinetic energy [MeV]. All are per gram: a
/// voxel of density ρ multiplies stopping powers and cross sections by ρ, and divides ranges by ρ.
#[derive(Clone, Debug)]
pub struct ElectronTables {
    /// Charge of the particle.
    pub charge: Charge,
    /// The cuts of the tables.
    pub cuts: TransportCuts,
    /// Slowing down by all collisions and photons: unrestricted stopping powers, CSDA range, yields.
    pub slowing_down: SlowingDown,
    /// Stopping power of collisions and photons below the cuts [MeV·cm²/g].
    pub soft_stopping: LogTable,
    /// Path length on which soft losses alone bring the particle to rest [g/cm²].
    pub soft_range: LogTable,
    /// Variance of the soft losses [MeV²·cm²/g].
    pub soft_variance: LogTable,
    /// Third central moment of the soft losses in collisions [MeV³·cm²/g].
    pub soft_third_moment: LogTable,
    /// First transport cross section of soft collisions [cm²/g].
    pub soft_first_transport: LogTable,
    /// Second transport cross section of soft collisions [cm²/g].
    pub soft_second_transport: LogTable,
    /// Third transport cross section of soft collisions [cm²/g].
    pub soft_third_transport: LogTable,
    /// Total elastic cross section of the screened form [cm²/g].
    pub elastic: LogTable,
    /// First transport cross section of elastic scattering, 1/λ₁ [cm²/g].
    pub elastic_first_transport: LogTable,
    /// Second transport cross section of elastic scattering, 1/λ₂ [cm²/g].
    pub elastic_second_transport: LogTable,
    /// Third transport cross section of elastic scattering, 1/λ₃ [cm²/g].
    pub elastic_third_transport: LogTable,
    /// Cross section of collisions above the cut [cm²/g].
    pub hard_collision: LogTable,
    /// Cross section of bremsstrahlung above the cut [cm²/g].
    pub bremsstrahlung: LogTable,
    /// Cross section of annihilation in flight, 0 for electrons [cm²/g].
    pub annihilation: LogTable,
    /// Bremsstrahlung spectrum, to sample photons from.
    pub photon_spectrum: PhotonSpectrum,
}

impl ElectronTables {
    /// Tabulates a material.
    pub fn new(material: &Material, charge: Charge, cuts: TransportCuts, grid: LogGrid) -> Self {
        Self::new_watched(material, charge, cuts, grid, &Unwatched).expect("nobody stops it")
    }

    /// As [`ElectronTables::new`]; `watch` is asked at each energy of each quantity whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn new_watched(
        material: &Material,
        charge: Charge,
        cuts: TransportCuts,
        grid: LogGrid,
        watch: &dyn Watch,
    ) -> Result<Self, Interrupted> {
        let stopping = CollisionStopping::of(material);
        let electrons = material.electrons_per_g();
        let radiation = match known::radiation(material, charge, cuts, grid) {
            Some(radiation) => radiation.clone(),
            None => Radiation::of(material, charge, cuts.photon_mev, grid, watch)?,
        };
        let slowing_down = match known::slowing_down(material, charge, grid) {
            Some(slowing_down) => slowing_down.clone(),
            None => SlowingDown::of_watched(material, charge, grid, watch)?,
        };
        let collisions = soft_collision::SoftCollisions::new(&stopping, cuts.collision_mev);
        let soft = grid.map_watched(watch, |e| collisions.stopping_and_moments(charge, e))?;
        let of_soft = |f: &dyn Fn(&SoftMoments) -> f64| of_nodes(grid, &soft, watch, |(_, moments)| f(moments));
        let mut by_collisions = soft.iter().map(|(stopping, _)| *stopping);
        let soft_stopping = LogTable::tabulate(grid, |e| {
            by_collisions.next().expect("one value for each node") + radiation.soft_stopping.value(e)
        });
        let collision_variance = of_soft(&|m| m.loss_variance)?;
        let scattered = grid.map_watched(watch, |e| elastic::moments(material, charge, e))?;
        let of_elastic = |f: &dyn Fn(&elastic::ElasticMoments) -> f64| of_nodes(grid, &scattered, watch, f);
        Ok(Self {
            charge,
            cuts,
            slowing_down,
            soft_range: range(grid, |e| soft_stopping.value(e)),
            soft_stopping,
            soft_variance: LogTable::tabulate(grid, |e| collision_variance.value(e) + radiation.soft_variance.value(e)),
            soft_third_moment: of_soft(&|m| m.loss_third_moment)?,
            soft_first_transport: of_soft(&|m| m.first_transport)?,
            soft_second_transport: of_soft(&|m| m.second_transport)?,
            soft_third_transport: of_soft(&|m| m.third_transport)?,
            elastic: of_elastic(&|m| m.total)?,
            elastic_first_transport: of_elastic(&|m| m.first_transport)?,
            elastic_second_transport: of_elastic(&|m| m.second_transport)?,
            elastic_third_transport: of_elastic(&|m| m.third_transport)?,
            hard_collision: LogTable::tabulate(grid, |e| {
                electrons * hard_collision::cross_section(charge, e, cuts.collision_mev)
            }),
            bremsstrahlung: radiation.photons,
            annihilation: LogTable::tabulate(grid, |e| match charge {
                Charge::Electron => 0.0,
                Charge::Positron => electrons * annihilation::cross_section(e),
            }),
            photon_spectrum: PhotonSpectrum::of_watched(material, charge, watch)?,
        })
    }
}

/// Bremsstrahlung apart by a cut of the photon energy, against the kinetic energy [MeV].
#[derive(Clone, Debug, PartialEq)]
pub struct Radiation {
    /// Stopping power by photons below the cut [MeV·cm²/g].
    pub soft_stopping: LogTable,
    /// Variance of the energy of these photons [MeV²·cm²/g].
    pub soft_variance: LogTable,
    /// Cross section for photons above the cut [cm²/g].
    pub photons: LogTable,
}

impl Radiation {
    /// Tabulates a material.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn of(
        material: &Material,
        charge: Charge,
        cut_mev: f64,
        grid: LogGrid,
        watch: &dyn Watch,
    ) -> Result<Self, Interrupted> {
        let nodes = grid.map_watched(watch, |e| {
            let spectrum = BremsstrahlungSpectrum::of(material, charge, e);
            (spectrum.losses_below(cut_mev), spectrum.cross_section_above(cut_mev))
        })?;
        Ok(Self {
            soft_stopping: of_nodes(grid, &nodes, watch, |([stopping, _], _)| *stopping)?,
            soft_variance: of_nodes(grid, &nodes, watch, |([_, variance], _)| *variance)?,
            photons: of_nodes(grid, &nodes, watch, |(_, above)| *above)?,
        })
    }
}

/// A table of one quantity, from what was computed at each node.
fn of_nodes<T>(grid: LogGrid, nodes: &[T], watch: &dyn Watch, f: impl Fn(&T) -> f64) -> Result<LogTable, Interrupted> {
    let mut values = nodes.iter().map(f);
    LogTable::tabulate_watched(grid, watch, |_| values.next().expect("one value for each node"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::energy_grid::energies;
    use crate::physics::material;

    fn tables(charge: Charge, cut_mev: f64) -> ElectronTables {
        let cuts = TransportCuts::new(cut_mev, cut_mev).expect("a good cut");
        ElectronTables::new(material::find("water").expect("water"), charge, cuts, energies())
    }

    #[test]
    fn cuts_outside_the_tables_are_refused() {
        for (collision, photon) in [(0.0, 0.01), (0.01, f64::NAN), (20.0, 0.01), (0.01, 0.0005)] {
            assert!(TransportCuts::new(collision, photon).is_err(), "{collision} {photon}");
        }
    }

    #[test]
    fn nothing_is_hard_below_the_cuts() {
        let electrons = tables(Charge::Electron, 0.01);
        assert_eq!((electrons.hard_collision.value(0.0199), electrons.bremsstrahlung.value(0.0099)), (0.0, 0.0));
        assert!(electrons.hard_collision.value(0.025) > 0.0 && electrons.bremsstrahlung.value(0.011) > 0.0);
        let slow = &electrons.slowing_down;
        let total = slow.collision.value(0.008) + slow.radiative.value(0.008);
        assert!((electrons.soft_stopping.value(0.008) / total - 1.0).abs() < 1e-12);
        assert!((electrons.soft_range.value(0.008) / slow.csda_range.value(0.008) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_soft_range_is_the_integral_of_the_soft_stopping() {
        let positrons = tables(Charge::Positron, 0.01);
        for energy in [0.005, 0.05, 0.5, 5.0] {
            let (low, high) = (0.999 * energy, 1.001 * energy);
            let slope = (positrons.soft_range.value(high) - positrons.soft_range.value(low)) / (high - low);
            assert!((slope * positrons.soft_stopping.value(energy) - 1.0).abs() < 5e-3, "{energy}");
        }
    }

    /// Tests of a mixed scheme against EGSnrc kernels required about 15 % more scattering in water than elastic
    /// scattering gives.
    #[test]
    fn collisions_add_a_seventh_to_the_scattering_in_water() {
        let all_soft = tables(Charge::Electron, 10.0);
        for energy in [0.05, 0.1, 0.5, 1.0] {
            let part = all_soft.soft_first_transport.value(energy) / all_soft.elastic_first_transport.value(energy);
            assert!((0.14..0.16).contains(&part), "{energy}: {part}");
        }
    }

    #[test]
    fn only_positrons_annihilate() {
        assert!(tables(Charge::Electron, 0.1).annihilation.bins().iter().flatten().all(|&value| value == 0.0));
        assert!(tables(Charge::Positron, 0.1).annihilation.bins().iter().flatten().all(|&value| value > 0.0));
    }
}
