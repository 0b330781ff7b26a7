//! The cycles of a therapy together.

use serde::Serialize;

use super::Integration;
use crate::domain::{Checks, DoseError};

/// The integral of one cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct CycleIntegral {
    /// Its integral.
    pub integration: Integration,
    /// Administered activity [MBq].
    pub administered_activity_mbq: Option<f64>,
}

/// What is common to the cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SumOptions {
    /// Relative standard deviation that all cycles share: calibration, recovery, volume of one outline.
    pub common_relative_sigma: f64,
    /// Absorbed dose for each time-integrated activity [Gy/(MBq·h)], if a dose is asked for.
    pub dose_per_tia_gy_per_mbq_h: Option<f64>,
}

/// The sum over cycles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CycleSum {
    /// Time-integrated activity [MBq·h].
    pub tia_mbq_h: f64,
    /// One standard deviation of what is independent between cycles [MBq·h]; none if that of a cycle is not known.
    pub tia_sigma_independent_mbq_h: Option<f64>,
    /// One standard deviation with what is common [MBq·h].
    pub tia_sigma_mbq_h: Option<f64>,
    /// Absorbed dose [Gy].
    pub dose_gy: Option<f64>,
    /// One standard deviation of it, of the time-integrated activity alone [Gy].
    pub dose_sigma_gy: Option<f64>,
    /// Absorbed dose for each administered activity [Gy/GBq].
    pub dose_per_administered_activity_gy_per_gbq: Option<f64>,
}

/// The integrals of some cycles as one: independent parts of the uncertainty add in squares, common ones in proportion.
///
/// # Errors
/// If there is no cycle, or a factor is not finite or below 0.
///
/// Source: Gear 2018 (EJNMMI 45:2456): systematic parts do not enter the fit and are the same at all times.
pub fn sum_of_cycles(cycles: &[CycleIntegral], options: &SumOptions) -> Result<CycleSum, DoseError> {
    let SumOptions { common_relative_sigma, dose_per_tia_gy_per_mbq_h } = *options;
    let mut checks = Checks::new();
    if cycles.is_empty() {
        checks.fail("cycles", "there is none");
    }
    let is_good = |value: f64| value.is_finite() && value >= 0.0;
    if !is_good(common_relative_sigma) {
        checks.fail("common_relative_sigma", format!("must be finite and 0 or more, got {common_relative_sigma}"));
    }
    if let Some(factor) = dose_per_tia_gy_per_mbq_h.filter(|factor| !is_good(*factor)) {
        checks.fail("dose_per_tia_gy_per_mbq_h", format!("must be finite and 0 or more, got {factor}"));
    }
    checks.finish()?;
    let tia_mbq_h: f64 = cycles.iter().map(|cycle| cycle.integration.tia_mbq_h).sum();
    let squares = cycles.iter().map(|cycle| cycle.integration.tia_sigma_mbq_h.map(|sigma| sigma * sigma));
    let independent = squares.sum::<Option<f64>>().map(f64::sqrt);
    let tia_sigma_mbq_h = independent.map(|sigma| sigma.hypot(common_relative_sigma * tia_mbq_h));
    let administered_mbq: Option<f64> = cycles.iter().map(|cycle| cycle.administered_activity_mbq).sum();
    let dose_gy = dose_per_tia_gy_per_mbq_h.map(|factor| factor * tia_mbq_h);
    Ok(CycleSum {
        tia_mbq_h,
        tia_sigma_independent_mbq_h: independent,
        tia_sigma_mbq_h,
        dose_gy,
        dose_sigma_gy: tia_sigma_mbq_h.zip(dose_per_tia_gy_per_mbq_h).map(|(sigma, factor)| factor * sigma),
        dose_per_administered_activity_gy_per_gbq: dose_gy.zip(administered_mbq).map(|(dose, mbq)| 1e3 * dose / mbq),
    })
}
