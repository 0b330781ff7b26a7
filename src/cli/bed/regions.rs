//! BED of regions, from the dose of each cycle.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::plan::{CyclePlan, Plan, RegionPlan};
use crate::clinic::bed::Tissue;
use crate::clinic::course::DoseCourse;
use crate::clinic::cycle_factors::CycleFactors;
use crate::clinic::radiation::Radiation;
use crate::domain::Checks;
use crate::formats::atomic::write_file;
use crate::formats::organ_table::OrganRow;

/// A region whose parameters are good.
#[derive(Debug)]
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
#[derive(Debug, Serialize)]
pub(super) struct CycleResult {
    start_h: f64,
    dose_gy: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha_dose_gy: Option<f64>,
    lea_catcheside_factor: f64,
    bed_gy: f64,
    eqd2_gy: f64,
}

/// What is said of a region.
#[derive(Debug, Serialize)]
pub(super) struct RegionResult {
    pub(super) region: String,
    pub(super) alpha_beta_gy: f64,
    pub(super) dose_gy: f64,
    /// The figure to use: with overlap where cycles are near enough, and over voxels where there are some.
    pub(super) bed_gy: f64,
    pub(super) eqd2_gy: f64,
    pub(super) bed_sum_of_cycles_gy: f64,
    pub(super) bed_with_overlap_gy: f64,
    pub(super) cycles_overlap: bool,
    pub(super) cycles: Vec<CycleResult>,
    #[serde(flatten)]
    pub(super) voxels: Option<VoxelFigures>,
}

/// What is said besides of a region of voxels.
#[derive(Debug, Serialize)]
pub(super) struct VoxelFigures {
    pub(super) mass_g: f64,
    pub(super) excluded_volume_cm3: f64,
    pub(super) bed_of_mean_dose_gy: f64,
    pub(super) equivalent_uniform_bed_gy: Option<f64>,
    /// Of one cycle only: with several, no uniform dose has one factor.
    pub(super) equivalent_uniform_dose_gy: Option<f64>,
    pub(super) generalised_eud_gy: Option<f64>,
}

/// The regions of a plan. Every fault is recorded by field.
///
/// * `tables` – organ tables, one for each cycle; none if the doses are in the plan
/// * `maps` – number of dose maps; none if the doses are not in maps
pub(super) fn checked(
    plan: &Plan,
    radiation: Option<Radiation>,
    tables: &[Vec<OrganRow>],
    maps: Option<usize>,
    checks: &mut Checks,
) -> Option<Vec<Region>> {
    if plan.region.is_empty() {
        checks.fail("region", "at least one is needed");
    }
    let mut regions = Vec::new();
    for region in &plan.region {
        let kinetics = region.kinetics(checks);
        let doses = match maps {
            Some(maps) => without_doses(region, maps, checks),
            None => doses(region, radiation, tables, checks),
        };
        regions.extend(kinetics.zip(doses).map(|((tissue, cycles), doses)| region.with(tissue, &cycles, doses)));
    }
    (regions.len() == plan.region.len()).then_some(regions)
}

impl RegionPlan {
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

/// The doses of a region, from the plan or else from tables. Faults are recorded.
fn doses(
    region: &RegionPlan,
    radiation: Option<Radiation>,
    tables: &[Vec<OrganRow>],
    checks: &mut Checks,
) -> Option<Vec<CycleDose>> {
    let radiation = radiation?;
    if !tables.is_empty() && tables.len() != region.cycle.len() {
        let reason = format!("has {} cycles, but there are {} organ tables", region.cycle.len(), tables.len());
        checks.fail(format!("region.{}.cycle", region.name), reason);
        return None;
    }
    let of = |(at, cycle): (usize, &CyclePlan)| {
        let field = format!("region.{}.cycle[{at}]", region.name);
        let row = tables.get(at).and_then(|rows| rows.iter().find(|row| row.name == region.name));
        let found = cycle_dose(cycle, radiation, row.and_then(|row| row.mean_by_mass_gy));
        found.map_err(|(name, reason)| checks.fail(format!("{field}.{name}"), reason)).ok()
    };
    let doses: Vec<Option<CycleDose>> = region.cycle.iter().enumerate().map(of).collect();
    doses.into_iter().collect()
}

/// * `in_table` – the dose that an organ table has for the region [Gy]
///
/// # Errors
/// A field and what is wrong with it.
fn cycle_dose(
    cycle: &CyclePlan,
    radiation: Radiation,
    in_table: Option<f64>,
) -> Result<CycleDose, (&'static str, String)> {
    let good = |name: &'static str, gy: Option<f64>| match gy {
        None => Err((name, "is needed: in the plan, or in an organ table by the name of the region".to_owned())),
        Some(gy) if gy >= 0.0 && gy.is_finite() => Ok(gy),
        Some(gy) => Err((name, format!("must be 0 or more and finite, got {gy}"))),
    };
    match radiation {
        Radiation::LowLet if cycle.alpha_dose_gy.is_some() => {
            Err(("alpha_dose_gy", "the nuclide emits no alpha particles".to_owned()))
        }
        Radiation::LowLet => Ok(CycleDose { low_let_gy: good("dose_gy", cycle.dose_gy.or(in_table))?, alpha_gy: 0.0 }),
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
    pub(super) fn result(&self, radiation: Radiation) -> RegionResult {
        let low_let: Vec<f64> = self.doses.iter().map(|dose| dose.low_let_gy).collect();
        let alpha_bed = |dose: &CycleDose| radiation.alpha_bed_gy(dose.alpha_gy).unwrap_or(0.0);
        let alphas: f64 = self.doses.iter().map(alpha_bed).sum();
        let cycle = |at: usize| {
            let (dose, factor) = (&self.doses[at], self.factors.own()[at]);
            let bed_gy = self.tissue.bed_gy(dose.low_let_gy, factor) + alpha_bed(dose);
            CycleResult {
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
        RegionResult {
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

/// Writes one row for each region.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write_csv(path: &Path, regions: &[RegionResult]) -> io::Result<()> {
    write_file(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record([
            "region",
            "alpha_beta_gy",
            "dose_gy",
            "bed_gy",
            "eqd2_gy",
            "bed_sum_of_cycles_gy",
            "bed_with_overlap_gy",
            "cycles_overlap",
            "bed_of_mean_dose_gy",
            "equivalent_uniform_bed_gy",
            "equivalent_uniform_dose_gy",
            "generalised_eud_gy",
        ])?;
        for region in regions {
            let figures = region.voxels.as_ref();
            table.serialize((
                &region.region,
                region.alpha_beta_gy,
                region.dose_gy,
                region.bed_gy,
                region.eqd2_gy,
                region.bed_sum_of_cycles_gy,
                region.bed_with_overlap_gy,
                region.cycles_overlap,
                figures.map(|figures| figures.bed_of_mean_dose_gy),
                figures.and_then(|figures| figures.equivalent_uniform_bed_gy),
                figures.and_then(|figures| figures.equivalent_uniform_dose_gy),
                figures.and_then(|figures| figures.generalised_eud_gy),
            ))?;
        }
        table.flush()
    })
}
