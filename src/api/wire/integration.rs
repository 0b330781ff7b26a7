//! Activity maps over time, and their integrals.

pub(super) mod curve;

use super::curves::{decode_kinetics, decode_one, encode_kinetics, encode_one};
use super::{pb, volume};
use crate::clinic::ValueRefersTo;
use crate::clinic::plausible::registration_not_checked;
use crate::clinic::shared::RegionIntegral;
use crate::clinic::voxels::{KindCount, VoxelKind};
use crate::domain::{Checks, ElementType, MomentUnit, VolumeHeader, VolumeRole, Warning};
use crate::intake::curves::RawKinetics;
use crate::intake::{
    InputRole, IntegralVolumes, IntegratedMaps, MapIntegration, OneScanRegion, RawIntegration, RawScan,
};
use curve::{decode_region, decode_warning, encode_region, encode_warning};

pub(in crate::api) fn decode(message: pb::IntegrateHeader) -> RawIntegration {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let known = |method: Option<pb::OnePointMethod>| method.map(decode_kinetics).unwrap_or_default();
    let scan = |pb::Scan { volume, time_h, duration_h }| RawScan {
        volume: volume.map(volume::decode_sent).into(),
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
        labels: message.labels.map(volume::decode_sent).into(),
        before_first: given(message.before_first),
        between: given(message.between),
        activity_relative_sigma: message.activity_relative_sigma,
        volumes: IntegralVolumes { sigma: message.return_uncertainty, kinds: message.return_voxel_kinds },
        one_scan: message.one_scan.into_iter().map(|one| (one.label, known(one.method))).collect(),
    }
}

/// The header of what was checked here.
pub(in crate::api) fn encode(integration: &MapIntegration) -> pb::IntegrateHeader {
    let raw = integration.raw();
    let volume_of = |wanted: InputRole| {
        let found = integration.arrivals().iter().find(|(role, _)| *role == wanted);
        found.map(|(_, header)| volume::encode(header))
    };
    let scan = |(number, scan): (usize, &RawScan)| pb::Scan {
        volume: volume_of(InputRole::Scan(number)),
        time_h: scan.time_h,
        duration_h: scan.duration_h,
    };
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let of_label =
        |(label, known): &(u32, RawKinetics)| pb::RegionMethod { label: *label, method: Some(encode_kinetics(known)) };
    pb::IntegrateHeader {
        scans: raw.scans.iter().enumerate().map(scan).collect(),
        unit: encode_unit(raw.unit.as_deref()).into(),
        nuclide: word(&raw.nuclide),
        value_refers_to: encode_refers_to(raw.value_refers_to.as_deref()).into(),
        administered_activity_mbq: raw.administered_activity_mbq,
        infusion_h: raw.infusion_h,
        model: word(&raw.model),
        weighting: word(&raw.weighting),
        voxelwise: raw.is_voxelwise,
        reference_time_h: raw.reference_time_h,
        labels: volume_of(VolumeRole::Labels.into()),
        before_first: word(&raw.before_first),
        between: word(&raw.between),
        activity_relative_sigma: raw.activity_relative_sigma,
        return_uncertainty: raw.volumes.sigma,
        return_voxel_kinds: raw.volumes.kinds,
        one_scan: raw.one_scan.iter().map(of_label).collect(),
    }
}

fn encode_unit(name: Option<&str>) -> pb::MapUnit {
    let units = [
        (MomentUnit::Bq, pb::MapUnit::Bq),
        (MomentUnit::BqPerMl, pb::MapUnit::BqPerMl),
        (MomentUnit::Mbq, pb::MapUnit::Mbq),
    ];
    let found = units.into_iter().find(|(unit, _)| name == Some(unit.name()));
    found.map_or(pb::MapUnit::Unspecified, |(_, unit)| unit)
}

pub(super) fn encode_refers_to(name: Option<&str>) -> pb::ValueRefersTo {
    let all = [
        (ValueRefersTo::AcquisitionMean, pb::ValueRefersTo::AcquisitionMean),
        (ValueRefersTo::AcquisitionStart, pb::ValueRefersTo::AcquisitionStart),
        (ValueRefersTo::Injection, pb::ValueRefersTo::Injection),
    ];
    let found = all.into_iter().find(|(refers_to, _)| name == Some(refers_to.name()));
    found.map_or(pb::ValueRefersTo::Unspecified, |(_, refers_to)| refers_to)
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

pub(super) fn decode_refers_to(number: i32) -> Option<String> {
    let refers_to = match pb::ValueRefersTo::try_from(number) {
        Ok(pb::ValueRefersTo::Unspecified) => return None,
        Ok(pb::ValueRefersTo::AcquisitionMean) => ValueRefersTo::AcquisitionMean,
        Ok(pb::ValueRefersTo::AcquisitionStart) => ValueRefersTo::AcquisitionStart,
        Ok(pb::ValueRefersTo::Injection) => ValueRefersTo::Injection,
        Err(_) => return Some(number.to_string()),
    };
    Some(refers_to.name().to_owned())
}

/// * `administered_mbq` – administered activity [MBq], if it is known
pub(in crate::api) fn encode_result(made: &IntegratedMaps, administered_mbq: Option<f64>) -> pb::IntegrateResult {
    let kind = |count: &KindCount| pb::VoxelKindCount {
        kind: count.kind.to_owned(),
        voxels: count.voxels as u64,
        tia_mbq_h: count.tia_mbq_h,
    };
    let of_regions = made.regions.iter().flat_map(|(_, region)| {
        region
            .integration
            .warnings
            .iter()
            .map(|warning| Warning { message: format!("{}: {}", region.name, warning.message), ..warning.clone() })
    });
    let not_checked = made.regions_of_one_scan.is_empty().then(|| registration_not_checked("scans"));
    let warnings: Vec<Warning> =
        not_checked.into_iter().chain(of_regions).chain(made.warnings.iter().cloned()).collect();
    let of_one_scan = |(label, region): &(u16, OneScanRegion)| pb::OneScanRegion {
        label: (*label).into(),
        voxels: region.voxels as u64,
        negative_voxels: region.negative_voxels as u64,
        time_h: region.time_h,
        activity_mbq: region.activity_mbq,
        integral: Some(encode_one(&region.name, &region.found, administered_mbq)),
    };
    pb::IntegrateResult {
        volume: Some(volume::encode(&VolumeHeader::float32(made.tia_bq_s.grid()))),
        regions: made.regions.iter().map(encode_region).collect(),
        voxel_kinds: made.voxel_kinds.iter().map(kind).collect(),
        tia_mbq_h: made.tia_mbq_h,
        warnings: warnings.iter().map(|warning| warning.message.clone()).collect(),
        warning_details: warnings.iter().map(encode_warning).collect(),
        regions_of_one_scan: made.regions_of_one_scan.iter().map(of_one_scan).collect(),
        uncertainty: made.sigma_bq_s.as_ref().map(|map| volume::encode(&VolumeHeader::float32(map.grid()))),
        kinds: made.kinds.as_ref().map(|map| {
            volume::encode(&VolumeHeader { element: ElementType::Uint8, ..VolumeHeader::float32(map.grid()) })
        }),
    }
}

/// What a result announces: all but the maps, and the maps that will come.
pub(in crate::api) struct Announced {
    pub(in crate::api) regions: Vec<(u16, RegionIntegral)>,
    pub(in crate::api) regions_of_one_scan: Vec<(u16, OneScanRegion)>,
    pub(in crate::api) voxel_kinds: Vec<KindCount>,
    pub(in crate::api) tia_mbq_h: f64,
    pub(in crate::api) volume: VolumeHeader,
    pub(in crate::api) sigma: Option<VolumeHeader>,
    pub(in crate::api) kinds: Option<VolumeHeader>,
    pub(in crate::api) warnings: Vec<Warning>,
}

/// None if a part is missing that every server sends, or makes no sense.
pub(in crate::api) fn decode_result(message: pb::IntegrateResult) -> Option<Announced> {
    let header = |volume: pb::VolumeDescriptor| volume::decode(volume).resolve("", &mut Checks::new());
    let whole = message.tia_mbq_h;
    let kind = |count: pb::VoxelKindCount| {
        Some(KindCount {
            kind: VoxelKind::ALL.into_iter().map(VoxelKind::name).find(|name| *name == count.kind)?,
            voxels: usize::try_from(count.voxels).ok()?,
            tia_mbq_h: count.tia_mbq_h,
            fraction: if whole > 0.0 { count.tia_mbq_h / whole } else { 0.0 },
        })
    };
    let of_one_scan = |region: pb::OneScanRegion| {
        let integral = region.integral?;
        let found = OneScanRegion {
            name: integral.name.clone(),
            voxels: usize::try_from(region.voxels).ok()?,
            negative_voxels: usize::try_from(region.negative_voxels).ok()?,
            time_h: region.time_h,
            activity_mbq: region.activity_mbq,
            found: decode_one(integral)?,
        };
        Some((u16::try_from(region.label).ok()?, found))
    };
    let optional = |volume: Option<pb::VolumeDescriptor>| match volume {
        None => Some(None),
        Some(volume) => header(volume).map(Some),
    };
    Some(Announced {
        regions: message.regions.into_iter().map(decode_region).collect::<Option<_>>()?,
        regions_of_one_scan: message.regions_of_one_scan.into_iter().map(of_one_scan).collect::<Option<_>>()?,
        voxel_kinds: message.voxel_kinds.into_iter().map(kind).collect::<Option<_>>()?,
        tia_mbq_h: whole,
        volume: header(message.volume?)?,
        sigma: optional(message.uncertainty)?,
        kinds: optional(message.kinds)?,
        warnings: message.warning_details.into_iter().map(decode_warning).collect(),
    })
}
