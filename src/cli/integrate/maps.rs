//! Integrals of a series of maps.

use std::path::Path;

use super::options::Asked;
use super::outputs::{MapOutput, Report, Row};
use super::{Args, finished};
use crate::clinic::{
    Frames, ModelChoice, PointDraft, SeriesDraft, Shape, SharingOptions, VoxelModel, VoxelOptions, VoxelRegion,
    integrate_voxels, regions_of, share_out,
};
use crate::domain::{Checks, DoseError, Invalid, Nuclide, Volume, Warning};
use crate::formats::labels;
use crate::formats::map_series::{self, MapSeries};
use crate::formats::volume_file::{Origin, read_volume};

/// The reason of the warning that nobody looked whether the maps lie on each other.
const REGISTRATION_NOT_CHECKED: &str = "REGISTRATION_NOT_CHECKED";
/// Bq in a MBq.
const BQ_PER_MBQ: f64 = 1e6;

/// The maps of a series, in MBq a voxel.
struct Maps {
    volumes: Vec<Volume<f32>>,
    origin: Origin,
}

/// Integrates the regions or the voxels of a series.
///
/// # Errors
/// Every bad flag, file and map.
pub(super) fn integrate_maps(args: &Args, path: &Path) -> Result<Report, DoseError> {
    let mut checks = Checks::new();
    let Some(series) = checks.at("series", map_series::read(path)) else {
        return Err(checks.finish().expect_err("a fault was recorded"));
    };
    let from_file = [series.nuclide.as_deref(), series.value_refers_to.as_deref()];
    let asked = args.curve.check(from_file, &mut checks);
    let is_by_voxel = match args.by.as_str() {
        "region" => false,
        "voxel" => true,
        other => {
            checks.fail("by", format!("must be region or voxel, got {other:?}"));
            false
        }
    };
    let voxel_model = is_by_voxel.then(|| voxel_model(asked.curve.model, args, &mut checks)).flatten();
    checks.finish()?;
    let nuclide = asked.nuclide.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
    let frames = frames(args, &asked, nuclide, &series)?;
    let maps = read(&series)?;
    let mut report = Report::new(nuclide, &args.curve);
    report.warnings.push(Warning::new(
        REGISTRATION_NOT_CHECKED,
        "series",
        "whether the maps lie on each other was not checked",
    ));
    match voxel_model {
        Some(model) => by_voxel(&asked, &frames, maps, model, &mut report)?,
        None => by_region(args, &asked, &frames, maps, &mut report)?,
    }
    report.look_for_corrected_values();
    finished(Checks::new(), report)
}

/// Which curve a voxel gets.
fn voxel_model(model: ModelChoice, args: &Args, checks: &mut Checks) -> Option<VoxelModel> {
    if !args.labels.is_empty() {
        checks.fail("labels", "has no effect with --by voxel");
    }
    match model {
        ModelChoice::Auto if args.curve.model.is_some() => Some(VoxelModel::Auto),
        ModelChoice::Auto | ModelChoice::Exponentials(Shape::Mono) => Some(VoxelModel::Mono),
        ModelChoice::Exponentials(Shape::BiUptake | Shape::BiWashout | Shape::TriUptake)
        | ModelChoice::Physical
        | ModelChoice::TrapezoidTail => {
            checks.fail("model", format!("a voxel gets mono or auto, not {}", model.name()));
            None
        }
    }
}

fn frames(args: &Args, asked: &Asked, nuclide: &Nuclide, series: &MapSeries) -> Result<Frames, DoseError> {
    let flags = args.curve.draft(nuclide.half_life_s, asked.refers_to);
    let point = |scan: &map_series::MapScan| PointDraft {
        time: scan.time.clone(),
        activity_mbq: 1.0,
        sigma_mbq: None,
        duration_h: scan.duration_h,
    };
    Frames::new(&SeriesDraft {
        points: series.scans.iter().map(point).collect(),
        injection: flags.injection.or_else(|| series.injection.clone()),
        administered_activity_mbq: flags.administered_activity_mbq.or(series.administered_activity_mbq),
        infusion_h: args.curve.infusion.or(series.infusion_h).unwrap_or(0.0),
        ..flags
    })
}

/// Reads the maps, in MBq a voxel. All are on the grid of the first.
fn read(series: &MapSeries) -> Result<Maps, DoseError> {
    let mut checks = Checks::new();
    let mut volumes: Vec<Volume<f32>> = Vec::new();
    let mut origin = None;
    for (number, scan) in series.scans.iter().enumerate() {
        let field = format!("scan_{}.file", number + 1);
        let named = |Invalid(reason): Invalid| Invalid::new(format!("{}: {reason}", scan.file.display()));
        let Some(file) = checks.at(&*field, read_volume(&scan.file).map_err(named)) else { continue };
        if let Some(Err(Invalid(reason))) = volumes.first().map(|first| first.grid().check_same(file.volume.grid())) {
            let reason = format!("is not on the grid of the first map ({reason}): resample it with dosegrid resample");
            checks.fail(&*field, reason);
        }
        let factor = series.unit.to_bq(file.volume.grid().voxel_volume_cm3()) / BQ_PER_MBQ;
        let values: Vec<f32> = file.volume.as_slice().iter().map(|value| single(f64::from(*value) * factor)).collect();
        let scaled = Volume::from_vec(file.volume.grid().clone(), values);
        volumes.extend(checks.at(&*field, scaled));
        origin.get_or_insert(file.header.origin);
    }
    checks.finish()?;
    let origin = origin.ok_or_else(|| DoseError::invalid("series", "names no map"))?;
    Ok(Maps { volumes, origin })
}

#[expect(clippy::cast_possible_truncation, reason = "maps have single precision")]
fn single(value: f64) -> f32 {
    value as f32
}

fn by_voxel(
    asked: &Asked,
    frames: &Frames,
    maps: Maps,
    model: VoxelModel,
    report: &mut Report,
) -> Result<(), DoseError> {
    let slices: Vec<&[f32]> = maps.volumes.iter().map(Volume::as_slice).collect();
    let options = VoxelOptions { model, pieces: asked.curve.pieces, ..VoxelOptions::default() };
    let found = integrate_voxels(frames, &slices, &options)?;
    report.voxels = found.counts();
    let kinds = found.kinds.iter().map(|kind| kind.number()).collect();
    report.map = Some(MapOutput::new(&maps.volumes[0], maps.origin, &found.tia_mbq_h, Some(kinds))?);
    Ok(())
}

fn by_region(args: &Args, asked: &Asked, frames: &Frames, maps: Maps, report: &mut Report) -> Result<(), DoseError> {
    let slices: Vec<&[f32]> = maps.volumes.iter().map(Volume::as_slice).collect();
    let options = SharingOptions { curve: asked.curve, relative_sigma: None, reference_time_h: args.reference_time };
    let found = share_out(frames, &slices, &regions(args, &maps.volumes[0])?, &options)?;
    report.map = Some(MapOutput::new(&maps.volumes[0], maps.origin, &found.tia_mbq_h, None)?);
    report.rows = found.regions.into_iter().map(|region| Row::of_region(region, frames)).collect();
    Ok(())
}

/// The regions of the labels; without them, all as one.
fn regions(args: &Args, first: &Volume<f32>) -> Result<Vec<VoxelRegion>, DoseError> {
    if args.labels.is_empty() {
        let voxels = (0_u32..).take(first.grid().voxels()).collect();
        return Ok(vec![VoxelRegion { name: "all".into(), voxels }]);
    }
    let mut checks = Checks::new();
    let files = checks.at("labels", labels::read(&args.labels));
    if let Some(Err(Invalid(reason))) = files.as_ref().map(|files| files.organs.grid().check_same(first.grid())) {
        let reason = format!("are not on the grid of the maps ({reason}): resample them with dosegrid resample");
        checks.fail("labels", reason);
    }
    checks.finish()?;
    regions_of(&files.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?.organs)
}
