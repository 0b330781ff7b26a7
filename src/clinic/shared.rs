//! One curve for each region, its integral shared out to the voxels by their activity in one of the scans.

use serde_json::{Value, json};

use super::weighting::relative_sigmas;
use super::{CurveOptions, Frames, Integration, ModelChoice, integrate};
use crate::domain::{Checks, DoseError, Organ, Organs, words};

/// A region of a map series.
#[derive(Clone, Debug, PartialEq)]
pub struct VoxelRegion {
    /// Its name.
    pub name: String,
    /// Indices of its voxels, x fastest.
    pub voxels: Vec<u32>,
}

/// Name of what is in no region.
pub const REST: &str = "rest";

/// The organs of a label map as regions, and all other voxels as one more, [`REST`].
///
/// # Errors
/// If a voxel belongs to two organs, or in part.
pub fn regions_of(organs: &Organs) -> Result<Vec<VoxelRegion>, DoseError> {
    let mut checks = Checks::new();
    let overlapping = organs.overlapping_voxels();
    if overlapping > 0 {
        let reason = format!("{} in more than one: give masks that have none in common", words::voxels(overlapping));
        checks.fail("labels", reason);
    }
    let mut is_free = vec![true; organs.grid().voxels()];
    let mut regions = Vec::new();
    for organ in organs.organs() {
        let name = name_of_region(organ, organs);
        if !organ.is_whole() {
            checks.fail("labels", format!("{name} has parts of voxels: give a mask of whole ones"));
        }
        organ.voxels().iter().for_each(|voxel| is_free[*voxel as usize] = false);
        if !organ.voxels().is_empty() {
            regions.push(VoxelRegion { name, voxels: organ.voxels().to_vec() });
        }
    }
    checks.finish()?;
    let rest: Vec<u32> = (0_u32..).zip(is_free).filter(|(_, is_free)| *is_free).map(|(voxel, _)| voxel).collect();
    if !rest.is_empty() {
        regions.push(VoxelRegion { name: REST.to_owned(), voxels: rest });
    }
    Ok(regions)
}

fn name_of_region(organ: &Organ, organs: &Organs) -> String {
    let Some(name) = &organ.name else { return format!("label_{}", organ.label) };
    region_name(name, organ.label, organs.organs().iter().filter_map(|other| other.name.as_deref()))
}

/// The name of the region of an organ. Results are told by it, so it says which where several organs have one name, or
/// one has that of the rest.
///
/// * `names` – of all organs
pub fn region_name<'a>(name: &str, label: u16, names: impl Iterator<Item = &'a str>) -> String {
    let known = words::same_name(name);
    let is_shared = names.filter(|other| words::same_name(other) == known).count() > 1;
    if is_shared || known == REST { format!("{name} (label {label})") } else { name.to_owned() }
}

/// How the integral of a region is found and shared out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SharingOptions {
    /// How the curve of a region is integrated.
    pub curve: CurveOptions,
    /// Relative standard deviation of the activity of a region, if it is given.
    pub relative_sigma: Option<f64>,
    /// Start of the scan whose activity shares the integral out [h]; none: the one nearest to 1/λ₁.
    pub reference_time_h: Option<f64>,
}

/// The curve of a region and how it was shared out.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionIntegral {
    /// Its name.
    pub name: String,
    /// How many voxels it has.
    pub voxels: usize,
    /// Start of each scan [h].
    pub times_h: Vec<f64>,
    /// Activity of the region then [MBq].
    pub activity_mbq: Vec<f64>,
    /// One standard deviation of it [MBq], if one was given.
    pub sigma_mbq: Option<Vec<f64>>,
    /// Its integral.
    pub integration: Integration,
    /// Start of the scan whose activity shared the integral out [h].
    pub reference_time_h: f64,
    /// Voxels below 0 in that scan, which count as 0.
    pub negative_voxels: usize,
}

impl RegionIntegral {
    /// All of it as JSON, with units in the names.
    pub fn to_json(&self) -> Value {
        let mut whole = self.integration.to_json();
        let own = json!({
            "voxels": self.voxels,
            "times_h": self.times_h,
            "activity_mbq": self.activity_mbq,
            "sigma_mbq": self.sigma_mbq,
            "reference_time_h": self.reference_time_h,
            "negative_voxels": self.negative_voxels,
        });
        if let (Value::Object(whole), Value::Object(own)) = (&mut whole, own) {
            whole.extend(own);
        }
        whole
    }
}

/// Time-integrated activity by voxel from the curves of regions.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedOut {
    /// Region by region.
    pub regions: Vec<RegionIntegral>,
    /// Time-integrated activity by voxel [MBq·h]; 0 outside all regions.
    pub tia_mbq_h: Vec<f64>,
    /// One standard deviation of that by the curve of the region alone, which is common to its voxels [MBq·h]; none if
    /// a region with activity has none. The noise of a voxel in the scan that shares out is not in it.
    pub tia_sigma_mbq_h: Option<Vec<f64>>,
}

impl SharedOut {
    /// Sum over all voxels [MBq·h].
    pub fn sum_mbq_h(&self) -> f64 {
        self.tia_mbq_h.iter().sum()
    }
}

/// Integrates the curve of each region and shares it out: a voxel gets Ã · aᵢ/Σaᵢ of one scan, voxels below 0 count as
/// 0. The sum over a region is its Ã.
///
/// * `maps` – activities [MBq], in the order of the times that the frames were made from
/// * `regions` – without a voxel in common; add the rest as one if it is to count
///
/// # Errors
/// If the maps do not suit the times, regions overlap or are empty, there was no scan at the time that is named, or a
/// region has no activity in the scan that shares its integral out.
pub fn share_out(
    frames: &Frames,
    maps: &[&[f32]],
    regions: &[VoxelRegion],
    options: &SharingOptions,
) -> Result<SharedOut, DoseError> {
    let voxels = maps.first().map_or(0, |map| map.len());
    frames.check(maps, voxels)?;
    check_regions(regions, voxels)?;
    let mut shared = SharedOut { regions: Vec::new(), tia_mbq_h: vec![0.0; voxels], tia_sigma_mbq_h: None };
    let mut checks = Checks::new();
    for region in regions {
        match one(frames, maps, region, options, &mut shared.tia_mbq_h) {
            Ok(found) => shared.regions.push(found),
            Err(DoseError::Invalid(faults)) => checks.extend(&region.name, faults),
            Err(other) => return Err(other),
        }
    }
    checks.finish()?;
    let relative = |found: &RegionIntegral| relative_sigma(&found.integration);
    let relative: Option<Vec<f64>> = shared.regions.iter().map(relative).collect();
    shared.tia_sigma_mbq_h = relative.map(|relative| spread_sigma(regions, &relative, &shared.tia_mbq_h));
    Ok(shared)
}

/// σ of an integral over the integral; 0 where there is no activity, none where it does not exist.
fn relative_sigma(found: &Integration) -> Option<f64> {
    let has_none = found.tia_mbq_h == 0.0;
    if has_none { Some(0.0) } else { found.tia_sigma_mbq_h.map(|sigma| (sigma / found.tia_mbq_h).abs()) }
}

/// σ by voxel [MBq·h], of what is shared out.
///
/// * `relative` – of each region
/// * `tia_mbq_h` – by voxel [MBq·h]
pub(super) fn spread_sigma(regions: &[VoxelRegion], relative: &[f64], tia_mbq_h: &[f64]) -> Vec<f64> {
    let mut sigma = vec![0.0; tia_mbq_h.len()];
    for (region, relative) in regions.iter().zip(relative) {
        region.voxels.iter().for_each(|&at| sigma[at as usize] = relative * tia_mbq_h[at as usize].abs());
    }
    sigma
}

fn one(
    frames: &Frames,
    maps: &[&[f32]],
    region: &VoxelRegion,
    options: &SharingOptions,
    into: &mut [f64],
) -> Result<RegionIntegral, DoseError> {
    let activity_mbq = frames.sums(maps, &region.voxels);
    let sigmas_mbq = options.relative_sigma.map(|part| relative_sigmas(&activity_mbq, part));
    let series = frames.series(&activity_mbq, sigmas_mbq.as_deref());
    let integration = match integrate(&series, &options.curve) {
        // What is left over may be noise about 0, of which no model is a curve; the regions that were drawn are sound.
        Err(_) if region.name == REST && options.curve.model == ModelChoice::Physical => {
            integrate(&series, &CurveOptions { model: ModelChoice::TrapezoidTail, ..options.curve })?
        }
        found => found?,
    };
    let times_h = frames.times_h();
    let at = reference(&times_h, &integration, series.physical_rate_per_h(), options.reference_time_h)?;
    let map = frames.map(maps, at);
    let positive = |voxel: &u32| f64::from(map[*voxel as usize].max(0.0));
    let sum: f64 = region.voxels.iter().map(positive).sum();
    let whole = integration.tia_mbq_h;
    if sum <= 0.0 && whole != 0.0 {
        let reason = format!("has no activity at {} h to share its integral out by: name another scan", times_h[at]);
        return Err(DoseError::invalid("reference_time_h", reason));
    }
    for voxel in region.voxels.iter().filter(|_| sum > 0.0) {
        into[*voxel as usize] = whole * (positive(voxel) / sum);
    }
    Ok(RegionIntegral {
        name: region.name.clone(),
        voxels: region.voxels.len(),
        reference_time_h: times_h[at],
        sigma_mbq: series.points().iter().map(|point| point.sigma_mbq).collect(),
        negative_voxels: region.voxels.iter().filter(|voxel| map[**voxel as usize] < 0.0).count(),
        times_h,
        activity_mbq,
        integration,
    })
}

/// Place of the scan that shares out.
fn reference(
    times_h: &[f64],
    integration: &Integration,
    physical_rate_per_h: f64,
    named_h: Option<f64>,
) -> Result<usize, DoseError> {
    if let Some(named_h) = named_h {
        // Times of clocks are not round.
        let found = times_h.iter().position(|time_h| (time_h - named_h).abs() <= 1e-6 * named_h.abs().max(1.0));
        // By the rule above all times are near to one that is infinite.
        let found = found.filter(|_| named_h.is_finite());
        let reason = || format!("there is no scan at {named_h} h; there are scans at {times_h:?} h");
        return found.ok_or_else(|| DoseError::invalid("reference_time_h", reason()));
    }
    let slowest = integration.curve.as_ref().map_or(physical_rate_per_h, |curve| curve.rates()[0]);
    let distance = |place: &usize| (times_h[*place] - slowest.recip()).abs();
    let nearest = (0..times_h.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.ok_or_else(|| DoseError::invalid("points", "there is none"))
}

fn check_regions(regions: &[VoxelRegion], voxels: usize) -> Result<(), DoseError> {
    let mut checks = Checks::new();
    let mut owner = vec![u32::MAX; voxels];
    for (number, region) in (0_u32..).zip(regions) {
        let mut common = None;
        for voxel in &region.voxels {
            match owner.get_mut(*voxel as usize) {
                None => checks.fail(&*region.name, format!("voxel {voxel} is not one of the {voxels} of the maps")),
                Some(free) if *free == u32::MAX => *free = number,
                Some(taken) => common = Some(*taken),
            }
        }
        if let Some(other) = common {
            let other = &regions[other as usize].name;
            let reason = format!("has voxels in common with {other}: say which of the two they belong to");
            checks.fail(&*region.name, reason);
        }
        if region.voxels.is_empty() {
            checks.fail(&*region.name, "has no voxel");
        }
    }
    checks.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::{Moment, PointDraft, SeriesDraft, ValueRefersTo};
    use crate::domain::VoxelGrid;

    fn frames() -> Frames {
        let point = |time_h: f64| PointDraft {
            time: Moment::Hours(time_h),
            activity_mbq: 1.0,
            sigma_mbq: None,
            duration_h: None,
        };
        Frames::new(&SeriesDraft {
            points: [24.0, 96.0, 168.0].map(point).to_vec(),
            injection: None,
            physical_half_life_h: 159.5,
            administered_activity_mbq: None,
            infusion_h: 0.0,
            refers_to: ValueRefersTo::AcquisitionMean,
        })
        .expect("times")
    }

    const MAPS: [[f32; 5]; 3] = [[9.0, 8.0, -0.5, 7.0, 0.3], [4.0, 3.5, 0.2, 5.0, -0.2], [2.0, 1.5, 0.1, 3.0, 0.1]];

    fn region(name: &str, voxels: &[u32]) -> VoxelRegion {
        VoxelRegion { name: name.to_owned(), voxels: voxels.to_vec() }
    }

    fn shared(regions: &[VoxelRegion], options: &SharingOptions) -> Result<SharedOut, DoseError> {
        let maps: Vec<&[f32]> = MAPS.iter().map(<[f32; 5]>::as_slice).collect();
        share_out(&frames(), &maps, regions, options)
    }

    #[test]
    fn the_sum_over_a_region_is_its_integral() {
        let regions = [region("kidney", &[0, 2, 4]), region("rest", &[1, 3])];
        for reference_time_h in [None, Some(24.0), Some(96.0), Some(168.0)] {
            let options = SharingOptions { reference_time_h, ..SharingOptions::default() };
            let found = shared(&regions, &options).expect("maps");
            for (region, integral) in regions.iter().zip(&found.regions) {
                let sum: f64 = region.voxels.iter().map(|voxel| found.tia_mbq_h[*voxel as usize]).sum();
                assert!((sum / integral.integration.tia_mbq_h - 1.0).abs() < 1e-12, "{integral:?}");
                assert!(reference_time_h.is_none_or(|named| named == integral.reference_time_h));
            }
            assert!(found.tia_mbq_h.iter().all(|tia| *tia >= 0.0));
            // Three points say how well a curve of two parameters fits: the voxels of a region have its relative σ.
            let sigmas = found.tia_sigma_mbq_h.as_ref().expect("a degree of freedom");
            for (region, integral) in regions.iter().zip(&found.regions) {
                let sum: f64 = region.voxels.iter().map(|voxel| sigmas[*voxel as usize]).sum();
                let right = integral.integration.tia_sigma_mbq_h.expect("as above");
                assert!((sum / right - 1.0).abs() < 1e-12, "{integral:?}");
            }
        }
    }

    #[test]
    fn organs_of_one_name_are_regions_of_their_own() {
        let grid = std::sync::Arc::new(VoxelGrid::new([6, 1, 1], [4.0; 3]).expect("a grid"));
        let organ =
            |label: u16, name: &str| Organ::whole(label, Some(name.into()), vec![u32::from(label)]).expect("a voxel");
        let organs =
            vec![organ(1, "lesion"), organ(2, "lesion"), organ(3, "liver"), organ(4, REST), organ(5, "Lesion")];
        let regions = regions_of(&Organs::new(grid, organs).expect("organs")).expect("regions");
        let names: Vec<&str> = regions.iter().map(|region| region.name.as_str()).collect();
        let right = ["lesion (label 1)", "lesion (label 2)", "liver", "rest (label 4)", "Lesion (label 5)", REST];
        assert_eq!(names, right);
    }

    #[test]
    fn what_cannot_be_shared_out_is_refused() {
        let named = SharingOptions { reference_time_h: Some(30.0), ..SharingOptions::default() };
        let standard = SharingOptions::default();
        let bad = [
            (vec![region("a", &[0, 1]), region("b", &[1, 2])], standard, "b: has voxels in common with a"),
            (vec![region("a", &[])], standard, "a: has no voxel"),
            (vec![region("a", &[7])], standard, "a: voxel 7 is not one of the 5"),
            (vec![region("a", &[0])], named, "a.reference_time_h: there is no scan at 30 h"),
            (
                vec![region("a", &[0])],
                SharingOptions { reference_time_h: Some(f64::INFINITY), ..standard },
                "a.reference_time_h: there is no scan at inf h",
            ),
            (
                vec![region("a", &[4])],
                SharingOptions { reference_time_h: Some(96.0), ..standard },
                "a.reference_time_h: has no activity at 96 h",
            ),
        ];
        for (regions, options, part) in bad {
            let error = shared(&regions, &options).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
