//! Warnings of maps that are probably not what their flags say.

use crate::domain::{DensityMap, RequestVolumes};

/// No map of a body has its maximum below this [g/cm³]: lung is about 0.3, fat 0.9 and soft tissue 1.0. A map of linear
/// attenuation coefficients has: water is 0.154 per cm at 140 keV and 0.096 per cm at 511 keV.
const TISSUE_G_CM3: f32 = 0.5;

/// What to warn of in the maps of a request.
///
/// * `density` – the flag that gives the density
pub(super) fn warnings(volumes: &RequestVolumes, density: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    if volumes.activity.decays().as_slice().iter().all(|decays| *decays == 0.0) {
        warnings.push("activity: every voxel is 0, and so is the dose; is this the right file?".to_owned());
    }
    warnings.extend(volumes.density.as_ref().and_then(|map| of_density(map, density)));
    warnings
}

fn of_density(map: &DensityMap, flag: &str) -> Option<String> {
    let highest = map.g_cm3().as_slice().iter().copied().fold(0.0, f32::max);
    if highest == 0.0 {
        return Some(format!("{flag}: every voxel has density 0, so none has a mass; is this the right file?"));
    }
    (highest < TISSUE_G_CM3).then(|| {
        format!(
            "{flag}: nothing is as dense as tissue: the largest density is {highest} g/cm³; is this a map of attenuation \
             coefficients, in 1/cm?"
        )
    })
}
