//! What is said of volumes on grids and with values of their own, and what was done to them.

use super::{header, pb, volume};
use crate::domain::{NanRule, NegativeRule, Part, Repair, VolumeHeader, VolumeRole};
use crate::dosimetry::{CumulativeHistogram, OrganDose};
use crate::intake::{InputRole, Intake, IntakeAccount, RawDoseGrid, RawIntake, RawOrganVolume};
use crate::resample::{DoseGrid, PlacingAccount};

/// The header of volumes that are sent as they are.
pub(in crate::api) fn encode(intake: &Intake) -> pb::ComputeHeader {
    let choice = intake.choice();
    let point = |&[hu, density_g_cm3]: &[f64; 2]| pb::CtCalibrationPoint { hu, density_g_cm3 };
    let matrix = choice.transform.as_ref().map(|transform| transform.matrix().as_flattened().to_vec());
    let mut message = pb::ComputeHeader {
        // These have the grids of the dose.
        density: None,
        labels: None,
        ct_calibration: intake.calibration().iter().map(point).collect(),
        label_names: intake.names().iter().map(|(&label, name)| (label.into(), name.clone())).collect(),
        dose_grid: choice.dose_grid.map(encode_grid),
        activity_to_ct_mm: matrix.unwrap_or_default(),
        max_activity_outside: Some(choice.max_activity_outside),
        value_repair: Some(encode_rules(intake.repair())),
        return_dose_on_ct: intake.return_dose_on_ct(),
        dose_volume_points: intake.dose_volume_points().map(|points| u32::try_from(points).unwrap_or(u32::MAX)),
        ..header::encode(intake.header())
    };
    for (role, volume) in intake.arrivals() {
        put(&mut message, *role, volume, intake.organ_labels());
    }
    if let Some(pb::Method { method: Some(pb::method::Method::MonteCarlo(options)) }) = &mut message.method {
        options.return_uncertainty = intake.return_uncertainty();
    }
    message
}

/// Describes a volume as it will be sent.
fn put(message: &mut pb::ComputeHeader, role: InputRole, volume: &VolumeHeader, organ_labels: &[u16]) {
    let volume = Some(volume::encode(volume));
    match role {
        InputRole::OfRequest(VolumeRole::Activity) => message.activity = volume,
        InputRole::OfRequest(VolumeRole::Density) => message.density = volume,
        InputRole::OfRequest(VolumeRole::Labels) => message.labels = volume,
        InputRole::OfRequest(VolumeRole::Materials) => message.materials = volume,
        InputRole::OfRequest(VolumeRole::DaughterActivity(number)) => message.daughter_maps[number].activity = volume,
        InputRole::Ct => message.ct = volume,
        // No dose has one.
        InputRole::Source | InputRole::Scan(_) | InputRole::Dose(_) => {}
        InputRole::Organ(number) => {
            message.organ_volumes.push(pb::OrganVolume { volume, label: organ_labels[number].into() });
        }
    }
}

/// The volume of a header that has a role, if the header has it.
pub(in crate::api) fn volume_mut(header: &mut pb::ComputeHeader, role: InputRole) -> Option<&mut pb::VolumeDescriptor> {
    match role {
        InputRole::OfRequest(VolumeRole::Activity) => header.activity.as_mut(),
        InputRole::OfRequest(VolumeRole::Density) => header.density.as_mut(),
        InputRole::OfRequest(VolumeRole::Labels) => header.labels.as_mut(),
        InputRole::OfRequest(VolumeRole::Materials) => header.materials.as_mut(),
        InputRole::OfRequest(VolumeRole::DaughterActivity(number)) => {
            header.daughter_maps.get_mut(number)?.activity.as_mut()
        }
        InputRole::Ct => header.ct.as_mut(),
        InputRole::Organ(number) => header.organ_volumes.get_mut(number)?.volume.as_mut(),
        InputRole::Source | InputRole::Scan(_) | InputRole::Dose(_) => None,
    }
}

fn encode_grid(grid: DoseGrid) -> pb::DoseGrid {
    use pb::dose_grid::Grid;
    let grid = match grid {
        DoseGrid::Activity => Grid::Activity(pb::GridOfActivity {}),
        DoseGrid::Ct => Grid::Ct(pb::GridOfCt {}),
        DoseGrid::Spacing(edge_mm) => Grid::SpacingMm(edge_mm),
    };
    pb::DoseGrid { grid: Some(grid) }
}

fn encode_rules((nan, negative): (NanRule, NegativeRule)) -> pb::ValueRepair {
    let nan = match nan {
        NanRule::Refuse => pb::NanRule::Refuse,
        NanRule::Zero => pb::NanRule::Zero,
    };
    let negative = match negative {
        NegativeRule::Refuse => pb::NegativeRule::Refuse,
        NegativeRule::Zero => pb::NegativeRule::Zero,
        NegativeRule::ZeroKeepTotal => pb::NegativeRule::ZeroKeepTotal,
    };
    pb::ValueRepair { nan: nan.into(), negative: negative.into() }
}

pub(in crate::api) fn decode(mut message: pb::ComputeHeader) -> RawIntake {
    let ct = message.ct.take().map(volume::decode);
    let point = |pb::CtCalibrationPoint { hu, density_g_cm3 }| [hu, density_g_cm3];
    let organ = |pb::OrganVolume { volume, label }| RawOrganVolume { volume: volume.map(volume::decode).into(), label };
    let repair = message.value_repair.take().unwrap_or_default();
    RawIntake {
        ct: ct.into(),
        ct_calibration: std::mem::take(&mut message.ct_calibration).into_iter().map(point).collect(),
        organ_volumes: std::mem::take(&mut message.organ_volumes).into_iter().map(organ).collect(),
        label_names: std::mem::take(&mut message.label_names).into_iter().collect(),
        dose_grid: Part::from(message.dose_grid.take().map(decode_grid)),
        activity_to_ct_mm: std::mem::take(&mut message.activity_to_ct_mm),
        max_activity_outside: message.max_activity_outside,
        nan: decode_nan(repair.nan),
        negative: decode_negative(repair.negative),
        return_dose_on_ct: message.return_dose_on_ct,
        dose_volume_points: message.dose_volume_points,
        header: header::decode(message),
    }
}

fn decode_grid(message: pb::DoseGrid) -> RawDoseGrid {
    use pb::dose_grid::Grid;
    match message.grid {
        None => RawDoseGrid::Unspecified,
        Some(Grid::Activity(pb::GridOfActivity {})) => RawDoseGrid::Activity,
        Some(Grid::Ct(pb::GridOfCt {})) => RawDoseGrid::Ct,
        Some(Grid::SpacingMm(edge)) => RawDoseGrid::Spacing(edge),
    }
}

/// The word of a rule, or the number of one that is not known; none if it is not given.
pub(super) fn decode_nan(number: i32) -> Option<String> {
    let rule = match pb::NanRule::try_from(number) {
        Ok(pb::NanRule::Unspecified) => return None,
        Ok(pb::NanRule::Refuse) => NanRule::Refuse,
        Ok(pb::NanRule::Zero) => NanRule::Zero,
        Err(_) => return Some(number.to_string()),
    };
    Some(rule.name().to_owned())
}

/// As [`decode_nan`].
fn decode_negative(number: i32) -> Option<String> {
    let rule = match pb::NegativeRule::try_from(number) {
        Ok(pb::NegativeRule::Unspecified) => return None,
        Ok(pb::NegativeRule::Refuse) => NegativeRule::Refuse,
        Ok(pb::NegativeRule::Zero) => NegativeRule::Zero,
        Ok(pb::NegativeRule::ZeroKeepTotal) => NegativeRule::ZeroKeepTotal,
        Err(_) => return Some(number.to_string()),
    };
    Some(rule.name().to_owned())
}

pub(super) fn encode_account(account: &IntakeAccount) -> pb::IntakeAccount {
    let (first, daughters) = account.repairs.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
    let daughters = if daughters.iter().all(Repair::is_nothing) { &[] } else { daughters };
    pb::IntakeAccount {
        density: account.density.clone(),
        activity: first.filter(|repair| !repair.is_nothing()).map(encode_repair),
        daughter_activities: daughters.iter().map(encode_repair).collect(),
        density_nan_voxels: account.density_nan_voxels as u64,
        resampling: account.placing.as_ref().map(|placing| encode_placing(placing, account.placed_decays)),
    }
}

fn encode_repair(repair: &Repair) -> pb::RepairAccount {
    pb::RepairAccount {
        nan_voxels: repair.nan_voxels as u64,
        negative_voxels: repair.negative_voxels as u64,
        negative_bq_s: repair.negative_sum,
        before_bq_s: repair.total_before,
        after_bq_s: repair.total_after,
    }
}

/// * `decays` – the activity before and after [Bq·s]
fn encode_placing(account: &PlacingAccount, decays: Option<[f64; 2]>) -> pb::ResamplingAccount {
    let [activity_before_bq_s, activity_after_bq_s] = decays.unwrap_or_default();
    let [activity_before, activity_after] = account.activity.unwrap_or_default();
    pb::ResamplingAccount {
        activity_before_bq_s,
        activity_after_bq_s,
        mass_before_g: account.mass_g.map(|[before, _]| before),
        mass_after_g: account.mass_g.map(|[_, after]| after),
        activity_outside_density: account.activity_outside_density,
        activity_before,
        activity_after,
    }
}

/// What the server did. Its warnings come apart from it.
pub(super) fn decode_account(message: pb::IntakeAccount) -> IntakeAccount {
    let first = message.activity.map(decode_repair);
    let none = || Repair { nan_voxels: 0, negative_voxels: 0, negative_sum: 0.0, total_before: 0.0, total_after: 0.0 };
    let daughters: Vec<Repair> = message.daughter_activities.into_iter().map(decode_repair).collect();
    let decays = |account: &pb::ResamplingAccount| [account.activity_before_bq_s, account.activity_after_bq_s];
    let is_repaired = first.is_some() || !daughters.is_empty();
    IntakeAccount {
        density: message.density,
        repairs: is_repaired.then(|| first.unwrap_or_else(none)).into_iter().chain(daughters).collect(),
        density_nan_voxels: usize::try_from(message.density_nan_voxels).unwrap_or(usize::MAX),
        placed_decays: message.resampling.as_ref().map(decays),
        placing: message.resampling.map(|account| PlacingAccount {
            activity: Some([account.activity_before, account.activity_after]),
            mass_g: account.mass_before_g.zip(account.mass_after_g).map(<[f64; 2]>::from),
            activity_outside_density: account.activity_outside_density,
        }),
        warnings: Vec::new(),
    }
}

fn decode_repair(message: pb::RepairAccount) -> Repair {
    Repair {
        nan_voxels: usize::try_from(message.nan_voxels).unwrap_or(usize::MAX),
        negative_voxels: usize::try_from(message.negative_voxels).unwrap_or(usize::MAX),
        negative_sum: message.negative_bq_s,
        total_before: message.before_bq_s,
        total_after: message.after_bq_s,
    }
}

/// None if the label is none.
pub(in crate::api) fn decode_organ(message: pb::OrganDose) -> Option<(OrganDose, Option<CumulativeHistogram>)> {
    let histogram = message.dose_volume.map(|pb::DoseVolumeHistogram { step_gy, volume_fraction }| {
        // The steps of the server, to the last bit.
        let last = volume_fraction.len().max(2) - 1;
        let dose_gy = |step: usize| match message.max_gy {
            Some(max_gy) => max_gy * (step as f64 / last as f64),
            None => step as f64 * step_gy,
        };
        let dose_gy = (0..volume_fraction.len()).map(dose_gy).collect();
        CumulativeHistogram { dose_gy, volume_fraction }
    });
    let organ = OrganDose {
        label: u16::try_from(message.label).ok()?,
        name: message.name,
        voxels: usize::try_from(message.voxels).ok()?,
        mass_g: message.mass_g,
        mean_by_mass_gy: message.mean_by_mass_gy,
        mean_gy: message.mean_gy,
        min_gy: message.min_gy,
        max_gy: message.max_gy,
        d95_gy: message.d95_gy,
        d50_gy: message.d50_gy,
        d2_gy: message.d2_gy,
        volume_cm3: message.volume_cm3,
        decays: message.decays_bq_s,
        voxels_without_dose: usize::try_from(message.voxels_without_dose).ok()?,
        mean_sigma_gy: message.mean_sigma_gy,
        mean_by_mass_sigma_gy: message.mean_by_mass_sigma_gy,
        d98_gy: message.d98_gy,
        d90_gy: message.d90_gy,
        d70_gy: message.d70_gy,
        d1cc_gy: message.d1cc_gy,
        counted_volume_cm3: message.counted_volume_cm3,
        counted_mass_g: message.counted_mass_g,
        excluded_volume_cm3: message.excluded_volume_cm3,
        time_integrated_activity_mbq_h: message.time_integrated_activity_mbq_h,
        time_integrated_activity_coefficient_h: message.time_integrated_activity_coefficient_h,
        mean_by_mass_gy_per_injected_gbq: message.mean_by_mass_gy_per_injected_gbq,
        min_noise_gy: message.min_noise_gy,
        d98_noise_gy: message.d98_noise_gy,
        d95_noise_gy: message.d95_noise_gy,
        d2_noise_gy: message.d2_noise_gy,
        max_noise_gy: message.max_noise_gy,
        moved_by_noise: message.moved_by_noise,
    };
    Some((organ, histogram))
}

pub(super) fn encode_organ(organ: &OrganDose, histogram: Option<&CumulativeHistogram>) -> pb::OrganDose {
    pb::OrganDose {
        label: organ.label.into(),
        name: organ.name.clone(),
        mean_by_mass_gy: organ.mean_by_mass_gy,
        mean_gy: organ.mean_gy,
        min_gy: organ.min_gy,
        max_gy: organ.max_gy,
        d95_gy: organ.d95_gy,
        d50_gy: organ.d50_gy,
        d2_gy: organ.d2_gy,
        mean_sigma_gy: organ.mean_sigma_gy,
        mean_by_mass_sigma_gy: organ.mean_by_mass_sigma_gy,
        d98_gy: organ.d98_gy,
        d90_gy: organ.d90_gy,
        d70_gy: organ.d70_gy,
        d1cc_gy: organ.d1cc_gy,
        counted_volume_cm3: organ.counted_volume_cm3,
        counted_mass_g: organ.counted_mass_g,
        excluded_volume_cm3: organ.excluded_volume_cm3,
        time_integrated_activity_mbq_h: organ.time_integrated_activity_mbq_h,
        time_integrated_activity_coefficient_h: organ.time_integrated_activity_coefficient_h,
        mean_by_mass_gy_per_injected_gbq: organ.mean_by_mass_gy_per_injected_gbq,
        min_noise_gy: organ.min_noise_gy,
        d98_noise_gy: organ.d98_noise_gy,
        d95_noise_gy: organ.d95_noise_gy,
        d2_noise_gy: organ.d2_noise_gy,
        max_noise_gy: organ.max_noise_gy,
        moved_by_noise: organ.moved_by_noise.clone(),
        mass_g: organ.mass_g,
        volume_cm3: organ.volume_cm3,
        decays_bq_s: organ.decays,
        voxels: organ.voxels as u64,
        voxels_without_dose: organ.voxels_without_dose as u64,
        dose_volume: histogram.map(|histogram| pb::DoseVolumeHistogram {
            step_gy: histogram.dose_gy.get(1).copied().unwrap_or_default(),
            volume_fraction: histogram.volume_fraction.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_named_and_unknown_numbers_are_told() {
        for rule in [pb::NanRule::Refuse, pb::NanRule::Zero] {
            assert!(NanRule::parse(&decode_nan(rule.into()).expect("a word")).is_ok());
        }
        for rule in [pb::NegativeRule::Refuse, pb::NegativeRule::Zero, pb::NegativeRule::ZeroKeepTotal] {
            assert!(NegativeRule::parse(&decode_negative(rule.into()).expect("a word")).is_ok());
        }
        assert_eq!((decode_nan(0), decode_negative(0)), (None, None));
        assert_eq!((decode_nan(7).as_deref(), decode_negative(-1).as_deref()), (Some("7"), Some("-1")));
    }
}
