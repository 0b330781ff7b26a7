//! Activity maps over time, and their integrals.

use super::{pb, volume};
use crate::clinic::shared::RegionIntegral;
use crate::clinic::voxels::KindCount;
use crate::clinic::{Curve, ValueRefersTo};
use crate::domain::{MomentUnit, VolumeHeader, Warning};
use crate::intake::{IntegratedMaps, RawIntegration, RawScan};

pub(in crate::api) fn decode(message: pb::IntegrateHeader) -> RawIntegration {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let scan = |pb::Scan { volume, time_h, duration_h }| RawScan {
        volume: volume.map(volume::decode).into(),
        time_h,
        duration_h,
    };
    RawIntegration {
        scans: message.scans.into_iter().map(scan).collect(),
        unit: decode_unit(message.unit),
        nuclide: given(message.nuclide),
        value_refers_to: decode_refers_to(message.value_refers_to),
        administered_activity_mbq: message.administered_activity_mbq,
        infusion_h: message.infusion_h,
        model: given(message.model),
        weighting: given(message.weighting),
        is_voxelwise: message.voxelwise,
        reference_time_h: message.reference_time_h,
        labels: message.labels.map(volume::decode).into(),
    }
}

/// The name of a unit, or the number of one that is not known; none if it is not given.
fn decode_unit(number: i32) -> Option<String> {
    let unit = match pb::MapUnit::try_from(number) {
        Ok(pb::MapUnit::Unspecified) => return None,
        Ok(pb::MapUnit::Bq) => MomentUnit::Bq,
        Ok(pb::MapUnit::BqPerMl) => MomentUnit::BqPerMl,
        Ok(pb::MapUnit::Mbq) => MomentUnit::Mbq,
        Err(_) => return Some(number.to_string()),
    };
    Some(unit.name().to_owned())
}

fn decode_refers_to(number: i32) -> Option<String> {
    let refers_to = match pb::ValueRefersTo::try_from(number) {
        Ok(pb::ValueRefersTo::Unspecified) => return None,
        Ok(pb::ValueRefersTo::AcquisitionMean) => ValueRefersTo::AcquisitionMean,
        Ok(pb::ValueRefersTo::AcquisitionStart) => ValueRefersTo::AcquisitionStart,
        Ok(pb::ValueRefersTo::Injection) => ValueRefersTo::Injection,
        Err(_) => return Some(number.to_string()),
    };
    Some(refers_to.name().to_owned())
}

pub(in crate::api) fn encode_result(made: &IntegratedMaps) -> pb::IntegrateResult {
    let kind = |count: &KindCount| pb::VoxelKindCount {
        kind: count.kind.to_owned(),
        voxels: count.voxels as u64,
        tia_mbq_h: count.tia_mbq_h,
    };
    let of_regions = made.regions.iter().flat_map(|(_, region)| {
        region.integration.warnings.iter().map(|Warning { message, .. }| format!("{}: {message}", region.name))
    });
    let not_checked = "whether the maps lie on each other was not checked".to_owned();
    pb::IntegrateResult {
        volume: Some(volume::encode(&VolumeHeader::float32(made.tia_bq_s.grid()))),
        regions: made.regions.iter().map(|(label, region)| encode_region(*label, region)).collect(),
        voxel_kinds: made.voxel_kinds.iter().map(kind).collect(),
        tia_mbq_h: made.tia_mbq_h,
        warnings: std::iter::once(not_checked).chain(of_regions).collect(),
    }
}

fn encode_region(label: u16, region: &RegionIntegral) -> pb::RegionCurve {
    let integration = &region.integration;
    let curve = integration.curve.as_ref();
    let amplitudes_mbq = curve.map(|curve| curve.terms().iter().map(|[amplitude, _]| *amplitude).collect());
    let residuals = integration.quality.as_ref().map(|quality| quality.residuals.as_slice()).unwrap_or_default();
    let point = |(time_h, activity_mbq): (&f64, &f64)| {
        let residual = residuals.iter().find(|residual| residual.time_h == *time_h);
        pb::CurvePoint {
            time_h: *time_h,
            activity_mbq: *activity_mbq,
            fitted_mbq: residual.map(|residual| residual.fitted_mbq),
        }
    };
    pb::RegionCurve {
        name: region.name.clone(),
        label: label.into(),
        voxels: region.voxels as u64,
        model: integration.model.to_owned(),
        half_lives_h: curve.map(Curve::half_lives_h).unwrap_or_default(),
        amplitudes_mbq: amplitudes_mbq.unwrap_or_default(),
        tia_mbq_h: integration.tia_mbq_h,
        tia_sigma_mbq_h: integration.tia_sigma_mbq_h,
        tia_coefficient_h: integration.tia_coefficient_h,
        fraction_after_last_point: integration.fractions.map(|[_, after]| after),
        reference_time_h: region.reference_time_h,
        points: region.times_h.iter().zip(&region.activity_mbq).map(point).collect(),
        flags: integration.flags.iter().map(|flag| flag.name().to_owned()).collect(),
    }
}
