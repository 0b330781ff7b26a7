//! The activity of the next cycle that stays within limits of the caller.
//!
//! No limit is built in. The answer is arithmetic on the doses of earlier cycles; a physician decides.

use serde::Serialize;

use super::bed::Tissue;
use super::dose_rate::above_0;
use crate::domain::{Checks, DoseError};

/// σ of the inner interval, with 68 % of a normal distribution.
const ONE_SIGMA: f64 = 1.0;
/// σ of the outer interval, with 95 %.
const TWO_SIDED_95: f64 = 1.959_963_985;

/// What a limit is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Absorbed dose of one cycle.
    PerCycleGy,
    /// Absorbed dose of all cycles.
    CumulativeGy,
    /// BED of one cycle.
    PerCycleBedGy,
    /// BED of all cycles.
    CumulativeBedGy,
}

impl LimitKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PerCycleGy, Self::CumulativeGy, Self::PerCycleBedGy, Self::CumulativeBedGy];

    /// The name of its field.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerCycleGy => "per_cycle_gy",
            Self::CumulativeGy => "cumulative_gy",
            Self::PerCycleBedGy => "per_cycle_bed_gy",
            Self::CumulativeBedGy => "cumulative_bed_gy",
        }
    }

    fn is_bed(self) -> bool {
        matches!(self, Self::PerCycleBedGy | Self::CumulativeBedGy)
    }

    fn is_cumulative(self) -> bool {
        matches!(self, Self::CumulativeGy | Self::CumulativeBedGy)
    }
}

/// How an organ's BED follows from its dose.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Its tissue.
    pub tissue: Tissue,
    /// Lea-Catcheside factor of the next cycle.
    pub lea_catcheside_factor: f64,
}

/// What is known of an organ before the next cycle, and what it may receive.
#[derive(Clone, Debug, PartialEq)]
pub struct OrganBefore {
    /// Its name.
    pub name: String,
    /// Dose per activity [Gy/GBq].
    pub gy_per_gbq: f64,
    /// Relative σ of that from what differs between cycles: fit, Monte Carlo, the patient; none if it is not known.
    pub random_relative_sigma: Option<f64>,
    /// Relative σ from what is the same in all cycles: calibration, recovery, outline; none if it is not known.
    pub systematic_relative_sigma: Option<f64>,
    /// Dose of all cycles so far [Gy].
    pub previous_gy: f64,
    /// BED of all cycles so far, at least the dose [Gy]; needed for a limit of cumulative BED.
    pub previous_bed_gy: Option<f64>,
    /// Needed for a limit of BED.
    pub effect: Option<Effect>,
    /// Limits of the caller [Gy].
    pub limits: Vec<(LimitKind, f64)>,
}

/// The activity that one limit of one organ allows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bound {
    /// The organ.
    pub organ: String,
    /// Which limit.
    pub limit: LimitKind,
    /// The limit [Gy].
    pub limit_gy: f64,
    /// What earlier cycles have used of it [Gy].
    pub used_gy: f64,
    /// The activity that reaches the limit; 0 if earlier cycles have [GBq].
    pub activity_gbq: f64,
    /// Where the activity lies with 68 %, from the budget [GBq]; none if no part of the budget is known. The end above
    /// is none if the dose per activity may be 0.
    pub interval_68_gbq: Option<[Option<f64>; 2]>,
    /// The same with 95 %.
    pub interval_95_gbq: Option<[Option<f64>; 2]>,
    /// Whether a part of the budget is not known, so that the intervals are too narrow.
    pub interval_is_lower_bound: bool,
}

/// What an organ would receive.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlook {
    /// The organ.
    pub organ: String,
    /// Dose of the cycle [Gy].
    pub dose_gy: f64,
    /// Dose of all cycles [Gy].
    pub cumulative_gy: f64,
    /// BED of the cycle [Gy].
    pub bed_gy: Option<f64>,
    /// BED of all cycles [Gy].
    pub cumulative_bed_gy: Option<f64>,
}

/// What the limits allow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NextCycle {
    /// The activity that stays within every limit [GBq].
    pub activity_gbq: f64,
    /// Every limit, the one that decides first.
    pub bounds: Vec<Bound>,
    /// Organs besides the deciding one that would decide at some activity within its interval of 68 %.
    pub may_also_decide: Vec<String>,
    /// Organs without a limit: nothing here speaks for them.
    pub organs_without_limit: Vec<String>,
    /// What each organ would receive at that activity.
    pub at_this_activity: Vec<Outlook>,
    /// Who decides.
    pub note: &'static str,
}

/// Stands in every answer.
pub const NOTE: &str = "This is arithmetic on earlier doses and on limits that were given. A physician decides.";

/// The activity that stays within every limit.
///
/// # Errors
/// [`DoseError::Invalid`] with every value out of range; if there is no limit at all; if a limit of BED lacks what a
/// BED is made from.
pub fn next_cycle(organs: &[OrganBefore]) -> Result<NextCycle, DoseError> {
    check(organs)?;
    let of_organ = |organ: &OrganBefore| organ.limits.iter().map(|limit| bound(organ, *limit)).collect::<Vec<_>>();
    let mut bounds: Vec<Bound> = organs.iter().flat_map(of_organ).collect();
    bounds.sort_by(|a, b| a.activity_gbq.total_cmp(&b.activity_gbq));
    let first = &bounds[0];
    let reach = first.interval_68_gbq.map_or(first.activity_gbq, |[_, high]| high.unwrap_or(f64::INFINITY));
    let low = |bound: &Bound| bound.interval_68_gbq.and_then(|[low, _]| low).unwrap_or(bound.activity_gbq);
    let near = bounds.iter().filter(|bound| bound.organ != first.organ && low(bound) <= reach);
    let mut may_also_decide: Vec<String> = Vec::new();
    for bound in near {
        // Its limits need not follow one another.
        if !may_also_decide.contains(&bound.organ) {
            may_also_decide.push(bound.organ.clone());
        }
    }
    let activity_gbq = first.activity_gbq;
    let unlimited = organs.iter().filter(|organ| organ.limits.is_empty());
    Ok(NextCycle {
        activity_gbq,
        may_also_decide,
        organs_without_limit: unlimited.map(|organ| organ.name.clone()).collect(),
        at_this_activity: organs.iter().map(|organ| organ.outlook(activity_gbq)).collect(),
        bounds,
        note: NOTE,
    })
}

impl OrganBefore {
    /// What it would receive.
    ///
    /// * `activity_gbq` – of the next cycle [GBq]
    pub fn outlook(&self, activity_gbq: f64) -> Outlook {
        let dose_gy = activity_gbq * self.gy_per_gbq;
        let bed_gy = self.effect.as_ref().map(|effect| effect.tissue.bed_gy(dose_gy, effect.lea_catcheside_factor));
        Outlook {
            organ: self.name.clone(),
            dose_gy,
            cumulative_gy: self.previous_gy + dose_gy,
            bed_gy,
            cumulative_bed_gy: bed_gy.zip(self.previous_bed_gy).map(|(next, before)| next + before),
        }
    }

    /// What earlier cycles have used of a limit, if all doses are higher by a factor [Gy].
    fn used_gy(&self, limit: LimitKind, factor: f64) -> f64 {
        if !limit.is_cumulative() {
            return 0.0;
        }
        let dose_gy = self.previous_gy * factor;
        if !limit.is_bed() {
            return dose_gy;
        }
        // What BED has above the dose is quadratic in it.
        let before = self.previous_bed_gy.unwrap_or(self.previous_gy);
        dose_gy + (before - self.previous_gy).max(0.0) * factor * factor
    }

    /// The activity that reaches a limit [GBq].
    ///
    /// * `all` – factor on every dose
    /// * `next` – factor on that of the next cycle alone
    fn activity_gbq(&self, (limit, limit_gy): (LimitKind, f64), all: f64, next: f64) -> f64 {
        let left_gy = (limit_gy - self.used_gy(limit, all)).max(0.0);
        let dose_gy = match &self.effect {
            Some(effect) if limit.is_bed() => effect.tissue.dose_with_bed_gy(left_gy, effect.lea_catcheside_factor),
            _ => left_gy,
        };
        dose_gy / (self.gy_per_gbq * all * next)
    }
}

fn bound(organ: &OrganBefore, limit: (LimitKind, f64)) -> Bound {
    let (random, systematic) = (organ.random_relative_sigma, organ.systematic_relative_sigma);
    let is_known = random.is_some() || systematic.is_some();
    Bound {
        organ: organ.name.clone(),
        limit: limit.0,
        limit_gy: limit.1,
        used_gy: organ.used_gy(limit.0, 1.0),
        activity_gbq: organ.activity_gbq(limit, 1.0, 1.0),
        interval_68_gbq: is_known.then(|| interval(organ, limit, ONE_SIGMA)),
        interval_95_gbq: is_known.then(|| interval(organ, limit, TWO_SIDED_95)),
        interval_is_lower_bound: random.is_none() || systematic.is_none(),
    }
}

/// Where the activity that reaches a limit lies: the distances that what all cycles share and what the next one has for
/// itself move it, in squares.
fn interval(organ: &OrganBefore, limit: (LimitKind, f64), sigmas: f64) -> [Option<f64>; 2] {
    let middle = organ.activity_gbq(limit, 1.0, 1.0);
    let [random, systematic] =
        [organ.random_relative_sigma, organ.systematic_relative_sigma].map(|sigma| sigmas * sigma.unwrap_or(0.0));
    let end = |sign: f64| {
        let (all, next) = (1.0 + sign * systematic, 1.0 + sign * random);
        let is_positive = all > 0.0 && next > 0.0;
        is_positive.then(|| {
            let moved = [organ.activity_gbq(limit, all, 1.0), organ.activity_gbq(limit, 1.0, next)];
            (moved[0] - middle).hypot(moved[1] - middle)
        })
    };
    [end(1.0).map(|below| (middle - below).max(0.0)), end(-1.0).map(|above| middle + above)]
}

fn check(organs: &[OrganBefore]) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    for organ in organs {
        let field = |name: &str| format!("organ.{}.{name}", organ.name);
        checks.at(field("gy_per_gbq"), above_0(organ.gy_per_gbq));
        for (name, value) in [
            ("random_relative_sigma", organ.random_relative_sigma),
            ("systematic_relative_sigma", organ.systematic_relative_sigma),
            ("previous_gy", Some(organ.previous_gy)),
        ] {
            if let Some(value) = value.filter(|value| !(*value >= 0.0 && value.is_finite())) {
                checks.fail(field(name), format!("must be 0 or more and finite, got {value}"));
            }
        }
        if organ.previous_bed_gy.is_some_and(|bed_gy| !(bed_gy >= organ.previous_gy && bed_gy.is_finite())) {
            checks.fail(field("previous_bed_gy"), "must be finite and no less than the dose of earlier cycles");
        }
        for (limit, limit_gy) in &organ.limits {
            checks.at(field(&format!("limits.{}", limit.name())), above_0(*limit_gy));
            if limit.is_bed() && organ.effect.is_none() {
                let reason = "a limit of BED needs alpha/beta, repair half-time and effective half-life of the organ";
                checks.fail(field(&format!("limits.{}", limit.name())), reason);
            }
            if *limit == LimitKind::CumulativeBedGy && organ.previous_bed_gy.is_none() {
                checks.fail(
                    field("previous_bed_gy"),
                    "is needed for a limit of cumulative BED; 0 before the first cycle",
                );
            }
        }
    }
    if organs.iter().all(|organ| organ.limits.is_empty()) {
        checks.fail(
            "organ.limits",
            "no organ has a limit, and none is built in: give the limits that hold for this patient",
        );
    }
    checks.finish()
}

#[cfg(test)]
mod tests;
