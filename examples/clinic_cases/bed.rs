//! Cases of `clinic-bed-1`.

use std::path::Path;

use dosegrid::clinic::bed::{Bed, Tissue};
use dosegrid::clinic::course::DoseCourse;
use dosegrid::clinic::dose_rate::{DoseRate, Term};
use dosegrid::clinic::repair::{Repair, RepairComponent};
use dosegrid::clinic::uniform_dose::VoxelDoses;
use dosegrid::domain::DoseError;
use serde_json::{Value, json};

use super::{Answers, each, members, number, numbers, optional};

pub(super) fn answers(file: &Value, _folder: &Path) -> Answers {
    let one = |case: &Value| course(&case["given"]);
    let several = |case: &Value| cycles(&case["given"]);
    let map = |case: &Value| voxels(&case["given"]);
    each(file, "cases", one)
        .chain(each(file, "cycles", several))
        .chain(each(file, "voxels", map))
        .chain(each(file, "refusals", one))
        .collect()
}

fn course(given: &Value) -> Result<Value, DoseError> {
    let tissue = tissue(given)?;
    let rate = DoseRate::new(terms(given)?)?;
    let rate = match optional(given, "absorbed_dose_gy")? {
        Some(dose_gy) => rate.scaled_to(dose_gy)?,
        None => rate,
    };
    let course = DoseCourse::infused(&rate, optional(given, "infusion_h")?.unwrap_or(0.0))?;
    let Bed { dose_gy, lea_catcheside_factor, bed_gy, eqd2_gy } = tissue.of_course(&course);
    let mut answer = json!({
        "absorbed_dose_gy": dose_gy,
        "lea_catcheside_factor": lea_catcheside_factor,
        "bed_gy": bed_gy,
        "eqd2_gy": eqd2_gy,
        "dose_rate_at_24_h_gy_per_h": course.at_gy_per_h(24.0),
    });
    if optional(given, "infusion_h")?.unwrap_or(0.0) == 0.0 {
        let peak = rate.peak();
        answer["time_of_highest_dose_rate_h"] = peak.time_h.into();
        answer["highest_dose_rate_gy_per_h"] = peak.gy_per_h.into();
    }
    Ok(answer)
}

fn cycles(given: &Value) -> Result<Value, DoseError> {
    let tissue = tissue(given)?;
    let (doses, half_lives) = (numbers(given, "doses_gy")?, numbers(given, "effective_half_lives_h")?);
    let starts = starts(given, doses.len())?;
    for (name, list) in [("effective_half_lives_h", &half_lives), ("starts_h", &starts)] {
        if list.len() != doses.len() {
            return Err(DoseError::invalid(name, format!("are {}, there are {} doses", list.len(), doses.len())));
        }
    }
    let course =
        |(start_h, (&dose, &hours)): (f64, (&f64, &f64))| Ok((start_h, DoseCourse::of(&DoseRate::mono(dose, hours)?)));
    let courses: Result<Vec<_>, DoseError> =
        starts.into_iter().zip(doses.iter().zip(&half_lives)).map(course).collect();
    let found = tissue.of_cycles(&courses?)?;
    Ok(json!({
        "bed_of_each_gy": found.each.iter().map(|bed| bed.bed_gy).collect::<Vec<_>>(),
        "bed_sum_gy": found.bed_gy,
        "bed_with_overlap_gy": found.bed_with_overlap_gy,
        "eqd2_sum_gy": found.eqd2_gy,
        "overlap_relative": found.overlap_relative(),
    }))
}

fn voxels(given: &Value) -> Result<Value, DoseError> {
    let tissue = tissue(given)?;
    let rate = match optional(given, "effective_half_life_h")? {
        Some(half_life_h) => DoseRate::mono(1.0, half_life_h)?,
        None => DoseRate::new(terms(given)?)?,
    };
    let factor = DoseCourse::of(&rate).lea_catcheside_factor(tissue.repair());
    let doses = VoxelDoses::new(numbers(given, "dose_gy")?, &numbers(given, "mass_g")?)?;
    let (beds, region) = (doses.beds_gy(&tissue, factor), doses.region_bed(&tissue, factor));
    let uniform_bed_gy = doses.equivalent_uniform_bed_gy(&beds, number(given, "alpha_per_gy")?)?;
    let exponent = optional(given, "geud_exponent")?;
    Ok(json!({
        "lea_catcheside_factor": factor,
        "bed_gy": beds,
        "mean_dose_gy": region.mean_dose_gy,
        "mean_bed_by_mass_gy": region.mean_bed_gy,
        "bed_of_mean_dose_gy": region.bed_of_mean_dose_gy,
        "equivalent_uniform_bed_gy": uniform_bed_gy,
        "equivalent_uniform_dose_gy": tissue.dose_with_bed_gy(uniform_bed_gy, factor),
        "generalised_eud_gy": exponent.map(|exponent| doses.generalised_eud_gy(exponent)).transpose()?,
    }))
}

/// When cycles start, by their interval or their times.
fn starts(given: &Value, cycles: usize) -> Result<Vec<f64>, DoseError> {
    if !given["starts_h"].is_null() {
        return numbers(given, "starts_h");
    }
    let interval_h = number(given, "interval_h")?;
    Ok((0..cycles).map(|cycle| cycle as f64 * interval_h).collect())
}

fn terms(given: &Value) -> Result<Vec<Term>, DoseError> {
    let terms = members(given, "dose_rate_terms")?.iter();
    let term = |term: &Value| {
        Ok(Term { amplitude_gy_per_h: number(term, "amplitude_gy_per_h")?, rate_per_h: number(term, "rate_per_h")? })
    };
    terms.map(term).collect()
}

/// Repair that is written as a list, or as one half-time; a half-time of null is no repair at all.
fn tissue(given: &Value) -> Result<Tissue, DoseError> {
    let component = |part: &Value| {
        Ok(RepairComponent { fraction: number(part, "fraction")?, half_time_h: optional(part, "half_time_h")? })
    };
    let repair = match (given["repair"].as_array(), given.get("repair_half_time_h")) {
        (Some(parts), _) => {
            Some(parts.iter().map(component).collect::<Result<Vec<_>, DoseError>>().and_then(Repair::new))
        }
        (None, Some(_)) => Some(optional(given, "repair_half_time_h").and_then(Repair::mono)),
        (None, None) => None,
    };
    Tissue::of(optional(given, "alpha_beta_gy")?, repair)
}
