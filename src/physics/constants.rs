//! Physical constants and what follows from them, each in one place.

/// Joules in one MeV: 10⁶ times the elementary charge. Exact since the SI of 2019 (CODATA 2022).
pub const JOULE_PER_MEV: f64 = 1.602_176_634e-13;

/// Gy in one MeV/g: 1 Gy is 1 J/kg.
pub const GY_PER_MEV_PER_G: f64 = JOULE_PER_MEV * 1e3;

/// Density of the water in which kernels are tabulated [g/cm³].
pub const WATER_DENSITY_G_CM3: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gray_is_a_joule_per_kilogram() {
        let joule_per_kg = 1.0 * JOULE_PER_MEV / 1e-3;
        assert!((GY_PER_MEV_PER_G / joule_per_kg - 1.0).abs() < 1e-15);
    }
}
