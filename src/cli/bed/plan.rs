//! What a BED is made from, as a caller writes it.

use serde::Deserialize;

use crate::clinic::bed::Tissue;
use crate::clinic::course::{DoseCourse, Session};
use crate::clinic::dose_rate::{DoseRate, Term};
use crate::clinic::radiation::Radiation;
use crate::clinic::repair::{Repair, RepairComponent};
use crate::domain::{Checks, DoseError};
use crate::physics::nuclide::find;

/// A file of regions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    nuclide: String,
    /// Relative biological effectiveness of alpha particles.
    rbe: Option<f64>,
    /// Whether a BED of electrons, photons and alpha particles together is wanted.
    #[serde(default)]
    mixed_field: bool,
    pub(super) region: Vec<RegionPlan>,
}

/// A region as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegionPlan {
    pub(super) name: String,
    pub(super) label: Option<u16>,
    alpha_beta_gy: Option<f64>,
    /// One half-time; infinite is no repair.
    repair_half_time_h: Option<f64>,
    /// Or several.
    repair: Option<Vec<RepairPlan>>,
    pub(super) alpha_per_gy: Option<f64>,
    pub(super) geud_exponent: Option<f64>,
    pub(super) cycle: Vec<CyclePlan>,
}

/// A component of repair as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct RepairPlan {
    fraction: f64,
    half_time_h: f64,
}

/// A cycle as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CyclePlan {
    /// Of electrons and photons.
    pub(super) dose_gy: Option<f64>,
    pub(super) alpha_dose_gy: Option<f64>,
    #[serde(default)]
    start_h: f64,
    effective_half_life_h: Option<f64>,
    dose_rate_terms: Option<Vec<TermPlan>>,
    #[serde(default)]
    infusion_h: f64,
    #[serde(default)]
    sessions: Vec<SessionPlan>,
    #[serde(default)]
    removals: Vec<RemovalPlan>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermPlan {
    amplitude_gy_per_h: f64,
    rate_per_h: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionPlan {
    start_h: f64,
    duration_h: f64,
    clearance_half_time_h: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemovalPlan {
    time_h: f64,
    fraction: f64,
}

impl Plan {
    /// What made the doses. A fault is recorded.
    pub(super) fn radiation(&self, checks: &mut Checks) -> Option<Radiation> {
        let nuclide = checks.at("nuclide", find(&self.nuclide))?;
        checks.at("rbe", Radiation::of(nuclide, self.rbe, self.mixed_field))
    }
}

/// The tissue of parameters as they are written.
///
/// * `half_time_h` – of all repair; infinite is none
/// * `parts` – or of several components
///
/// # Errors
/// [`DoseError::Invalid`] with every parameter that is missing or bad.
pub(in crate::cli) fn tissue(
    alpha_beta_gy: Option<f64>,
    half_time_h: Option<f64>,
    parts: Option<&[RepairPlan]>,
) -> Result<Tissue, DoseError> {
    let finite = |hours: f64| if hours == f64::INFINITY { None } else { Some(hours) };
    let repair = match (half_time_h, parts) {
        (Some(_), Some(_)) => {
            return Err(DoseError::invalid("repair", "give repair_half_time_h or repair, not both"));
        }
        (None, None) => None,
        (Some(hours), None) => Some(Repair::mono(finite(hours))),
        (None, Some(parts)) => {
            let part =
                |part: &RepairPlan| RepairComponent { fraction: part.fraction, half_time_h: finite(part.half_time_h) };
            Some(Repair::new(parts.iter().map(part).collect()))
        }
    };
    Tissue::of(alpha_beta_gy, repair)
}

impl RegionPlan {
    /// Its tissue, and for each cycle its start [h] and its course, of any dose. Faults are recorded by field.
    pub(super) fn kinetics(&self, checks: &mut Checks) -> Option<(Tissue, Vec<(f64, DoseCourse)>)> {
        let field = format!("region.{}", self.name);
        let tissue = tissue(self.alpha_beta_gy, self.repair_half_time_h, self.repair.as_deref());
        let tissue = recorded(checks, &field, tissue);
        if self.cycle.is_empty() {
            checks.fail(format!("{field}.cycle"), "at least one is needed");
        }
        let in_order = self.cycle.is_sorted_by(|a, b| a.start_h < b.start_h);
        if !(in_order && self.cycle.iter().all(|cycle| cycle.start_h.is_finite())) {
            checks.fail(
                format!("{field}.cycle"),
                "every cycle after the first needs a start_h after that of the one before",
            );
        }
        let mut courses = Vec::new();
        for (at, cycle) in self.cycle.iter().enumerate() {
            let course = recorded(checks, &format!("{field}.cycle[{at}]"), cycle.course());
            courses.extend(course.map(|course| (cycle.start_h, course)));
        }
        (courses.len() == self.cycle.len()).then_some(())?;
        Some((tissue?, courses))
    }
}

impl CyclePlan {
    fn course(&self) -> Result<DoseCourse, DoseError> {
        let rate = match (self.effective_half_life_h, &self.dose_rate_terms) {
            (Some(hours), None) => DoseRate::mono(1.0, hours)?,
            (None, Some(terms)) => {
                let term =
                    |term: &TermPlan| Term { amplitude_gy_per_h: term.amplitude_gy_per_h, rate_per_h: term.rate_per_h };
                DoseRate::new(terms.iter().map(term).collect())?
            }
            _ => {
                let reason = "give effective_half_life_h (not the physical half-life) or dose_rate_terms, and not both";
                return Err(DoseError::invalid("effective_half_life_h", reason));
            }
        };
        let sessions: Vec<Session> = self
            .sessions
            .iter()
            .map(|s| Session {
                start_h: s.start_h,
                duration_h: s.duration_h,
                clearance_half_time_h: s.clearance_half_time_h,
            })
            .collect();
        let course = DoseCourse::infused(&rate, self.infusion_h)?.with_sessions(&sessions)?;
        self.removals.iter().try_fold(course, |course, removal| course.with_removal(removal.time_h, removal.fraction))
    }
}

/// Unwraps a value, or records its faults below a field.
pub(in crate::cli) fn recorded<T>(checks: &mut Checks, field: &str, value: Result<T, DoseError>) -> Option<T> {
    value.map_err(|error| checks.extend(field, error.violations())).ok()
}
