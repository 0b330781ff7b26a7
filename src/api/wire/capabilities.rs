//! What this program can compute, for callers who ask.

use super::pb;
use crate::domain::header::MAX_DAUGHTER_MAPS;
use crate::domain::{
    ActivityUnit, DensityCorrection, ElementType, KernelMedium, KernelOptions, LocalOptions, Method, MomentUnit,
};
use crate::intake::{MAX_DOSE_VOLUME_POINTS, MAX_DOSE_VOLUME_VALUES, MAX_ORGAN_VOLUMES, MAX_ORGANS};
use crate::physics::{material, nuclide};

/// Units of time-integrated activity.
const TIME_INTEGRATED: [ActivityUnit; 5] =
    [ActivityUnit::BqS, ActivityUnit::BqH, ActivityUnit::KbqS, ActivityUnit::MbqS, ActivityUnit::MbqH];

pub(in crate::api) fn encode() -> pb::Capabilities {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let kernel = KernelOptions::default();
    let methods = [Method::Local(LocalOptions::default()), Method::Kernel(kernel), Method::MonteCarlo(Box::default())];
    let time_integrated = TIME_INTEGRATED.iter().map(|unit| unit.name().replace('-', "_"));
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    pb::Capabilities {
        methods: names(&methods.each_ref().map(Method::name)),
        density_corrections: first(
            kernel.density_correction.name(),
            DensityCorrection::ALL.map(DensityCorrection::name),
        ),
        kernel_media: first(kernel.medium.name(), KernelMedium::ALL.map(KernelMedium::name)),
        materials: material::all().iter().map(|material| material.name().to_owned()).collect(),
        activity_units: time_integrated.chain(MomentUnit::ALL.map(MomentUnit::field)).collect(),
        element_types: names(&ElementType::ALL.map(ElementType::name)),
        nuclides: count(nuclide::count()),
        max_label: u16::MAX.into(),
        max_organs: count(MAX_ORGANS),
        max_organ_volumes: count(MAX_ORGAN_VOLUMES),
        max_dose_volume_points: count(MAX_DOSE_VOLUME_POINTS),
        max_dose_volume_points_in_all: count(MAX_DOSE_VOLUME_VALUES),
        max_daughter_maps: count(MAX_DAUGHTER_MAPS),
    }
}

/// Names with the default before the others.
fn first(default: &'static str, names: impl IntoIterator<Item = &'static str>) -> Vec<String> {
    let others = names.into_iter().filter(|name| *name != default);
    std::iter::once(default).chain(others).map(str::to_owned).collect()
}
