//! Bremsstrahlung: the spectrum of the photons, the energy radiated, and the parts above and below a cut.

use std::sync::LazyLock;

use super::{Charge, speed_squared, tau};
use crate::domain::Material;
use crate::embedded::csv_rows;
use crate::math::chebyshev;
use crate::math::quadrature::{integrate, integrate_log, nodes};
use crate::physics::energy_grid::scaled_log_energy;

/// Square centimetres in one millibarn.
const CM2_PER_MILLIBARN: f64 = 1e-27;

/// BremsstrahlungSpectrum of the photons that a particle of one energy radiates in one gram of a material.
#[derive(Clone, Debug)]
pub struct BremsstrahlungSpectrum {
    kinetic_mev: f64,
    atoms: Vec<AtomSpectrum>,
}

/// Contribution of one element: its weight [cm²/g], and the series in the photon energy.
#[derive(Clone, Debug)]
struct AtomSpectrum {
    weight: f64,
    series: [f64; KAPPA_TERMS],
}

impl BremsstrahlungSpectrum {
    /// BremsstrahlungSpectrum of a particle in a material.
    ///
    /// Source: a fit to Seltzer & Berger, At. Data Nucl. Data Tables 35 (1986) 345, in which electrons radiate too. Its
    /// residuals are 0.4 to 0.8 % rms in the spectrum (hydrogen 2 %), and at most 0.45 % in the energy radiated.
    /// Positrons: [`positron_ratio`].
    pub fn of(material: &Material, charge: Charge, kinetic_mev: f64) -> Self {
        let beta2 = speed_squared(kinetic_mev);
        let atom = |component: &crate::domain::Component| {
            let z = component.element.z;
            let ratio = match charge {
                Charge::Electron => 1.0,
                Charge::Positron => positron_ratio(z, kinetic_mev),
            };
            let weight = component.atoms_per_g() * f64::from(z).powi(2) / beta2 * CM2_PER_MILLIBARN * ratio;
            AtomSpectrum { weight, series: series(z, kinetic_mev) }
        };
        Self { kinetic_mev, atoms: material.components().iter().map(atom).collect() }
    }

    /// Photon energy times the cross section per unit photon energy, k·dσ/dk [cm²/g].
    ///
    /// * `kappa` – photon energy as a fraction of the kinetic energy, from 0 to 1
    pub fn scaled(&self, kappa: f64) -> f64 {
        let x = tip_coordinate(kappa);
        self.atoms.iter().map(|atom| atom.weight * chebyshev::value(&atom.series, x).exp()).sum()
    }

    /// Energy radiated in photons of at most `cut_mev` [MeV·cm²/g].
    pub fn stopping_below(&self, cut_mev: f64) -> f64 {
        self.losses_below(cut_mev)[0]
    }

    /// Energy radiated [MeV·cm²/g].
    pub fn stopping(&self) -> f64 {
        self.stopping_below(self.kinetic_mev)
    }

    /// Energy radiated in photons of at most `cut_mev` [MeV·cm²/g], and its variance [MeV²·cm²/g].
    ///
    /// Integrals over κ of k·dσ/dk and κ times it, in √(1 − κ), in which the spectrum is smooth.
    pub fn losses_below(&self, cut_mev: f64) -> [f64; 2] {
        let cut = (cut_mev / self.kinetic_mev).min(1.0);
        let [mut first, mut second] = [0.0; 2];
        for (u, weight) in nodes((1.0 - cut).sqrt(), 1.0) {
            let kappa = 1.0 - u * u;
            let term = 2.0 * u * self.scaled(kappa);
            first += weight * term;
            second += weight * (term * kappa);
        }
        [first * self.kinetic_mev, second * self.kinetic_mev.powi(2)]
    }

    /// Cross section for photons above `cut_mev` [cm²/g].
    pub fn cross_section_above(&self, cut_mev: f64) -> f64 {
        let cut = cut_mev / self.kinetic_mev;
        if cut >= 1.0 {
            return 0.0;
        }
        let middle = cut.max(0.5);
        let near_tip = integrate(0.0, (1.0 - middle).sqrt(), |u| 2.0 * u * self.scaled(1.0 - u * u) / (1.0 - u * u));
        integrate_log(cut, middle, |kappa| self.scaled(kappa) / kappa) + near_tip
    }
}

/// Energy radiated by a positron, relative to an electron of the same energy.
///
/// Source: Salvat & Fernández-Varea, Metrologia 46 (2009) S112, eq. 110: a fit, within 0.5 %, to Kim, Pratt, Seltzer &
/// Berger, Phys. Rev. A 33 (1986) 3002.
pub fn positron_ratio(z: u8, kinetic_mev: f64) -> f64 {
    let t = (1e6 * tau(kinetic_mev) / f64::from(z).powi(2)).ln_1p();
    let series = [-1.2359e-1, 6.1274e-2, -3.1516e-2, 7.7446e-3, -1.0595e-3, 7.0568e-5, -1.8080e-6];
    let exponent = t * series.iter().rev().fold(0.0, |sum, coefficient| coefficient + t * sum);
    -exponent.exp_m1()
}

const ENERGY_TERMS: usize = 13;
const KAPPA_TERMS: usize = 8;

/// Variable in which the spectrum is fitted: 2√(1 − κ) − 1 spreads the steep fall near the tip, κ = 1.
fn tip_coordinate(kappa: f64) -> f64 {
    2.0 * (1.0 - kappa).max(0.0).sqrt() - 1.0
}

/// Coefficients in the photon energy of the logarithm of β²/Z²·k·dσ/dk [mb], at one kinetic energy.
fn series(z: u8, kinetic_mev: f64) -> [f64; KAPPA_TERMS] {
    let fit = FITS.iter().find(|fit| fit.z == z).expect("every element of the tables is fitted");
    let x = scaled_log_energy(kinetic_mev);
    std::array::from_fn(|j| {
        let column: [f64; ENERGY_TERMS] = std::array::from_fn(|i| fit.coefficients[i][j]);
        chebyshev::value(&column, x)
    })
}

struct SpectrumFit {
    z: u8,
    coefficients: [[f64; KAPPA_TERMS]; ENERGY_TERMS],
}

/// A row of the file of fits: z, degree in the energy, coefficients.
type SpectrumRow = (u8, usize, [f64; KAPPA_TERMS]);

static FITS: LazyLock<Vec<SpectrumFit>> = LazyLock::new(|| {
    let rows: Vec<SpectrumRow> = csv_rows(include_str!("../../../data/electron/bremsstrahlung_fit.csv"));
    let fit = |rows: &[SpectrumRow]| {
        let coefficients = std::array::from_fn(|degree| rows[degree].2);
        SpectrumFit { z: rows[0].0, coefficients }
    };
    rows.chunks_exact(ENERGY_TERMS).map(fit).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::element;
    use crate::physics::material;

    fn water(charge: Charge, energy: f64) -> BremsstrahlungSpectrum {
        BremsstrahlungSpectrum::of(material::find("water").expect("water"), charge, energy)
    }

    #[test]
    fn every_element_has_its_fit() {
        let rows: Vec<SpectrumRow> = csv_rows(include_str!("../../../data/electron/bremsstrahlung_fit.csv"));
        let elements: Vec<_> = element::tabulated().collect();
        for (i, (z, degree, _)) in rows.iter().enumerate() {
            assert_eq!((*z, *degree), (elements[i / ENERGY_TERMS].z, i % ENERGY_TERMS));
        }
        assert_eq!(FITS.len(), elements.len());
    }

    #[test]
    fn soft_and_hard_photons_carry_all_that_is_radiated() {
        for energy in [0.01, 0.1, 1.0, 10.0] {
            let spectrum = water(Charge::Electron, energy);
            for cut in [0.001, 0.003, 0.009] {
                let hard = integrate_log(cut, energy, |k| spectrum.scaled(k / energy));
                let sum = spectrum.stopping_below(cut) + hard;
                // The quadrature in ln k sees the square-root tip.
                assert!((sum / spectrum.stopping() - 1.0).abs() < 1e-4, "{energy} {cut}");
            }
        }
    }

    #[test]
    fn the_cross_section_above_the_cut_is_the_integral_of_the_spectrum() {
        for (energy, cut) in [(0.02, 0.001), (0.02, 0.015), (1.0, 0.01), (10.0, 0.001)] {
            let spectrum = water(Charge::Positron, energy);
            let sum = integrate_log(cut, energy, |k| spectrum.scaled(k / energy) / k);
            assert!((sum / spectrum.cross_section_above(cut) - 1.0).abs() < 1e-4, "{energy} {cut}");
        }
        assert_eq!(water(Charge::Electron, 0.5).cross_section_above(0.5), 0.0);
    }

    #[test]
    fn slow_positrons_radiate_less_and_fast_ones_alike() {
        let energies = [1e-3, 0.01, 0.1, 1.0, 10.0];
        for element in element::tabulated() {
            let ratios = energies.map(|energy| positron_ratio(element.z, energy));
            assert!(ratios.windows(2).all(|pair| 0.0 < pair[0] && pair[0] < pair[1]), "{} {ratios:?}", element.symbol);
            assert!(ratios[4] < 1.0 && (element.z > 8 || ratios[4] > 0.98), "{} {ratios:?}", element.symbol);
        }
        assert!(positron_ratio(53, 0.001) < 0.1);
    }

    #[test]
    fn the_variance_is_between_those_of_the_mean_and_the_largest_photon() {
        let spectrum = water(Charge::Electron, 1.0);
        let [mean, variance] = spectrum.losses_below(0.01);
        assert!(variance < 0.01 * mean && variance > 0.004 * mean);
    }
}
