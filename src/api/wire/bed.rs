//! Regions, their tissue and cycles, and their biologically effective dose.

use super::integration::curve::encode_warning;
use super::{pb, volume};
use crate::domain::{Checks, VolumeHeader, Warning};
use crate::intake::RawOrganVolume;
use crate::intake::bed::{
    BED_NOTE, BedAnswer, BedCycle, BedPlan, BedRegion, BedVolumes, BedVoxels, BedWork, CyclePlan, RawBed, RegionPlan,
    RemovalPlan, RepairPlan, SessionPlan, TermPlan,
};

pub(in crate::api) fn decode(message: pb::BedHeader) -> RawBed {
    let organ =
        |pb::OrganVolume { volume, label }| RawOrganVolume { volume: volume.map(volume::decode_sent).into(), label };
    RawBed {
        plan: BedPlan {
            nuclide: message.nuclide,
            rbe: message.rbe,
            mixed_field: message.mixed_field,
            region: message.regions.into_iter().map(decode_region).collect(),
        },
        doses: message.doses.into_iter().map(|dose| Some(volume::decode_sent(dose)).into()).collect(),
        labels: message.labels.map(volume::decode_sent).into(),
        organ_volumes: message.organ_volumes.into_iter().map(organ).collect(),
        density: message.density.map(volume::decode_sent).into(),
        minimum_density_g_cm3: message.minimum_density_g_cm3,
        volumes: BedVolumes { bed: message.return_bed, eqd2: message.return_eqd2 },
    }
}

/// No part of a list that is empty was given.
fn given<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn decode_region(message: pb::BedRegion) -> RegionPlan {
    let component =
        |pb::RepairComponent { fraction, half_time_h }: pb::RepairComponent| RepairPlan { fraction, half_time_h };
    RegionPlan {
        name: message.name,
        // A number that is no label is not that of any organ.
        label: message.label.map(|label| u16::try_from(label).unwrap_or(0)),
        alpha_beta_gy: message.alpha_beta_gy,
        repair_half_time_h: message.repair_half_time_h,
        repair: given(message.repair.into_iter().map(component).collect()),
        alpha_per_gy: message.alpha_per_gy,
        geud_exponent: message.geud_exponent,
        cycle: message.cycles.into_iter().map(decode_cycle).collect(),
    }
}

fn decode_cycle(message: pb::BedCycle) -> CyclePlan {
    let term = |pb::DoseRateTerm { amplitude_gy_per_h, rate_per_h }: pb::DoseRateTerm| TermPlan {
        amplitude_gy_per_h,
        rate_per_h,
    };
    let session = |pb::ClearanceSession { start_h, duration_h, clearance_half_time_h }: pb::ClearanceSession| {
        SessionPlan { start_h, duration_h, clearance_half_time_h }
    };
    let removal = |pb::Removal { time_h, fraction }: pb::Removal| RemovalPlan { time_h, fraction };
    CyclePlan {
        dose_gy: message.dose_gy,
        alpha_dose_gy: message.alpha_dose_gy,
        start_h: message.start_h,
        effective_half_life_h: message.effective_half_life_h,
        dose_rate_terms: given(message.dose_rate_terms.into_iter().map(term).collect()),
        infusion_h: message.infusion_h,
        sessions: message.sessions.into_iter().map(session).collect(),
        removals: message.removals.into_iter().map(removal).collect(),
    }
}

/// The header of what was checked here.
pub(in crate::api) fn encode(work: &BedWork) -> pb::BedHeader {
    use crate::domain::VolumeRole;
    use crate::intake::InputRole;
    let plan = work.plan();
    let arrivals = work.arrivals().iter();
    let volume_of = |wanted: InputRole| {
        let found = work.arrivals().iter().find(|(role, _)| *role == wanted);
        found.map(|(_, header)| volume::encode(header))
    };
    let doses = arrivals.filter(|(role, _)| matches!(role, InputRole::Dose(_)));
    let (_, organ_volumes) = volume::encode_arrivals(work.arrivals(), work.organ_labels());
    pb::BedHeader {
        nuclide: plan.nuclide.clone(),
        rbe: plan.rbe,
        mixed_field: plan.mixed_field,
        regions: plan.region.iter().map(encode_region).collect(),
        doses: doses.map(|(_, header)| volume::encode(header)).collect(),
        labels: volume_of(VolumeRole::Labels.into()),
        organ_volumes,
        density: volume_of(VolumeRole::Density.into()),
        minimum_density_g_cm3: work.grid().map(|_| work.minimum_density_g_cm3()),
        return_bed: work.volumes().bed,
        return_eqd2: work.volumes().eqd2,
    }
}

fn encode_region(region: &RegionPlan) -> pb::BedRegion {
    let component = |part: &RepairPlan| pb::RepairComponent { fraction: part.fraction, half_time_h: part.half_time_h };
    pb::BedRegion {
        name: region.name.clone(),
        label: region.label.map(u32::from),
        alpha_beta_gy: region.alpha_beta_gy,
        repair_half_time_h: region.repair_half_time_h,
        repair: region.repair.iter().flatten().map(component).collect(),
        alpha_per_gy: region.alpha_per_gy,
        geud_exponent: region.geud_exponent,
        cycles: region.cycle.iter().map(encode_cycle).collect(),
    }
}

fn encode_cycle(cycle: &CyclePlan) -> pb::BedCycle {
    let term =
        |term: &TermPlan| pb::DoseRateTerm { amplitude_gy_per_h: term.amplitude_gy_per_h, rate_per_h: term.rate_per_h };
    let session = |session: &SessionPlan| pb::ClearanceSession {
        start_h: session.start_h,
        duration_h: session.duration_h,
        clearance_half_time_h: session.clearance_half_time_h,
    };
    let removal = |removal: &RemovalPlan| pb::Removal { time_h: removal.time_h, fraction: removal.fraction };
    pb::BedCycle {
        dose_gy: cycle.dose_gy,
        alpha_dose_gy: cycle.alpha_dose_gy,
        start_h: cycle.start_h,
        effective_half_life_h: cycle.effective_half_life_h,
        dose_rate_terms: cycle.dose_rate_terms.iter().flatten().map(term).collect(),
        infusion_h: cycle.infusion_h,
        sessions: cycle.sessions.iter().map(session).collect(),
        removals: cycle.removals.iter().map(removal).collect(),
    }
}

/// * `warnings` – of what was asked for
pub(in crate::api) fn encode_result(answer: &BedAnswer, warnings: &[Warning]) -> pb::BedResult {
    let (regions, maps) = match answer {
        BedAnswer::Regions(regions) => (regions, None),
        BedAnswer::Maps(maps) => (&maps.regions, Some(maps)),
    };
    let volume =
        |map: Option<&crate::domain::Volume<f32>>| map.map(|map| volume::encode(&VolumeHeader::float32(map.grid())));
    pb::BedResult {
        regions: regions.iter().map(encode_found).collect(),
        voxels_without_bed: maps.map(|maps| maps.voxels_without_bed as u64),
        bed: volume(maps.and_then(|maps| maps.bed.as_ref())),
        eqd2: volume(maps.and_then(|maps| maps.eqd2.as_ref())),
        note: BED_NOTE.to_owned(),
        warnings: warnings.iter().map(encode_warning).collect(),
    }
}

fn encode_found(region: &BedRegion) -> pb::BedRegionResult {
    let cycle = |cycle: &BedCycle| pb::BedCycleResult {
        start_h: cycle.start_h,
        dose_gy: cycle.dose_gy,
        alpha_dose_gy: cycle.alpha_dose_gy,
        lea_catcheside_factor: cycle.lea_catcheside_factor,
        bed_gy: cycle.bed_gy,
        eqd2_gy: cycle.eqd2_gy,
    };
    let voxels = |voxels: &BedVoxels| pb::BedVoxelFigures {
        mass_g: voxels.mass_g,
        excluded_volume_cm3: voxels.excluded_volume_cm3,
        bed_of_mean_dose_gy: voxels.bed_of_mean_dose_gy,
        equivalent_uniform_bed_gy: voxels.equivalent_uniform_bed_gy,
        equivalent_uniform_dose_gy: voxels.equivalent_uniform_dose_gy,
        generalised_eud_gy: voxels.generalised_eud_gy,
    };
    pb::BedRegionResult {
        name: region.region.clone(),
        alpha_beta_gy: region.alpha_beta_gy,
        dose_gy: region.dose_gy,
        bed_gy: region.bed_gy,
        eqd2_gy: region.eqd2_gy,
        bed_sum_of_cycles_gy: region.bed_sum_of_cycles_gy,
        bed_with_overlap_gy: region.bed_with_overlap_gy,
        cycles_overlap: region.cycles_overlap,
        cycles: region.cycles.iter().map(cycle).collect(),
        voxels: region.voxels.as_ref().map(voxels),
    }
}

/// What a result announces: the regions, the voxels without a BED where there were maps, and the maps that will come.
pub(in crate::api) struct Announced {
    pub(in crate::api) regions: Vec<BedRegion>,
    pub(in crate::api) voxels_without_bed: Option<usize>,
    pub(in crate::api) bed: Option<VolumeHeader>,
    pub(in crate::api) eqd2: Option<VolumeHeader>,
}

/// None if a volume makes no sense.
pub(in crate::api) fn decode_result(message: pb::BedResult) -> Option<Announced> {
    let header = |volume: Option<pb::VolumeDescriptor>| match volume {
        None => Some(None),
        Some(volume) => volume::decode(volume).resolve("", &mut Checks::new()).map(Some),
    };
    Some(Announced {
        regions: message.regions.into_iter().map(decode_found).collect(),
        voxels_without_bed: message.voxels_without_bed.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
        bed: header(message.bed)?,
        eqd2: header(message.eqd2)?,
    })
}

fn decode_found(message: pb::BedRegionResult) -> BedRegion {
    let cycle = |cycle: pb::BedCycleResult| BedCycle {
        start_h: cycle.start_h,
        dose_gy: cycle.dose_gy,
        alpha_dose_gy: cycle.alpha_dose_gy,
        lea_catcheside_factor: cycle.lea_catcheside_factor,
        bed_gy: cycle.bed_gy,
        eqd2_gy: cycle.eqd2_gy,
    };
    let voxels = |voxels: pb::BedVoxelFigures| BedVoxels {
        mass_g: voxels.mass_g,
        excluded_volume_cm3: voxels.excluded_volume_cm3,
        bed_of_mean_dose_gy: voxels.bed_of_mean_dose_gy,
        equivalent_uniform_bed_gy: voxels.equivalent_uniform_bed_gy,
        equivalent_uniform_dose_gy: voxels.equivalent_uniform_dose_gy,
        generalised_eud_gy: voxels.generalised_eud_gy,
    };
    BedRegion {
        region: message.name,
        alpha_beta_gy: message.alpha_beta_gy,
        dose_gy: message.dose_gy,
        bed_gy: message.bed_gy,
        eqd2_gy: message.eqd2_gy,
        bed_sum_of_cycles_gy: message.bed_sum_of_cycles_gy,
        bed_with_overlap_gy: message.bed_with_overlap_gy,
        cycles_overlap: message.cycles_overlap,
        cycles: message.cycles.into_iter().map(cycle).collect(),
        voxels: message.voxels.map(voxels),
    }
}
