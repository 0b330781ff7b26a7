//! The uncertainty budget of an absorbed dose: one line a part, with where it comes from.
//!
//! What depends on the volume of the region (counts in the outline, recovery, dose factor) is one part: its terms are
//! fully correlated, and adding them in squares overstates it by half and more.
//!
//! Source: the chain of Gear et al., Eur. J. Nucl. Med. Mol. Imaging 45 (2018) 2456 (EANM guidance), with its terms in
//! the volume collected.

mod cycles;

use serde::Serialize;

pub use cycles::sum_of_cycles_sigma_gy;

use super::outline::{Outline, edge_factor, equivalent_diameter_mm};
use super::recovery::RecoveryCurve;
use crate::domain::{Checks, DoseError};

/// Above this uncertainty of the volume, σ/v, first-order propagation is at its end.
pub const LARGE_VOLUME_SIGMA: f64 = 0.5;
/// The flag for that.
pub const VOLUME_UNCERTAINTY_LARGE: &str = "volume_uncertainty_large";
/// The flag of a volume outside those of the spheres that the recovery curve was fitted to.
pub const EXTRAPOLATED: &str = "extrapolated";
/// Every flag.
const FLAGS: [&str; 2] = [VOLUME_UNCERTAINTY_LARGE, EXTRAPOLATED];

/// Name of the part that comes from the volume.
const VOLUME: &str = "volume";
/// Names of all parts.
const PARTS: [&str; 7] = ["fit", "calibration", "recovery_fit", VOLUME, "dose_factor", "monte_carlo", "density"];

/// The name of a part of a budget, if there is such a part.
pub fn part_name(name: &str) -> Option<&'static str> {
    PARTS.into_iter().find(|part| *part == name)
}

/// The name of a flag of a budget, if there is such a flag.
pub fn flag_name(name: &str) -> Option<&'static str> {
    FLAGS.into_iter().find(|flag| *flag == name)
}

/// What a budget is made from. All σ are relative; what is not given makes the total a lower bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BudgetInputs {
    /// Volume of the region [cm³].
    pub volume_cm3: f64,
    /// How its outline was drawn.
    pub outline: Option<Outline>,
    /// Resolution of the activity image [mm]; needed with an outline.
    pub activity_fwhm_mm: Option<f64>,
    /// The recovery curve that the activity was corrected by; none if it was not corrected.
    pub recovery: Option<RecoveryCurve>,
    /// Of the calibration of the scanner.
    pub calibration: Option<f64>,
    /// Of the time-integrated activity, from the random σ of its points alone, or of the method for one time point.
    pub fit: Option<f64>,
    /// c of a dose factor that falls as `volume^−c`: 1, or slightly less where photons count.
    pub dose_factor_exponent: f64,
    /// Of the model behind the dose factor.
    pub dose_factor: Option<f64>,
    /// Of the Monte Carlo mean.
    pub monte_carlo: Option<f64>,
    /// Of the density.
    pub density: Option<f64>,
}

/// Where a line of the budget comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartSource {
    /// The caller gave it.
    Given,
    /// It was computed from what the caller gave.
    Computed,
    /// It is not known; the total is a lower bound.
    NotGiven,
}

impl PartSource {
    /// The words for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Computed => "computed",
            Self::NotGiven => "not given",
        }
    }
}

/// One line of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// σ of the dose that comes from it, over the dose; none if it is not known.
    pub relative_sigma: Option<f64>,
    /// Where it comes from.
    pub source: PartSource,
    /// Whether it is the same in all cycles, and adds linearly over them.
    pub systematic: bool,
}

/// What the volume does. Everything is relative.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VolumePart {
    /// Diameter of the sphere with that volume [mm].
    pub diameter_mm: f64,
    /// σ of the volume.
    pub volume_relative_sigma: f64,
    /// φ.
    pub edge_factor: f64,
    /// σ of the counts in the outline, `φ/(2R) u(v)/v`.
    pub counts_relative_sigma: f64,
    /// Covariance of counts and recovery coefficient.
    pub counts_recovery_covariance_relative: f64,
    /// σ of the dose factor that comes from the volume, `c u(v)/v`.
    pub dose_factor_relative_sigma_from_volume: f64,
    /// Covariance of time-integrated activity and dose factor.
    pub tia_dose_factor_covariance_relative: f64,
    /// The correlated parts in one bracket, with its sign: `(φ/(2R) − b2 (1−R) − c) u(v)/v`.
    pub bracket: f64,
}

/// An uncertainty budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Budget {
    /// One line a part.
    pub parts: Vec<Part>,
    /// σ of the dose over the dose.
    pub dose_relative_sigma: f64,
    /// Whether a part is not given, or of an outline how well its edges were drawn, so that the total is a lower bound.
    pub is_lower_bound: bool,
    /// The same with all parts taken as independent, which they are not; to compare with budgets made so.
    pub dose_relative_sigma_if_independent: f64,
    /// Recovery coefficient; 1 without a correction.
    pub recovery_coefficient: f64,
    /// σ of the coefficient from the fit of the curve, relative.
    pub recovery_relative_sigma_of_fit: Option<f64>,
    /// σ of the coefficient from fit and volume, relative.
    pub recovery_relative_sigma: Option<f64>,
    /// σ of the activity that is the same at all times: calibration, recovery and counts; relative.
    pub activity_relative_sigma: f64,
    /// σ of the time-integrated activity, relative.
    pub tia_relative_sigma: f64,
    /// What the volume does; none without an outline.
    pub volume: Option<VolumePart>,
    /// `volume_uncertainty_large`, `extrapolated`.
    pub flags: Vec<&'static str>,
}

impl Budget {
    /// The budget of a dose.
    ///
    /// # Errors
    /// [`DoseError::Invalid`] with every value that is out of range, and if there is an outline without a resolution.
    pub fn new(inputs: &BudgetInputs) -> Result<Self, DoseError> {
        check(inputs)?;
        let recovery_coefficient = inputs.recovery.as_ref().map_or(1.0, |curve| curve.coefficient(inputs.volume_cm3));
        let of_fit = inputs.recovery.as_ref().and_then(|curve| curve.sigma(inputs.volume_cm3));
        let of_fit = of_fit.map(|sigma| sigma / recovery_coefficient);
        let exponent = inputs.recovery.as_ref().map_or(0.0, |curve| curve.volume_exponent(inputs.volume_cm3));
        let volume = inputs.outline.zip(inputs.activity_fwhm_mm).map(|(outline, fwhm_mm)| {
            volume_part(
                inputs,
                recovery_coefficient,
                exponent,
                outline.volume_relative_sigma(inputs.volume_cm3),
                fwhm_mm,
            )
        });
        let of_volume = |part: fn(&VolumePart) -> f64| volume.as_ref().map_or(0.0, part);
        let relative_volume = of_volume(|part| part.volume_relative_sigma);
        let or_0 = |value: Option<f64>| value.unwrap_or(0.0);
        let recovery = [or_0(of_fit), exponent * relative_volume];
        let counts = of_volume(|part| part.counts_relative_sigma);
        let covariance = of_volume(|part| part.counts_recovery_covariance_relative);
        let activity = [or_0(inputs.calibration), recovery[0], recovery[1], counts];
        let activity_square = (sum_of_squares(&activity) - 2.0 * covariance).max(0.0);
        let parts = parts(inputs, of_fit, volume.as_ref());
        let known: Vec<f64> = parts.iter().filter_map(|part| part.relative_sigma).collect();
        let rest = [inputs.fit, inputs.dose_factor, inputs.monte_carlo, inputs.density].map(or_0);
        let from_volume = of_volume(|part| part.dose_factor_relative_sigma_from_volume);
        let independent = sum_of_squares(&activity) + sum_of_squares(&rest) + from_volume.powi(2);
        Ok(Self {
            dose_relative_sigma: sum_of_squares(&known).sqrt(),
            is_lower_bound: parts.iter().any(|part| part.source == PartSource::NotGiven) || inputs.lacks_operator(),
            parts,
            dose_relative_sigma_if_independent: independent.sqrt(),
            recovery_coefficient,
            recovery_relative_sigma_of_fit: of_fit,
            recovery_relative_sigma: of_fit.map(|_| sum_of_squares(&recovery).sqrt()),
            activity_relative_sigma: activity_square.sqrt(),
            tia_relative_sigma: (activity_square + or_0(inputs.fit).powi(2)).sqrt(),
            volume,
            flags: flags(inputs, relative_volume),
        })
    }

    /// σ of the dose that comes from a part, over the dose; none if it is not known.
    ///
    /// * `name` – of the part
    pub fn part(&self, name: &str) -> Option<f64> {
        self.parts.iter().find(|part| part.name == name).and_then(|part| part.relative_sigma)
    }

    /// σ of a dose [Gy].
    ///
    /// * `dose_gy` – [Gy]
    pub fn dose_sigma_gy(&self, dose_gy: f64) -> f64 {
        self.dose_relative_sigma * dose_gy
    }

    /// σ from the parts that differ from cycle to cycle, and from those that are the same in all, over the dose. The
    /// volume counts among the latter if all cycles have one outline.
    ///
    /// * `one_outline` – whether the region has one outline for all cycles
    pub fn random_and_systematic(&self, one_outline: bool) -> [f64; 2] {
        let of = |systematic: bool| {
            let is_of = |part: &&Part| (part.systematic && (one_outline || part.name != VOLUME)) == systematic;
            let sigmas: Vec<f64> = self.parts.iter().filter(is_of).filter_map(|part| part.relative_sigma).collect();
            sum_of_squares(&sigmas).sqrt()
        };
        [of(false), of(true)]
    }
}

impl BudgetInputs {
    /// Whether there is an outline of which nobody says how well its edges were drawn: 0 says that nobody drew them.
    ///
    /// What is not given makes a total a lower bound: that holds for each term of u²(d) in the chain (a²/6, F²/(4 ln 2)
    /// and 2 u_edge²), of which the other two have to be given, as it does for a whole line of the budget.
    fn lacks_operator(&self) -> bool {
        self.outline.is_some_and(|outline| outline.operator_edge_sigma_mm.is_none())
    }
}

/// * `volume_relative_sigma` – 0 without an outline
fn flags(inputs: &BudgetInputs, volume_relative_sigma: f64) -> Vec<&'static str> {
    let is_extrapolated = inputs.recovery.as_ref().is_some_and(|curve| curve.is_extrapolated(inputs.volume_cm3));
    let all = [volume_relative_sigma > LARGE_VOLUME_SIGMA, is_extrapolated];
    FLAGS.into_iter().zip(all).filter(|(_, is_set)| *is_set).map(|(flag, _)| flag).collect()
}

fn volume_part(
    inputs: &BudgetInputs,
    recovery_coefficient: f64,
    recovery_exponent: f64,
    volume_relative_sigma: f64,
    fwhm_mm: f64,
) -> VolumePart {
    let diameter_mm = equivalent_diameter_mm(inputs.volume_cm3);
    let edge_factor = edge_factor(diameter_mm, fwhm_mm);
    let counts_exponent = edge_factor / (2.0 * recovery_coefficient);
    let square = volume_relative_sigma.powi(2);
    let (activity_exponent, dose_exponent) = (counts_exponent - recovery_exponent, inputs.dose_factor_exponent);
    VolumePart {
        diameter_mm,
        volume_relative_sigma,
        edge_factor,
        counts_relative_sigma: counts_exponent * volume_relative_sigma,
        counts_recovery_covariance_relative: counts_exponent * recovery_exponent * square,
        dose_factor_relative_sigma_from_volume: dose_exponent.abs() * volume_relative_sigma,
        tia_dose_factor_covariance_relative: -activity_exponent * dose_exponent * square,
        bracket: (activity_exponent - dose_exponent) * volume_relative_sigma,
    }
}

fn parts(inputs: &BudgetInputs, recovery_of_fit: Option<f64>, volume: Option<&VolumePart>) -> Vec<Part> {
    let part = |name: &'static str, relative_sigma: Option<f64>, source: PartSource, systematic: bool| Part {
        name,
        relative_sigma,
        source: if relative_sigma.is_some() { source } else { PartSource::NotGiven },
        systematic,
    };
    use PartSource::{Computed, Given};
    let [fit, calibration, recovery, of_volume, dose_factor, monte_carlo, density] = PARTS;
    vec![
        part(fit, inputs.fit, Computed, false),
        part(calibration, inputs.calibration, Given, true),
        part(recovery, recovery_of_fit, Computed, true),
        part(of_volume, volume.map(|volume| volume.bracket.abs()), Computed, true),
        part(dose_factor, inputs.dose_factor, Given, true),
        part(monte_carlo, inputs.monte_carlo, Given, false),
        part(density, inputs.density, Given, true),
    ]
}

fn sum_of_squares(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

fn check(inputs: &BudgetInputs) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    if !(inputs.volume_cm3 > 0.0 && inputs.volume_cm3.is_finite()) {
        checks.fail("volume_cm3", format!("must be above 0 and finite, got {}", inputs.volume_cm3));
    }
    for (field, value) in [
        ("activity_fwhm_mm", inputs.activity_fwhm_mm),
        ("calibration_relative_sigma", inputs.calibration),
        ("fit_relative_sigma", inputs.fit),
        ("dose_factor_exponent", Some(inputs.dose_factor_exponent)),
        ("dose_factor_relative_sigma", inputs.dose_factor),
        ("monte_carlo_relative_sigma", inputs.monte_carlo),
        ("density_relative_sigma", inputs.density),
    ] {
        if let Some(value) = value.filter(|value| !(*value >= 0.0 && value.is_finite())) {
            checks.fail(field, format!("must be 0 or more and finite, got {value}"));
        }
    }
    if let Some(Err(error)) = inputs.outline.map(|outline| outline.check()) {
        error.violations().into_iter().for_each(|violation| checks.fail(violation.field, violation.reason));
    }
    if inputs.outline.is_some() && inputs.activity_fwhm_mm.is_none() {
        checks.fail(
            "activity_fwhm_mm",
            "is needed with an outline: the resolution of the activity image says what its edge holds",
        );
    }
    checks.finish()
}

#[cfg(test)]
mod tests;
