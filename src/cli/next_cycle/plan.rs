//! What is known of earlier cycles and what the next one may do, as a caller writes it.

use serde::Deserialize;

use crate::clinic::course::DoseCourse;
use crate::clinic::dose_rate::DoseRate;
use crate::clinic::next_cycle::{Effect, LimitKind, OrganBefore};
use crate::clinic::plausible::of_relative_sigma;
use crate::domain::{Checks, DoseError, Warning};
use crate::intake::bed::{RepairPlan, check_regions, recorded, tissue};

/// A file of organs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// Of each cycle so far.
    pub(super) administered_gbq: Vec<f64>,
    /// Which cycles say what a GBq does.
    dose_per_gbq_from: Cycles,
    /// An activity that is thought of.
    pub(super) planned_gbq: Option<f64>,
    organ: Vec<OrganPlan>,
}

/// Which cycles the dose per activity is taken from.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Cycles {
    /// The last one.
    Last,
    /// All: their dose over their activity.
    All,
    /// The one with the highest.
    Highest,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganPlan {
    name: String,
    /// Of each cycle; those of organ tables if they are left out.
    doses_gy: Option<Vec<f64>>,
    /// From treatments before these cycles.
    #[serde(default)]
    earlier_gy: f64,
    earlier_bed_gy: Option<f64>,
    random_relative_sigma: Option<f64>,
    systematic_relative_sigma: Option<f64>,
    alpha_beta_gy: Option<f64>,
    repair_half_time_h: Option<f64>,
    repair: Option<Vec<RepairPlan>>,
    /// Of each cycle.
    effective_half_lives_h: Option<Vec<f64>>,
    #[serde(default)]
    limits: LimitsPlan,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsPlan {
    per_cycle_gy: Option<f64>,
    cumulative_gy: Option<f64>,
    per_cycle_bed_gy: Option<f64>,
    cumulative_bed_gy: Option<f64>,
}

impl LimitsPlan {
    fn given(&self) -> Vec<(LimitKind, f64)> {
        let values = [self.per_cycle_gy, self.cumulative_gy, self.per_cycle_bed_gy, self.cumulative_bed_gy];
        LimitKind::ALL.into_iter().zip(values).filter_map(|(kind, value)| Some((kind, value?))).collect()
    }
}

/// Bq in a GBq.
const BQ_PER_GBQ: f64 = 1e9;

impl Plan {
    /// What is implausible: activities above those of any treatment.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let so_far = self.administered_gbq.iter().map(|gbq| ("administered_gbq", *gbq));
        let all = so_far.chain(self.planned_gbq.map(|gbq| ("planned_gbq", gbq)));
        let high = all.filter_map(|(field, gbq)| Warning::of_high_activity(gbq * BQ_PER_GBQ, field));
        high.chain(self.organ.iter().flat_map(OrganPlan::warnings)).collect()
    }

    /// The organs before the next cycle. Every fault is recorded by field.
    ///
    /// * `dose` – the dose that a cycle gave an organ, from a table [Gy]
    pub(super) fn organs(&self, dose: impl Fn(usize, &str) -> Option<f64>, checks: &mut Checks) -> Vec<OrganBefore> {
        if self.administered_gbq.is_empty() || self.administered_gbq.iter().any(|gbq| !(*gbq > 0.0 && gbq.is_finite()))
        {
            checks.fail("administered_gbq", "needs the activity of each cycle so far, above 0 and finite");
        }
        if self.planned_gbq.is_some_and(|gbq| !(gbq > 0.0 && gbq.is_finite())) {
            checks.fail("planned_gbq", "must be above 0 and finite");
        }
        check_regions("organ", self.organ.iter().map(|organ| organ.name.as_str()), checks);
        let mut organs = Vec::new();
        for organ in &self.organ {
            let of_tables = || (0..self.administered_gbq.len()).map(|cycle| dose(cycle, &organ.name)).collect();
            let doses: Option<Vec<f64>> = organ.doses_gy.clone().or_else(of_tables);
            let before = match doses.filter(|doses| doses.len() == self.administered_gbq.len()) {
                Some(doses) => organ.before(self, &doses),
                None => {
                    let reason = "needs the dose of each cycle, here or in an organ table for each cycle";
                    Err(DoseError::invalid("doses_gy", reason))
                }
            };
            organs.extend(recorded(checks, &format!("organ.{}", organ.name), before));
        }
        organs
    }

    fn gy_per_gbq(&self, doses_gy: &[f64]) -> f64 {
        let each = || doses_gy.iter().zip(&self.administered_gbq).map(|(gy, gbq)| gy / gbq);
        match self.dose_per_gbq_from {
            Cycles::Last => each().next_back().unwrap_or(f64::NAN),
            Cycles::All => doses_gy.iter().sum::<f64>() / self.administered_gbq.iter().sum::<f64>(),
            Cycles::Highest => each().fold(f64::NAN, f64::max),
        }
    }
}

impl OrganPlan {
    /// σ that are larger than the dose.
    fn warnings(&self) -> impl Iterator<Item = Warning> {
        let sigmas = [
            ("random_relative_sigma", self.random_relative_sigma),
            ("systematic_relative_sigma", self.systematic_relative_sigma),
        ];
        let given = sigmas.into_iter().filter_map(|(field, sigma)| Some((field, sigma?)));
        given.filter_map(|(field, sigma)| of_relative_sigma(&format!("organ.{}.{field}", self.name), "the dose", sigma))
    }

    /// # Errors
    /// [`DoseError::Invalid`] with every fault.
    fn before(&self, plan: &Plan, doses_gy: &[f64]) -> Result<OrganBefore, DoseError> {
        let mut checks = Checks::new();
        if doses_gy.iter().chain([&self.earlier_gy]).any(|gy| !(*gy >= 0.0 && gy.is_finite())) {
            checks.fail("doses_gy", "every dose must be 0 or more and finite");
        }
        let effects = self.effects(doses_gy.len(), &mut checks);
        checks.finish()?;
        let previous_gy = self.earlier_gy + doses_gy.iter().sum::<f64>();
        let of_cycles = effects.as_ref().map(|effects| {
            let bed = |(gy, effect): (&f64, &Effect)| effect.tissue.bed_gy(*gy, effect.lea_catcheside_factor);
            doses_gy.iter().zip(effects).map(bed).sum::<f64>()
        });
        // Without earlier treatment its BED is 0; with it, only the caller knows.
        let earlier_bed_gy = self.earlier_bed_gy.or((self.earlier_gy == 0.0).then_some(0.0));
        Ok(OrganBefore {
            name: self.name.clone(),
            gy_per_gbq: plan.gy_per_gbq(doses_gy),
            random_relative_sigma: self.random_relative_sigma,
            systematic_relative_sigma: self.systematic_relative_sigma,
            previous_gy,
            previous_bed_gy: of_cycles.zip(earlier_bed_gy).map(|(cycles, earlier)| cycles + earlier),
            effect: effects.and_then(|effects| effects.into_iter().next_back()),
            limits: self.limits.given(),
        })
    }

    /// How BED follows from the dose of each cycle; none if nothing of it is given. Faults are recorded.
    fn effects(&self, cycles: usize, checks: &mut Checks) -> Option<Vec<Effect>> {
        let is_given = [self.alpha_beta_gy, self.repair_half_time_h].iter().any(Option::is_some)
            || self.repair.is_some()
            || self.effective_half_lives_h.is_some();
        if !is_given {
            return None;
        }
        let tissue = tissue(self.alpha_beta_gy, self.repair_half_time_h, self.repair.as_deref());
        let tissue = tissue
            .map_err(|error| error.violations().into_iter().for_each(|fault| checks.fail(fault.field, fault.reason)));
        let half_lives = self.effective_half_lives_h.as_deref().unwrap_or_default();
        if half_lives.len() != cycles {
            checks
                .fail("effective_half_lives_h", "one is needed for each cycle, for a BED; not the physical half-life");
            return None;
        }
        let tissue = tissue.ok()?;
        let effect = |&hours: &f64| {
            let course = DoseCourse::of(&DoseRate::mono(1.0, hours)?);
            Ok(Effect { lea_catcheside_factor: course.lea_catcheside_factor(tissue.repair()), tissue: tissue.clone() })
        };
        let effects: Result<Vec<Effect>, DoseError> = half_lives.iter().map(effect).collect();
        effects
            .map_err(|error| {
                error.violations().into_iter().for_each(|fault| checks.fail("effective_half_lives_h", fault.reason))
            })
            .ok()
    }
}
