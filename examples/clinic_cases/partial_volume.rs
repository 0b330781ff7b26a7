//! Cases of `clinic-partial-volume-1`.

use std::path::Path;

use dosegrid::clinic::recovery::{Correction, RecoveryCurve, RegionActivity, Sphere};
use dosegrid::domain::DoseError;
use serde_json::{Value, json};

use super::{Answers, each, members, number, optional};

pub(super) fn answers(file: &Value, _folder: &Path) -> Answers {
    let curve = &file["curve"];
    let id = curve["id"].as_str().unwrap_or("curve").to_owned();
    let fitted = fit(&curve["given"]);
    let mut answers: Answers = vec![(id, fitted.clone().and_then(|fitted| described(&fitted, curve)))];
    answers.extend(each(file, "corrections", |case| corrected(&case["given"], &fitted)));
    answers.extend(each(file, "refusals", |case| {
        let given = &case["given"];
        if !given["spheres"].is_null() { described(&fit(given)?, case) } else { corrected(given, &fitted) }
    }));
    answers
}

/// The curve through spheres, or of parameters.
fn fit(given: &Value) -> Result<RecoveryCurve, DoseError> {
    let sphere = |sphere: &Value| {
        Ok(Sphere {
            volume_cm3: number(sphere, "volume_cm3")?,
            recovery_coefficient: number(sphere, "recovery_coefficient")?,
            sigma: optional(sphere, "sigma")?,
        })
    };
    let spheres: Result<Vec<Sphere>, DoseError> = members(given, "spheres")?.iter().map(sphere).collect();
    RecoveryCurve::fit(&spheres?)
}

/// The parameters, and the coefficients of the volumes that the case asks for.
fn described(curve: &RecoveryCurve, case: &Value) -> Result<Value, DoseError> {
    let asked = [&case["given"]["at"], &case["expected"]["at"]].into_iter().find_map(Value::as_array);
    let at = |place: &Value| {
        let volume_cm3 = number(place, "volume_cm3")?;
        Ok(json!({
            "volume_cm3": volume_cm3,
            "recovery_coefficient": curve.coefficient(volume_cm3),
            "sigma": curve.sigma(volume_cm3),
            "extrapolated": curve.is_extrapolated(volume_cm3),
        }))
    };
    let at: Vec<Value> = asked.into_iter().flatten().map(at).collect::<Result<_, DoseError>>()?;
    Ok(json!({
        "b1_cm3": curve.b1_cm3,
        "b2": curve.b2,
        "covariance": curve.covariance,
        "chi_square": curve.chi_square,
        "at": at,
    }))
}

/// An activity corrected by the coefficient of the case, or else by that of its volume.
fn corrected(given: &Value, curve: &Result<RecoveryCurve, DoseError>) -> Result<Value, DoseError> {
    let volume_cm3 = optional(given, "volume_cm3")?;
    let (coefficient, extrapolated) = match (optional(given, "recovery_coefficient")?, volume_cm3) {
        (Some(coefficient), _) => (coefficient, None),
        (None, Some(volume_cm3)) => {
            let curve = curve.clone()?;
            (curve.coefficient(volume_cm3), Some(curve.is_extrapolated(volume_cm3)))
        }
        (None, None) => return Err(DoseError::invalid("volume_cm3", "is missing")),
    };
    let background = optional(given, "background_mbq_per_cm3")?;
    if background.is_some() && volume_cm3.is_none() {
        return Err(DoseError::invalid("volume_cm3", "is missing beside a background"));
    }
    if let Some(volume_cm3) = volume_cm3.filter(|volume_cm3| !(*volume_cm3 > 0.0 && volume_cm3.is_finite())) {
        return Err(DoseError::invalid("volume_cm3", format!("must be above 0 and finite, got {volume_cm3}")));
    }
    let correction = match &given["already_corrected"] {
        Value::Null | Value::Bool(false) => Correction::None,
        Value::Bool(true) => Correction::Done,
        other @ (Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(DoseError::invalid("already_corrected", format!("must be true or false, got {other}")));
        }
    };
    let region = RegionActivity {
        measured_mbq: number(given, "measured_activity_mbq")?,
        correction,
        background: background.zip(volume_cm3).map(<[f64; 2]>::from),
    };
    let found = region.corrected(coefficient)?;
    Ok(json!({
        "activity_mbq": found.activity_mbq,
        "factor": found.factor,
        "activity_mbq_if_background_ignored": found.if_background_ignored_mbq,
        "extrapolated": extrapolated,
    }))
}
