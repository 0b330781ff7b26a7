//! Of maps: what a density cannot be, and where activity cannot be.

use super::{ACTIVITY_IN_AIR, ACTIVITY_OUTSIDE_BODY, DENSITY_BELOW_TISSUE, DENSITY_ZERO, Warning, percent};
use crate::domain::body::{AIR_BELOW_G_CM3, Body, Shares};
use crate::domain::{DensityMap, DoseRequest, TimeIntegratedActivity, VolumeRole};

/// No map of a body has its maximum below this [g/cm³]: lung is about 0.3, fat 0.9 and soft tissue 1.0. A map of linear
/// attenuation coefficients has: water is 0.154 per cm at 140 keV and 0.096 per cm at 511 keV.
const TISSUE_G_CM3: f32 = 0.5;
/// Largest part of the decays of a map that nobody is warned of in air, or outside the body: images are blurred.
const MOST_SHARE: f64 = 0.02;

pub(super) fn of_density(density: &DensityMap) -> Option<Warning> {
    let highest = density.highest_g_cm3();
    if highest == 0.0 {
        let message = "every voxel has density 0, so none has a mass; is this the right file?";
        return Some(Warning::new(DENSITY_ZERO, "density", message));
    }
    (highest < TISSUE_G_CM3).then(|| {
        let message = format!(
            "nothing is as dense as tissue: the largest density is {highest} g/cm³; is this a map of attenuation \
             coefficients, in 1/cm?"
        );
        Warning::new(DENSITY_BELOW_TISSUE, "density", message)
    })
}

/// Of activity in air and outside the body, map by map.
pub(super) fn of_places(request: &DoseRequest) -> Vec<Warning> {
    let Some(density) = request.density().filter(|map| map.highest_g_cm3() > 0.0) else { return Vec::new() };
    let body = Body::of(density.g_cm3());
    let daughters = request.volumes().daughters.iter().enumerate();
    let maps = std::iter::once((VolumeRole::Activity, request.activity()))
        .chain(daughters.map(|(number, map)| (VolumeRole::DaughterActivity(number), map)));
    let with_activity = maps.filter(|(_, map)| map.total() > 0.0);
    with_activity.flat_map(|(role, map)| of_map(&role.field(), map, density, body.as_ref())).collect()
}

/// Of activity in air and outside the body.
pub(super) fn of_place(field: &str, map: &TimeIntegratedActivity, density: &DensityMap) -> Vec<Warning> {
    if map.total() <= 0.0 || density.highest_g_cm3() <= 0.0 {
        return Vec::new();
    }
    of_map(field, map, density, Body::of(density.g_cm3()).as_ref())
}

fn of_map(field: &str, map: &TimeIntegratedActivity, density: &DensityMap, body: Option<&Body>) -> Vec<Warning> {
    let Shares { in_air, outside } = match body {
        Some(body) => body.shares(map.decays().as_slice()),
        None => Shares { in_air: share_in_air(map, density), outside: 0.0 },
    };
    let mut warnings = Vec::new();
    if in_air > MOST_SHARE {
        let message = format!(
            "{} of the decays are in voxels below {AIR_BELOW_G_CM3} g/cm³, in air; do the maps fit together?",
            percent(in_air)
        );
        warnings.push(Warning::new(ACTIVITY_IN_AIR, field, message));
    }
    if outside > MOST_SHARE {
        let message = format!("{} of the decays are outside the body; do the maps fit together?", percent(outside));
        warnings.push(Warning::new(ACTIVITY_OUTSIDE_BODY, field, message));
    }
    warnings
}

/// The part of a map's decays that lies in voxels of air, where no body is seen.
fn share_in_air(map: &TimeIntegratedActivity, density: &DensityMap) -> f64 {
    let voxels = map.decays().as_slice().iter().zip(density.g_cm3().as_slice());
    let in_air = voxels.filter(|(_, g_cm3)| **g_cm3 < AIR_BELOW_G_CM3);
    in_air.map(|(decays, _)| f64::from(*decays)).sum::<f64>() / map.total()
}
