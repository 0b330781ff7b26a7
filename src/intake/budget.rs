//! The uncertainty budget of regions: what a caller says, and what comes of it. The command line and the gRPC service
//! share it.

use serde::{Deserialize, Serialize};

use super::bed::{MAX_REGIONS, MOST_GY, check_regions, recorded};
use crate::clinic::budget::{Budget, BudgetInputs, sum_of_cycles_sigma_gy};
use crate::clinic::outline::Outline;
use crate::clinic::plausible::of_relative_sigma;
use crate::clinic::recovery::{RecoveryCurve, Sphere};
use crate::domain::{Checks, DoseError, Warning};

/// Most spheres that a recovery curve is fitted to.
pub const MAX_SPHERES: usize = 64;
/// Most cycles of a region.
pub const MAX_CYCLES: usize = 64;

/// The reason of the warning that nobody says how well the edges of an outline were drawn.
pub const OPERATOR_SIGMA_UNKNOWN: &str = "OPERATOR_SIGMA_UNKNOWN";

/// The most that a volume [cm³] and a length [mm] may be; a relative σ, and the exponent of a dose factor.
const MOST_CM3: f64 = 1e6;
const MOST_MM: f64 = 1e4;
const MOST_RELATIVE: f64 = 1e3;
const MOST_EXPONENT: f64 = 10.0;

/// Regions, and what is known of them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetPlan {
    /// The regions.
    pub region: Vec<BudgetRegionPlan>,
}

/// A region as it is written. All σ are relative.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetRegionPlan {
    /// Its name.
    pub name: String,
    /// [cm³].
    pub volume_cm3: f64,
    /// How its outline was drawn.
    pub outline: Option<OutlinePlan>,
    /// Resolution of the activity image [mm].
    pub activity_fwhm_mm: Option<f64>,
    /// The recovery curve that the activity was corrected by.
    pub recovery: Option<RecoveryPlan>,
    /// Of the calibration.
    pub calibration_relative_sigma: Option<f64>,
    /// Of the time-integrated activity, by the random σ of its points.
    pub fit_relative_sigma: Option<f64>,
    /// c of a dose factor that falls as `volume^−c`.
    pub dose_factor_exponent: Option<f64>,
    /// Of the model behind the dose factor.
    pub dose_factor_relative_sigma: Option<f64>,
    /// Of the Monte Carlo mean.
    pub monte_carlo_relative_sigma: Option<f64>,
    /// Of the density.
    pub density_relative_sigma: Option<f64>,
    /// Of each cycle [Gy].
    #[serde(default)]
    pub doses_gy: Vec<f64>,
    /// Whether one outline was used for all cycles.
    pub one_outline: Option<bool>,
}

/// How an outline was drawn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutlinePlan {
    /// Edge of a voxel of the image that it was drawn on [mm].
    pub voxel_width_mm: f64,
    /// Resolution of that image [mm].
    pub fwhm_mm: f64,
    /// σ of an edge that was drawn by hand [mm]; 0 if nobody drew it.
    pub operator_edge_sigma_mm: Option<f64>,
}

/// Parameters of a recovery curve, or spheres that they are fitted to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryPlan {
    /// [cm³].
    pub b1_cm3: Option<f64>,
    /// Exponent.
    pub b2: Option<f64>,
    /// Of b1 [cm³] and b2.
    pub covariance: Option<[[f64; 2]; 2]>,
    /// Measured spheres.
    pub spheres: Option<Vec<SpherePlan>>,
}

/// A measured sphere.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpherePlan {
    /// [cm³].
    pub volume_cm3: f64,
    /// Measured over true activity.
    pub recovery_coefficient: f64,
    /// σ of the coefficient.
    pub sigma: Option<f64>,
}

/// The budget of a region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegionBudget {
    /// Its name.
    pub region: String,
    /// Of a dose.
    #[serde(flatten)]
    pub budget: Budget,
    /// Of all cycles, where their doses are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<CyclesSum>,
}

/// The sum over cycles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CyclesSum {
    /// [Gy].
    pub dose_gy: f64,
    /// One standard deviation [Gy].
    pub dose_sigma_gy: f64,
    /// The same over the dose.
    pub dose_relative_sigma: f64,
}

impl BudgetPlan {
    /// The budget of each region.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every fault, by its field, such as `region.kidneys.volume_cm3`.
    pub fn budgets(&self) -> Result<Vec<RegionBudget>, DoseError> {
        let mut checks = Checks::new();
        check_regions("region", self.region.iter().map(|region| region.name.as_str()), &mut checks);
        let of = |region: &BudgetRegionPlan| recorded(&mut checks, &format!("region.{}", region.name), region.budget());
        let regions: Vec<RegionBudget> = self.region.iter().take(MAX_REGIONS).filter_map(of).collect();
        checks.finish()?;
        Ok(regions)
    }
}

impl BudgetPlan {
    /// What is implausible, σ that are larger than what they are of; and outlines without the σ of who drew them.
    pub fn warnings(&self) -> Vec<Warning> {
        self.region.iter().take(MAX_REGIONS).flat_map(BudgetRegionPlan::warnings).collect()
    }
}

impl BudgetRegionPlan {
    fn warnings(&self) -> impl Iterator<Item = Warning> {
        let sigmas = [
            ("calibration_relative_sigma", "the calibration", self.calibration_relative_sigma),
            ("fit_relative_sigma", "the time-integrated activity", self.fit_relative_sigma),
            ("dose_factor_relative_sigma", "the dose factor", self.dose_factor_relative_sigma),
            ("monte_carlo_relative_sigma", "the Monte Carlo mean", self.monte_carlo_relative_sigma),
            ("density_relative_sigma", "the density", self.density_relative_sigma),
        ];
        let given = sigmas.into_iter().filter_map(|(field, what, sigma)| Some((field, what, sigma?)));
        let large = given.filter_map(|(field, what, sigma)| {
            of_relative_sigma(&format!("region.{}.{field}", self.name), what, sigma)
        });
        let is_without = |outline: &&OutlinePlan| outline.operator_edge_sigma_mm.is_none();
        let operator = self.outline.as_ref().filter(is_without).map(|_| {
            let message = format!(
                "{}: operator_edge_sigma_mm of the outline is not given, and the total is a lower bound; 0 says that \
                 nobody drew it",
                self.name
            );
            Warning::new(
                OPERATOR_SIGMA_UNKNOWN,
                format!("region.{}.outline.operator_edge_sigma_mm", self.name),
                message,
            )
        });
        large.chain(operator)
    }

    fn budget(&self) -> Result<RegionBudget, DoseError> {
        let mut checks = Checks::new();
        if self.outline.is_some() && self.dose_factor_exponent.is_none() {
            let reason = "is needed with an outline: c of a dose factor that falls as volume^-c, 1 or slightly less";
            checks.fail("dose_factor_exponent", reason);
        }
        if self.doses_gy.len() > 1 && self.one_outline.is_none() {
            checks.fail("one_outline", "is needed with several cycles: true if one outline was used for all of them");
        }
        if self.doses_gy.len() > MAX_CYCLES {
            checks.fail("doses_gy", format!("are {}, at most {MAX_CYCLES} are taken", self.doses_gy.len()));
        }
        if self.doses_gy.iter().any(|gy| !(*gy > 0.0 && *gy <= MOST_GY)) {
            checks.fail("doses_gy", format!("must be above 0 and at most {MOST_GY:e}"));
        }
        let largest = self.figures().into_iter().filter_map(|(field, figure, most)| Some((field, figure?, most)));
        // What is no number, or below its range, is refused where it is used.
        for (field, figure, most) in largest.filter(|(_, figure, most)| figure.is_finite() && figure > most) {
            checks.fail(field, format!("must be at most {most:e}, got {figure}"));
        }
        let recovery = self.recovery.as_ref().map(RecoveryPlan::curve);
        let recovery = recovery.and_then(|curve| match curve {
            Ok(curve) => Some(curve),
            Err(error) => {
                checks.extend("recovery", error.violations());
                None
            }
        });
        checks.finish()?;
        let budget = Budget::new(&self.inputs(recovery))?;
        let dose_gy: f64 = self.doses_gy.iter().sum();
        let cycles: Vec<(f64, Budget)> = self.doses_gy.iter().map(|&gy| (gy, budget.clone())).collect();
        let sigma = sum_of_cycles_sigma_gy(&cycles, self.one_outline.unwrap_or(true));
        let sum = CyclesSum { dose_gy, dose_sigma_gy: sigma, dose_relative_sigma: sigma / dose_gy };
        let sum = (!cycles.is_empty()).then_some(sum);
        Ok(RegionBudget { region: self.name.clone(), budget, sum })
    }
}

impl BudgetRegionPlan {
    /// What is given, and the most that each may be: beyond, it is one of other units, and a budget may be no number.
    fn figures(&self) -> [(&'static str, Option<f64>, f64); 11] {
        let outline = self.outline.as_ref();
        [
            ("volume_cm3", Some(self.volume_cm3), MOST_CM3),
            ("outline.voxel_width_mm", outline.map(|outline| outline.voxel_width_mm), MOST_MM),
            ("outline.fwhm_mm", outline.map(|outline| outline.fwhm_mm), MOST_MM),
            ("outline.operator_edge_sigma_mm", outline.and_then(|outline| outline.operator_edge_sigma_mm), MOST_MM),
            ("activity_fwhm_mm", self.activity_fwhm_mm, MOST_MM),
            ("calibration_relative_sigma", self.calibration_relative_sigma, MOST_RELATIVE),
            ("fit_relative_sigma", self.fit_relative_sigma, MOST_RELATIVE),
            ("dose_factor_exponent", self.dose_factor_exponent, MOST_EXPONENT),
            ("dose_factor_relative_sigma", self.dose_factor_relative_sigma, MOST_RELATIVE),
            ("monte_carlo_relative_sigma", self.monte_carlo_relative_sigma, MOST_RELATIVE),
            ("density_relative_sigma", self.density_relative_sigma, MOST_RELATIVE),
        ]
    }

    fn inputs(&self, recovery: Option<RecoveryCurve>) -> BudgetInputs {
        BudgetInputs {
            volume_cm3: self.volume_cm3,
            outline: self.outline.as_ref().map(|outline| Outline {
                voxel_width_mm: outline.voxel_width_mm,
                fwhm_mm: outline.fwhm_mm,
                operator_edge_sigma_mm: outline.operator_edge_sigma_mm,
            }),
            activity_fwhm_mm: self.activity_fwhm_mm,
            recovery,
            calibration: self.calibration_relative_sigma,
            fit: self.fit_relative_sigma,
            dose_factor_exponent: self.dose_factor_exponent.unwrap_or(0.0),
            dose_factor: self.dose_factor_relative_sigma,
            monte_carlo: self.monte_carlo_relative_sigma,
            density: self.density_relative_sigma,
        }
    }
}

impl RecoveryPlan {
    fn curve(&self) -> Result<RecoveryCurve, DoseError> {
        let has_either = self.b1_cm3.is_some() || self.b2.is_some();
        match (self.b1_cm3.zip(self.b2), &self.spheres) {
            (_, Some(_)) if has_either => Err(DoseError::invalid("spheres", "leave them out, or b1_cm3 and b2")),
            (Some((b1_cm3, b2)), None) => RecoveryCurve::known(b1_cm3, b2, self.covariance),
            (None, Some(spheres)) if spheres.len() > MAX_SPHERES => {
                let reason = format!("are {}, at most {MAX_SPHERES} are taken", spheres.len());
                Err(DoseError::invalid("spheres", reason))
            }
            (None, Some(spheres)) if self.covariance.is_none() => {
                let sphere = |sphere: &SpherePlan| Sphere {
                    volume_cm3: sphere.volume_cm3,
                    recovery_coefficient: sphere.recovery_coefficient,
                    sigma: sphere.sigma,
                };
                RecoveryCurve::fit(&spheres.iter().map(sphere).collect::<Vec<_>>())
            }
            _ => Err(DoseError::invalid("b1_cm3", "give b1_cm3, b2 and their covariance, or spheres")),
        }
    }
}
