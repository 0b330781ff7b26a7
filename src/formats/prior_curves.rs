//! Curves of an earlier cycle, from the JSON that `dosegrid integrate` writes.

use std::path::Path;

use serde_json::Value;

use super::rows::read_text;
use crate::clinic::{Curve, Shape};
use crate::domain::{DoseError, Invalid, words};

/// Reads the curves by the names of their regions. Regions without a curve are left out.
///
/// # Errors
/// If the file cannot be read or is no such JSON, a curve is none, or two regions have names that case or blanks alone
/// tell apart.
pub fn read(path: &Path) -> Result<Vec<(String, Curve)>, Invalid> {
    parse(&read_text(path)?)
}

/// As [`read`], from text.
///
/// # Errors
/// As there.
pub fn parse(text: &str) -> Result<Vec<(String, Curve)>, Invalid> {
    let file: Value =
        serde_json::from_str(text).map_err(|error| Invalid::new(format!("line {}: is not JSON", error.line())))?;
    let regions = file["regions"]
        .as_object()
        .ok_or_else(|| Invalid::new("has no `regions`: give the curves.json of an earlier cycle"))?;
    let with_curve = regions.iter().filter(|(_, region)| region["parameters"].is_object());
    let curves: Vec<(String, Curve)> =
        with_curve.map(|(name, region)| Ok((name.clone(), curve(name, region)?))).collect::<Result<_, Invalid>>()?;
    for (at, (name, _)) in curves.iter().enumerate() {
        if let Some((other, _)) =
            curves[..at].iter().find(|(other, _)| words::same_name(other) == words::same_name(name))
        {
            return Err(Invalid::new(format!(
                "two regions, {other} and {name}, have names that case or blanks alone tell apart"
            )));
        }
    }
    if curves.is_empty() { Err(Invalid::new("no region has a curve")) } else { Ok(curves) }
}

fn curve(name: &str, region: &Value) -> Result<Curve, Invalid> {
    let model = region["model"].as_str().unwrap_or_default();
    let shape = Shape::of_model(model).ok_or_else(|| Invalid::new(format!("{name}: its model is not known")))?;
    let named = region["parameters"].as_object().into_iter().flatten();
    let named: Vec<(String, f64)> =
        named.map(|(name, value)| (name.clone(), value.as_f64().unwrap_or(f64::NAN))).collect();
    Curve::from_names(shape, &named).map_err(|error: DoseError| Invalid::new(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_found_by_their_regions() {
        let kidney =
            serde_json::json!({ "model": "mono", "parameters": { "amplitude_1_mbq": 9.0, "rate_1_per_h": 0.01 } });
        let text =
            serde_json::json!({ "regions": { "kidney": kidney.clone(), "spleen": { "model": "trapezoid_tail" } } });
        let found = parse(&text.to_string()).expect("curves");
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].0, found[0].1.parameters()), ("kidney", &[9.0, 0.01][..]));
        let text = text.to_string().replace("\"mono\"", "\"physical\"");
        assert_eq!(parse(&text).expect("curves"), found);
        let twice = serde_json::json!({ "regions": { "kidney": kidney, "Kidney ": kidney } }).to_string();
        let error = parse(&twice).expect_err("one region twice").0;
        assert!(error.contains("case or blanks alone"), "{error}");
        for bad in ["", "{}", "{\"regions\": {}}", "{\"regions\": {\"a\": {\"model\": \"x\", \"parameters\": {}}}}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
