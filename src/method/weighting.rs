//! Biologically weighted dose: the absorbed dose with weights for alpha particles and recoils.

use super::mass::{DoseScale, check_dose, mass};
use crate::domain::{BiologicalWeighting, DoseError, DoseRequest, DoseResult};

/// Adds the weighted dose to a result, if it was requested. Alpha particles and recoils are absorbed at the point of
/// decay, so their dose in each voxel is known for every method.
///
/// # Errors
/// [`DoseError::NotPhysical`] if a weighted dose is not finite.
pub(super) fn weight(result: &mut DoseResult, request: &DoseRequest) -> Result<(), DoseError> {
    let Some(weighting) = request.weighting() else { return Ok(()) };
    let BiologicalWeighting { alpha, recoil } = weighting;
    let scale = DoseScale::new(result.dose.grid(), mass(request));
    let mut weighted = result.dose.clone();
    for map in request.by_map() {
        let local = map.source().local();
        let excess_mev = (alpha - 1.0) * local.alpha_mev + (recoil - 1.0) * local.recoil_mev;
        let decays = map.activity().decays().as_slice();
        for (voxel, (dose, &decays)) in weighted.as_mut_slice().iter_mut().zip(decays).enumerate() {
            let excess_gy = scale.absorbed_dose(f64::from(decays) * excess_mev, voxel).unwrap_or(0.0);
            // A weight below 1 removes dose, at most all of it up to rounding.
            #[expect(clippy::cast_possible_truncation, reason = "the stored precision; the result is checked")]
            let sum = (f64::from(*dose) + excess_gy) as f32;
            *dose = if excess_gy < 0.0 { sum.max(0.0) } else { sum };
        }
    }
    check_dose(weighted.as_slice())?;
    result.provenance.biological_weighting = Some(weighting);
    result.weighted = Some(weighted);
    Ok(())
}
