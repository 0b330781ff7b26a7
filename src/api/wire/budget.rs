//! Regions, what is known of them, and their uncertainty budgets.

use super::integration::curve::encode_warning;
use super::pb;
use crate::clinic::budget::{Budget, Part, PartSource, VolumePart, flag_name, part_name};
use crate::domain::{Checks, DoseError};
use crate::intake::bed::{MAX_REGIONS, on_the_wire, warnings_on_the_wire};
use crate::intake::budget::{
    BudgetPlan, BudgetRegionPlan, CyclesSum, OutlinePlan, RecoveryPlan, RegionBudget, SpherePlan,
};

/// The budgets that are asked for.
///
/// # Errors
/// [`DoseError::Invalid`] with every fault, by its path on the wire.
pub(in crate::api) fn budgets(message: pb::ComputeBudgetRequest) -> Result<pb::ComputeBudgetResponse, DoseError> {
    let plan = decode(message)?;
    let names = || plan.region.iter().take(MAX_REGIONS).map(|region| region.name.as_str());
    let regions = plan.budgets().map_err(|error| error.with_faults(|fault| on_the_wire(fault, names())))?;
    let warnings = warnings_on_the_wire(plan.warnings(), names());
    Ok(pb::ComputeBudgetResponse {
        regions: regions.iter().map(encode_budget).collect(),
        warnings: warnings.iter().map(encode_warning).collect(),
    })
}

/// # Errors
/// [`DoseError::Invalid`] with every covariance that is no matrix of two rows.
fn decode(message: pb::ComputeBudgetRequest) -> Result<BudgetPlan, DoseError> {
    let mut checks = Checks::new();
    let mut region = Vec::new();
    for (number, one) in message.regions.into_iter().enumerate() {
        let covariance = one.recovery.as_ref().map(|recovery| recovery.covariance.as_slice()).unwrap_or_default();
        let covariance = match covariance {
            [] => None,
            &[a, b, c, d] => Some([[a, b], [c, d]]),
            other => {
                let field = format!("regions[{number}].recovery.covariance");
                checks.fail(field, format!("has {} numbers, a matrix of two rows has 4", other.len()));
                None
            }
        };
        region.push(decode_region(one, covariance));
    }
    checks.finish()?;
    Ok(BudgetPlan { region })
}

fn decode_region(message: pb::BudgetRegion, covariance: Option<[[f64; 2]; 2]>) -> BudgetRegionPlan {
    let sphere = |sphere: pb::RecoverySphere| SpherePlan {
        volume_cm3: sphere.volume_cm3,
        recovery_coefficient: sphere.recovery_coefficient,
        sigma: sphere.sigma,
    };
    let recovery = |recovery: pb::RecoveryCurve| RecoveryPlan {
        b1_cm3: recovery.b1_cm3,
        b2: recovery.b2,
        covariance,
        spheres: Some(recovery.spheres.into_iter().map(sphere).collect()).filter(|list: &Vec<_>| !list.is_empty()),
    };
    let outline = |outline: pb::Outline| OutlinePlan {
        voxel_width_mm: outline.voxel_width_mm,
        fwhm_mm: outline.fwhm_mm,
        operator_edge_sigma_mm: outline.operator_edge_sigma_mm,
    };
    BudgetRegionPlan {
        name: message.name,
        volume_cm3: message.volume_cm3,
        outline: message.outline.map(outline),
        activity_fwhm_mm: message.activity_fwhm_mm,
        recovery: message.recovery.map(recovery),
        calibration_relative_sigma: message.calibration_relative_sigma,
        fit_relative_sigma: message.fit_relative_sigma,
        dose_factor_exponent: message.dose_factor_exponent,
        dose_factor_relative_sigma: message.dose_factor_relative_sigma,
        monte_carlo_relative_sigma: message.monte_carlo_relative_sigma,
        density_relative_sigma: message.density_relative_sigma,
        doses_gy: message.doses_gy,
        one_outline: message.one_outline,
    }
}

pub(in crate::api) fn encode(plan: &BudgetPlan) -> pb::ComputeBudgetRequest {
    let sphere = |sphere: &SpherePlan| pb::RecoverySphere {
        volume_cm3: sphere.volume_cm3,
        recovery_coefficient: sphere.recovery_coefficient,
        sigma: sphere.sigma,
    };
    let recovery = |recovery: &RecoveryPlan| pb::RecoveryCurve {
        b1_cm3: recovery.b1_cm3,
        b2: recovery.b2,
        covariance: recovery.covariance.iter().flatten().flatten().copied().collect(),
        spheres: recovery.spheres.iter().flatten().map(sphere).collect(),
    };
    let outline = |outline: &OutlinePlan| pb::Outline {
        voxel_width_mm: outline.voxel_width_mm,
        fwhm_mm: outline.fwhm_mm,
        operator_edge_sigma_mm: outline.operator_edge_sigma_mm,
    };
    let region = |region: &BudgetRegionPlan| pb::BudgetRegion {
        name: region.name.clone(),
        volume_cm3: region.volume_cm3,
        outline: region.outline.as_ref().map(outline),
        activity_fwhm_mm: region.activity_fwhm_mm,
        recovery: region.recovery.as_ref().map(recovery),
        calibration_relative_sigma: region.calibration_relative_sigma,
        fit_relative_sigma: region.fit_relative_sigma,
        dose_factor_exponent: region.dose_factor_exponent,
        dose_factor_relative_sigma: region.dose_factor_relative_sigma,
        monte_carlo_relative_sigma: region.monte_carlo_relative_sigma,
        density_relative_sigma: region.density_relative_sigma,
        doses_gy: region.doses_gy.clone(),
        one_outline: region.one_outline,
    };
    pb::ComputeBudgetRequest { regions: plan.region.iter().map(region).collect() }
}

fn encode_budget(RegionBudget { region, budget, sum }: &RegionBudget) -> pb::RegionBudget {
    let part = |part: &Part| pb::BudgetPart {
        name: part.name.to_owned(),
        relative_sigma: part.relative_sigma,
        source: match part.source {
            PartSource::Given => pb::BudgetPartSource::Given,
            PartSource::Computed => pb::BudgetPartSource::Computed,
            PartSource::NotGiven => pb::BudgetPartSource::NotGiven,
        }
        .into(),
        systematic: part.systematic,
    };
    let volume = |volume: &VolumePart| pb::BudgetVolume {
        diameter_mm: volume.diameter_mm,
        volume_relative_sigma: volume.volume_relative_sigma,
        edge_factor: volume.edge_factor,
        counts_relative_sigma: volume.counts_relative_sigma,
        counts_recovery_covariance_relative: volume.counts_recovery_covariance_relative,
        dose_factor_relative_sigma_from_volume: volume.dose_factor_relative_sigma_from_volume,
        tia_dose_factor_covariance_relative: volume.tia_dose_factor_covariance_relative,
        bracket: volume.bracket,
    };
    pb::RegionBudget {
        name: region.clone(),
        parts: budget.parts.iter().map(part).collect(),
        dose_relative_sigma: budget.dose_relative_sigma,
        is_lower_bound: budget.is_lower_bound,
        dose_relative_sigma_if_independent: budget.dose_relative_sigma_if_independent,
        recovery_coefficient: budget.recovery_coefficient,
        recovery_relative_sigma_of_fit: budget.recovery_relative_sigma_of_fit,
        recovery_relative_sigma: budget.recovery_relative_sigma,
        activity_relative_sigma: budget.activity_relative_sigma,
        tia_relative_sigma: budget.tia_relative_sigma,
        volume: budget.volume.as_ref().map(volume),
        flags: budget.flags.iter().map(|&flag| flag.to_owned()).collect(),
        sum: sum.map(|sum| pb::BudgetSum {
            dose_gy: sum.dose_gy,
            dose_sigma_gy: sum.dose_sigma_gy,
            dose_relative_sigma: sum.dose_relative_sigma,
        }),
    }
}

/// None if a part, a source or a flag is not known.
pub(in crate::api) fn decode_result(message: pb::ComputeBudgetResponse) -> Option<Vec<RegionBudget>> {
    message.regions.into_iter().map(decode_budget).collect()
}

fn decode_budget(message: pb::RegionBudget) -> Option<RegionBudget> {
    let part = |part: pb::BudgetPart| {
        Some(Part {
            name: part_name(&part.name)?,
            relative_sigma: part.relative_sigma,
            source: match part.source() {
                pb::BudgetPartSource::Unspecified => return None,
                pb::BudgetPartSource::Given => PartSource::Given,
                pb::BudgetPartSource::Computed => PartSource::Computed,
                pb::BudgetPartSource::NotGiven => PartSource::NotGiven,
            },
            systematic: part.systematic,
        })
    };
    let volume = |volume: pb::BudgetVolume| VolumePart {
        diameter_mm: volume.diameter_mm,
        volume_relative_sigma: volume.volume_relative_sigma,
        edge_factor: volume.edge_factor,
        counts_relative_sigma: volume.counts_relative_sigma,
        counts_recovery_covariance_relative: volume.counts_recovery_covariance_relative,
        dose_factor_relative_sigma_from_volume: volume.dose_factor_relative_sigma_from_volume,
        tia_dose_factor_covariance_relative: volume.tia_dose_factor_covariance_relative,
        bracket: volume.bracket,
    };
    Some(RegionBudget {
        region: message.name,
        budget: Budget {
            parts: message.parts.into_iter().map(part).collect::<Option<_>>()?,
            dose_relative_sigma: message.dose_relative_sigma,
            is_lower_bound: message.is_lower_bound,
            dose_relative_sigma_if_independent: message.dose_relative_sigma_if_independent,
            recovery_coefficient: message.recovery_coefficient,
            recovery_relative_sigma_of_fit: message.recovery_relative_sigma_of_fit,
            recovery_relative_sigma: message.recovery_relative_sigma,
            activity_relative_sigma: message.activity_relative_sigma,
            tia_relative_sigma: message.tia_relative_sigma,
            volume: message.volume.map(volume),
            flags: message.flags.iter().map(|flag| flag_name(flag)).collect::<Option<_>>()?,
        },
        sum: message.sum.map(|sum| CyclesSum {
            dose_gy: sum.dose_gy,
            dose_sigma_gy: sum.dose_sigma_gy,
            dose_relative_sigma: sum.dose_relative_sigma,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_regions_than_are_taken_the_rest_is_not_looked_at() {
        let regions = vec![pb::BudgetRegion::default(); 50 * MAX_REGIONS];
        let Err(DoseError::Invalid(violations)) = budgets(pb::ComputeBudgetRequest { regions }) else {
            panic!("they are refused");
        };
        assert!(violations.iter().any(|fault| fault.reason.contains("at most")), "{:?}", violations.first());
        assert!(violations.len() < 10 * MAX_REGIONS, "{}", violations.len());
    }
}
