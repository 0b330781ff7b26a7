//! What a caller says beside its volumes: organs, calibration, grids, names.

use std::collections::BTreeMap;

use super::raw::{RawDoseGrid, RawOrganVolume};
use super::{GridChoice, MAX_DOSE_VOLUME_POINTS, MAX_ORGAN_VOLUMES};
use crate::domain::{Checks, Invalid, Part, RigidTransform, VolumeHeader};
use crate::physics::tissue::DensityCurve;
use crate::request::{RawVolume, affine};
use crate::resample::{DoseGrid, MAX_SHARE_OUTSIDE};

/// Longest name of an organ.
const MAX_NAME_BYTES: usize = 128;

/// What there is, good or not.
pub(super) struct Has {
    pub(super) density: bool,
    pub(super) organs: bool,
}

pub(super) fn resolve_organs(raw: Vec<RawOrganVolume>, checks: &mut Checks) -> (Vec<u16>, Vec<Part<VolumeHeader>>) {
    if raw.len() > MAX_ORGAN_VOLUMES {
        checks.fail("organ_volumes", format!("are {}, at most {MAX_ORGAN_VOLUMES} are taken", raw.len()));
    }
    let (mut labels, mut volumes) = (Vec::new(), Vec::new());
    // Of more than are taken the rest is not looked at.
    for (number, RawOrganVolume { volume, label }) in raw.into_iter().enumerate().take(MAX_ORGAN_VOLUMES) {
        let field = format!("organ_volumes[{number}]");
        match u16::try_from(label) {
            Ok(label @ 1..) if labels.contains(&label) => {
                checks.fail(format!("{field}.label"), format!("is {label}, as of another organ volume"));
            }
            Ok(label @ 1..) => labels.push(label),
            Ok(0) | Err(_) => checks.fail(format!("{field}.label"), format!("must be from 1 to 65535, got {label}")),
        }
        let field = format!("{field}.volume");
        if !volume.is_given() {
            checks.fail(&field, crate::request::MISSING);
        }
        volumes.push(volume.resolve(&field, checks, RawVolume::resolve));
    }
    (labels, volumes)
}

pub(super) fn calibration(points: &[[f64; 2]], has_ct: bool, checks: &mut Checks) -> Option<DensityCurve> {
    if points.is_empty() {
        return None;
    }
    if !has_ct {
        checks.fail("ct_calibration", "has no effect without a CT");
    }
    match DensityCurve::from_points(points) {
        Ok(curve) => Some(curve),
        Err((number, Invalid(reason))) => {
            let place = if number < points.len() { format!("[{number}]") } else { String::new() };
            checks.fail(format!("ct_calibration{place}"), reason);
            None
        }
    }
}

/// What the caller chose of grids.
pub(super) fn choice(
    dose_grid: Part<RawDoseGrid>,
    activity_to_ct_mm: &[f64],
    max_activity_outside: Option<f64>,
    has: &Has,
    checks: &mut Checks,
) -> GridChoice {
    GridChoice {
        dose_grid: choice_of(dose_grid, checks),
        transform: between_scans(activity_to_ct_mm, has.density, checks),
        max_activity_outside: share(max_activity_outside, checks),
    }
}

fn choice_of(grid: Part<RawDoseGrid>, checks: &mut Checks) -> Option<DoseGrid> {
    match grid.into_good()? {
        RawDoseGrid::Unspecified => {
            checks.fail("dose_grid", crate::request::MISSING);
            None
        }
        RawDoseGrid::Activity => Some(DoseGrid::Activity),
        RawDoseGrid::Ct => Some(DoseGrid::Ct),
        RawDoseGrid::Spacing(edge) if edge.is_finite() && edge > 0.0 => Some(DoseGrid::Spacing(edge)),
        RawDoseGrid::Spacing(edge) => {
            checks.fail("dose_grid.spacing_mm", format!("must be a finite length above 0, got {edge} mm"));
            None
        }
    }
}

fn between_scans(numbers: &[f64], has_density: bool, checks: &mut Checks) -> Option<RigidTransform> {
    if !numbers.is_empty() && !has_density {
        checks.fail("activity_to_ct_mm", "has no effect without a CT or a density");
    }
    transform(numbers, "activity_to_ct_mm", checks)
}

/// A rigid motion; none if there is none, or a fault was recorded.
pub(super) fn transform(numbers: &[f64], field: &str, checks: &mut Checks) -> Option<RigidTransform> {
    let matrix = checks.at(field, affine(numbers))??;
    checks.at(field, RigidTransform::new(matrix))
}

fn share(share: Option<f64>, checks: &mut Checks) -> f64 {
    let Some(share) = share else { return MAX_SHARE_OUTSIDE };
    if !(0.0..=1.0).contains(&share) {
        checks.fail("max_activity_outside", format!("is a part from 0 to 1, got {share}"));
    }
    share
}

pub(super) fn names(raw: Vec<(u32, String)>, has: &Has, checks: &mut Checks) -> BTreeMap<u16, String> {
    if !raw.is_empty() && !has.organs {
        checks.fail("label_names", "have no effect without labels or organ volumes");
    }
    let mut names = BTreeMap::new();
    for (label, name) in raw {
        match u16::try_from(label) {
            Ok(label) if name.len() > MAX_NAME_BYTES => {
                checks.fail("label_names", format!("have one of more than {MAX_NAME_BYTES} bytes, of label {label}"));
            }
            Ok(label) => drop(names.insert(label, name)),
            Err(_) => checks.fail("label_names", format!("name the label {label}; labels are up to 65535")),
        }
    }
    names
}

pub(super) fn points(points: Option<u32>, has: &Has, checks: &mut Checks) -> Option<usize> {
    let number = usize::try_from(points?).unwrap_or(usize::MAX);
    if !(2..=MAX_DOSE_VOLUME_POINTS).contains(&number) {
        checks.fail("dose_volume_points", format!("must be from 2 to {MAX_DOSE_VOLUME_POINTS}, got {number}"));
    }
    if !has.organs {
        checks.fail("dose_volume_points", "have no effect without labels or organ volumes");
    }
    Some(number)
}
