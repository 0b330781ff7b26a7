//! Segmentations: binary, occupancy, probability, label maps.
//!
//! Source: DICOM PS3.3, C.8.20 (Segmentation).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Frame, Object};
use super::labels::Found;
use super::planes::planes_of;
use super::series::{Instance, Kind, Series};
use super::stack::{Plane, Stack, sparse};
use super::vector::{Vector, dot};
use crate::domain::{Invalid, Organ, Organs, VoxelGrid};

/// How a pixel says that it belongs to a segment.
#[derive(Clone, Copy)]
enum Form {
    /// 1 belongs.
    Binary,
    /// The part of the maximum is the part of the voxel.
    Occupancy { maximum: f64 },
    /// The part of the maximum from which it belongs.
    From { maximum: f64, threshold: f64 },
    /// The value is the number of the segment.
    LabelMap,
}

/// Shares of voxels, by the number of the segment.
type Shares = BTreeMap<u16, BTreeMap<u32, f32>>;

/// Reads the segments of all files of a series, each a mask of its own.
///
/// # Errors
/// If pixels or places cannot be read, or probabilities are given without a threshold.
pub(super) fn read(series: &Series, threshold: Option<f64>) -> Result<Found, Invalid> {
    let planes = planes(series)?;
    let Stack { grid, mut warnings, .. } = sparse(&planes)?;
    let grid = Arc::new(grid);
    let (mut organs, mut left_out) = (Vec::new(), Vec::new());
    let is_alone = series.instances.len() == 1;
    for (number, instance) in series.instances.iter().enumerate() {
        let own: Vec<&Plane> = planes.iter().filter(|plane| plane.instance == number).collect();
        let form = form(&instance.object, threshold, &mut warnings)?;
        let shares = shares(instance, &own, form, &grid, planes[0].normal())?;
        let mut names = names(&instance.object, form)?;
        for segment in shares.keys() {
            names.entry(*segment).or_insert_with(|| {
                warnings.push(format!("the file does not describe its segment {segment}: nobody knows what it is"));
                format!("segment {segment}")
            });
        }
        for (segment, name) in names {
            let voxels = shares.get(&segment).filter(|voxels| !voxels.is_empty());
            let Some(voxels) = voxels else {
                left_out.push((name, "no voxel belongs to it".to_owned()));
                continue;
            };
            let next = u16::try_from(organs.len() + 1).map_err(|_| Invalid::new("holds more than 65535 segments"))?;
            let label = if is_alone { segment } else { next };
            organs.push(Organ::partial(label, Some(name), voxels.iter().map(|(voxel, share)| (*voxel, *share)))?);
        }
    }
    Ok(Found { organs: Organs::new(grid, organs)?, left_out, warnings })
}

/// Checks what [`read`] checks but for the pixels, without a threshold.
///
/// # Errors
/// As there.
pub(super) fn check(series: &Series, warnings: &mut Vec<String>) -> Result<(), Invalid> {
    let planes = planes(series)?;
    let Stack { grid, warnings: own, .. } = sparse(&planes)?;
    warnings.extend(own);
    for (number, instance) in series.instances.iter().enumerate() {
        let own: Vec<&Plane> = planes.iter().filter(|plane| plane.instance == number).collect();
        let form = form(&instance.object, None, warnings)?;
        instance.layout()?.check_unpacked()?;
        names(&instance.object, form)?;
        places(instance, &own, form, &grid, planes[0].normal())?;
    }
    Ok(())
}

/// The planes of all files.
fn planes(series: &Series) -> Result<Vec<Plane>, Invalid> {
    let mut planes = Vec::new();
    for (number, instance) in series.instances.iter().enumerate() {
        planes.extend(planes_of(Kind::Segmentation, instance, number)?);
    }
    Ok(planes)
}

fn form(object: &Object, threshold: Option<f64>, warnings: &mut Vec<String>) -> Result<Form, Invalid> {
    let maximum = object.number(tags::MAXIMUM_FRACTIONAL_VALUE).filter(|maximum| *maximum > 0.0);
    match object.text(tags::SEGMENTATION_TYPE).as_deref() {
        Some("BINARY") => Ok(Form::Binary),
        Some("LABELMAP") => Ok(Form::LabelMap),
        Some("FRACTIONAL") => {
            let maximum = maximum.ok_or_else(|| Invalid::new("is fractional, and has no Maximum Fractional Value"))?;
            match (object.text(tags::SEGMENTATION_FRACTIONAL_TYPE).as_deref(), threshold) {
                (_, Some(threshold)) => {
                    warnings.push(format!("voxels belong to a segment from a part of {threshold} on"));
                    Ok(Form::From { maximum, threshold })
                }
                (Some("OCCUPANCY"), None) => Ok(Form::Occupancy { maximum }),
                (_, None) => Err(Invalid::new(
                    "is a fractional segmentation of probabilities, which are no volumes; name the probability from \
                     which a voxel belongs to a segment, --threshold",
                )),
            }
        }
        _ => Err(Invalid::new("has a Segmentation Type that is none of BINARY, FRACTIONAL and LABELMAP")),
    }
}

/// The label of every segment.
fn names(object: &Object, form: Form) -> Result<BTreeMap<u16, String>, Invalid> {
    let mut names = BTreeMap::new();
    for item in object.items(tags::SEGMENT_SEQUENCE) {
        // The background of a label map may be listed.
        if matches!(form, Form::LabelMap) && item.count(tags::SEGMENT_NUMBER) == Some(0) {
            continue;
        }
        let number = item.count(tags::SEGMENT_NUMBER).and_then(|number| u16::try_from(number).ok());
        let number = number.filter(|number| *number > 0);
        let number = number.ok_or_else(|| Invalid::new("has a segment without a number from 1 to 65535"))?;
        let name = item.text(tags::SEGMENT_LABEL).unwrap_or_else(|| format!("segment {number}"));
        if names.insert(number, name).is_some() {
            return Err(Invalid::new(format!("has two segments of number {number}")));
        }
    }
    Ok(names)
}

/// The segment and the slice of every plane; segment 0 where pixels name theirs.
fn places(
    instance: &Instance,
    planes: &[&Plane],
    form: Form,
    grid: &VoxelGrid,
    normal: Vector,
) -> Result<Vec<(u16, usize)>, Invalid> {
    let affine = grid.affine();
    // Back to DICOM's axes.
    let origin = [-affine[0][3], -affine[1][3], affine[2][3]];
    let gap = grid.spacing_mm()[2];
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for plane in planes {
        let from_origin = [0, 1, 2].map(|axis| plane.position[axis] - origin[axis]);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a plane of the grid")]
        let slice = (dot(from_origin, normal) / gap).round().max(0.0) as usize;
        let segment = match form {
            Form::LabelMap => 0,
            Form::Binary | Form::Occupancy { .. } | Form::From { .. } => segment_of(&instance.object, plane.frame)?,
        };
        if !seen.insert((segment, slice)) {
            return Err(Invalid::new(format!("has two frames of segment {segment} at one place")));
        }
        found.push((segment, slice));
    }
    Ok(found)
}

fn shares(
    instance: &Instance,
    planes: &[&Plane],
    form: Form,
    grid: &VoxelGrid,
    normal: Vector,
) -> Result<Shares, Invalid> {
    let places = places(instance, planes, form, grid, normal)?;
    let (layout, stored) = (instance.layout()?, instance.stored()?);
    let pixels = layout.frame_pixels();
    // Of a label map, the number of what is no segment. Source: DICOM PS3.3, C.8.20.2.3.
    let background = instance.object.number(tags::PIXEL_PADDING_VALUE);
    let mut found = Shares::new();
    for (plane, (segment, slice)) in planes.iter().zip(places) {
        for (pixel, raw) in layout.frame(&stored, plane.frame)?.into_iter().enumerate() {
            let value = layout.value(raw) as f64;
            let (segment, share) = match form {
                Form::Binary => (segment, if value > 0.0 { 1.0 } else { 0.0 }),
                Form::Occupancy { maximum } => (segment, value / maximum),
                Form::From { maximum, threshold } => (segment, if value / maximum >= threshold { 1.0 } else { 0.0 }),
                Form::LabelMap if Some(value) == background => continue,
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "16 bits")]
                Form::LabelMap if (1.0..=65_535.0).contains(&value) => (value as u16, 1.0),
                Form::LabelMap => continue,
            };
            if share > 1.0 {
                return Err(Invalid::new("has a value above its Maximum Fractional Value"));
            }
            if share > 0.0 {
                let voxel = u32::try_from(slice * pixels + pixel)
                    .map_err(|_| Invalid::new("has too many voxels for labels"))?;
                #[expect(clippy::cast_possible_truncation, reason = "a share from 0 to 1")]
                found.entry(segment).or_default().insert(voxel, share as f32);
            }
        }
    }
    Ok(found)
}

/// The segment that a frame belongs to.
fn segment_of(object: &Object, frame: usize) -> Result<u16, Invalid> {
    let group = Frame::new(object, frame).group(tags::SEGMENT_IDENTIFICATION_SEQUENCE);
    let number = group.and_then(|item| item.count(tags::REFERENCED_SEGMENT_NUMBER));
    let number = number.and_then(|number| u16::try_from(number).ok()).filter(|number| *number > 0);
    number.ok_or_else(|| Invalid::new(format!("does not say to which segment its frame {} belongs", frame + 1)))
}
