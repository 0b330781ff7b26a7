//! The integral of a region from one map, shared out to its voxels by their activity in it.

use super::shared::spread_sigma;
use super::single_time_point::{Kinetics, Measurement, SinglePointIntegral, integrate_one};
use super::{Series, SeriesDraft, VoxelRegion};
use crate::domain::{Checks, DoseError};

/// What one map says of a region.
#[derive(Clone, Debug, PartialEq)]
pub struct OneMapRegion {
    /// Its name.
    pub name: String,
    /// How many voxels it has.
    pub voxels: usize,
    /// Its activity as a series of one point.
    pub series: Series,
    /// Its integral.
    pub found: SinglePointIntegral,
    /// Voxels below 0, which count as 0.
    pub negative_voxels: usize,
}

/// Time-integrated activity by voxel from one map.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedOne {
    /// Region by region.
    pub regions: Vec<OneMapRegion>,
    /// Time-integrated activity by voxel [MBq·h]; 0 outside all regions.
    pub tia_mbq_h: Vec<f64>,
    /// One standard deviation of that by the method of the region alone [MBq·h]; none if a region with activity has
    /// none.
    pub tia_sigma_mbq_h: Option<Vec<f64>>,
}

/// Integrates each region by what is known of its curve, and shares the integral out to its voxels; those below 0 count
/// as 0.
///
/// * `draft` – one point; its activity is not looked at
/// * `map` – activity [MBq]
/// * `regions` – without a voxel in common
/// * `relative_sigma` – relative standard deviation of the activity of a region, if it is known
/// * `kinetics` – what is known of the curve of a region, by its name
///
/// # Errors
/// If the time is none, a region has no kinetics, or its voxels at 0 or below have an activity to share out; by region.
pub fn share_out_one(
    draft: &SeriesDraft,
    map: &[f32],
    regions: &[VoxelRegion],
    relative_sigma: Option<f64>,
    kinetics: impl Fn(&str) -> Option<Kinetics>,
) -> Result<SharedOne, DoseError> {
    let mut shared = SharedOne { regions: Vec::new(), tia_mbq_h: vec![0.0; map.len()], tia_sigma_mbq_h: None };
    let mut checks = Checks::new();
    for region in regions {
        match one(draft, map, region, (relative_sigma, kinetics(&region.name)), &mut shared.tia_mbq_h) {
            Ok(found) => shared.regions.push(found),
            Err(DoseError::Invalid(faults)) => checks.extend(&region.name, faults),
            Err(other) => return Err(other),
        }
    }
    checks.finish()?;
    let relative = |OneMapRegion { found, .. }: &OneMapRegion| match found.tia_mbq_h {
        0.0 => Some(0.0),
        whole => found.tia_sigma_mbq_h.map(|sigma| (sigma / whole).abs()),
    };
    let relative: Option<Vec<f64>> = shared.regions.iter().map(relative).collect();
    shared.tia_sigma_mbq_h = relative.map(|relative| spread_sigma(regions, &relative, &shared.tia_mbq_h));
    Ok(shared)
}

/// Why a region of one scan without a method is refused.
pub const NO_KINETICS: &str = "one time needs a method by name, and there is none for it";

/// The activity of a region of one map, as a series of one point.
///
/// * `draft` – one point; its activity is not looked at
/// * `map` – activity [MBq]
///
/// # Errors
/// If there is not one point, or its time is none.
pub fn one_map_series(draft: &SeriesDraft, map: &[f32], region: &VoxelRegion) -> Result<Series, DoseError> {
    let mut points = draft.points.clone();
    let [point] = points.as_mut_slice() else {
        return Err(DoseError::invalid("points", format!("are {}, one is needed", draft.points.len())));
    };
    point.activity_mbq = region.voxels.iter().map(|voxel| f64::from(map[*voxel as usize])).sum();
    Series::new(&SeriesDraft { points, ..draft.clone() })
}

fn one(
    draft: &SeriesDraft,
    map: &[f32],
    region: &VoxelRegion,
    (activity_relative_sigma, kinetics): (Option<f64>, Option<Kinetics>),
    into: &mut [f64],
) -> Result<OneMapRegion, DoseError> {
    let value = |voxel: &u32| f64::from(map[*voxel as usize]);
    let series = one_map_series(draft, map, region)?;
    let measured = series.points()[0];
    let kinetics = kinetics.ok_or_else(|| DoseError::invalid("points", NO_KINETICS))?;
    let measurement =
        Measurement { window: series.window(&measured), activity_mbq: measured.activity_mbq, activity_relative_sigma };
    let found = integrate_one(&measurement, &kinetics)?;
    let positive: f64 = region.voxels.iter().map(|voxel| value(voxel).max(0.0)).sum();
    if positive <= 0.0 && found.tia_mbq_h != 0.0 {
        return Err(DoseError::invalid("activity_mbq", "no voxel is above 0 to share the integral out by"));
    }
    for voxel in region.voxels.iter().filter(|_| positive > 0.0) {
        into[*voxel as usize] = found.tia_mbq_h * (value(voxel).max(0.0) / positive);
    }
    Ok(OneMapRegion {
        name: region.name.clone(),
        voxels: region.voxels.len(),
        series,
        found,
        negative_voxels: region.voxels.iter().filter(|voxel| value(voxel) < 0.0).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::{Moment, PointDraft, ValueRefersTo};

    fn draft() -> SeriesDraft {
        SeriesDraft {
            points: vec![PointDraft {
                time: Moment::Hours(96.0),
                activity_mbq: 0.0,
                sigma_mbq: None,
                duration_h: None,
            }],
            injection: None,
            physical_half_life_h: 159.5,
            administered_activity_mbq: None,
            infusion_h: 0.0,
            refers_to: ValueRefersTo::AcquisitionMean,
        }
    }

    #[test]
    fn the_integral_of_a_region_is_shared_by_activity() {
        let map = [3.0, 1.0, -0.5, 2.0];
        let region = |name: &str, voxels: &[u32]| VoxelRegion { name: name.into(), voxels: voxels.to_vec() };
        let regions = [region("kidney", &[0, 1, 2]), region("rest", &[3])];
        let half_life_h = 48.0;
        let known = |_: &str| Some(Kinetics::PopulationHalfLife { half_life_h, relative_sd: 0.1 });
        let shared = share_out_one(&draft(), &map, &regions, Some(0.06), known).expect("maps");
        // A e^(λt)/λ with λt = 2 ln 2.
        let expected = 3.5 * 4.0 * half_life_h / std::f64::consts::LN_2;
        let sum: f64 = shared.tia_mbq_h[..3].iter().sum();
        assert!((sum / expected - 1.0).abs() < 1e-12, "{sum} {expected}");
        assert!((shared.tia_mbq_h[0] / shared.tia_mbq_h[1] - 3.0).abs() < 1e-12 && shared.tia_mbq_h[2] == 0.0);
        assert_eq!(shared.regions[0].negative_voxels, 1);
        let sigmas = shared.tia_sigma_mbq_h.as_ref().expect("σ of activity and half-life is known");
        let sum: f64 = sigmas[..3].iter().sum();
        let right = shared.regions[0].found.tia_sigma_mbq_h.expect("as above");
        // u² = u_A² + (1 − x)² s² + ½ x² s⁴ with x = λt = 2 ln 2 and s = 0.1.
        let x = 2.0 * std::f64::consts::LN_2;
        let relative = (0.06f64.powi(2) + ((1.0 - x) * 0.1).powi(2) + 0.5 * x * x * 1e-4).sqrt();
        assert!((right / expected / relative - 1.0).abs() < 1e-12, "{right}");
        assert!((sum / right - 1.0).abs() < 1e-12 && sigmas[2] == 0.0, "{sigmas:?} {right}");
    }

    #[test]
    fn a_region_without_a_method_is_named() {
        let regions = [VoxelRegion { name: "liver".into(), voxels: vec![0] }];
        let error = share_out_one(&draft(), &[1.0], &regions, None, |_| None).expect_err("no method").to_string();
        assert!(error.contains("liver.points: one time needs a method"), "{error}");
    }
}
