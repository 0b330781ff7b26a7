//! A volume that is put on another grid, and what was done to it.

use super::{grid, intake, pb, volume};
use crate::domain::{Checks, ElementType, NanRule, Volume, VolumeHeader};
use crate::intake::{
    LabelSize, RawOrganVolume, RawRegrid, RawTarget, Regrid, RegridAccount, RegridKind, Regridded, RegriddedValues,
};

pub(in crate::api) fn decode(message: pb::ResampleHeader) -> RawRegrid {
    use pb::resample_header::Target;
    let organ =
        |pb::OrganVolume { volume, label }| RawOrganVolume { volume: volume.map(volume::decode_sent).into(), label };
    let target = message.target.map(|target| match target {
        Target::Grid(grid) => RawTarget::Grid(grid::decode(grid)),
        Target::SpacingMm(edge_mm) => RawTarget::Spacing(edge_mm),
    });
    RawRegrid {
        kind: decode_kind(message.kind),
        source: message.source.map(volume::decode_sent).into(),
        organ_volumes: message.organ_volumes.into_iter().map(organ).collect(),
        target: target.into(),
        target_to_source_mm: message.target_to_source_mm,
        nan: intake::decode_nan(message.nan),
    }
}

/// The header of a volume that was checked here.
pub(in crate::api) fn encode(regrid: &Regrid) -> pb::ResampleHeader {
    let kind = match regrid.regridding().kind() {
        RegridKind::Density => pb::ResampleKind::Density,
        RegridKind::Ct => pb::ResampleKind::Ct,
        RegridKind::Concentration => pb::ResampleKind::Concentration,
        RegridKind::Activity => pb::ResampleKind::Activity,
        RegridKind::Labels => pb::ResampleKind::Labels,
        RegridKind::Dose => pb::ResampleKind::Dose,
    };
    let nan = match regrid.nan() {
        NanRule::Refuse => pb::NanRule::Refuse,
        NanRule::Zero => pb::NanRule::Zero,
    };
    let matrix = regrid.transform().map(|transform| transform.matrix().as_flattened().to_vec());
    let (source, organ_volumes) = volume::encode_arrivals(regrid.arrivals(), regrid.organ_labels());
    pb::ResampleHeader {
        kind: kind.into(),
        source,
        organ_volumes,
        target: Some(pb::resample_header::Target::Grid(grid::encode(regrid.regridding().target()))),
        target_to_source_mm: matrix.unwrap_or_default(),
        nan: nan.into(),
    }
}

/// The word of a kind, or the number of one that is not known; none if it is not given.
fn decode_kind(number: i32) -> Option<String> {
    let kind = match pb::ResampleKind::try_from(number) {
        Ok(pb::ResampleKind::Unspecified) => return None,
        Ok(pb::ResampleKind::Density) => RegridKind::Density,
        Ok(pb::ResampleKind::Ct) => RegridKind::Ct,
        Ok(pb::ResampleKind::Concentration) => RegridKind::Concentration,
        Ok(pb::ResampleKind::Activity) => RegridKind::Activity,
        Ok(pb::ResampleKind::Labels) => RegridKind::Labels,
        Ok(pb::ResampleKind::Dose) => RegridKind::Dose,
        Err(_) => return Some(number.to_string()),
    };
    Some(kind.name().to_owned())
}

pub(in crate::api) fn encode_result(made: &Regridded) -> pb::ResampleResult {
    let volume = match &made.values {
        RegriddedValues::Numbers(volume) => VolumeHeader::float32(volume.grid()),
        RegriddedValues::Labels(map) => uint16(map.labels()),
    };
    let account = &made.account;
    let size = |size: &LabelSize| pb::LabelSize {
        label: size.label.into(),
        volume_before_cm3: size.volume_before_cm3,
        volume_after_cm3: size.volume_after_cm3,
        voxels: size.voxels as u64,
    };
    pb::ResampleResult {
        volume: Some(volume::encode(&volume)),
        exact: account.exact,
        sum_before: account.sums.map(|[before, _]| before),
        sum_after: account.sums.map(|[_, after]| after),
        share_outside: account.share_outside,
        outside_voxels: account.outside_voxels as u64,
        nan_voxels: account.nan_voxels as u64,
        labels: account.labels.iter().flatten().map(size).collect(),
        overlapping_voxels: account.overlapping_voxels as u64,
    }
}

/// What a result announces.
pub(in crate::api) struct Announced {
    pub(in crate::api) volume: VolumeHeader,
    pub(in crate::api) account: RegridAccount,
}

/// None if a part is missing that every server sends, or makes no sense.
pub(in crate::api) fn decode_result(message: pb::ResampleResult) -> Option<Announced> {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let volume = volume::decode(message.volume?).resolve("", &mut Checks::new())?;
    let size = |size: pb::LabelSize| {
        Some(LabelSize {
            label: u16::try_from(size.label).ok()?,
            name: None,
            volume_before_cm3: size.volume_before_cm3,
            volume_after_cm3: size.volume_after_cm3,
            voxels: count(size.voxels),
        })
    };
    let labels: Vec<LabelSize> = message.labels.into_iter().map(size).collect::<Option<_>>()?;
    let account = RegridAccount {
        exact: message.exact,
        sums: message.sum_before.zip(message.sum_after).map(<[f64; 2]>::from),
        share_outside: message.share_outside,
        outside_voxels: count(message.outside_voxels),
        nan_voxels: count(message.nan_voxels),
        labels: (volume.element == ElementType::Uint16).then_some(labels),
        overlapping_voxels: count(message.overlapping_voxels),
    };
    Some(Announced { volume, account })
}

/// The header of labels as they are sent.
fn uint16(labels: &Volume<u16>) -> VolumeHeader {
    VolumeHeader { element: ElementType::Uint16, ..VolumeHeader::float32(labels.grid()) }
}
