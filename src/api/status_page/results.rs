//! A job with its result, as the viewer takes it: every volume with where it lies in the coordinates of the dose.

use http::Response;
use serde_json::json;
use tonic::Status;

use super::json;
use super::within::Within;
use crate::api::{pb, wire};
use crate::domain::{Checks, DoseError, RigidTransform, VolumeHeader};
use crate::dosimetry::{CumulativeHistogram, OrganDose};
use crate::page::{self, Body, ShownMask, ShownResult, ShownVolume};
use crate::physics::tissue::DensityCurve;
use crate::request::affine;

/// CT numbers among which the one of a density is looked for [HU].
const CT_NUMBERS: std::ops::RangeInclusive<i32> = -1100..=3100;

/// By how much rounding may move a density on the calibration [g/cm³].
const ROUNDING_G_CM3: f64 = 1e-9;

/// A job, what was asked, and its result.
pub(super) async fn result(within: &Within, id: &str) -> Result<Response<Body>, Status> {
    let answer = within.jobs().get_job(pb::GetJobRequest { name: format!("jobs/{id}") }).await?.into_inner();
    let damaged = || Status::from(DoseError::Internal("a record of the ledger is not understood".into()));
    let mut job = answer.job.ok_or_else(damaged)?;
    let header = job.spec.take().and_then(|spec| spec.compute).unwrap_or_default();
    let result = job.result.take();
    let mut all = json::job(&job);
    all["nuclide"] = json!(header.nuclide);
    if let Some(result) = result {
        all["result"] = json!(of_result(&header, result).ok_or_else(damaged)?);
    }
    Ok(page::json(&all))
}

/// Where the volumes of a job lie: of what is placed with the activity, and of what is placed with the CT.
struct Places {
    of_activity: RigidTransform,
    of_ct: RigidTransform,
    activity: Option<VolumeHeader>,
}

impl Places {
    fn of(header: &pb::ComputeHeader) -> Option<Self> {
        let matrix = affine(&header.activity_to_ct_mm).ok()?;
        let to_ct = matrix.map(RigidTransform::new).transpose().ok()?.unwrap_or(RigidTransform::IDENTITY);
        let grid = header.dose_grid.as_ref().and_then(|grid| grid.grid.as_ref());
        let [of_activity, of_ct] = match grid {
            Some(pb::dose_grid::Grid::Ct(_)) => [to_ct, RigidTransform::IDENTITY],
            Some(pb::dose_grid::Grid::Activity(_) | pb::dose_grid::Grid::SpacingMm(_)) | None => {
                [RigidTransform::IDENTITY, to_ct.inverse()]
            }
        };
        Some(Self { of_activity, of_ct, activity: header.activity.as_ref().and_then(understood) })
    }

    /// Of labels and organs: those on the grid of the activity lie where it does.
    fn of_labels(&self, volume: &pb::VolumeDescriptor) -> &RigidTransform {
        let own = understood(volume);
        let is_of_activity =
            own.zip(self.activity.as_ref()).is_some_and(|(own, activity)| own.grid.check_same(&activity.grid).is_ok());
        if is_of_activity { &self.of_activity } else { &self.of_ct }
    }
}

fn understood(volume: &pb::VolumeDescriptor) -> Option<VolumeHeader> {
    wire::volume::decode(volume.clone()).resolve("", &mut Checks::new())
}

/// A volume, and where it lies.
fn placed(volume: Option<&pb::VolumeDescriptor>, place: &RigidTransform) -> Option<ShownVolume> {
    let volume = volume?;
    Some(ShownVolume::new(&understood(volume)?, place, volume.digest.clone()))
}

fn of_result(header: &pb::ComputeHeader, result: pb::ComputeResult) -> Option<ShownResult> {
    let places = Places::of(header)?;
    let here = RigidTransform::IDENTITY;
    let provenance = wire::provenance::decode(result.provenance?)?;
    let minimum = provenance.minimum_density_g_cm3;
    let organs: Option<Vec<_>> = result.organs.into_iter().map(wire::intake::decode_organ).collect();
    let (organs, histograms): (Vec<OrganDose>, Vec<Option<CumulativeHistogram>>) = organs?.into_iter().unzip();
    let warnings = result.warnings.into_iter().map(wire::activity_account::decode_warning).collect();
    let own = header.organ_volumes.iter().filter_map(|organ| {
        let volume = organ.volume.as_ref()?;
        Some(ShownMask { label: organ.label, mask: placed(Some(volume), places.of_labels(volume))? })
    });
    Some(ShownResult {
        dose: placed(result.dose.as_ref(), &here)?,
        sigma: placed(result.uncertainty.as_ref(), &here),
        weighted: placed(result.weighted_dose.as_ref(), &here),
        activity: placed(header.activity.as_ref(), &places.of_activity),
        density: placed(header.density.as_ref(), &places.of_ct),
        ct: placed(header.ct.as_ref(), &places.of_ct),
        labels: header.labels.as_ref().and_then(|labels| placed(Some(labels), places.of_labels(labels))),
        organ_masks: own.collect(),
        activity_unit: activity_unit(header.activity_unit.as_ref()),
        minimum_density_g_cm3: minimum,
        minimum_hu: header.ct.as_ref().zip(minimum).and_then(|(_, least)| least_hu(&header.ct_calibration, least)),
        organs,
        histograms,
        provenance,
        account: wire::activity_account::decode(result.activity.unwrap_or_default()),
        warnings,
    })
}

/// The least CT number whose density is at least so much [HU].
fn least_hu(points: &[pb::CtCalibrationPoint], least_g_cm3: f64) -> Option<i32> {
    let points: Vec<[f64; 2]> = points.iter().map(|point| [point.hu, point.density_g_cm3]).collect();
    let own = if points.is_empty() { None } else { Some(DensityCurve::from_points(&points).ok()?) };
    let curve = own.as_ref().unwrap_or_else(|| DensityCurve::schneider_2000());
    CT_NUMBERS.into_iter().find(|hu| curve.density_g_cm3(f64::from(*hu)) >= least_g_cm3 - ROUNDING_G_CM3)
}

/// The unit of the values of the activity, for a reader.
fn activity_unit(unit: Option<&pb::ActivityUnit>) -> &'static str {
    use pb::activity_unit::Unit;
    let Some(unit) = unit.and_then(|unit| unit.unit.as_ref()) else { return "" };
    match unit {
        Unit::BqS(_) => "Bq·s",
        Unit::BqH(_) => "Bq·h",
        Unit::KbqS(_) => "kBq·s",
        Unit::MbqS(_) => "MBq·s",
        Unit::MbqH(_) => "MBq·h",
        Unit::Bq(_) => "Bq",
        Unit::Kbq(_) => "kBq",
        Unit::Mbq(_) => "MBq",
        Unit::BqPerMl(_) => "Bq/mL",
        Unit::KbqPerMl(_) => "kBq/mL",
        Unit::MbqPerMl(_) => "MBq/mL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_ct_number_of_a_density_is_that_of_the_calibration() {
        let point = |hu, density_g_cm3| pb::CtCalibrationPoint { hu, density_g_cm3 };
        assert_eq!(least_hu(&[point(-1000.0, 0.0), point(0.0, 1.0)], 0.05), Some(-950));
        let hu = least_hu(&[], 0.05).expect("it is in the range");
        let density = |hu: i32| DensityCurve::schneider_2000().density_g_cm3(f64::from(hu));
        assert!(density(hu) >= 0.05 && density(hu - 1) < 0.05, "{hu}");
        assert_eq!(least_hu(&[point(-1000.0, 0.0), point(0.0, 1.0)], 2.0), None);
    }

    #[test]
    fn what_lies_with_the_ct_is_moved_to_the_dose() {
        let grid = pb::VoxelGrid { shape: vec![2, 2, 2], spacing_mm: vec![1.0; 3], affine_mm: Vec::new() };
        let volume = pb::VolumeDescriptor {
            grid: Some(grid),
            element_type: pb::ElementType::Float32.into(),
            ..Default::default()
        };
        let header = pb::ComputeHeader {
            activity: Some(volume.clone()),
            activity_to_ct_mm: vec![1.0, 0.0, 0.0, 5.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            ..Default::default()
        };
        let x_of = |header: &pb::ComputeHeader, of_ct: bool| {
            let places = Places::of(header).expect("a rigid motion");
            let place = if of_ct { &places.of_ct } else { &places.of_activity };
            placed(Some(&volume), place).expect("a volume").affine_mm()[0][3]
        };
        assert_eq!((x_of(&header, false), x_of(&header, true)), (0.0, -5.0));
        let on_ct = Some(pb::DoseGrid { grid: Some(pb::dose_grid::Grid::Ct(pb::GridOfCt {})) });
        let header = pb::ComputeHeader { dose_grid: on_ct, ..header };
        assert_eq!((x_of(&header, false), x_of(&header, true)), (5.0, 0.0));
        // Labels on the grid of the activity lie where it does.
        assert_eq!(Places::of(&header).expect("a rigid motion").of_labels(&volume).matrix()[0][3], 5.0);
    }
}
