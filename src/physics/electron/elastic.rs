//! Elastic scattering by atoms: Wentzel's screened cross section times the factor of McKinley and Feshbach.

use std::sync::LazyLock;

use super::{Charge, momentum_squared_mev2, speed_squared};
use crate::constants::{CLASSICAL_ELECTRON_RADIUS_CM, ELECTRON_REST_ENERGY_MEV, FINE_STRUCTURE};
use crate::domain::Material;
use crate::embedded::csv_rows;
use crate::math::chebyshev;
use crate::physics::energy_grid::scaled_log_energy;

/// Total cross section and the first three transport cross sections: per atom [cm²], or per gram [cm²/g].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ElasticMoments {
    /// Of every deflection.
    pub total: f64,
    /// Of 1 − cos θ. Its inverse is the first transport mean free path λ₁.
    pub first_transport: f64,
    /// Of 3/2·(1 − cos² θ). Its inverse is the second transport mean free path λ₂.
    pub second_transport: f64,
    /// Of 1 − P₃(cos θ), with Legendre's polynomial P₃.
    pub third_transport: f64,
}

/// Moments of the elastic scattering in one gram of a material: the sum over its atoms [cm²/g].
pub fn moments(material: &Material, charge: Charge, kinetic_mev: f64) -> ElasticMoments {
    let mut sum = ElasticMoments::default();
    for component in material.components() {
        let (atom, number) = (atom(component.element.z, charge, kinetic_mev), component.atoms_per_g());
        sum.total += number * atom.total;
        sum.first_transport += number * atom.first_transport;
        sum.second_transport += number * atom.second_transport;
        sum.third_transport += number * atom.third_transport;
    }
    sum
}

/// Moments of one atom [cm²].
///
/// The differential cross section is (Zr_em_ec²/(pcβ))²·R(θ)/(1 − cos θ + 2A)², with the screening A of [`screening`]
/// and the factor R = 1 − β² sin²(θ/2) ± παZβ sin(θ/2)(1 − sin(θ/2)), + for electrons and − for positrons.
///
/// Source: Wentzel, Z. Phys. 40 (1927) 590; McKinley & Feshbach, Phys. Rev. 74 (1948) 1759.
pub fn atom(z: u8, charge: Charge, kinetic_mev: f64) -> ElasticMoments {
    let (beta2, momentum2) = (speed_squared(kinetic_mev), momentum_squared_mev2(kinetic_mev));
    let spin = -charge.sign() * std::f64::consts::PI * FINE_STRUCTURE * f64::from(z) * beta2.sqrt();
    let powers = sine_integrals(screening(z, charge, kinetic_mev));
    // Moments of sⁿ·R over the sphere, s = sin(θ/2), in which R = 1 + spin·s − (β² + spin)·s².
    let moment = |n: usize| powers[n + 1] + spin * powers[n + 2] - (beta2 + spin) * powers[n + 3];
    let amplitude = f64::from(z) * CLASSICAL_ELECTRON_RADIUS_CM * ELECTRON_REST_ENERGY_MEV;
    let scale = std::f64::consts::TAU * amplitude.powi(2) / (momentum2 * beta2);
    ElasticMoments {
        total: scale * moment(0),
        first_transport: scale * 2.0 * moment(2),
        second_transport: scale * 6.0 * (moment(2) - moment(4)),
        third_transport: scale * (12.0 * moment(2) - 30.0 * moment(4) + 20.0 * moment(6)),
    }
}

/// Integrals of sⁿ/(s² + A)² from 0 to 1, for n from 0 to 9.
fn sine_integrals(a: f64) -> [f64; 10] {
    // First those of sⁿ/(s² + A), by recurrence; A stays below about 1, where no digit is lost that matters.
    let mut single = [0.0; 8];
    single[0] = (1.0 / a.sqrt()).atan() / a.sqrt();
    single[1] = 0.5 * (1.0 / a).ln_1p();
    for n in 2..8 {
        single[n] = 1.0 / (n as f64 - 1.0) - a * single[n - 2];
    }
    let mut double = [0.0; 10];
    double[0] = (single[0] + 1.0 / (1.0 + a)) / (2.0 * a);
    double[1] = 0.5 / (a * (1.0 + a));
    for n in 2..10 {
        double[n] = single[n - 2] - a * double[n - 2];
    }
    double
}

/// Screening A of an atom, chosen so that the first transport cross section is that of ELSEPA: Molière's, times a
/// factor fitted in the logarithm of the energy. For elements that the fitted table lacks, the target is a model
/// anchored on those it has (`data/scripts/elastic_model.py`).
///
/// Source: Molière, Z. Naturforsch. 2a (1947) 133; fitted to Salvat, Jablonski & Powell, Comput. Phys. Commun. 165
/// (2005) 157.
pub fn screening(z: u8, charge: Charge, kinetic_mev: f64) -> f64 {
    let charge_number = f64::from(z);
    let radius = ELECTRON_REST_ENERGY_MEV * FINE_STRUCTURE * charge_number.cbrt() / 0.885_34;
    let coupling2 = (FINE_STRUCTURE * charge_number).powi(2) / speed_squared(kinetic_mev);
    let moliere = radius.powi(2) / (4.0 * momentum_squared_mev2(kinetic_mev)) * (1.13 + 3.76 * coupling2);
    let fit =
        FITS.iter().find(|fit| fit.z == z && fit.charge == charge).expect("every element of the tables is fitted");
    moliere * chebyshev::value(&fit.coefficients, scaled_log_energy(kinetic_mev)).exp()
}

/// Chebyshev coefficients of the logarithm of the factor on Molière's screening.
struct ScreeningFit {
    z: u8,
    charge: Charge,
    coefficients: [f64; 9],
}

/// A row of the file of fits: z, charge, how it was made, its largest error, coefficients.
type ScreeningRow = (u8, i8, String, Option<f64>, [f64; 9]);

static FITS: LazyLock<Vec<ScreeningFit>> = LazyLock::new(|| {
    let rows: Vec<ScreeningRow> = csv_rows(include_str!("../../../data/electron/elastic_screening.csv"));
    let charge = |sign| if sign < 0 { Charge::Electron } else { Charge::Positron };
    rows.into_iter()
        .map(|(z, sign, _, _, coefficients)| ScreeningFit { z, charge: charge(sign), coefficients })
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::element;
    use crate::math::quadrature::integrate_log;

    /// The same moments, by integrating the differential cross section.
    fn integrated(z: u8, charge: Charge, energy: f64) -> ElasticMoments {
        let (beta2, a) = (speed_squared(energy), screening(z, charge, energy));
        let spin = -charge.sign() * std::f64::consts::PI * FINE_STRUCTURE * f64::from(z) * beta2.sqrt();
        let amplitude = f64::from(z) * CLASSICAL_ELECTRON_RADIUS_CM * ELECTRON_REST_ENERGY_MEV;
        let strength = amplitude.powi(2) / (momentum_squared_mev2(energy) * beta2);
        let moment = |weight: &dyn Fn(f64) -> f64| {
            // In v = 1 − cos θ, from far below the screening angle.
            integrate_log(1e-7 * a, 2.0, |v| {
                let s = (0.5 * v).sqrt();
                let factor = 1.0 - beta2 * s * s + spin * s * (1.0 - s);
                std::f64::consts::TAU * strength * factor / (v + 2.0 * a).powi(2) * weight(v)
            })
        };
        ElasticMoments {
            total: moment(&|_| 1.0),
            first_transport: moment(&|v| v),
            second_transport: moment(&|v| 1.5 * v * (2.0 - v)),
            third_transport: moment(&|v| v * (6.0 - v * (7.5 - 2.5 * v))),
        }
    }

    #[test]
    fn the_moments_are_integrals_of_the_differential_cross_section() {
        for element in element::tabulated() {
            for charge in Charge::ALL {
                for energy in [1e-3, 0.01, 0.1, 1.0, 10.0] {
                    let (found, expected) = (atom(element.z, charge, energy), integrated(element.z, charge, energy));
                    let ratios = [
                        found.total / expected.total,
                        found.first_transport / expected.first_transport,
                        found.second_transport / expected.second_transport,
                        found.third_transport / expected.third_transport,
                    ];
                    // The integral leaves out deflections below 1e-7 of the screening angle squared.
                    assert!(ratios.iter().all(|r| (r - 1.0).abs() < 2e-6), "{} {energy} {ratios:?}", element.symbol);
                }
            }
        }
    }

    #[test]
    fn the_total_is_rutherfords_where_spin_does_not_matter() {
        // Without the factor: πk/(A(1 + A)), with k = (Zr_em_ec²/(pcβ))².
        let (z, energy) = (1, 1e-3);
        let a = screening(z, Charge::Electron, energy);
        let strength = (CLASSICAL_ELECTRON_RADIUS_CM * ELECTRON_REST_ENERGY_MEV).powi(2)
            / (momentum_squared_mev2(energy) * speed_squared(energy));
        let rutherford = std::f64::consts::PI * strength / (a * (1.0 + a));
        assert!((atom(z, Charge::Electron, energy).total / rutherford - 1.0).abs() < 5e-3);
    }

    /// First transport cross section of an atom of oxygen [cm²], ELSEPA (Salvat, Jablonski & Powell 2005).
    #[test]
    fn oxygen_scatters_as_elsepa_says() {
        for (energy, electron, positron) in OXYGEN {
            for (charge, expected) in [(Charge::Electron, electron), (Charge::Positron, positron)] {
                let found = atom(8, charge, energy).first_transport;
                assert!((found / expected - 1.0).abs() < 2.5e-3, "{charge:?} {energy}: {found}");
            }
        }
    }

    /// Energy [MeV], electrons, positrons.
    const OXYGEN: [(f64, f64, f64); 4] = [
        (0.01, 1.111_97e-19, 9.986_38e-20),
        (0.1, 1.814_33e-21, 1.751_89e-21),
        (1.0, 4.516_57e-23, 4.358_70e-23),
        (10.0, 1.029_67e-24, 1.002_44e-24),
    ];
}
