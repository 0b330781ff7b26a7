//! Annihilation of positrons in flight, into two photons.

use super::tau;
use crate::constants::CLASSICAL_ELECTRON_RADIUS_CM;

/// Cross section of one electron for the annihilation of a positron [cm²].
///
/// Source: Heitler, The Quantum Theory of Radiation (1954), § 27, eq. 20; Nelson, Hirayama & Rogers, SLAC-265 (1985),
/// eq. 2.12.6.
pub fn cross_section(kinetic_mev: f64) -> f64 {
    let gamma = tau(kinetic_mev) + 1.0;
    let momentum2 = gamma * gamma - 1.0;
    let momentum = momentum2.sqrt();
    let logarithm = (gamma * gamma + 4.0 * gamma + 1.0) / momentum2 * (gamma + momentum).ln();
    area() / (gamma + 1.0) * (logarithm - (gamma + 3.0) / momentum)
}

/// Smallest fraction of the total energy, kinetic plus twice the rest energy, that one of the photons can take.
pub fn smallest_part(kinetic_mev: f64) -> f64 {
    let gamma = tau(kinetic_mev) + 1.0;
    1.0 / (gamma + 1.0 + (gamma * gamma - 1.0).sqrt())
}

/// Differential cross section of one electron in ζ, the fraction of the total energy that the softer photon takes
/// [cm²].
///
/// * `zeta` – from [`smallest_part`] to one half
///
/// Source: Nelson, Hirayama & Rogers, SLAC-265 (1985), eq. 2.12.9.
pub fn differential(kinetic_mev: f64, zeta: f64) -> f64 {
    let gamma = tau(kinetic_mev) + 1.0;
    let term = |z: f64| -(gamma + 1.0).powi(2) + (gamma * gamma + 4.0 * gamma + 1.0) / z - 1.0 / (z * z);
    area() / ((gamma + 1.0) * (gamma * gamma - 1.0)) * (term(zeta) + term(1.0 - zeta))
}

/// πr_e² [cm²].
fn area() -> f64 {
    std::f64::consts::PI * CLASSICAL_ELECTRON_RADIUS_CM.powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::quadrature::integrate_log;
    use crate::physics::electron::speed_squared;

    #[test]
    fn the_total_is_the_integral_of_the_differential() {
        for energy in [0.01, 0.1, 0.511, 2.0, 10.0] {
            let sum = integrate_log(smallest_part(energy), 0.5, |zeta| differential(energy, zeta));
            assert!((sum / cross_section(energy) - 1.0).abs() < 1e-8, "{energy}: {sum}");
        }
    }

    #[test]
    fn slow_positrons_follow_dirac() {
        // σ → πr_e²/β (Dirac 1930).
        let energy = 1e-7;
        let expected = area() / speed_squared(energy).sqrt();
        assert!((cross_section(energy) / expected - 1.0).abs() < 1e-3);
    }

    #[test]
    fn the_photons_share_at_most_what_momentum_allows() {
        // At rest both take one half.
        assert!((smallest_part(1e-12) - 0.5).abs() < 1e-5);
        assert!(smallest_part(10.0) < 0.03);
    }
}
