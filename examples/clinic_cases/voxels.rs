//! Cases of `clinic-voxels-1`: a region's integral shared out, and voxel by voxel.

use std::path::Path;

use dosegrid::clinic::{
    CurveOptions, Frames, ModelChoice, Moment, PointDraft, SeriesDraft, SharingOptions, ValueRefersTo, VoxelKind,
    VoxelModel, VoxelOptions, by_name, integrate_voxels, regions_of, share_out,
};
use dosegrid::domain::{DoseError, Invalid, Volume};
use dosegrid::formats::{labels, volume_file};
use serde_json::{Map, Value, json};

use super::{Answers, each, number, optional};

/// The maps of a file of cases.
struct Given<'a> {
    file: &'a Value,
    folder: &'a Path,
    frames: Frames,
    maps: Vec<Volume<f32>>,
}

pub(super) fn answers(file: &Value, folder: &Path) -> Answers {
    let given = read(file, folder);
    let answer = |case: &Value| match &given {
        Ok(given) => answer(given, case),
        Err(error) => Err(error.clone()),
    };
    each(file, "cases", answer).chain(each(file, "refusals", answer)).collect()
}

fn read<'a>(file: &'a Value, folder: &'a Path) -> Result<Given<'a>, DoseError> {
    let given = &file["given"];
    let bad = |Invalid(reason)| DoseError::invalid("activity_files", reason);
    let names = given["activity_files"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let maps = names.map(|name| Ok(volume_file::read_volume(&folder.join(name)).map_err(bad)?.volume));
    let times_h = given["times_h"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    let point =
        |time_h| PointDraft { time: Moment::Hours(time_h), activity_mbq: 1.0, sigma_mbq: None, duration_h: None };
    let frames = Frames::new(&SeriesDraft {
        points: times_h.map(point).collect(),
        injection: None,
        physical_half_life_h: number(given, "physical_half_life_h")?,
        administered_activity_mbq: None,
        infusion_h: 0.0,
        refers_to: ValueRefersTo::AcquisitionMean,
    })?;
    Ok(Given { file, folder, frames, maps: maps.collect::<Result<_, DoseError>>()? })
}

fn answer(given: &Given, case: &Value) -> Result<Value, DoseError> {
    let asked = &case["given"];
    let maps: Vec<&[f32]> = given.maps.iter().map(Volume::as_slice).collect();
    match optional(asked, "voxel_relative_sigma")? {
        None => by_region(given, &maps, asked),
        Some(relative_sigma) => by_voxel(given, &maps, asked, relative_sigma),
    }
}

fn model(asked: &Value) -> Result<ModelChoice, DoseError> {
    by_name(asked["model"].as_str().unwrap_or_default(), &ModelChoice::ALL, ModelChoice::name)
        .map_err(|Invalid(reason)| DoseError::invalid("model", reason))
}

fn by_region(given: &Given, maps: &[&[f32]], asked: &Value) -> Result<Value, DoseError> {
    let name = given.file["given"]["labels_file"].as_str().unwrap_or_default();
    let files = labels::read(&[given.folder.join(name)]);
    let files = files.map_err(|Invalid(reason)| DoseError::invalid("labels_file", reason))?;
    let options = SharingOptions {
        curve: CurveOptions { model: model(asked)?, ..CurveOptions::default() },
        relative_sigma: optional(asked, "region_relative_sigma")?,
        reference_time_h: optional(asked, "reference_time_h")?,
    };
    let found = share_out(&given.frames, maps, &regions_of(&files.organs)?, &options)?;
    let regions: Map<String, Value> =
        found.regions.iter().map(|region| (region.name.clone(), region.to_json())).collect();
    Ok(json!({ "regions": regions, "tia_mbq_h": found.tia_mbq_h, "sum_mbq_h": found.sum_mbq_h() }))
}

fn by_voxel(given: &Given, maps: &[&[f32]], asked: &Value, relative_sigma: f64) -> Result<Value, DoseError> {
    let model = VoxelModel::of(model(asked)?, true).map_err(|Invalid(reason)| DoseError::invalid("model", reason))?;
    let standard = VoxelOptions::default();
    let floor = optional(asked, "voxel_sigma_floor_of_its_maximum")?;
    let options = VoxelOptions {
        model,
        relative_sigma,
        sigma_floor_of_its_maximum: floor.unwrap_or(standard.sigma_floor_of_its_maximum),
        ..standard
    };
    let found = integrate_voxels(&given.frames, maps, &options)?;
    let kind_names: Map<String, Value> =
        VoxelKind::ALL.into_iter().map(|kind| (kind.number().to_string(), json!(kind.name()))).collect();
    let kinds: Vec<u8> = found.kinds.iter().map(|kind| kind.number()).collect();
    Ok(json!({
        "tia_mbq_h": found.tia_mbq_h,
        "kind": kinds,
        "sum_mbq_h": found.sum_mbq_h(),
        "kinds": kind_names,
        "counts": found.counts(),
    }))
}
