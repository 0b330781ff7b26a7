//! Integrals of maps over time, on one grid.

use super::held::Held;
use super::options::{Asked, CurveArgs};
use super::outputs::{MapOutput, Report, Row};
use super::remote::there;
use crate::cli::remote::Remote;
use crate::clinic::plausible::{of_voxels, registration_not_checked};
use crate::clinic::{
    Frames, ModelChoice, SeriesDraft, SharingOptions, VoxelModel, VoxelOptions, VoxelRegion, integrate_voxels,
    share_out, share_out_one,
};
use crate::domain::{Checks, DoseError, Volume};
use crate::formats::volume_file::Origin;

/// How maps are integrated.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum By {
    /// The curve of each region, shared out by the activity of one of the scans.
    Region {
        /// Start of that scan [h]; none: the one nearest to the mean life.
        reference_time_h: Option<f64>,
    },
    /// A curve for every voxel.
    Voxel(VoxelModel),
}

/// Activity maps of one grid.
pub(in crate::cli) struct Maps {
    /// What they hold.
    pub(in crate::cli) held: Held,
    /// Activity [MBq a voxel] or absorbed dose-rate [Gy/h], in the order of the points.
    pub(in crate::cli) volumes: Vec<Volume<f32>>,
    /// How the first says where it lies.
    pub(in crate::cli) origin: Origin,
    /// When they were made.
    pub(in crate::cli) draft: SeriesDraft,
    /// Regions without a voxel in common.
    pub(in crate::cli) regions: Vec<VoxelRegion>,
}

/// Which curve a voxel gets. A fault is recorded.
pub(in crate::cli) fn voxel_model(model: ModelChoice, curve: &CurveArgs, checks: &mut Checks) -> Option<VoxelModel> {
    checks.at("model", VoxelModel::of(model, curve.model.is_some()))
}

/// Integrates maps.
///
/// # Errors
/// If the maps do not suit their times, or a region cannot be integrated.
pub(in crate::cli) fn integrate_maps(
    curve: &CurveArgs,
    asked: &Asked,
    by: By,
    maps: Maps,
    remote: Option<&Remote>,
) -> Result<Report, DoseError> {
    let nuclide = asked.nuclide.ok_or_else(|| DoseError::Internal("a fault was not recorded".into()))?;
    let mut report = Report::new(nuclide, curve);
    let is_one = maps.volumes.len() == 1;
    if !is_one {
        report.warnings.push(registration_not_checked("series"));
    }
    if let By::Voxel(_) = by
        && !is_one
    {
        // Of regions, each has the warnings itself.
        report.warnings.extend(of_voxels(&Frames::new(&maps.draft)?, curve.activity_sigma, "activity-sigma"));
    }
    // One scan without a method is refused in the same words wherever it would be integrated.
    let is_refused = is_one && (curve.single_time_point.is_none() || matches!(by, By::Voxel(_)));
    if let Some(remote) = remote.filter(|_| !is_refused) {
        there(remote, curve, asked, by, maps, &mut report)?;
        report.look_over(nuclide);
        return Ok(report);
    }
    match by {
        By::Region { .. } if is_one && curve.single_time_point.is_some() => of_one(curve, asked, maps, &mut report)?,
        By::Region { reference_time_h } => by_region(curve, asked, reference_time_h, maps, &mut report)?,
        By::Voxel(model) => by_voxel(curve, asked, model, maps, &mut report)?,
    }
    report.look_over(nuclide);
    Ok(report)
}

fn by_voxel(
    curve: &CurveArgs,
    asked: &Asked,
    model: VoxelModel,
    maps: Maps,
    report: &mut Report,
) -> Result<(), DoseError> {
    let slices: Vec<&[f32]> = maps.volumes.iter().map(Volume::as_slice).collect();
    let options = VoxelOptions {
        pieces: asked.curve.pieces,
        with_sigma: curve.activity_sigma.is_some(),
        ..VoxelOptions::of(model, curve.activity_sigma)
    };
    let found = integrate_voxels(&Frames::new(&maps.draft)?, &slices, &options)?;
    report.voxels = found.counts();
    let kinds = found.kinds.iter().map(|kind| kind.number()).collect();
    let sigma = found.tia_sigma_mbq_h.as_deref();
    report.map = Some(MapOutput::new(&maps, &found.tia_mbq_h, sigma, Some(kinds))?);
    Ok(())
}

fn by_region(
    curve: &CurveArgs,
    asked: &Asked,
    reference_time_h: Option<f64>,
    maps: Maps,
    report: &mut Report,
) -> Result<(), DoseError> {
    let frames = Frames::new(&maps.draft)?;
    let slices: Vec<&[f32]> = maps.volumes.iter().map(Volume::as_slice).collect();
    let options = SharingOptions { curve: asked.curve, relative_sigma: curve.activity_sigma, reference_time_h };
    let found = share_out(&frames, &slices, &maps.regions, &options)?;
    let sigma = found.tia_sigma_mbq_h.as_deref();
    report.map = Some(MapOutput::new(&maps, &found.tia_mbq_h, sigma, None)?);
    report.rows = found.regions.into_iter().map(|region| Row::of_region(region, &frames)).collect();
    Ok(())
}

fn of_one(curve: &CurveArgs, asked: &Asked, maps: Maps, report: &mut Report) -> Result<(), DoseError> {
    let map = &maps.volumes[0];
    let kinetics = |region: &str| asked.kinetics(region);
    let found = share_out_one(&maps.draft, map.as_slice(), &maps.regions, curve.activity_sigma, kinetics)?;
    let sigma = found.tia_sigma_mbq_h.as_deref();
    report.map = Some(MapOutput::new(&maps, &found.tia_mbq_h, sigma, None)?);
    report.rows = found.regions.iter().map(Row::of_one_map).collect();
    Ok(())
}
