//! Physical constants and what follows from them: each is defined here and nowhere else.

/// Joules in one MeV: 10⁶ times the elementary charge. Exact since the SI of 2019 (CODATA 2022).
pub const JOULE_PER_MEV: f64 = 1.602_176_634e-13;

/// Gy in one MeV/g: 1 Gy is 1 J/kg.
pub const GY_PER_MEV_PER_G: f64 = JOULE_PER_MEV * 1e3;

/// Density of the water in which kernels are tabulated [g/cm³].
pub const WATER_DENSITY_G_CM3: f64 = 1.0;

/// Electron rest energy [MeV]. CODATA 2022, relative uncertainty 3.1e-10.
pub const ELECTRON_REST_ENERGY_MEV: f64 = 0.510_998_950_69;

/// Fine-structure constant. CODATA 2022, relative uncertainty 1.6e-10.
pub const FINE_STRUCTURE: f64 = 7.297_352_564_3e-3;

/// Classical electron radius [cm]. CODATA 2022, relative uncertainty 4.7e-10.
pub const CLASSICAL_ELECTRON_RADIUS_CM: f64 = 2.817_940_320_5e-13;

/// Reduced Planck constant times the speed of light [MeV·cm]. Exact since the SI of 2019.
pub const HBAR_C_MEV_CM: f64 = 1.973_269_804_593e-11;

/// Planck constant times the speed of light [MeV·Å]. Exact since the SI of 2019.
pub const H_C_MEV_ANGSTROM: f64 = 1.239_841_984_332e-2;

/// Particles in one mole. Exact since the SI of 2019.
pub const AVOGADRO_PER_MOL: f64 = 6.022_140_76e23;

/// Square centimetres in one barn.
pub const CM2_PER_BARN: f64 = 1e-24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gray_is_a_joule_per_kilogram() {
        let joule_per_kg = 1.0 * JOULE_PER_MEV / 1e-3;
        assert!((GY_PER_MEV_PER_G / joule_per_kg - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_classical_radius_follows_from_the_others() {
        let radius = FINE_STRUCTURE * HBAR_C_MEV_CM / ELECTRON_REST_ENERGY_MEV;
        assert!((radius / CLASSICAL_ELECTRON_RADIUS_CM - 1.0).abs() < 1e-9);
    }

    #[test]
    fn planck_constants_agree() {
        let h_c_mev_cm = std::f64::consts::TAU * HBAR_C_MEV_CM;
        assert!((H_C_MEV_ANGSTROM * 1e-8 / h_c_mev_cm - 1.0).abs() < 1e-11);
    }

    #[test]
    fn the_thomson_cross_section_is_two_thirds_of_a_barn() {
        // CODATA 2022: 6.652 458 7051e-29 m².
        let thomson = 8.0 / 3.0 * std::f64::consts::PI * CLASSICAL_ELECTRON_RADIUS_CM.powi(2) / CM2_PER_BARN;
        assert!((thomson / 0.665_245_870_51 - 1.0).abs() < 2e-9);
    }
}
