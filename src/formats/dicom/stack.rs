//! From planes in the patient to a grid: sorted along row × column, regular, or refused with the place of the fault.

use super::vector::{Vector, cross, dot, figure, place};
use crate::domain::{Invalid, VoxelGrid, grid::Affine};

/// How far directions may be from unit length and from a right angle.
const DIRECTION_TOLERANCE: f64 = 1e-3;
/// Difference of two directions or relative difference of two spacings that still counts as the same.
const SAME: f64 = 1e-4;
/// Distance to the line through the first position that is no shear, in parts of the smaller pixel edge.
const SHEAR: f64 = 0.05;
/// Difference of a gap from the others that is rounding, in parts of the gap and at least in mm.
const UNEVEN: (f64, f64) = (0.01, 0.02);
/// Distance along the normal under which two planes lie at one place, in parts of the usual gap.
const ONE_PLACE: f64 = 0.05;

/// A rectangular picture in the patient.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    /// Number of the file in its series, from 0.
    pub(super) instance: usize,
    /// Number of the frame in the file, from 0.
    pub(super) frame: usize,
    /// Centre of the first pixel [mm].
    pub(super) position: Vector,
    /// Directions along a row and down a column.
    pub(super) orientation: [f64; 6],
    /// Distance of rows, then of columns [mm].
    pub(super) spacing: [f64; 2],
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Distance of the planes [mm], as the file says.
    pub(super) distance: Option<f64>,
    /// Their thickness [mm], as the file says; planes may leave gaps between them, or overlap.
    pub(super) thickness: Option<f64>,
}

impl Plane {
    pub(super) fn row(&self) -> Vector {
        [self.orientation[0], self.orientation[1], self.orientation[2]]
    }

    pub(super) fn column(&self) -> Vector {
        [self.orientation[3], self.orientation[4], self.orientation[5]]
    }

    pub(super) fn normal(&self) -> Vector {
        cross(self.row(), self.column())
    }
}

/// Planes in order on a regular grid.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    pub(super) grid: VoxelGrid,
    /// Numbers of the planes, along the normal; none where a plane of the grid has no picture.
    pub(super) order: Vec<Option<usize>>,
    pub(super) warnings: Vec<String>,
}

/// Puts planes on a grid.
///
/// * `same` – whether two planes at one place hold the same values
///
/// # Errors
/// If they do not lie on one regular grid, with the place of the fault.
pub(super) fn stack(
    planes: &[Plane],
    same: impl Fn(&Plane, &Plane) -> Result<bool, Invalid>,
) -> Result<Stack, Invalid> {
    let first = planes.first().ok_or_else(|| Invalid::new("holds no picture"))?;
    check_alike(planes)?;
    let normal = first.normal();
    let mut sorted: Vec<(f64, usize)> =
        planes.iter().enumerate().map(|(at, plane)| (dot(plane.position, normal), at)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut warnings = Vec::new();
    let usual = usual_gap(&sorted);
    let kept = without_duplicates(planes, &sorted, usual, same, &mut warnings)?;
    check_shear(planes, &kept, normal)?;
    let gap = spacing_of(planes, &kept, &mut warnings)?;
    check_even(planes, &kept, gap)?;
    let order: Vec<Option<usize>> = kept.iter().map(|(_, at)| Some(*at)).collect();
    let grid = grid_of(&planes[kept[0].1], gap, order.len())?;
    Ok(Stack { grid, order, warnings })
}

/// Puts planes on the grid that they are part of: planes without a picture stay empty, such as those of a segment.
///
/// # Errors
/// As [`stack`], but for gaps of whole planes.
pub(super) fn sparse(planes: &[Plane]) -> Result<Stack, Invalid> {
    let first = planes.first().ok_or_else(|| Invalid::new("holds no picture"))?;
    check_alike(planes)?;
    let normal = first.normal();
    let mut sorted: Vec<(f64, usize)> =
        planes.iter().enumerate().map(|(at, plane)| (dot(plane.position, normal), at)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    check_shear(planes, &sorted, normal)?;
    let gaps = sorted.windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|gap| *gap > UNEVEN.1);
    let smallest = Some(gaps.fold(f64::INFINITY, f64::min)).filter(|gap| gap.is_finite());
    let start = sorted[0].0;
    let is_regular = |gap: &f64| {
        sorted.iter().all(|(along, _)| {
            let number = (along - start) / gap;
            (number - number.round()).abs() <= ONE_PLACE
        })
    };
    // The thickness that is written need not be the distance, nor the distance that of these planes.
    let [distance, thickness] = [first.distance, first.thickness].map(|gap| gap.filter(|gap| *gap > 0.0));
    let gap = [distance, smallest, thickness].into_iter().flatten().find(is_regular).ok_or_else(|| {
        Invalid::new(match smallest {
            Some(gap) => format!("has uneven spacing: its planes are not whole numbers of {} mm apart", figure(gap)),
            None => "does not say how far its planes are apart".to_owned(),
        })
    })?;
    let mut order = Vec::new();
    for (along, at) in &sorted {
        let number = ((along - start) / gap).round();
        if number > 65_535.0 {
            return Err(Invalid::new("has planes too far apart for a grid"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        let number = number as usize;
        if order.len() <= number {
            order.resize(number + 1, None);
        }
        order[number].get_or_insert(*at);
    }
    let grid = grid_of(&planes[sorted[0].1], gap, order.len())?;
    let mut warnings = Vec::new();
    if let (None, Some(thickness)) = (distance, thickness)
        && (thickness / gap - 1.0).abs() > UNEVEN.0
    {
        warnings.push(format!(
            "its planes are {} mm apart and {} mm thick, and nothing says that there are others between them; each is taken \
             to reach half way to the next",
            figure(gap),
            figure(thickness)
        ));
    }
    Ok(Stack { grid, order, warnings })
}

/// The grid of planes that follow one another along the normal.
fn grid_of(first: &Plane, gap: f64, planes: usize) -> Result<VoxelGrid, Invalid> {
    let [dy, dx] = first.spacing;
    let (row, column, normal) = (first.row(), first.column(), first.normal());
    let shape = [first.columns as u64, first.rows as u64, planes as u64];
    let affine: Affine = [0, 1, 2].map(|axis| {
        // NIfTI's axes point to the right and to the front.
        let sign = if axis < 2 { -1.0 } else { 1.0 };
        [row[axis] * dx, column[axis] * dy, normal[axis] * gap, first.position[axis]].map(|v| v * sign + 0.0)
    });
    VoxelGrid::new(shape, [dx, dy, gap])?.with_affine(affine)
}

fn check_alike(planes: &[Plane]) -> Result<(), Invalid> {
    let first = &planes[0];
    let (row, column) = (first.row(), first.column());
    let is_unit = |v: Vector| (dot(v, v).sqrt() - 1.0).abs() <= DIRECTION_TOLERANCE;
    if !is_unit(row) || !is_unit(column) || dot(row, column).abs() > DIRECTION_TOLERANCE {
        return Err(Invalid::new(format!(
            "has an Image Orientation that is not two directions at a right angle: {:?}",
            first.orientation
        )));
    }
    if first.spacing.iter().any(|spacing| *spacing <= 0.0) {
        return Err(Invalid::new("has a Pixel Spacing that is not above 0"));
    }
    for plane in planes {
        let turned = plane.orientation.iter().zip(first.orientation).any(|(a, b)| (a - b).abs() > SAME);
        if turned {
            return Err(Invalid::new(format!(
                "has planes of mixed orientation: {:?} and {:?}",
                first.orientation, plane.orientation
            )));
        }
        if (plane.rows, plane.columns) != (first.rows, first.columns) {
            return Err(Invalid::new(format!(
                "has planes of mixed size: {} × {} and {} × {} pixels",
                first.columns, first.rows, plane.columns, plane.rows
            )));
        }
        if plane.spacing.iter().zip(first.spacing).any(|(a, b)| (a - b).abs() > SAME * b) {
            return Err(Invalid::new(format!(
                "has planes of mixed pixel spacing: {:?} and {:?} mm",
                first.spacing, plane.spacing
            )));
        }
    }
    Ok(())
}

/// The gap in the middle of all that are not next to nothing; 0 where there is none.
fn usual_gap(sorted: &[(f64, usize)]) -> f64 {
    let mut gaps: Vec<f64> = sorted.windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|gap| *gap > 1e-3).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied().unwrap_or(0.0)
}

/// What is left once planes that are there twice are taken once.
fn without_duplicates(
    planes: &[Plane],
    sorted: &[(f64, usize)],
    usual: f64,
    same: impl Fn(&Plane, &Plane) -> Result<bool, Invalid>,
    warnings: &mut Vec<String>,
) -> Result<Vec<(f64, usize)>, Invalid> {
    let mut kept: Vec<(f64, usize)> = Vec::new();
    let mut dropped = 0;
    for &(along, at) in sorted {
        let Some(&(before, other)) = kept.last() else {
            kept.push((along, at));
            continue;
        };
        if along - before > (ONE_PLACE * usual).max(1e-3) {
            kept.push((along, at));
        } else if aside(&planes[other], &planes[at]) > SHEAR * planes[at].spacing[0].min(planes[at].spacing[1]) {
            return Err(Invalid::new(format!(
                "has two slices at one height that lie beside one another, at {} and {}",
                place(planes[other].position),
                place(planes[at].position)
            )));
        } else if same(&planes[other], &planes[at])? {
            dropped += 1;
        } else {
            return Err(Invalid::new(format!(
                "has two slices at the same position, {}, that differ: duplicates or two reconstructions, time slots or \
                 phases; nothing says which is right",
                place(planes[at].position)
            )));
        }
    }
    if dropped > 0 {
        warnings.push(format!("{dropped} duplicate slices with equal values, there twice, were read once"));
    }
    Ok(kept)
}

/// How far two planes lie beside one another, across their normal [mm].
fn aside(a: &Plane, b: &Plane) -> f64 {
    let (normal, apart) = (a.normal(), [0, 1, 2].map(|axis| b.position[axis] - a.position[axis]));
    let along = dot(apart, normal);
    let across = [0, 1, 2].map(|axis| apart[axis] - along * normal[axis]);
    dot(across, across).sqrt()
}

/// Whether positions follow the normal.
fn check_shear(planes: &[Plane], sorted: &[(f64, usize)], normal: Vector) -> Result<(), Invalid> {
    let first = &planes[sorted[0].1];
    let allowed = SHEAR * first.spacing[0].min(first.spacing[1]);
    for (_, at) in sorted {
        let position = planes[*at].position;
        let from_first = [0, 1, 2].map(|axis| position[axis] - first.position[axis]);
        let along = dot(from_first, normal);
        let aside = [0, 1, 2].map(|axis| from_first[axis] - along * normal[axis]);
        let aside_mm = dot(aside, aside).sqrt();
        if aside_mm > allowed {
            let degrees = aside_mm.atan2(along.abs()).to_degrees();
            return Err(Invalid::new(format!(
                "is a sheared stack: from {} to {} the slices move {aside_mm:.2} mm sideways, {degrees:.1}° from the \
                 perpendicular (a gantry tilt, or slices of several stacks); resample it to a regular grid first",
                place(first.position),
                place(position)
            )));
        }
    }
    Ok(())
}

/// The distance of the planes [mm].
fn spacing_of(planes: &[Plane], kept: &[(f64, usize)], warnings: &mut Vec<String>) -> Result<f64, Invalid> {
    let (first, last) = (kept[0], kept[kept.len() - 1]);
    if kept.len() > 1 {
        let mean = (last.0 - first.0) / (kept.len() - 1) as f64;
        let usual = usual_gap(kept);
        // A missing slice moves the mean, and is found where the gaps are compared.
        return Ok(if (mean - usual).abs() < UNEVEN.1 { mean } else { usual });
    }
    let only = &planes[first.1];
    let thickness = only.distance.or(only.thickness).map(f64::abs).filter(|thickness| *thickness > 0.0);
    let thickness = thickness.ok_or_else(|| Invalid::new("is a single slice that does not say how thick it is"))?;
    warnings.push(format!("a single slice, taken to be as thick as its header says, {thickness} mm"));
    Ok(thickness)
}

/// Whether all gaps are alike.
fn check_even(planes: &[Plane], kept: &[(f64, usize)], gap: f64) -> Result<(), Invalid> {
    let mut faults = Vec::new();
    for pair in kept.windows(2) {
        let found = pair[1].0 - pair[0].0;
        if (found - gap).abs() <= (UNEVEN.0 * gap).max(UNEVEN.1) {
            continue;
        }
        let missing = found / gap - 1.0;
        let between =
            format!("between {} and {}", place(planes[pair[0].1].position), place(planes[pair[1].1].position));
        let is_whole = missing > 0.5 && (missing - missing.round()).abs() < 0.05;
        faults.push(if is_whole {
            format!("a gap of {} mm {between}, where {:.0} slices are missing", figure(found), missing.round())
        } else {
            format!("{} mm {between}", figure(found))
        });
    }
    if faults.is_empty() {
        return Ok(());
    }
    let count = faults.len();
    faults.truncate(4);
    let more = if count > faults.len() { format!(", and {} more", count - faults.len()) } else { String::new() };
    Err(Invalid::new(format!(
        "has uneven spacing of slices, {} mm but for {}{more}; fetch the missing slices, or resample it first",
        figure(gap),
        faults.join("; ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Planes at these heights that say so much of their distance and thickness.
    fn planes(heights: &[f64], distance: Option<f64>, thickness: Option<f64>) -> Vec<Plane> {
        let plane = |z: &f64| Plane {
            instance: 0,
            frame: 0,
            position: [0.0, 0.0, *z],
            orientation: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            spacing: [2.0, 2.0],
            rows: 4,
            columns: 4,
            distance,
            thickness,
        };
        heights.iter().map(plane).collect()
    }

    #[test]
    fn planes_without_a_distance_are_as_far_apart_as_the_nearest_and_not_as_they_are_thick() {
        let slices = |heights: &[f64], distance, thickness| {
            let stack = sparse(&planes(heights, distance, thickness)).expect("a grid");
            (stack.order.len(), stack.grid.spacing_mm()[2], stack.warnings.len())
        };
        let gapped = [0.0, 6.0, 12.0];
        assert_eq!(slices(&gapped, None, Some(3.0)), (3, 6.0, 1));
        assert_eq!(slices(&gapped, None, Some(2.0)), (3, 6.0, 1));
        assert_eq!(slices(&gapped, None, Some(6.0)), (3, 6.0, 0));
        // A distance that is written says that there are planes without a voxel between them.
        assert_eq!(slices(&gapped, Some(3.0), Some(3.0)), (5, 3.0, 0));
        assert_eq!(slices(&[0.0, 3.0, 12.0], None, Some(1.5)), (5, 3.0, 1));
        assert_eq!(slices(&[0.0, 6.0, 15.0], None, Some(3.0)), (6, 3.0, 0));
        assert_eq!(slices(&[0.0], None, Some(3.0)), (1, 3.0, 0));
    }
}
