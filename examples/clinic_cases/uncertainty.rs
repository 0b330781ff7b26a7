//! Cases of `clinic-uncertainty-1`.

use std::path::Path;

use dosegrid::clinic::budget::{Budget, BudgetInputs};
use dosegrid::clinic::outline::Outline;
use dosegrid::clinic::recovery::RecoveryCurve;
use dosegrid::clinic::{
    CurveOptions, Integration, ModelChoice, Moment, PointDraft, Series, SeriesDraft, Shape, ValueRefersTo, integrate,
};
use dosegrid::domain::{DoseError, Invalid};
use dosegrid::physics::nuclide::find;
use serde_json::{Map, Value, json};

use super::{Answers, each, members, number, optional};

/// Seconds in an hour.
const S_PER_H: f64 = 3600.0;

pub(super) fn answers(file: &Value, _folder: &Path) -> Answers {
    let answer = |case: &Value| answer(&case["given"]);
    each(file, "cases", answer).chain(each(file, "refusals", answer)).collect()
}

fn answer(given: &Value) -> Result<Value, DoseError> {
    let integration = integrated(given)?;
    let tia_mbq_h = integration.tia_mbq_h;
    let fit = integration.tia_sigma_mbq_h.map(|sigma| sigma / tia_mbq_h);
    let budget = Budget::new(&inputs(given, fit)?)?;
    let volume = budget.volume.ok_or_else(|| DoseError::invalid("outline_voxel_width_mm", "is missing"))?;
    let factor = number(given, "dose_factor_gy_per_mbq_h")?;
    if !(factor >= 0.0 && factor.is_finite()) {
        return Err(DoseError::invalid(
            "dose_factor_gy_per_mbq_h",
            format!("must be 0 or more and finite, got {factor}"),
        ));
    }
    let dose_gy = tia_mbq_h * factor;
    let parts: Map<String, Value> =
        budget.parts.iter().map(|part| (part.name.to_owned(), part.relative_sigma.into())).collect();
    Ok(json!({
        "diameter_mm": volume.diameter_mm,
        "volume_relative_sigma": volume.volume_relative_sigma,
        "recovery_coefficient": budget.recovery_coefficient,
        "recovery_relative_sigma_of_fit": budget.recovery_relative_sigma_of_fit,
        "recovery_relative_sigma": budget.recovery_relative_sigma,
        "edge_factor": volume.edge_factor,
        "counts_relative_sigma": volume.counts_relative_sigma,
        "counts_recovery_covariance_relative": volume.counts_recovery_covariance_relative,
        "activity_relative_sigma": budget.activity_relative_sigma,
        "fit_relative_sigma": fit,
        "tia_mbq_h": tia_mbq_h,
        "tia_relative_sigma": budget.tia_relative_sigma,
        "dose_factor_relative_sigma_from_volume": volume.dose_factor_relative_sigma_from_volume,
        "tia_dose_factor_covariance_relative": volume.tia_dose_factor_covariance_relative,
        "dose_gy": dose_gy,
        "dose_relative_sigma": budget.dose_relative_sigma,
        "dose_sigma_gy": budget.dose_sigma_gy(dose_gy),
        "dose_relative_sigma_if_independent": budget.dose_relative_sigma_if_independent,
        "is_lower_bound": budget.is_lower_bound,
        "flags": budget.flags,
        "parts": parts,
    }))
}

/// The points are fitted with their random σ by one exponential.
fn integrated(given: &Value) -> Result<Integration, DoseError> {
    let point = |point: &Value| {
        Ok(PointDraft {
            time: Moment::Hours(number(point, "time_h")?),
            activity_mbq: number(point, "activity_mbq")?,
            sigma_mbq: optional(point, "random_sigma_mbq")?,
            duration_h: None,
        })
    };
    let points: Result<Vec<PointDraft>, DoseError> = members(given, "points")?.iter().map(point).collect();
    let nuclide = find(given["nuclide"].as_str().unwrap_or_default());
    let nuclide = nuclide.map_err(|Invalid(reason)| DoseError::invalid("nuclide", reason))?;
    let series = Series::new(&SeriesDraft {
        points: points?,
        physical_half_life_h: nuclide.half_life_s / S_PER_H,
        injection: None,
        administered_activity_mbq: None,
        infusion_h: 0.0,
        refers_to: ValueRefersTo::AcquisitionMean,
    })?;
    integrate(&series, &CurveOptions { model: ModelChoice::Exponentials(Shape::Mono), ..CurveOptions::default() })
}

fn inputs(given: &Value, fit: Option<f64>) -> Result<BudgetInputs, DoseError> {
    let recovery = &given["recovery"];
    let covariance = |recovery: &Value| -> Result<Option<[[f64; 2]; 2]>, DoseError> {
        serde_json::from_value(recovery["covariance"].clone())
            .map_err(|error| DoseError::invalid("recovery.covariance", error.to_string()))
    };
    let recovery = if recovery.is_null() {
        None
    } else {
        let covariance = covariance(recovery)?;
        Some(RecoveryCurve::known(number(recovery, "b1_cm3")?, number(recovery, "b2")?, covariance)?)
    };
    Ok(BudgetInputs {
        volume_cm3: number(given, "volume_cm3")?,
        outline: Some(Outline {
            voxel_width_mm: number(given, "outline_voxel_width_mm")?,
            fwhm_mm: number(given, "outline_fwhm_mm")?,
            operator_edge_sigma_mm: optional(given, "operator_edge_sigma_mm")?,
        }),
        activity_fwhm_mm: optional(given, "activity_fwhm_mm")?,
        recovery,
        calibration: optional(given, "calibration_relative_sigma")?,
        fit,
        dose_factor_exponent: number(given, "dose_factor_exponent")?,
        dose_factor: optional(given, "dose_factor_relative_sigma")?,
        monte_carlo: optional(given, "monte_carlo_relative_sigma")?,
        density: optional(given, "density_relative_sigma")?,
    })
}
