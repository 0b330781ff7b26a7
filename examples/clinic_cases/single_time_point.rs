//! Cases of `clinic-single-time-point-1`.

use std::path::Path;

use dosegrid::clinic::curve::{Curve, Shape};
use dosegrid::clinic::single_time_point::{Kinetics, Measurement, integrate_one};
use dosegrid::clinic::{Flag, Window};
use dosegrid::domain::DoseError;
use serde_json::Value;

use super::{Answers, each, number, optional, physical_half_life_h, written};

pub(super) fn answers(file: &Value, _folder: &Path) -> Answers {
    each(file, "cases", answer).chain(each(file, "refusals", answer)).collect()
}

fn answer(case: &Value) -> Result<Value, DoseError> {
    let given = &case["given"];
    let measured = Measurement {
        window: Window {
            start_h: number(given, "time_h")?,
            duration_h: optional(given, "duration_h")?.unwrap_or(0.0),
            infusion_h: optional(given, "infusion_h")?.unwrap_or(0.0),
        },
        activity_mbq: number(given, "activity_mbq")?,
        activity_relative_sigma: optional(given, "activity_relative_sigma")?,
    };
    let found = integrate_one(&measured, &kinetics(&case["method"], given)?)?;
    let mut answer = written(&found)?;
    answer["flags"] = found.flags().into_iter().map(Flag::name).collect();
    Ok(answer)
}

fn kinetics(method: &Value, given: &Value) -> Result<Kinetics, DoseError> {
    Ok(match method.as_str() {
        Some("physical") => Kinetics::Physical {
            half_life_h: match optional(given, "half_life_h")? {
                Some(half_life_h) if given["physical_half_life_h"].is_null() => half_life_h,
                _ => physical_half_life_h(given)?.ok_or_else(|| DoseError::invalid("half_life_h", "is missing"))?,
            },
        },
        Some("population_half_life") => Kinetics::PopulationHalfLife {
            half_life_h: number(given, "half_life_h")?,
            relative_sd: number(given, "half_life_relative_sd")?,
        },
        Some("haenscheid") => Kinetics::Haenscheid,
        Some("prior_curve") => Kinetics::PriorCurve(curve(&given["curve"])?),
        _ => return Err(DoseError::invalid("method", format!("is not known: {method}"))),
    })
}

/// A curve of a case: its model and its parameters by name.
pub(super) fn curve(given: &Value) -> Result<Curve, DoseError> {
    let model = given["model"].as_str().unwrap_or_default();
    let shape =
        Shape::of_model(model).ok_or_else(|| DoseError::invalid("curve.model", format!("is not known: {model}")))?;
    let named = given["parameters"].as_object().into_iter().flatten();
    let named: Vec<(String, f64)> =
        named.map(|(name, value)| (name.clone(), value.as_f64().unwrap_or(f64::NAN))).collect();
    Curve::from_names(shape, &named)
}
