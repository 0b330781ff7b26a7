//! Mass density, voxel by voxel.

use super::{Invalid, Volume, activity::check_values};

/// Largest density that tissue or an implant can have [g/cm³]; above it the unit is probably wrong.
pub const MAX_DENSITY_G_CM3: f32 = 25.0;

/// Least density that is a mass [g/cm³], a thousandth of that of air: energy over less is no dose.
pub const LEAST_MASS_DENSITY_G_CM3: f64 = 1e-6;

/// Whether a voxel of this density gets a dose: it has a mass, and its density is not below the minimum.
pub fn bears_dose(density_g_cm3: f64, minimum_g_cm3: f64) -> bool {
    density_g_cm3 >= LEAST_MASS_DENSITY_G_CM3 && density_g_cm3 >= minimum_g_cm3
}

/// Mass density per voxel [g/cm³]: finite, nowhere negative, nowhere above [`MAX_DENSITY_G_CM3`].
#[derive(Clone, Debug, PartialEq)]
pub struct DensityMap {
    map: Volume<f32>,
    highest_g_cm3: f32,
}

impl DensityMap {
    /// * `map` – one density a voxel [g/cm³]
    ///
    /// # Errors
    /// If a value is NaN, infinite, negative, or above [`MAX_DENSITY_G_CM3`] (as a map in kg/m³ is).
    pub fn new(map: Volume<f32>) -> Result<Self, Invalid> {
        let highest_g_cm3 = check_values(map.as_slice(), "a density")?;
        if highest_g_cm3 > MAX_DENSITY_G_CM3 {
            let first = map.as_slice().iter().position(|&v| v > MAX_DENSITY_G_CM3).expect("the highest is");
            return Err(Invalid::new(format!(
                "a density is at most {MAX_DENSITY_G_CM3} g/cm³: value {first} is {}; is the map in kg/m³ or HU?",
                map.as_slice()[first]
            )));
        }
        Ok(Self { map, highest_g_cm3 })
    }

    /// The highest density [g/cm³].
    pub fn highest_g_cm3(&self) -> f32 {
        self.highest_g_cm3
    }

    /// Density of each voxel [g/cm³].
    pub fn g_cm3(&self) -> &Volume<f32> {
        &self.map
    }
}
