//! Cases of `clinic-dose-volume-1`.

use std::collections::BTreeMap;
use std::path::Path;

use dosegrid::domain::{ActivityUnit, DensityMap, DoseError, Invalid, Organ, Organs, TimeIntegratedActivity, Volume};
use dosegrid::dosimetry::organs::OrganInputs;
use dosegrid::dosimetry::{DoseDistribution, OrganDose, organ_distributions, organ_doses};
use dosegrid::formats::volume_file::{read_frames, read_volume};
use serde_json::{Map, Value, json};

use super::{Answers, each, number, numbers};

pub(super) fn answers(file: &Value, folder: &Path) -> Answers {
    let answer = |case: &Value| answer(&case["given"], folder);
    each(file, "cases", answer).chain(each(file, "refusals", answer)).collect()
}

fn answer(given: &Value, folder: &Path) -> Result<Value, DoseError> {
    let path = |name: &str| folder.join(given[name].as_str().unwrap_or_default());
    let dose = at("dose_file", read_volume(&path("dose_file")))?.volume;
    let density = || read_volume(&path("density_file")).and_then(|file| DensityMap::new(file.volume));
    let density = given["density_file"].is_string().then(density).transpose();
    let density = at("density_file", density)?;
    let organs = at("labels", organs(given, folder))?;
    let nothing = Volume::from_vec(dose.grid().clone(), vec![0.0; dose.as_slice().len()]);
    let nothing = nothing.and_then(|volume| TimeIntegratedActivity::new(volume, ActivityUnit::BqS));
    let activity = at("activity", nothing)?;
    let inputs = OrganInputs {
        dose: &dose,
        uncertainty: None,
        activity: &activity,
        density: density.as_ref(),
        uniform_density_g_cm3: 1.0,
        minimum_density_g_cm3: Some(number(given, "minimum_density_g_cm3")?),
        organs: &organs,
        names: &BTreeMap::new(),
        regions: &[],
        injected_bq: None,
    };
    let levels = numbers(given, "v_levels_gy")?;
    let written = given["v_levels_gy"].as_array().into_iter().flatten().map(ToString::to_string);
    let levels: Vec<(String, f64)> = written.zip(levels).collect();
    let doses = organ_doses(&inputs).into_iter().zip(organ_distributions(&inputs));
    let answers: Map<String, Value> = doses
        .map(|(organ, distribution)| (organ.name.clone(), figures(&organ, distribution.as_ref(), &levels)))
        .collect();
    Ok(Value::Object(answers))
}

fn figures(organ: &OrganDose, distribution: Option<&DoseDistribution>, levels: &[(String, f64)]) -> Value {
    let at_level = |level: f64| distribution.map(|distribution| distribution.volume_at_dose(level));
    let volumes: Map<String, Value> =
        levels.iter().map(|(name, level)| (name.clone(), at_level(*level).into())).collect();
    json!({
        "volume_cm3": organ.counted_volume_cm3,
        "mass_g": organ.counted_mass_g,
        "excluded_volume_cm3": organ.excluded_volume_cm3,
        "mean_gy": organ.mean_by_mass_gy,
        "mean_by_volume_gy": organ.mean_gy,
        "minimum_gy": organ.min_gy,
        "maximum_gy": organ.max_gy,
        "d98_gy": organ.d98_gy,
        "d95_gy": organ.d95_gy,
        "d90_gy": organ.d90_gy,
        "d70_gy": organ.d70_gy,
        "d50_gy": organ.d50_gy,
        "d2_gy": organ.d2_gy,
        "d1cc_gy": organ.d1cc_gy,
        "v_fraction": volumes,
    })
}

/// The organs of a label map or of layers of fractions, an empty one too.
fn organs(given: &Value, folder: &Path) -> Result<Organs, Invalid> {
    let path = |name: &str| folder.join(given[name].as_str().unwrap_or_default());
    let mut organs = Vec::new();
    let grid;
    if let Some(layers) = given["fraction_layers"].as_array() {
        let file = read_frames::<f32>(&path("fractions_file"))?;
        grid = file.header.grid.clone();
        for (label, (name, layer)) in (1..).zip(layers.iter().zip(&file.frames)) {
            organs.push(Organ::of_shares(label, name.as_str().map(str::to_owned), layer)?);
        }
    } else {
        let map = read_volume(&path("labels_file"))?.volume;
        grid = map.grid().clone();
        for (name, label) in given["labels"].as_object().into_iter().flatten() {
            let label = label.as_u64().and_then(|label| u16::try_from(label).ok()).unwrap_or_default();
            let inside = map.as_slice().iter().zip(0..).filter(|(value, _)| **value == f32::from(label));
            organs.push(Organ::whole(label, Some(name.clone()), inside.map(|(_, voxel)| voxel).collect())?);
        }
    }
    Organs::new(grid, organs)
}

fn at<T>(field: &str, value: Result<T, Invalid>) -> Result<T, DoseError> {
    value.map_err(|Invalid(reason)| DoseError::invalid(field, reason))
}
