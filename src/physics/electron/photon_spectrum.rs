//! The bremsstrahlung spectrum as a table from which photons are sampled without a search.

use super::Charge;
use super::bremsstrahlung::BremsstrahlungSpectrum;
use crate::domain::Material;
use crate::math::log_grid::LogGrid;
use crate::math::watch::{Interrupted, Unwatched, Watch};
use crate::physics::energy_grid::{MAX_ENERGY_MEV, MIN_ENERGY_MEV};

/// Steps in √(1 − κ), in which the spectrum is smooth up to its tip.
const PHOTON_STEPS: usize = 32;
/// Bins of kinetic energy: a twelfth of a decade each.
const ENERGY_BINS: usize = 48;

/// k·dσ/dk against the kinetic energy and κ, the photon energy as a fraction of it, scaled so that the largest value at
/// each kinetic energy is 1.
///
/// A photon above a cut is sampled by drawing κ with the density 1/κ and accepting it with the probability given here.
/// The cross section itself is in [`ElectronTables::bremsstrahlung`](super::ElectronTables::bremsstrahlung).
#[derive(Clone, Debug, PartialEq)]
pub struct PhotonSpectrum {
    energies: LogGrid,
    /// One row for each node of the energies.
    rows: Vec<[f64; PHOTON_STEPS + 1]>,
}

impl PhotonSpectrum {
    /// Tabulates the spectrum in a material.
    pub fn of(material: &Material, charge: Charge) -> Self {
        Self::of_watched(material, charge, &Unwatched).expect("nobody stops it")
    }

    /// As [`PhotonSpectrum::of`]; `watch` is asked at each energy whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn of_watched(material: &Material, charge: Charge, watch: &dyn Watch) -> Result<Self, Interrupted> {
        let energies = LogGrid::new(MIN_ENERGY_MEV, MAX_ENERGY_MEV, ENERGY_BINS).expect("the ends ascend");
        let row = |energy: f64| {
            let spectrum = BremsstrahlungSpectrum::of(material, charge, energy);
            let row: [f64; PHOTON_STEPS + 1] =
                std::array::from_fn(|i| spectrum.scaled(1.0 - (i as f64 / PHOTON_STEPS as f64).powi(2)));
            let largest = row.iter().copied().fold(0.0, f64::max);
            row.map(|value| value / largest)
        };
        Ok(Self { energies, rows: energies.map_watched(watch, row)? })
    }

    /// Kinetic energies of the rows [MeV].
    pub fn energies(&self) -> LogGrid {
        self.energies
    }

    /// Values at equal steps of √(1 − κ) from 0 to 1, one row for each kinetic energy, which the engines copy.
    pub fn rows(&self) -> &[[f64; PHOTON_STEPS + 1]] {
        &self.rows
    }

    /// Probability of accepting a photon, linear in ln E and √(1 − κ) between the nodes.
    ///
    /// * `kappa` – photon energy as a fraction of the kinetic energy, from 0 to 1
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the steps")]
    pub fn acceptance(&self, kinetic_mev: f64, kappa: f64) -> f64 {
        let (bin, fraction) = self.energies.locate(kinetic_mev);
        let position = ((1.0 - kappa).max(0.0).sqrt() * PHOTON_STEPS as f64).clamp(0.0, PHOTON_STEPS as f64);
        let step = (position as usize).min(PHOTON_STEPS - 1);
        let within = position - step as f64;
        let along = |row: &[f64; PHOTON_STEPS + 1]| row[step] + within * (row[step + 1] - row[step]);
        let (low, high) = (along(&self.rows[bin]), along(&self.rows[bin + 1]));
        low + fraction * (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::material;

    #[test]
    fn the_table_has_the_shape_of_the_spectrum() {
        for name in ["water", "cortical_bone"] {
            let material = material::find(name).expect("known");
            let table = PhotonSpectrum::of(material, Charge::Electron);
            for energy in [1e-3, 0.0123, 0.23, 1.7, 10.0] {
                let spectrum = BremsstrahlungSpectrum::of(material, Charge::Electron, energy);
                let ratio = |kappa: f64| table.acceptance(energy, kappa) / spectrum.scaled(kappa);
                for kappa in [0.01, 0.1, 0.4, 0.77, 0.95] {
                    // The error of the steps of the table, mainly near the steep tip at high energy.
                    let relative = ratio(kappa) / ratio(0.2);
                    assert!((relative - 1.0).abs() < 0.005, "{name} {energy} {kappa}: {relative}");
                }
            }
        }
    }

    #[test]
    fn acceptances_are_probabilities() {
        let table = PhotonSpectrum::of(material::find("water").expect("water"), Charge::Positron);
        for i in 0..1000 {
            let (energy, kappa) = (1e-3 * 10f64.powf(f64::from(i % 37) / 9.0), f64::from(i) / 999.0);
            assert!((0.0..=1.0).contains(&table.acceptance(energy, kappa)), "{energy} {kappa}");
        }
        assert!((table.acceptance(1.0, 0.0) - 1.0).abs() < 0.05);
    }
}
