//! Structure sets: contours, filled by the even-odd rule.
//!
//! Source: DICOM PS3.3, C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour).

use std::collections::BTreeMap;
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
    let contours: BTreeMap<usize, &Object> = object
        .items(tags::ROI_CONTOUR_SEQUENCE)
        .iter()
        .filter_map(|item| Some((item.count(tags::REFERENCED_ROI_NUMBER)?, item)))
        .collect();
    let regions = object.items(tags::STRUCTURE_SET_ROI_SEQUENCE);
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
        let (voxels, outside) = fill(&closed.contours, grid)?;
        if !closed.others.is_empty() {
            warnings.push(format!("`{name}` has {} beside its closed contours; they are left out", closed.others));
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
    Ok(Found { organs: Organs::new(grid.clone(), organs)?, left_out, warnings })
}

/// What a region is made of.
struct Closed {
    contours: Vec<Contour>,
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
    let mut closed = Vec::new();
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
        closed.push(Contour { height, points: points.iter().map(|point| [point[0], point[1]]).collect() });
    }
    let others: Vec<String> = others.into_iter().map(|(what, count)| format!("{count} × {what}")).collect();
    let others = others.join(", ");
    Ok(if closed.is_empty() { Err(format!("it has {others}")) } else { Ok(Closed { contours: closed, others }) })
}

/// The voxels whose centre is inside, rising, and the number of contour planes that belong to no slice.
fn fill(contours: &[Contour], grid: &VoxelGrid) -> Result<(Vec<u32>, usize), Invalid> {
    let [nx, ny, nz] = grid.shape();
    let heights = heights(contours);
    let half = 0.5 * spacing(&heights).max(1.0);
    let mut voxels = Vec::new();
    let mut used = vec![false; heights.len()];
    let mut crossings = Vec::new();
    for slice in 0..nz {
        // A plane in the middle of two slices belongs to the lower one.
        let distance = |height: &f64| height - slice as f64;
        let near = heights.iter().enumerate().filter(|(_, height)| {
            let distance = distance(height);
            distance > -half + 1e-6 && distance <= half + 1e-6
        });
        let nearest = near.min_by(|a, b| distance(a.1).abs().total_cmp(&distance(b.1).abs()));
        let Some((plane, height)) = nearest else { continue };
        used[plane] = true;
        let on_plane: Vec<&Contour> =
            contours.iter().filter(|contour| (contour.height - height).abs() <= ONE_PLANE).collect();
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
    Ok((voxels, used.iter().filter(|used| !**used).count()))
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

/// The distance of contour planes that follow one another regularly, in slices; 0 where they do not.
fn spacing(heights: &[f64]) -> f64 {
    let gaps: Vec<f64> = heights.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let smallest = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let regular = gaps.iter().filter(|gap| (*gap - smallest).abs() <= 0.02 * smallest).count();
    if gaps.len() >= 2 && 2 * regular >= gaps.len() { smallest } else { 0.0 }
}
