//! BED of regions, from the dose of each cycle.

use serde::Serialize;

use super::plan::{BedPlan, CyclePlan, MAX_CYCLES, MAX_REGIONS, RegionPlan, check_regions};
use crate::clinic::bed::Tissue;
use crate::clinic::course::DoseCourse;
use crate::clinic::cycle_factors::CycleFactors;
use crate::clinic::radiation::Radiation;
use crate::domain::Checks;

/// Most that a dose may be [Gy]: beyond, it is one of other units, and a BED may be no number.
pub(in crate::intake) const MOST_GY: f64 = 1e6;

/// A region whose parameters are good.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) name: String,
    pub(super) label: Option<u16>,
    pub(super) tissue: Tissue,
    pub(super) factors: CycleFactors,
    /// Whether the cycles reach into one another.
    pub(super) overlap: bool,
    pub(super) alpha_per_gy: Option<f64>,
    pub(super) geud_exponent: Option<f64>,
    starts_h: Vec<f64>,
    doses: Vec<CycleDose>,
}

/// Doses of one cycle [Gy].
#[derive(Clone, Copy, Debug, Default)]
struct CycleDose {
    /// Of electrons and photons.
    low_let_gy: f64,
    alpha_gy: f64,
}

/// What is said of a cycle.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BedCycle {
    /// When it starts [h].
    pub start_h: f64,
    /// Dose of electrons and photons [Gy].
    pub dose_gy: f64,
    /// Dose of alpha particles [Gy]; none where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha_dose_gy: Option<f64>,
    /// Lea-Catcheside factor G, 0 to 1.
    pub lea_catcheside_factor: f64,
    /// BED of the cycle alone [Gy].
    pub bed_gy: f64,
    /// EQD2 of the cycle alone [Gy].
    pub eqd2_gy: f64,
}

/// What is said of a region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BedRegion {
    /// Its name.
    pub region: String,
    /// α/β [Gy].
    pub alpha_beta_gy: f64,
    /// Absorbed dose of all cycles [Gy].
    pub dose_gy: f64,
    /// The figure to use [Gy]: with overlap where cycles are near enough, and over voxels where there are some.
    pub bed_gy: f64,
    /// The dose in fractions of 2 Gy with that BED [Gy].
    pub eqd2_gy: f64,
    /// The sum of the BED of each cycle [Gy].
    pub bed_sum_of_cycles_gy: f64,
    /// The same with the damage that was not repaired when the next cycle began [Gy].
    pub bed_with_overlap_gy: f64,
    /// Whether two cycles are nearer than ten of the longest half-lives.
    pub cycles_overlap: bool,
    /// Each cycle.
    pub cycles: Vec<BedCycle>,
    /// Of dose maps.
    #[serde(flatten)]
    pub voxels: Option<BedVoxels>,
}

/// What is said besides of a region of voxels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BedVoxels {
    /// Mass of the voxels that have a dose [g].
    pub mass_g: f64,
    /// Volume of those that have none, because they are lighter than the least density [cm³].
    pub excluded_volume_cm3: f64,
    /// BED of the mean dose [Gy]: lower than the mean of the BED.
    pub bed_of_mean_dose_gy: f64,
    /// [Gy]; none without α.
    pub equivalent_uniform_bed_gy: Option<f64>,
    /// [Gy], of one cycle only: with several, no uniform dose has one factor.
    pub equivalent_uniform_dose_gy: Option<f64>,
    /// [Gy]; none without an exponent.
    pub generalised_eud_gy: Option<f64>,
}

/// The regions of a plan. Every fault is recorded by field.
///
/// * `maps` – number of dose maps; none if the doses are in the plan
pub(super) fn checked(
    plan: &BedPlan,
    radiation: Option<Radiation>,
    maps: Option<usize>,
    checks: &mut Checks,
) -> Option<Vec<Region>> {
    check_regions("region", plan.region.iter().map(|region| region.name.as_str()), checks);
    let mut regions = Vec::new();
    for region in plan.region.iter().take(MAX_REGIONS) {
        let kinetics = region.kinetics(checks);
        region.check_uniform(checks);
        let doses = match maps {
            Some(maps) => without_doses(region, maps, checks),
            None => doses(region, radiation, checks),
        };
        regions.extend(kinetics.zip(doses).map(|((tissue, cycles), doses)| region.with(tissue, &cycles, doses)));
    }
    (regions.len() == plan.region.len()).then_some(regions)
}

impl RegionPlan {
    /// Checks what uniform doses need, also where there are no maps for them.
    fn check_uniform(&self, checks: &mut Checks) {
        if let Some(alpha) = self.alpha_per_gy.filter(|alpha| !(*alpha > 0.0 && alpha.is_finite())) {
            checks
                .fail(format!("region.{}.alpha_per_gy", self.name), format!("must be above 0 and finite, got {alpha}"));
        }
        if let Some(exponent) = self.geud_exponent.filter(|exponent| *exponent == 0.0 || !exponent.is_finite()) {
            checks.fail(
                format!("region.{}.geud_exponent", self.name),
                format!("must be finite and not 0, got {exponent}"),
            );
        }
    }

    fn with(&self, tissue: Tissue, cycles: &[(f64, DoseCourse)], doses: Vec<CycleDose>) -> Region {
        Region {
            name: self.name.clone(),
            label: self.label,
            factors: CycleFactors::new(cycles, tissue.repair()),
            overlap: tissue.overlap(cycles),
            tissue,
            alpha_per_gy: self.alpha_per_gy,
            geud_exponent: self.geud_exponent,
            starts_h: cycles.iter().map(|(start_h, _)| *start_h).collect(),
            doses,
        }
    }
}

/// No doses, where they come from maps. A fault is recorded.
fn without_doses(region: &RegionPlan, maps: usize, checks: &mut Checks) -> Option<Vec<CycleDose>> {
    let field = format!("region.{}.cycle", region.name);
    if region.cycle.len() != maps {
        checks.fail(&field, format!("has {} cycles, but there are {maps} dose maps", region.cycle.len()));
    }
    if region.cycle.iter().any(|cycle| cycle.dose_gy.is_some() || cycle.alpha_dose_gy.is_some()) {
        checks.fail(&field, "leave out the doses: they come from the dose maps");
    }
    Some(vec![CycleDose::default(); region.cycle.len()])
}

/// The doses of a region. Faults are recorded.
fn doses(region: &RegionPlan, radiation: Option<Radiation>, checks: &mut Checks) -> Option<Vec<CycleDose>> {
    let radiation = radiation?;
    let of = |(at, cycle): (usize, &CyclePlan)| {
        let field = format!("region.{}.cycle[{at}]", region.name);
        cycle_dose(cycle, radiation).map_err(|(name, reason)| checks.fail(format!("{field}.{name}"), reason)).ok()
    };
    let doses: Vec<Option<CycleDose>> = region.cycle.iter().take(MAX_CYCLES).enumerate().map(of).collect();
    doses.into_iter().collect()
}

/// # Errors
/// A field and what is wrong with it.
fn cycle_dose(cycle: &CyclePlan, radiation: Radiation) -> Result<CycleDose, (&'static str, String)> {
    let good = |name: &'static str, gy: Option<f64>| match gy {
        None => Err((name, "is needed: in the plan, or in an organ table by the name of the region".to_owned())),
        Some(gy) if (0.0..=MOST_GY).contains(&gy) => Ok(gy),
        Some(gy) => Err((name, format!("must be from 0 to {MOST_GY:e} Gy, got {gy}"))),
    };
    match radiation {
        Radiation::LowLet if cycle.alpha_dose_gy.is_some() => {
            Err(("alpha_dose_gy", "the nuclide emits no alpha particles".to_owned()))
        }
        Radiation::LowLet => Ok(CycleDose { low_let_gy: good("dose_gy", cycle.dose_gy)?, alpha_gy: 0.0 }),
        Radiation::Alpha { .. } if cycle.dose_gy.is_some() => Err((
            "dose_gy",
            "is that of electrons and photons: ask for mixed_field by name, or leave it out".to_owned(),
        )),
        Radiation::Alpha { .. } => {
            Ok(CycleDose { low_let_gy: 0.0, alpha_gy: good("alpha_dose_gy", cycle.alpha_dose_gy)? })
        }
        Radiation::Mixed { .. } => Ok(CycleDose {
            low_let_gy: good("dose_gy", cycle.dose_gy)?,
            alpha_gy: good("alpha_dose_gy", cycle.alpha_dose_gy)?,
        }),
    }
}

impl Region {
    /// What is said of it, from the dose of each cycle.
    pub(super) fn result(&self, radiation: Radiation) -> BedRegion {
        let low_let: Vec<f64> = self.doses.iter().map(|dose| dose.low_let_gy).collect();
        let alpha_bed = |dose: &CycleDose| radiation.alpha_bed_gy(dose.alpha_gy).unwrap_or(0.0);
        let alphas: f64 = self.doses.iter().map(alpha_bed).sum();
        let cycle = |at: usize| {
            let (dose, factor) = (&self.doses[at], self.factors.own()[at]);
            let bed_gy = self.tissue.bed_gy(dose.low_let_gy, factor) + alpha_bed(dose);
            BedCycle {
                start_h: self.starts_h[at],
                dose_gy: dose.low_let_gy,
                alpha_dose_gy: radiation.alpha_bed_gy(0.0).map(|_| dose.alpha_gy),
                lea_catcheside_factor: factor,
                bed_gy,
                eqd2_gy: self.tissue.eqd2_gy(bed_gy),
            }
        };
        let bed_sum_of_cycles_gy = self.factors.sum_gy(&self.tissue, &low_let) + alphas;
        let bed_with_overlap_gy = self.factors.with_overlap_gy(&self.tissue, &low_let) + alphas;
        let bed_gy = if self.overlap { bed_with_overlap_gy } else { bed_sum_of_cycles_gy };
        BedRegion {
            region: self.name.clone(),
            alpha_beta_gy: self.tissue.alpha_beta_gy(),
            dose_gy: self.doses.iter().map(|dose| dose.low_let_gy + dose.alpha_gy).sum(),
            bed_gy,
            eqd2_gy: self.tissue.eqd2_gy(bed_gy),
            bed_sum_of_cycles_gy,
            bed_with_overlap_gy,
            cycles_overlap: self.overlap,
            cycles: (0..self.doses.len()).map(cycle).collect(),
            voxels: None,
        }
    }

    /// The same region with the mean doses of its voxels.
    ///
    /// * `doses_gy` – of each cycle [Gy]
    pub(super) fn with_doses(&self, radiation: Radiation, doses_gy: &[f64]) -> Self {
        let dose = |&gy: &f64| match radiation {
            Radiation::LowLet => CycleDose { low_let_gy: gy, alpha_gy: 0.0 },
            Radiation::Alpha { .. } | Radiation::Mixed { .. } => CycleDose { low_let_gy: 0.0, alpha_gy: gy },
        };
        Self {
            name: self.name.clone(),
            tissue: self.tissue.clone(),
            factors: self.factors.clone(),
            starts_h: self.starts_h.clone(),
            doses: doses_gy.iter().map(dose).collect(),
            ..*self
        }
    }

    /// BED of a voxel [Gy].
    ///
    /// * `doses_gy` – of each cycle [Gy]
    pub(super) fn voxel_bed_gy(&self, radiation: Radiation, doses_gy: &[f64]) -> f64 {
        if let Some(bed_gy) = radiation.alpha_bed_gy(doses_gy.iter().sum()) {
            return bed_gy;
        }
        match self.overlap {
            true => self.factors.with_overlap_gy(&self.tissue, doses_gy),
            false => self.factors.sum_gy(&self.tissue, doses_gy),
        }
    }
}
