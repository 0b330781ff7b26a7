//! What the flags say of curves: the administration, the model, and what is known where there is one scan.

use std::path::PathBuf;

use crate::clinic::single_time_point::Kinetics;
use crate::clinic::{
    BeforeFirst, Between, Curve, CurveOptions, ModelChoice, PieceRules, SeriesDraft, ValueRefersTo, Weighting, by_name,
};
use crate::domain::{Checks, Nuclide, words};
use crate::formats::prior_curves;
use crate::physics::nuclide;

/// The administration, and how curves are integrated.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct CurveArgs {
    /// The nuclide: its physical half-life bounds every rate
    #[arg(long, value_name = "NUCLIDE")]
    pub(in crate::cli) nuclide: Option<String>,
    /// Start of the administration, where times are those of a clock: 2026-03-27T09:30:00+01:00
    #[arg(long, value_name = "DATE_AND_TIME")]
    pub(in crate::cli) injection: Option<String>,
    /// Administered activity in MBq, net of residue: gives time-integrated activity coefficients
    #[arg(long, value_name = "MBQ", allow_negative_numbers = true)]
    pub(in crate::cli) administered_activity: Option<f64>,
    /// How long the infusion took, at constant rate from time 0, in h; without it, an injection
    #[arg(long, value_name = "HOURS", allow_negative_numbers = true)]
    pub(in crate::cli) infusion: Option<f64>,
    /// What a value refers to: acquisition_mean (the mean over the scan), acquisition_start (decay-corrected to its
    /// start), or injection (decay-corrected to time 0); acquisition_mean without it
    #[arg(long, value_name = "WHAT")]
    pub(in crate::cli) value_refers_to: Option<String>,
    /// auto (the default), mono, bi_uptake, bi_washout, tri_uptake, physical or trapezoid_tail
    #[arg(long, value_name = "MODEL")]
    pub(in crate::cli) model: Option<String>,
    /// Weights: sigma, relative, poisson or none; without it, sigma where there is one, else relative
    #[arg(long, value_name = "WEIGHTS")]
    pub(super) weighting: Option<String>,
    /// By pieces, before the first scan: constant, from_zero or physical
    #[arg(long, value_name = "RULE", default_value = "constant")]
    before_first: String,
    /// By pieces, between scans: log_down or linear
    #[arg(long, value_name = "RULE", default_value = "log_down")]
    between: String,
    /// Of maps: relative standard deviation of the activity of a region or voxel in a scan. Without it, that of a
    /// region is estimated from the fit, and voxels have none
    #[arg(long, value_name = "PART", allow_negative_numbers = true)]
    pub(in crate::cli) activity_sigma: Option<f64>,
    /// For regions with one scan: physical, population_half_life, haenscheid or prior_curve. There is no default
    #[arg(long, value_name = "METHOD")]
    pub(in crate::cli) single_time_point: Option<String>,
    /// Effective half-life of a population, in h
    #[arg(long, value_name = "HOURS", allow_negative_numbers = true)]
    pub(super) half_life: Option<f64>,
    /// Relative standard deviation of that half-life over the population
    #[arg(long, value_name = "PART", allow_negative_numbers = true)]
    half_life_sd: Option<f64>,
    /// curves.json of an earlier cycle, for prior_curve: its regions have the same names
    #[arg(long, value_name = "FILE")]
    pub(super) prior: Option<PathBuf>,
}

/// What the flags say, checked.
pub(in crate::cli) struct Asked {
    pub(in crate::cli) nuclide: Option<&'static Nuclide>,
    pub(in crate::cli) curve: CurveOptions,
    pub(in crate::cli) refers_to: ValueRefersTo,
    /// What is known where there is one scan.
    single: Option<Single>,
}

/// What is known where there is one scan.
enum Single {
    Same(Kinetics),
    /// Curves by the names of their regions.
    Prior(Vec<(String, Curve)>),
}

impl Asked {
    /// What is known of a region with one scan; none if nothing was said, or there is no curve of its name.
    pub(super) fn kinetics(&self, region: &str) -> Option<Kinetics> {
        match self.single.as_ref()? {
            Single::Same(kinetics) => Some(kinetics.clone()),
            Single::Prior(curves) => {
                let curve = curves.iter().find(|(name, _)| words::same_name(name) == words::same_name(region));
                let curve = curve.map(|(_, curve)| curve);
                curve.cloned().map(Kinetics::PriorCurve)
            }
        }
    }
}

impl CurveArgs {
    /// Checks the flags. Faults are recorded.
    ///
    /// * `from_file` – the nuclide and what values refer to, where a file says so; flags take precedence
    pub(in crate::cli) fn check(&self, from_file: [Option<&str>; 2], checks: &mut Checks) -> Asked {
        let [nuclide_of_file, refers_of_file] = from_file;
        let nuclide = match self.nuclide.as_deref().or(nuclide_of_file) {
            Some(name) => checks.at("nuclide", nuclide::find(name)),
            None => {
                checks.fail("nuclide", "is missing: its physical half-life bounds the rates");
                None
            }
        };
        let model =
            self.model.as_deref().map(|text| checks.at("model", by_name(text, &ModelChoice::ALL, ModelChoice::name)));
        let weighting = self.weighting.as_deref();
        let weighting = weighting.map(|text| checks.at("weighting", by_name(text, &Weighting::ALL, Weighting::name)));
        let before_first = checks.at("before-first", by_name(&self.before_first, &BeforeFirst::ALL, BeforeFirst::name));
        let between = checks.at("between", by_name(&self.between, &Between::ALL, Between::name));
        let refers_to = self.value_refers_to.as_deref().or(refers_of_file);
        let refers_to =
            refers_to.map(|text| checks.at("value-refers-to", by_name(text, &ValueRefersTo::ALL, ValueRefersTo::name)));
        if let Some(sigma) = self.activity_sigma.filter(|sigma| !(*sigma > 0.0 && sigma.is_finite())) {
            checks.fail("activity-sigma", format!("must be above 0 and finite, got {sigma}"));
        }
        let pieces =
            PieceRules { before_first: before_first.unwrap_or_default(), between: between.unwrap_or_default() };
        Asked {
            nuclide,
            curve: CurveOptions { model: model.flatten().unwrap_or_default(), weighting: weighting.flatten(), pieces },
            refers_to: refers_to.flatten().unwrap_or_default(),
            single: self.single(nuclide, checks),
        }
    }

    /// What is known where there is one scan. Faults are recorded.
    fn single(&self, nuclide: Option<&Nuclide>, checks: &mut Checks) -> Option<Single> {
        let method = self.single_time_point.as_deref();
        let needs_half_life = method == Some("population_half_life");
        if !needs_half_life && (self.half_life.is_some() || self.half_life_sd.is_some()) {
            checks.fail("half-life", "has no effect without --single-time-point population_half_life");
        }
        if method != Some("prior_curve") && self.prior.is_some() {
            checks.fail("prior", "has no effect without --single-time-point prior_curve");
        }
        match method? {
            "physical" => Some(Single::Same(Kinetics::Physical { half_life_h: nuclide?.half_life_s / 3600.0 })),
            "haenscheid" => Some(Single::Same(Kinetics::Haenscheid)),
            "population_half_life" => {
                let (Some(half_life_h), Some(relative_sd)) = (self.half_life, self.half_life_sd) else {
                    checks.fail("half-life", "population_half_life needs --half-life and --half-life-sd");
                    return None;
                };
                Some(Single::Same(Kinetics::PopulationHalfLife { half_life_h, relative_sd }))
            }
            "prior_curve" => {
                let Some(path) = &self.prior else {
                    checks.fail("prior", "prior_curve needs --prior");
                    return None;
                };
                checks.at("prior", prior_curves::read(path)).map(Single::Prior)
            }
            other => {
                checks
                    .fail("single-time-point", format!("must be one of {}, got {other:?}", Kinetics::NAMES.join(", ")));
                None
            }
        }
    }

    /// A series without points.
    ///
    /// * `half_life_s` – physical half-life [s]
    pub(in crate::cli) fn draft(&self, half_life_s: f64, refers_to: ValueRefersTo) -> SeriesDraft {
        SeriesDraft {
            points: Vec::new(),
            injection: self.injection.clone(),
            physical_half_life_h: half_life_s / 3600.0,
            administered_activity_mbq: self.administered_activity,
            infusion_h: self.infusion.unwrap_or(0.0),
            refers_to,
        }
    }
}
