//! What a BED is made from, as a caller writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::LN_2;

use serde::Deserialize;

use crate::clinic::bed::Tissue;
use crate::clinic::course::{DoseCourse, Session};
use crate::clinic::dose_rate::{DoseRate, Term};
use crate::clinic::radiation::Radiation;
use crate::clinic::repair::{Repair, RepairComponent};
use crate::domain::{Checks, DoseError, Warning, words};
use crate::physics::nuclide::find;

/// Most regions of a plan.
pub const MAX_REGIONS: usize = 1024;
/// Most cycles of a region: every pair of them is computed.
pub const MAX_CYCLES: usize = 64;
/// Most terms of a dose-rate, components of repair, sessions and removals of a cycle.
pub const MAX_PARTS: usize = 32;

/// Regions, and what is known of their tissue, kinetics and doses.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BedPlan {
    /// The nuclide that decays.
    pub nuclide: String,
    /// Relative biological effectiveness of alpha particles.
    pub rbe: Option<f64>,
    /// Whether a BED of electrons, photons and alpha particles together is wanted.
    #[serde(default)]
    pub mixed_field: bool,
    /// The regions.
    pub region: Vec<RegionPlan>,
}

/// A region as it is written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionPlan {
    /// Its name.
    pub name: String,
    /// Its label in maps of regions.
    pub label: Option<u16>,
    /// α/β [Gy].
    pub alpha_beta_gy: Option<f64>,
    /// One half-time of repair [h]; infinite is no repair.
    pub repair_half_time_h: Option<f64>,
    /// Or several.
    pub repair: Option<Vec<RepairPlan>>,
    /// α of the equivalent uniform BED [1/Gy].
    pub alpha_per_gy: Option<f64>,
    /// Exponent of the generalised equivalent uniform dose.
    pub geud_exponent: Option<f64>,
    /// Its cycles, in order.
    pub cycle: Vec<CyclePlan>,
}

/// A component of repair as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairPlan {
    /// The part of the damage that it repairs.
    pub fraction: f64,
    /// Its half-time [h]; infinite is no repair.
    pub half_time_h: f64,
}

/// A cycle as it is written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CyclePlan {
    /// Dose of electrons and photons [Gy].
    pub dose_gy: Option<f64>,
    /// Dose of alpha particles [Gy].
    pub alpha_dose_gy: Option<f64>,
    /// When it starts [h].
    #[serde(default)]
    pub start_h: f64,
    /// Effective half-life of the dose-rate [h].
    pub effective_half_life_h: Option<f64>,
    /// Or the dose-rate as a sum of exponentials.
    pub dose_rate_terms: Option<Vec<TermPlan>>,
    /// How long the infusion took [h]; 0 is an injection.
    #[serde(default)]
    pub infusion_h: f64,
    /// Times of extra clearance, such as dialysis.
    #[serde(default)]
    pub sessions: Vec<SessionPlan>,
    /// Parts that were removed at an instant.
    #[serde(default)]
    pub removals: Vec<RemovalPlan>,
}

/// A term of a dose-rate.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermPlan {
    /// At time 0 [Gy/h]; all are scaled so that the dose is that of the cycle.
    pub amplitude_gy_per_h: f64,
    /// [1/h].
    pub rate_per_h: f64,
}

/// A time of extra clearance.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPlan {
    /// From the start of the cycle [h].
    pub start_h: f64,
    /// [h].
    pub duration_h: f64,
    /// Of the clearance alone [h].
    pub clearance_half_time_h: f64,
}

/// A part of the activity that was removed at an instant.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovalPlan {
    /// From the start of the cycle [h].
    pub time_h: f64,
    /// The part that was removed, 0 to 1.
    pub fraction: f64,
}

/// Records what is wrong with a list of regions.
///
/// * `what` – the field that lists them
/// * `names` – of all of them
pub fn check_regions<'a>(what: &str, names: impl ExactSizeIterator<Item = &'a str>, checks: &mut Checks) {
    if names.len() == 0 {
        checks.fail(what, "at least one is needed");
    }
    if names.len() > MAX_REGIONS {
        checks.fail(what, format!("are {}, at most {MAX_REGIONS} are taken", names.len()));
    }
    let mut seen = BTreeSet::new();
    for name in names.take(MAX_REGIONS) {
        let known = words::same_name(name);
        if known.is_empty() {
            checks.fail(what, "one has no name");
        } else if !seen.insert(known) {
            checks.fail(format!("{what}.{name}"), "is there twice; case and blanks make no other name");
        }
    }
}

impl BedPlan {
    /// What made the doses. A fault is recorded.
    pub(super) fn radiation(&self, checks: &mut Checks) -> Option<Radiation> {
        let nuclide = checks.at("nuclide", find(&self.nuclide))?;
        checks.at("rbe", Radiation::of(nuclide, self.rbe, self.mixed_field))
    }

    /// Names of the regions, of as many as are taken.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.region.iter().take(MAX_REGIONS).map(|region| region.name.as_str())
    }

    /// What is implausible: dose-rates that fall slower than the nuclide decays.
    pub fn warnings(&self) -> Vec<Warning> {
        let Ok(nuclide) = find(&self.nuclide) else { return Vec::new() };
        let mut all = Vec::new();
        for region in &self.region {
            for (at, cycle) in region.cycle.iter().enumerate() {
                let rates = cycle.dose_rate_terms.iter().flatten().map(|term| LN_2 / term.rate_per_h);
                let slowest_h = cycle.effective_half_life_h.into_iter().chain(rates).fold(0.0, f64::max);
                let field = format!("region.{}.cycle[{at}]", region.name);
                let (name, physical_s) = (&nuclide.name, nuclide.half_life_s);
                all.extend(Warning::of_effective_half_life(3600.0 * slowest_h, name, physical_s, field));
            }
        }
        all
    }

    /// Puts doses of organ tables into the cycles that have none. Faults are recorded.
    ///
    /// * `tables` – of each cycle, mean doses of regions [Gy], by their names as [`words::same_name`] has them
    pub fn take_doses(&mut self, tables: &[BTreeMap<String, f64>], checks: &mut Checks) {
        let is_low_let = matches!(self.radiation(&mut Checks::new()), Some(Radiation::LowLet));
        for region in &mut self.region {
            if tables.len() != region.cycle.len() {
                let reason = format!("has {} cycles, but there are {} organ tables", region.cycle.len(), tables.len());
                checks.fail(format!("region.{}.cycle", region.name), reason);
                continue;
            }
            // A table has the dose of all that is emitted, and says nothing of what alpha particles give.
            for (cycle, table) in region.cycle.iter_mut().zip(tables).filter(|_| is_low_let) {
                cycle.dose_gy = cycle.dose_gy.or_else(|| table.get(&words::same_name(&region.name)).copied());
            }
        }
    }
}

/// The tissue of parameters as they are written.
///
/// * `half_time_h` – of all repair; infinite is none
/// * `parts` – or of several components
///
/// # Errors
/// [`DoseError::Invalid`] with every parameter that is missing or bad.
pub fn tissue(
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
    /// Records lists that are too long; whether there is none.
    fn check_lengths(&self, field: &str, checks: &mut Checks) -> bool {
        let own =
            [("cycle", self.cycle.len(), MAX_CYCLES), ("repair", self.repair.as_ref().map_or(0, Vec::len), MAX_PARTS)];
        let own = own.map(|(name, length, most)| (format!("{field}.{name}"), length, most));
        let of_cycles = self.cycle.iter().enumerate().flat_map(|(at, cycle)| {
            let terms = cycle.dose_rate_terms.as_ref().map_or(0, Vec::len);
            let lists =
                [("dose_rate_terms", terms), ("sessions", cycle.sessions.len()), ("removals", cycle.removals.len())];
            lists.map(|(name, length)| (format!("{field}.cycle[{at}].{name}"), length, MAX_PARTS))
        });
        let mut is_good = true;
        for (field, length, most) in own.into_iter().chain(of_cycles).filter(|(_, length, most)| length > most) {
            checks.fail(field, format!("are {length}, at most {most} are taken"));
            is_good = false;
        }
        is_good
    }

    /// Its tissue, and for each cycle its start [h] and its course, of any dose. Faults are recorded by field.
    pub(super) fn kinetics(&self, checks: &mut Checks) -> Option<(Tissue, Vec<(f64, DoseCourse)>)> {
        let field = format!("region.{}", self.name);
        if !self.check_lengths(&field, checks) {
            return None;
        }
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
pub fn recorded<T>(checks: &mut Checks, field: &str, value: Result<T, DoseError>) -> Option<T> {
    value.map_err(|error| checks.extend(field, error.violations())).ok()
}
