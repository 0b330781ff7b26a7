//! The density, as it is or from a CT.

use crate::domain::{DensityMap, Invalid, NanRule, Volume, Warning, repair_density, warning, words};
use crate::math::watch::{Interrupted, Unwatched, Watch};
use crate::physics::tissue::DensityCurve;

/// CT number of air [HU].
pub const AIR_HU: f32 = -1000.0;
/// A CT without a voxel below this has no air in it [HU]: a slope or an intercept may be missing.
const AIR_BELOW_HU: f32 = -200.0;

/// A density made of a CT.
#[derive(Clone, Debug)]
pub struct CtDensity {
    /// The density.
    pub density: DensityMap,
    /// What looks wrong in the CT or its calibration but may be meant. The fields are `ct` and `ct_calibration`.
    pub warnings: Vec<Warning>,
}

/// A map with its NaN filled, if that is allowed, and a warning if there was one.
///
/// * `fill` – what lies outside the field of view: 0 g/cm³, or [`AIR_HU`]
///
/// # Errors
/// If there is NaN and it is to be refused.
pub fn without_nan(
    volume: Volume<f32>,
    nan: NanRule,
    fill: f32,
) -> Result<(Volume<f32>, usize, Option<String>), Invalid> {
    let (volume, count) = repair_density(volume, nan, fill)?;
    let warning =
        (count > 0).then(|| format!("{} of NaN {} taken as {fill}", words::voxels(count), words::were(count)));
    Ok((volume, count, warning))
}

/// The density of a CT.
///
/// * `own_curve` – the caller's calibration; none: Schneider 2000
///
/// # Errors
/// As [`DensityCurve::density_map`].
pub fn density_of_ct(ct: &Volume<f32>, own_curve: Option<&DensityCurve>) -> Result<CtDensity, Invalid> {
    density_of_ct_watched(ct, own_curve, &Unwatched).expect("nobody stops it")
}

/// As [`density_of_ct`]; `watch` is asked whether to go on.
///
/// # Errors
/// [`Interrupted`].
pub fn density_of_ct_watched(
    ct: &Volume<f32>,
    own_curve: Option<&DensityCurve>,
    watch: &dyn Watch,
) -> Result<Result<CtDensity, Invalid>, Interrupted> {
    let curve = own_curve.unwrap_or(DensityCurve::schneider_2000());
    let density = curve.density_map_watched(ct, watch)?;
    watch.check()?;
    Ok(density.map(|density| CtDensity { density, warnings: warnings(ct, own_curve, curve) }))
}

/// What looks wrong in a CT or its calibration.
fn warnings(ct: &Volume<f32>, own_curve: Option<&DensityCurve>, curve: &DensityCurve) -> Vec<Warning> {
    let lowest = ct.as_slice().iter().copied().fold(f32::INFINITY, f32::min);
    let mut warnings = Vec::new();
    if lowest > AIR_BELOW_HU {
        let words =
            format!("the lowest value is {lowest} HU, so there is no air in it; are slope and intercept right?");
        warnings.push(Warning::new(warning::CT_WITHOUT_AIR, "ct", words));
    }
    let (end, metal) = (curve.calibrated_to_hu(), beyond(ct, curve.calibrated_to_hu()));
    if own_curve.is_none() && metal > 0 {
        let words = format!(
            "{metal} voxels above the last point of the calibration, {end} HU, get the density of bone extended to \
             them, at most that of an implant; if they are metal, give a calibration of your own"
        );
        warnings.push(Warning::new(warning::CT_OUTSIDE_CALIBRATION, "ct", words));
    }
    let at_ends = own_curve.map(|curve| at_ends(ct, curve)).unwrap_or_default();
    let beyond = |words| Warning::new(warning::CT_OUTSIDE_CALIBRATION, "ct_calibration", words);
    warnings.extend(at_ends.into_iter().map(beyond));
    warnings
}

/// Voxels above a CT number [HU].
fn beyond(ct: &Volume<f32>, end: f64) -> usize {
    ct.as_slice().iter().filter(|&&hu| f64::from(hu) > end).count()
}

/// Warnings of voxels beyond the ends of a calibration.
fn at_ends(ct: &Volume<f32>, curve: &DensityCurve) -> Vec<String> {
    let [low, high] = curve.range_hu();
    let mut warnings = Vec::new();
    let below = ct.as_slice().iter().filter(|&&hu| f64::from(hu) < low).count();
    let above = beyond(ct, high);
    if below > 0 {
        warnings.push(format!("{below} voxels below its first point, {low} HU, get the density there"));
    }
    if above > 0 {
        warnings.push(format!("{above} voxels above its last point, {high} HU, get the density there"));
    }
    warnings
}
