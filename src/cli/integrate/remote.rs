//! A series of maps, integrated by a server.

use super::maps::{By, Maps};
use super::options::{Asked, CurveArgs};
use super::outputs::{MapOutput, Report, Row};
use crate::cli::organ_volumes::sent;
use crate::cli::remote::{Remote, in_words};
use crate::clinic::shared::REST;
use crate::clinic::{Frames, NO_KINETICS, OneMapRegion, Series, VoxelModel, VoxelRegion, one_map_series};
use crate::domain::{Checks, DoseError, ElementType, LabelMap, MomentUnit, Part, Volume, VolumeRole, Warning};
use crate::intake::curves::RawKinetics;
use crate::intake::{InputRole, IntegralVolumes, OneScanRegion, RawIntegration, RawScan};
use crate::request::RawVolume;

/// Integrates maps on a server, which knows regions by numbers.
///
/// # Errors
/// As for maps of this process, and those of the call.
pub(super) fn there(
    remote: &Remote,
    curve: &CurveArgs,
    asked: &Asked,
    by: By,
    maps: Maps,
    report: &mut Report,
) -> Result<(), DoseError> {
    let is_one = maps.volumes.len() == 1;
    let frames = if is_one { None } else { Some(Frames::new(&maps.draft)?) };
    let starts_h = match &frames {
        Some(frames) => frames.starts_h(),
        None => Series::new(&maps.draft)?.points().iter().map(|point| point.time_h).collect(),
    };
    let labels = match by {
        By::Region { .. } => label_map(&maps.volumes[0], &maps.regions)?,
        By::Voxel(_) => None,
    };
    let one_scan = if is_one { known(asked, &maps.regions)? } else { Vec::new() };
    let raw = RawIntegration { one_scan, ..raw(curve, asked, by, &maps, &starts_h, labels.is_some()) };
    let integration = raw.check().map_err(|error| in_words(error, flag))?;
    let scans = maps.volumes.iter().enumerate().map(|(number, map)| sent(InputRole::Scan(number), map));
    let labels = labels.iter().map(|labels| sent(VolumeRole::Labels, &labels.labels().map(|&label| f32::from(label))));
    let made = remote.call(async |client| client.integrate(&integration, scans.chain(labels)).await);
    let mut made = made.map_err(|error| in_words(error, flag))?;
    report.voxels = std::mem::take(&mut made.voxel_kinds);
    let of_scans = std::mem::take(&mut made.regions);
    for (label, mut region) in of_scans {
        let frames = frames.as_ref().ok_or_else(|| DoseError::Remote("a curve through one scan".into()))?;
        if let Some(own) = usize::from(label).checked_sub(1).and_then(|at| numbered(&maps.regions).nth(at)) {
            region.name.clone_from(&own.name);
        }
        // The server was given hours, and does not know from which clock.
        let known = &mut region.integration.warnings;
        let of_clock: Vec<Warning> = frames.warnings().iter().filter(|one| !known.contains(one)).cloned().collect();
        known.splice(0..0, of_clock);
        report.rows.push(Row::of_region(region, frames));
    }
    for (label, found) in std::mem::take(&mut made.regions_of_one_scan) {
        report.rows.push(Row::of_one_map(&of_one_scan(label, found, &maps)?));
    }
    report.map = Some(MapOutput::of(made, maps.origin));
    Ok(())
}

/// What is known of each region, by its label.
fn known(asked: &Asked, regions: &[VoxelRegion]) -> Result<Vec<(u32, RawKinetics)>, DoseError> {
    let mut checks = Checks::new();
    let (mut all, mut last) = (Vec::new(), 0);
    for region in regions {
        let label = if region.name == REST || regions.len() == 1 {
            0
        } else {
            last += 1;
            last
        };
        match asked.kinetics(&region.name) {
            Some(known) => all.push((label, RawKinetics::of(&known))),
            None => checks.fail(format!("{}.points", region.name), NO_KINETICS),
        }
    }
    checks.finish()?;
    Ok(all)
}

/// What a server found of a region, with the series of this process, which knows the clock.
fn of_one_scan(label: u16, found: OneScanRegion, maps: &Maps) -> Result<OneMapRegion, DoseError> {
    let OneScanRegion { name, voxels, negative_voxels, mut found, .. } = found;
    let own = usize::from(label).checked_sub(1).and_then(|at| numbered(&maps.regions).nth(at));
    // Where there is one region, it has no number.
    let is_it = |region: &&VoxelRegion| maps.regions.len() == 1 || region.name == name;
    let region = own.or_else(|| maps.regions.iter().find(is_it));
    let region = region.ok_or_else(|| DoseError::Remote(format!("a region that was not sent: {name:?}")))?;
    let series = one_map_series(&maps.draft, maps.volumes[0].as_slice(), region)?;
    found.warnings.retain(|warning| !series.warnings().contains(warning));
    Ok(OneMapRegion { name: region.name.clone(), voxels, series, found, negative_voxels })
}

/// The regions that have a number on the wire: all but what is in none.
fn numbered(regions: &[VoxelRegion]) -> impl Iterator<Item = &VoxelRegion> {
    regions.iter().filter(|region| region.name != REST)
}

/// The regions as a map of their numbers from 1; none where all voxels are one.
fn label_map(like: &Volume<f32>, regions: &[VoxelRegion]) -> Result<Option<LabelMap>, DoseError> {
    if regions.len() == 1 && regions[0].voxels.len() == like.grid().voxels() {
        return Ok(None);
    }
    let mut labels = vec![0u16; like.grid().voxels()];
    for (region, label) in numbered(regions).zip(1..) {
        region.voxels.iter().for_each(|&voxel| labels[voxel as usize] = label);
    }
    let map = Volume::from_vec(like.grid().clone(), labels);
    let map = map.map_err(|error| DoseError::Internal(format!("a map lost its grid: {error}")))?;
    Ok(Some(LabelMap::of(map)))
}

fn raw(curve: &CurveArgs, asked: &Asked, by: By, maps: &Maps, starts_h: &[f64], has_labels: bool) -> RawIntegration {
    let volume = || RawVolume {
        element_type: Some(ElementType::Float32.name().to_owned()),
        ..RawVolume::from(&**maps.volumes[0].grid())
    };
    let scan = |(time_h, point): (&f64, &crate::clinic::PointDraft)| RawScan {
        volume: Part::Good(volume()),
        time_h: Some(*time_h),
        duration_h: point.duration_h,
    };
    let (reference_time_h, is_voxelwise) = match by {
        By::Region { reference_time_h } => (reference_time_h, false),
        By::Voxel(_) => (None, true),
    };
    let model = match by {
        By::Voxel(VoxelModel::Mono) => "mono",
        By::Voxel(VoxelModel::Auto) => "auto",
        By::Voxel(VoxelModel::Pieces) => "trapezoid_tail",
        By::Region { .. } => asked.curve.model.name(),
    };
    RawIntegration {
        scans: starts_h.iter().zip(&maps.draft.points).map(scan).collect(),
        unit: Some(MomentUnit::Mbq.name().to_owned()),
        nuclide: asked.nuclide.map(|nuclide| nuclide.name.clone()),
        value_refers_to: Some(maps.draft.refers_to.name().to_owned()),
        administered_activity_mbq: maps.draft.administered_activity_mbq,
        infusion_h: maps.draft.infusion_h,
        model: Some(model.to_owned()),
        weighting: asked.curve.weighting.map(|weighting| weighting.name().to_owned()),
        is_voxelwise,
        reference_time_h,
        labels: if has_labels { Part::Good(volume()) } else { Part::Absent },
        before_first: Some(asked.curve.pieces.before_first.name().to_owned()),
        between: Some(asked.curve.pieces.between.name().to_owned()),
        activity_relative_sigma: curve.activity_sigma,
        volumes: IntegralVolumes { sigma: true, kinds: is_voxelwise },
        one_scan: Vec::new(),
    }
}

/// The flag of a field.
fn flag(field: String) -> String {
    match field.as_str() {
        "reference_time_h" => "reference-time".to_owned(),
        "activity_relative_sigma" => "activity-sigma".to_owned(),
        "administered_activity_mbq" => "administered-activity".to_owned(),
        "infusion_h" => "infusion".to_owned(),
        _ => match field.strip_prefix("scans[") {
            Some(_) => "series".to_owned(),
            None => field,
        },
    }
}
