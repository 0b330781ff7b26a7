//! Compton scattering by a free electron at rest.

use crate::constants::{CLASSICAL_ELECTRON_RADIUS_CM, ELECTRON_REST_ENERGY_MEV};

/// Energy of the scattered photon [MeV].
///
/// Source: Compton, Phys. Rev. 21 (1923) 483.
pub fn scattered_energy(energy_mev: f64, cos_theta: f64) -> f64 {
    energy_mev / (1.0 + energy_mev / ELECTRON_REST_ENERGY_MEV * (1.0 - cos_theta))
}

/// Cross section of one electron per unit of cos θ [cm²]: π·r_e²·ε²·(ε + 1/ε − sin² θ), with ε the scattered energy
/// over the energy.
///
/// Source: Klein & Nishina, Z. Phys. 52 (1929) 853.
pub fn differential(energy_mev: f64, cos_theta: f64) -> f64 {
    let epsilon = scattered_energy(energy_mev, cos_theta) / energy_mev;
    let sin2_theta = 1.0 - cos_theta * cos_theta;
    let r_e = CLASSICAL_ELECTRON_RADIUS_CM;
    std::f64::consts::PI * r_e.powi(2) * epsilon * epsilon * (epsilon + 1.0 / epsilon - sin2_theta)
}

/// Cross section of one electron [cm²], with α the photon energy in units of the electron's rest energy.
///
/// Source: Klein & Nishina (1929), integrated.
pub fn cross_section(energy_mev: f64) -> f64 {
    let alpha = energy_mev / ELECTRON_REST_ENERGY_MEV;
    let area = 2.0 * std::f64::consts::PI * CLASSICAL_ELECTRON_RADIUS_CM.powi(2);
    if alpha < 1e-3 {
        // The closed form loses digits; the next term of this series is below 6e-9.
        return area * (4.0 / 3.0) * (1.0 - 2.0 * alpha + 5.2 * alpha * alpha);
    }
    let (t, ln_t) = (1.0 + 2.0 * alpha, (2.0 * alpha).ln_1p());
    area * ((1.0 + alpha) / (alpha * alpha) * (2.0 * (1.0 + alpha) / t - ln_t / alpha) + ln_t / (2.0 * alpha)
        - (1.0 + 3.0 * alpha) / (t * t))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::quadrature::integrate_log;

    #[test]
    fn the_total_is_the_integral_of_the_differential() {
        for energy in [1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0] {
            let sum = integrate_log(1e-9, 2.0, |one_minus_cos| differential(energy, 1.0 - one_minus_cos));
            assert!((sum / cross_section(energy) - 1.0).abs() < 2e-8, "{energy}");
        }
    }

    #[test]
    fn soft_photons_scatter_as_thomson_found() {
        let thomson = 8.0 / 3.0 * std::f64::consts::PI * CLASSICAL_ELECTRON_RADIUS_CM.powi(2);
        assert!((cross_section(1e-9) / thomson - 1.0).abs() < 1e-8);
    }

    #[test]
    fn the_edge_of_compton_is_where_the_photon_turns_back() {
        let rest = ELECTRON_REST_ENERGY_MEV;
        assert!((scattered_energy(rest, -1.0) / (rest / 3.0) - 1.0).abs() < 1e-14);
        assert_eq!(scattered_energy(2.0, 1.0), 2.0);
    }
}
