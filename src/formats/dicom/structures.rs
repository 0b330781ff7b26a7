//! Structure sets: contours, filled by the even-odd rule.
//!
//! Source: DICOM PS3.3, C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Object};
use super::labels::Found;
use super::parse::uid;
use super::series::Series;
use crate::domain::grid::apply;
use crate::domain::transform::inverse;
use crate::domain::{Invalid, Organ, Organs, VoxelGrid};

/// How far the points of a contour may lie beside its plane, in slices.
const FLAT: f64 = 0.1;
/// Distance under which two planes are one, in slices.
const ONE_PLANE: f64 = 0.02;

/// How far contour planes may be apart and stand for a slice each without a word, in slices.
const MOST_SLICES: f64 = 1.1;

/// Of two outlines that are one, the rectangles around them share this part at least.
const SAME_OUTLINE: f64 = 0.5;

/// A closed contour in indices of the grid.
struct Contour {
    /// Slice, not rounded.
    height: f64,
    points: Vec<[f64; 2]>,
}

/// Fills the contours of all regions, each a mask of its own.
///
/// * `frame_of_reference` – of the structure set, in which its contours must lie
///
/// # Errors
/// If contours are damaged, lie in another frame of reference, or not along the slices of the grid.
pub(super) fn read(series: &Series, grid: &Arc<VoxelGrid>, frame_of_reference: Option<&str>) -> Result<Found, Invalid> {
    let [object] = series.instances.as_slice() else {
        return Err(Invalid::new(format!("is a series of {} structure sets; give one file", series.instances.len())));
    };
    let object = &object.object;
    let (mut organs, mut left_out, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let contours = contours_by_region(object)?;
    let regions = object.items(tags::STRUCTURE_SET_ROI_SEQUENCE);
    warnings.extend(end_missing(object));
    let numbers: Vec<Option<u16>> = regions
        .iter()
        .map(|region| region.count(tags::ROI_NUMBER).and_then(|number| u16::try_from(number).ok()))
        .collect();
    let mut sorted: Vec<u16> = numbers.iter().flatten().copied().filter(|number| *number > 0).collect();
    sorted.sort_unstable();
    let keep = sorted.len() == regions.len() && sorted.is_sorted_by(|a, b| a < b);
    for (at, region) in regions.iter().enumerate() {
        let name = region.text(tags::ROI_NAME).unwrap_or_else(|| format!("region {}", at + 1));
        if let (Some(own), Some(whole)) = (uid(region, tags::REFERENCED_FRAME_OF_REFERENCE_UID), frame_of_reference)
            && own != whole
        {
            return Err(Invalid::new(format!("has a region in another frame of reference, {own}, than {whole}")));
        }
        let item = region.count(tags::ROI_NUMBER).and_then(|number| contours.get(&number));
        let closed = match closed_contours(item.copied(), grid)? {
            Ok(closed) => closed,
            Err(why) => {
                left_out.push((name, why));
                continue;
            }
        };
        let Filled { voxels, outside, apart, between } = match fill(&closed.contours, grid) {
            Ok(filled) => filled,
            Err(Invalid(reason)) => {
                left_out.push((name, format!("it {reason}")));
                continue;
            }
        };
        if !closed.others.is_empty() {
            warnings.push(format!("`{name}` has {} beside its closed contours; they are left out", closed.others));
        }
        warnings.extend(closed.warnings.iter().map(|words| format!("`{name}` {words}")));
        if apart > MOST_SLICES {
            warnings.push(format!(
                "`{name}` has contour planes {apart:.1} slices apart; each stands for the slices up to the middle between \
                 two, which nobody drew"
            ));
        }
        if between > 0 {
            warnings
                .push(format!("`{name}` has {between} slices without a contour between others; they are left empty"));
        }
        if voxels.is_empty() {
            left_out.push((name, "its contours hold no voxel centre of the grid".into()));
            continue;
        }
        if outside > 0 {
            warnings.push(format!("`{name}` has {outside} contour planes outside the grid"));
        }
        let next = u16::try_from(at + 1).map_err(|_| Invalid::new("holds more than 65535 regions"))?;
        let label = numbers[at].filter(|_| keep).unwrap_or(next);
        organs.push(Organ::whole(label, Some(name), voxels)?);
    }
    if organs.is_empty() && left_out.is_empty() {
        return Err(Invalid::new("is a structure set without regions"));
    }
    let known: BTreeSet<usize> = regions.iter().filter_map(|region| region.count(tags::ROI_NUMBER)).collect();
    let unnamed = contours.keys().filter(|number| !known.contains(number));
    left_out.extend(unnamed.map(|number| {
        (format!("region of number {number}"), "it has contours, and the structure set does not list it".into())
    }));
    Ok(Found { organs: Organs::new(grid.clone(), organs)?, left_out, warnings })
}

/// What to warn of in a structure set that lacks what stands behind its contours and every one has: it may have been
/// cut short there, and been closed by a program that passed it on. Source: DICOM PS3.3, A.19.3, C.8.8.8.
fn end_missing(object: &Object) -> Option<String> {
    let last = object
        .items(tags::ROI_CONTOUR_SEQUENCE)
        .last()
        .filter(|_| object.items(tags::RTROI_OBSERVATIONS_SEQUENCE).is_empty())?;
    let number = last.count(tags::REFERENCED_ROI_NUMBER);
    let regions = object.items(tags::STRUCTURE_SET_ROI_SEQUENCE).iter();
    let mut of_last = regions.filter(|region| number.is_some() && region.count(tags::ROI_NUMBER) == number);
    let name = of_last.next().and_then(|region| region.text(tags::ROI_NAME));
    let last = name.map_or_else(|| "the last region".to_owned(), |name| format!("the last region, `{name}`,"));
    Some(format!(
        "the structure set has no RT ROI Observations, which stand behind the contours: if it was cut short, contours \
         of {last} or whole regions are lost"
    ))
}

/// The contours of every region, by its number.
///
/// # Errors
/// If a number is that of two regions, or of two sets of contours, or contours have none.
fn contours_by_region(object: &Object) -> Result<BTreeMap<usize, &Object>, Invalid> {
    let mut numbers = BTreeSet::new();
    for number in object.items(tags::STRUCTURE_SET_ROI_SEQUENCE).iter().filter_map(|item| item.count(tags::ROI_NUMBER))
    {
        if !numbers.insert(number) {
            return Err(Invalid::new(format!("has two regions of number {number}")));
        }
    }
    let mut found = BTreeMap::new();
    for item in object.items(tags::ROI_CONTOUR_SEQUENCE) {
        let number = item.count(tags::REFERENCED_ROI_NUMBER);
        let number = number.ok_or_else(|| Invalid::new("has contours that do not say of which region they are"))?;
        if found.insert(number, item).is_some() {
            return Err(Invalid::new(format!("has two sets of contours for the region of number {number}")));
        }
    }
    Ok(found)
}

/// What a region is made of.
struct Closed {
    contours: Vec<Contour>,
    /// What looks wrong but may be meant.
    warnings: Vec<String>,
    /// What else there is, in words.
    others: String,
}

/// The closed contours of a region, or why it has none.
fn closed_contours(item: Option<&Object>, grid: &VoxelGrid) -> Result<Result<Closed, String>, Invalid> {
    let contours = item.map_or(&[][..], |item| item.items(tags::CONTOUR_SEQUENCE));
    if contours.is_empty() {
        return Ok(Err("it has no contours".into()));
    }
    let to_index = inverse(grid.affine()).expect("the affine of a grid can be inverted");
    let [nx, ny, _] = grid.shape().map(|n| n as f64 - 0.5);
    let mut closed: Vec<Contour> = Vec::new();
    let mut seen = BTreeSet::new();
    let (mut twice, mut beyond) = (0, 0);
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for contour in contours {
        let kind = contour.text(tags::CONTOUR_GEOMETRIC_TYPE).unwrap_or_default();
        match kind.as_str() {
            "CLOSED_PLANAR" | "CLOSEDPLANAR_XOR" => {}
            "POINT" => {
                *others.entry("a point (POINT), which has no volume").or_default() += 1;
                continue;
            }
            _ => {
                *others.entry("an open contour, which has no volume").or_default() += 1;
                continue;
            }
        }
        let numbers = contour.numbers(tags::CONTOUR_DATA).unwrap_or_default();
        let count = contour.count(tags::NUMBER_OF_CONTOUR_POINTS);
        if numbers.len() % 3 != 0 || count.is_some_and(|count| count != numbers.len() / 3) {
            return Err(Invalid::new("has a contour whose data are not as many points as it says"));
        }
        let points: Vec<[f64; 3]> = numbers.chunks_exact(3).map(|p| apply(&to_index, [-p[0], -p[1], p[2]])).collect();
        if points.len() < 3 {
            *others.entry("a contour of fewer than three points").or_default() += 1;
            continue;
        }
        let height = points.iter().map(|point| point[2]).sum::<f64>() / points.len() as f64;
        if points.iter().any(|point| (point[2] - height).abs() > FLAT) {
            return Err(Invalid::new(
                "has contours that do not lie along the slices of the grid; put them on the images that they were drawn \
                 on, and resample these labels",
            ));
        }
        let points: Vec<[f64; 2]> = points.iter().map(|point| [point[0], point[1]]).collect();
        // By the even-odd rule one that is there twice would be none.
        let mut corners: Vec<[u64; 2]> = points.iter().map(|point| point.map(f64::to_bits)).collect();
        corners.sort_unstable();
        if kind == "CLOSED_PLANAR" && !seen.insert((height.to_bits(), corners)) {
            twice += 1;
            continue;
        }
        let is_inside = |[x, y]: &[f64; 2]| (-0.5..=nx).contains(x) && (-0.5..=ny).contains(y);
        beyond += usize::from(!points.iter().all(is_inside));
        closed.push(Contour { height, points });
    }
    let mut warnings = Vec::new();
    if twice > 0 {
        warnings.push(format!("has {twice} contours that are there twice; they are read once"));
    }
    if beyond > 0 {
        warnings.push(format!("has {beyond} contours that reach beyond the grid sideways, where they are cut off"));
    }
    let others: Vec<String> = others.into_iter().map(|(what, count)| format!("{count} × {what}")).collect();
    let others = others.join(", ");
    Ok(if closed.is_empty() {
        Err(format!("it has {others}"))
    } else {
        Ok(Closed { contours: closed, warnings, others })
    })
}

/// The voxels of a region.
struct Filled {
    /// Those whose centre is inside, rising.
    voxels: Vec<u32>,
    /// Contour planes that belong to no slice.
    outside: usize,
    /// Distance of contour planes that follow one another regularly, in slices; 0 where they do not.
    apart: f64,
    /// Slices between the first and the last plane that no plane stands for.
    between: usize,
}

fn fill(contours: &[Contour], grid: &VoxelGrid) -> Result<Filled, Invalid> {
    let [nx, ny, nz] = grid.shape();
    let heights = heights(contours);
    let apart = spacing(&heights);
    let half = 0.5 * apart.max(1.0);
    let is_dense = is_dense(&heights);
    let (mut voxels, mut between) = (Vec::new(), 0);
    let mut crossings = Vec::new();
    for slice in 0..nz {
        // A plane in the middle of two slices belongs to the lower one.
        let distance = |height: &f64| height - slice as f64;
        let is_within = |height: &f64, half: f64| (-half + 1e-6..=half + 1e-6).contains(&distance(height));
        let near = heights.iter().filter(|height| is_within(height, half));
        let Some(height) = near.min_by(|a, b| distance(a).abs().total_cmp(&distance(b).abs())) else {
            let reach = heights.first().zip(heights.last());
            between += usize::from(reach.is_some_and(|(low, high)| (*low..=*high).contains(&(slice as f64))));
            continue;
        };
        let mut on_plane: Vec<&Contour> =
            contours.iter().filter(|contour| (contour.height - height).abs() <= ONE_PLANE).collect();
        if !is_dense {
            // Parts that were drawn at their own heights within the slice.
            let others = contours.iter().filter(|contour| is_within(&contour.height, 0.5));
            let others: Vec<&Contour> = others.filter(|contour| (contour.height - height).abs() > ONE_PLANE).collect();
            let parts = parts_beside(&on_plane, &others, grid)?;
            on_plane.extend(parts);
        }
        for row in 0..ny {
            crossings.clear();
            on_plane.iter().for_each(|contour| cross_row(contour, row as f64, &mut crossings));
            crossings.sort_by(f64::total_cmp);
            for pair in crossings.chunks_exact(2) {
                // Centres from the first crossing on, up to and without the second.
                let (start, end) = (pair[0].ceil().max(0.0), pair[1].ceil().min(nx as f64));
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the row")]
                let columns = start as usize..end.max(start) as usize;
                for column in columns {
                    let voxel = u32::try_from(column + nx * (row + ny * slice));
                    voxels.push(voxel.map_err(|_| Invalid::new("the grid has too many voxels for labels"))?);
                }
            }
        }
    }
    let beside = heights.iter().filter(|height| !(-half..=nz as f64 - 1.0 + half).contains(*height));
    Ok(Filled { voxels, outside: beside.count(), apart, between })
}

/// Of contours at other heights within a slice those that lie beside the ones of its plane, so that they are parts of
/// one region. Others may be the same outline, drawn more densely than slices: the one that is nearest stands for it.
///
/// # Errors
/// If two are neither: they may be a rim and its hole.
fn parts_beside<'a>(
    first: &[&'a Contour],
    others: &[&'a Contour],
    grid: &VoxelGrid,
) -> Result<Vec<&'a Contour>, Invalid> {
    type Bounds = [(f64, f64); 2];
    let bounds = |contour: &Contour| {
        [0, 1].map(|axis| {
            let along = contour.points.iter().map(|point| point[axis]);
            along.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        })
    };
    let meet = |a: &Bounds, b: &Bounds| a.iter().zip(b).all(|(a, b)| a.0 < b.1 && b.0 < a.1);
    let is_within = |a: &Bounds, b: &Bounds| a.iter().zip(b).all(|(a, b)| a.0 > b.0 && a.1 < b.1);
    let area = |of: &Bounds| of.iter().map(|(low, high)| (high - low).max(0.0)).product::<f64>();
    let is_same = |a: &Bounds, b: &Bounds| {
        let common = [0, 1].map(|axis| (a[axis].0.max(b[axis].0), a[axis].1.min(b[axis].1)));
        let common = area(&common);
        !is_within(a, b) && !is_within(b, a) && common >= SAME_OUTLINE * (area(a) + area(b) - common)
    };
    let mut parts: Vec<&Contour> = Vec::new();
    for other in others {
        let own = bounds(other);
        let is_met = |one: &&&Contour| (one.height - other.height).abs() > ONE_PLANE && meet(&bounds(one), &own);
        let met: Vec<&&Contour> = first.iter().chain(&parts).filter(is_met).collect();
        match met.iter().find(|one| !is_same(&bounds(one), &own)) {
            Some(one) => {
                let apart_mm = (one.height - other.height).abs() * grid.spacing_mm()[2];
                return Err(Invalid::new(format!(
                    "has contours over one another in a slice, {apart_mm:.2} mm apart, which may be a rim and its hole"
                )));
            }
            None if met.is_empty() => parts.push(other),
            None => {}
        }
    }
    Ok(parts)
}

/// Where a contour crosses the line through the centres of a row.
fn cross_row(contour: &Contour, row: f64, crossings: &mut Vec<f64>) {
    let points = &contour.points;
    for (at, a) in points.iter().enumerate() {
        let b = &points[(at + 1) % points.len()];
        // An end counts for one of the two edges that meet in it.
        if (a[1] <= row) != (b[1] <= row) {
            crossings.push(a[0] + (row - a[1]) / (b[1] - a[1]) * (b[0] - a[0]));
        }
    }
}

/// The heights of the contour planes, rising.
fn heights(contours: &[Contour]) -> Vec<f64> {
    let mut heights: Vec<f64> = contours.iter().map(|contour| contour.height).collect();
    heights.sort_by(f64::total_cmp);
    heights.dedup_by(|a, b| (*a - *b).abs() <= ONE_PLANE);
    heights
}

/// Whether contour planes follow one another regularly, nearer than slices: of those in a slice one stands for it.
fn is_dense(heights: &[f64]) -> bool {
    let gaps: Vec<f64> = heights.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let smallest = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let regular = gaps.iter().filter(|gap| (*gap - smallest).abs() <= 0.02 * smallest).count();
    gaps.len() >= 2 && 5 * regular >= 4 * gaps.len() && smallest < 1.0 - ONE_PLANE
}

/// The distance of contour planes that follow one another regularly, in slices; 0 where they do not.
fn spacing(heights: &[f64]) -> f64 {
    let gaps: Vec<f64> = heights.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let smallest = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let regular = gaps.iter().filter(|gap| (*gap - smallest).abs() <= 0.02 * smallest).count();
    if gaps.len() >= 2 && 2 * regular >= gaps.len() { smallest } else { 0.0 }
}
