//! Cases of `clinic-curves-1`: series, sums of cycles, refusals.

use std::path::Path;

use dosegrid::clinic::cycles::{CycleIntegral, SumOptions, sum_of_cycles};
use dosegrid::clinic::{
    BeforeFirst, Between, CurveOptions, Integration, ModelChoice, Moment, PieceRules, PointDraft, Series, SeriesDraft,
    ValueRefersTo, Weighting, by_name, integrate,
};
use dosegrid::domain::{DoseError, Invalid};
use serde_json::Value;

use super::{Answers, each, members, number, optional, physical_half_life_h, written};

/// Physical half-life of Lu-177 [h], where a case of a refusal names no nuclide.
const LU_177_HALF_LIFE_H: f64 = 159.4632;

pub(super) fn answers(file: &Value, _folder: &Path) -> Answers {
    let answer = |case| Ok(integrated(case)?.to_json());
    each(file, "cases", answer).chain(each(file, "refusals", answer)).chain(each(file, "sums_of_cycles", sum)).collect()
}

fn integrated(case: &Value) -> Result<Integration, DoseError> {
    let options = options(&case["options"])?;
    integrate(&Series::new(&draft(case)?)?, &options)
}

fn sum(case: &Value) -> Result<Value, DoseError> {
    let cycles = members(case, "cycles")?.iter().map(|cycle| {
        Ok(CycleIntegral {
            integration: integrated(cycle)?,
            administered_activity_mbq: optional(cycle, "administered_activity_mbq")?,
        })
    });
    let options = SumOptions {
        common_relative_sigma: number(case, "common_relative_sigma")?,
        dose_per_tia_gy_per_mbq_h: optional(case, "dose_per_tia_gy_per_mbq_h")?,
    };
    written(sum_of_cycles(&cycles.collect::<Result<Vec<_>, DoseError>>()?, &options)?)
}

fn draft(case: &Value) -> Result<SeriesDraft, DoseError> {
    let points = members(case, "points")?.iter().map(point);
    Ok(SeriesDraft {
        points: points.collect::<Result<_, _>>()?,
        injection: case["injection_iso"].as_str().map(str::to_owned),
        physical_half_life_h: physical_half_life_h(case)?.unwrap_or(LU_177_HALF_LIFE_H),
        administered_activity_mbq: optional(case, "administered_activity_mbq")?,
        infusion_h: optional(&case["options"], "infusion_h")?.unwrap_or(0.0),
        refers_to: named(&case["options"]["value_refers_to"], &ValueRefersTo::ALL, ValueRefersTo::name)?
            .unwrap_or_default(),
    })
}

fn point(given: &Value) -> Result<PointDraft, DoseError> {
    let clock = given["time_iso"].as_str().map(|text| Ok(Moment::Clock(text.to_owned())));
    Ok(PointDraft {
        time: clock.unwrap_or_else(|| Ok::<_, DoseError>(Moment::Hours(number(given, "time_h")?)))?,
        activity_mbq: number(given, "activity_mbq")?,
        sigma_mbq: optional(given, "sigma_mbq")?,
        duration_h: optional(given, "duration_h")?,
    })
}

fn options(given: &Value) -> Result<CurveOptions, DoseError> {
    let pieces = &given["trapezoid"];
    Ok(CurveOptions {
        model: named(&given["model"], &ModelChoice::ALL, ModelChoice::name)?.unwrap_or_default(),
        weighting: named(&given["weighting"], &Weighting::ALL, Weighting::name)?,
        pieces: PieceRules {
            before_first: named(&pieces["before_first"], &BeforeFirst::ALL, BeforeFirst::name)?.unwrap_or_default(),
            between: named(&pieces["between"], &Between::ALL, Between::name)?.unwrap_or_default(),
        },
    })
}

/// What a case names; none if it names nothing.
fn named<T: Copy>(value: &Value, all: &[T], name: fn(T) -> &'static str) -> Result<Option<T>, DoseError> {
    if !value.is_null() && !value.is_string() {
        return Err(DoseError::invalid("options", format!("must be a name, got {value}")));
    }
    let found = value.as_str().map(|text| by_name(text, all, name)).transpose();
    found.map_err(|Invalid(reason)| DoseError::invalid("options", reason))
}
