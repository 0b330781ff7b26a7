//! `dosegrid budget`: the uncertainty budget of the dose of regions.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bed::recorded;
use super::stdout;
use crate::clinic::budget::{Budget, BudgetInputs, PartSource, sum_of_cycles_sigma_gy};
use crate::clinic::outline::Outline;
use crate::clinic::recovery::{RecoveryCurve, Sphere};
use crate::domain::{Checks, DoseError};
use crate::formats::atomic::write_file;
use crate::formats::{json, toml_file};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Regions and what is known of them, TOML (docs/clinic.md)
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// The answer, JSON; without --json and --csv a table is printed
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// One row for each part of each region, CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    region: Vec<RegionPlan>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionPlan {
    name: String,
    volume_cm3: f64,
    outline: Option<OutlinePlan>,
    activity_fwhm_mm: Option<f64>,
    recovery: Option<RecoveryPlan>,
    calibration_relative_sigma: Option<f64>,
    fit_relative_sigma: Option<f64>,
    dose_factor_exponent: Option<f64>,
    dose_factor_relative_sigma: Option<f64>,
    monte_carlo_relative_sigma: Option<f64>,
    density_relative_sigma: Option<f64>,
    /// Of each cycle.
    #[serde(default)]
    doses_gy: Vec<f64>,
    /// Whether one outline was used for all cycles.
    one_outline: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutlinePlan {
    voxel_width_mm: f64,
    fwhm_mm: f64,
    operator_edge_sigma_mm: Option<f64>,
}

/// Parameters, or spheres that they are fitted to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecoveryPlan {
    b1_cm3: Option<f64>,
    b2: Option<f64>,
    covariance: Option<[[f64; 2]; 2]>,
    spheres: Option<Vec<SpherePlan>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpherePlan {
    volume_cm3: f64,
    recovery_coefficient: f64,
    sigma: Option<f64>,
}

/// The answer for a region.
#[derive(Serialize)]
struct RegionResult {
    region: String,
    #[serde(flatten)]
    budget: Budget,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<Sum>,
}

/// The sum over cycles.
#[derive(Serialize)]
struct Sum {
    dose_gy: f64,
    dose_sigma_gy: f64,
    dose_relative_sigma: f64,
}

pub(super) fn run(args: &Args) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let plan: Option<Plan> = checks.at("plan", toml_file::read(&args.plan));
    let Some(plan) = plan else { return checks.finish() };
    if plan.region.is_empty() {
        checks.fail("region", "at least one is needed");
    }
    let of = |region: &RegionPlan| recorded(&mut checks, &format!("region.{}", region.name), region.result());
    let regions: Vec<RegionResult> = plan.region.iter().filter_map(of).collect();
    checks.finish()?;
    let failed = |flag: &str, error: io::Error| DoseError::Io(format!("{flag}: cannot be written: {error}"));
    if let Some(path) = &args.json {
        json::write(path, &serde_json::json!({ "regions": regions })).map_err(|error| failed("json", error))?;
    }
    if let Some(path) = &args.csv {
        write_csv(path, &regions).map_err(|error| failed("csv", error))?;
    }
    if args.json.is_none() && args.csv.is_none() { stdout::print(&table(&regions)) } else { Ok(()) }
}

impl RegionPlan {
    fn result(&self) -> Result<RegionResult, DoseError> {
        let mut checks = Checks::new();
        if self.outline.is_some() && self.dose_factor_exponent.is_none() {
            let reason = "is needed with an outline: c of a dose factor that falls as volume^-c, 1 or slightly less";
            checks.fail("dose_factor_exponent", reason);
        }
        if self.doses_gy.len() > 1 && self.one_outline.is_none() {
            checks.fail("one_outline", "is needed with several cycles: true if one outline was used for all of them");
        }
        if self.doses_gy.iter().any(|gy| !(*gy > 0.0 && gy.is_finite())) {
            checks.fail("doses_gy", "must be above 0 and finite");
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
        let sum = Sum { dose_gy, dose_sigma_gy: sigma, dose_relative_sigma: sigma / dose_gy };
        let sum = (!cycles.is_empty()).then_some(sum);
        Ok(RegionResult { region: self.name.clone(), budget, sum })
    }
}

impl RegionPlan {
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
        match (self.b1_cm3.zip(self.b2), &self.spheres) {
            (Some((b1_cm3, b2)), None) => RecoveryCurve::known(b1_cm3, b2, self.covariance),
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

/// The lines of every budget, for people.
fn table(regions: &[RegionResult]) -> String {
    let percent =
        |relative: Option<f64>| relative.map_or_else(|| "-".to_owned(), |part| format!("{:.2}", 100.0 * part));
    let mut text = String::new();
    for RegionResult { region, budget, sum } in regions {
        writeln!(text, "{region}\n  {:<14} {:>8}  source", "part", "1σ %").expect("a string takes all text");
        for part in &budget.parts {
            let (sigma, source) = (percent(part.relative_sigma), part.source.name());
            writeln!(text, "  {:<14} {sigma:>8}  {source}", part.name).expect("as above");
        }
        let bound = if budget.is_lower_bound { "a lower bound: not all parts are given" } else { "" };
        writeln!(text, "  {:<14} {:>8}  {bound}", "total", percent(Some(budget.dose_relative_sigma)))
            .expect("as above");
        if let Some(sum) = sum {
            let relative = percent(Some(sum.dose_relative_sigma));
            writeln!(text, "  all cycles: {:.4} ± {:.4} Gy ({relative} %)", sum.dose_gy, sum.dose_sigma_gy)
                .expect("as above");
        }
        budget.flags.iter().for_each(|flag| writeln!(text, "  {flag}").expect("as above"));
    }
    text
}

fn write_csv(path: &Path, regions: &[RegionResult]) -> io::Result<()> {
    write_file(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(["region", "part", "relative_sigma", "source"])?;
        for RegionResult { region, budget, .. } in regions {
            for part in &budget.parts {
                table.serialize((region, part.name, part.relative_sigma, part.source.name()))?;
            }
            let source = if budget.is_lower_bound { "lower bound" } else { PartSource::Computed.name() };
            table.serialize((region, "total", budget.dose_relative_sigma, source))?;
        }
        table.flush()
    })
}
